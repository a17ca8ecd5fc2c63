#include "graph.h"

#include <algorithm>
#include <utility>

#include "fault.h"

namespace csot {
namespace {

constexpr uint32_t kMaxOperations = 4096, kMaxInputs = 64, kMaxSide = 16384, kMaxChannels = 16384, kMaxKernel = 64;
// Limits for one image. Networks on whole images of 3,072 × 3,072 px stay below them.
constexpr uint64_t kMaxTensorFloats = uint64_t{1} << 28, kMaxFloats = uint64_t{1} << 30;
// Kernels compute so many channels together, also for an output that has fewer.
constexpr uint64_t kPanelChannels = 32;

uint32_t output_side(uint32_t side, uint32_t before, uint32_t after, uint32_t kernel, uint32_t dilation, uint32_t step,
                     const char* name) {
    const uint64_t extent = uint64_t{kernel - 1} * dilation + 1, padded = uint64_t{side} + before + after;
    if (before >= extent || after >= extent || extent > padded) {
        throw Fault(CSOT_CORRUPT, "models.xbin: %s has a window that does not fit its input", name);
    }
    return static_cast<uint32_t>((padded - extent) / step + 1);
}

// Reads one operation of a graph and checks it.
class OperationReader {
public:
    // `name` and `number` are for error messages; `weights` and `work` grow by what the operation takes.
    OperationReader(Reader& reader, const std::vector<Shape>& tensors, uint64_t weight_floats, const char* name,
                    uint32_t number, uint64_t& weights, uint64_t& work)
        : reader_(reader),
          tensors_(tensors),
          weight_floats_(weight_floats),
          name_(name),
          number_(number),
          weights_(weights),
          work_(work) {}

    Operation read() {
        operation_.kind = static_cast<OperationKind>(reader_.u32());
        const uint32_t inputs = reader_.within(1, kMaxInputs, "a number of inputs");
        for (uint32_t i = 0; i < inputs; ++i) {
            operation_.inputs.push_back(reader_.within(0, static_cast<uint32_t>(tensors_.size()) - 1, "an input"));
        }
        operation_.has_relu = reader_.within(0, 1, "a flag") == 1;
        out_ = in();
        read_kind();
        expect(times(uint64_t{out_.height} * out_.width, out_.channels) <= kMaxTensorFloats, "its output is too large");
        for (const uint32_t input : operation_.inputs) work_ = plus(work_, tensors_[input].floats());
        work_ = plus(work_, out_.floats());
        return std::move(operation_);
    }

private:
    const Shape& in() const { return tensors_[operation_.inputs[0]]; }

    void expect(bool holds, const char* rule) const {
        if (!holds) throw Fault(CSOT_CORRUPT, "models.xbin: operation %u of %s: %s", number_, name_, rule);
    }

    void expect_one_input() const { expect(operation_.inputs.size() == 1, "it has one input"); }

    void read_kind() {
        switch (operation_.kind) {
            case OperationKind::Convolution:
                return read_convolution();
            case OperationKind::MaxPool:
                return read_max_pool();
            case OperationKind::Mean:
                out_.height = out_.width = 1;
                return expect_one_input();
            case OperationKind::Add:
                return expect(operation_.inputs.size() == 2 && tensors_[operation_.inputs[1]] == in(),
                              "it adds two tensors of one shape");
            case OperationKind::Relu:
                return expect_one_input();
            case OperationKind::ResizeNearest:
            case OperationKind::ResizeBilinear:
                out_.height = reader_.within(1, kMaxSide, "a height of");
                out_.width = reader_.within(1, kMaxSide, "a width of");
                return expect_one_input();
            case OperationKind::Concatenate:
                return read_concatenation();
        }
        throw Fault(CSOT_CORRUPT, "models.xbin: operation %u of %s is of a kind %u that this library does not know",
                    number_, name_, static_cast<unsigned>(operation_.kind));
    }

    void read_convolution() {
        out_.channels = reader_.within(1, kMaxChannels, "a number of channels");
        read_kernel();
        operation_.weights_at = reader_.u64(), operation_.bias_at = reader_.u64();
        set_output_size();
        const uint64_t depth = times(times(operation_.kernel_y, operation_.kernel_x), in().channels);
        expect(plus(operation_.weights_at, times(depth, out_.channels)) <= weight_floats_,
               "its weights lie outside the file");
        expect(plus(operation_.bias_at, out_.channels) <= weight_floats_, "its bias lies outside the file");
        // Every convolution gets a copy of its weights: a file must not have few weights and many that use them.
        weights_ = plus(weights_, plus(times(depth, out_.channels), out_.channels));
        expect(weights_ <= weight_floats_, "the convolutions have more weights than the file");
        const uint64_t channels = (out_.channels + kPanelChannels - 1) / kPanelChannels * kPanelChannels;
        work_ = plus(work_, times(depth, times(uint64_t{out_.height} * out_.width, channels)));
        // The input is copied with its padding.
        const uint64_t padded = times(times(uint64_t{in().height} + operation_.pad_top + operation_.pad_bottom,
                                            uint64_t{in().width} + operation_.pad_left + operation_.pad_right),
                                      in().channels);
        expect(padded <= kMaxTensorFloats, "its input with its border is too large");
        work_ = plus(work_, padded);
        const size_t inputs = operation_.inputs.size();
        expect(inputs <= 2, "a convolution has one input, and one to add");
        expect(inputs < 2 || tensors_[operation_.inputs[1]] == out_, "what it adds has another shape");
    }

    void read_max_pool() {
        read_kernel();
        expect(operation_.dilation_y == 1 && operation_.dilation_x == 1, "a pool cannot be dilated");
        set_output_size();
        work_ = plus(work_, times(times(operation_.kernel_y, operation_.kernel_x),
                                  times(uint64_t{out_.height} * out_.width, out_.channels)));
        expect_one_input();
    }

    void read_concatenation() {
        uint64_t channels = 0;
        for (const uint32_t input : operation_.inputs) {
            const Shape& tensor = tensors_[input];
            expect(tensor.height == in().height && tensor.width == in().width, "it joins tensors of one size");
            channels += tensor.channels;
        }
        expect(channels <= kMaxChannels, "it has too many channels");
        out_.channels = static_cast<uint32_t>(channels);
    }

    void read_kernel() {
        operation_.kernel_y = reader_.within(1, kMaxKernel, "a kernel of height");
        operation_.kernel_x = reader_.within(1, kMaxKernel, "a kernel of width");
        operation_.step_y = reader_.within(1, kMaxKernel, "a step of");
        operation_.step_x = reader_.within(1, kMaxKernel, "a step of");
        operation_.dilation_y = reader_.within(1, kMaxKernel, "a dilation of");
        operation_.dilation_x = reader_.within(1, kMaxKernel, "a dilation of");
        operation_.pad_top = reader_.within(0, kMaxSide, "a border of");
        operation_.pad_left = reader_.within(0, kMaxSide, "a border of");
        operation_.pad_bottom = reader_.within(0, kMaxSide, "a border of");
        operation_.pad_right = reader_.within(0, kMaxSide, "a border of");
    }

    void set_output_size() {
        out_.height = output_side(in().height, operation_.pad_top, operation_.pad_bottom, operation_.kernel_y,
                                  operation_.dilation_y, operation_.step_y, name_);
        out_.width = output_side(in().width, operation_.pad_left, operation_.pad_right, operation_.kernel_x,
                                 operation_.dilation_x, operation_.step_x, name_);
    }

    Reader& reader_;
    const std::vector<Shape>& tensors_;
    const uint64_t weight_floats_;
    const char* const name_;
    const uint32_t number_;
    uint64_t& weights_;
    uint64_t& work_;
    Operation operation_{};
    Shape& out_ = operation_.out;
};

// First fit: each tensor gets the lowest offset that no tensor with an overlapping lifetime occupies.
void plan_memory(Graph& graph) {
    const size_t tensors = graph.tensors.size(), kept = graph.operations.size() + 1;
    std::vector<size_t> last_use(tensors, 0);
    for (size_t i = 0; i < graph.operations.size(); ++i) {
        for (const uint32_t input : graph.operations[i].inputs) last_use[input] = i + 1;
    }
    for (const uint32_t output : graph.outputs) last_use[output] = kept;
    graph.places.assign(tensors, 0);
    for (size_t tensor = 0; tensor < tensors; ++tensor) {
        std::vector<std::pair<size_t, size_t>> taken;
        for (size_t other = 0; other < tensor; ++other) {
            if (last_use[other] >= tensor) {
                taken.emplace_back(graph.places[other], graph.places[other] + graph.tensors[other].floats());
            }
        }
        std::sort(taken.begin(), taken.end());
        size_t place = 0;
        const size_t size = graph.tensors[tensor].floats();
        for (const auto& [from, to] : taken) {
            if (place + size <= from) break;
            place = std::max(place, (to + 15) / 16 * 16);
        }
        graph.places[tensor] = place;
        graph.floats_per_image = std::max(graph.floats_per_image, (place + size + 15) / 16 * 16);
    }
}

}  // namespace

Graph read_graph(const Part& part, const char* name, uint64_t weight_floats) {
    Reader reader(part.data, part.size, name);
    Graph graph;
    Shape input{};
    input.height = reader.within(1, kMaxSide, "a height of");
    input.width = reader.within(1, kMaxSide, "a width of");
    input.channels = reader.within(1, kMaxChannels, "a number of channels");
    if (times(uint64_t{input.height} * input.width, input.channels) > kMaxTensorFloats) {
        throw Fault(CSOT_CORRUPT, "models.xbin: the input of %s is too large", name);
    }
    graph.tensors.push_back(input);
    const uint32_t operations = reader.within(1, kMaxOperations, "a number of operations");
    uint64_t weights = 0;
    for (uint32_t number = 0; number < operations; ++number) {
        graph.operations.push_back(
            OperationReader(reader, graph.tensors, weight_floats, name, number, weights, graph.work).read());
        graph.tensors.push_back(graph.operations.back().out);
    }
    const uint32_t outputs = reader.within(1, kMaxInputs, "a number of outputs");
    for (uint32_t i = 0; i < outputs; ++i) graph.outputs.push_back(reader.within(1, operations, "an output"));
    reader.end();
    plan_memory(graph);
    if (graph.floats_per_image > kMaxFloats) {
        throw Fault(CSOT_CORRUPT, "models.xbin: %s would take more memory than any model that is exported", name);
    }
    return graph;
}

}  // namespace csot
