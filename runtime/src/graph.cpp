#include "graph.h"

#include <algorithm>

#include "fault.h"

namespace csot {
namespace {

constexpr uint32_t kMaxOperations = 4096, kMaxInputs = 64, kMaxSide = 16384, kMaxChannels = 16384, kMaxKernel = 64;
// Limits for one image. Networks on whole images of 3,072 × 3,072 px stay below them.
constexpr uint64_t kMaxTensorFloats = uint64_t{1} << 28;
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
constexpr uint64_t kMaxFloats = uint64_t{1} << 20, kMaxProducts = uint64_t{1} << 24;
#else
constexpr uint64_t kMaxFloats = uint64_t{1} << 30, kMaxProducts = uint64_t{1} << 42;
#endif

uint32_t output_side(uint32_t side, uint32_t before, uint32_t after, uint32_t kernel, uint32_t dilation, uint32_t step,
                     const char* name) {
    const uint64_t extent = uint64_t{kernel - 1} * dilation + 1, padded = uint64_t{side} + before + after;
    if (before >= extent || after >= extent || extent > padded) {
        throw Fault(CSOT_CORRUPT, "models.xbin: %s has a window that does not fit its input", name);
    }
    return static_cast<uint32_t>((padded - extent) / step + 1);
}

void read_kernel(Reader& reader, Operation& operation) {
    operation.kernel_y = reader.within(1, kMaxKernel, "a kernel of height");
    operation.kernel_x = reader.within(1, kMaxKernel, "a kernel of width");
    operation.step_y = reader.within(1, kMaxKernel, "a step of");
    operation.step_x = reader.within(1, kMaxKernel, "a step of");
    operation.dilation_y = reader.within(1, kMaxKernel, "a dilation of");
    operation.dilation_x = reader.within(1, kMaxKernel, "a dilation of");
    operation.pad_top = reader.within(0, kMaxSide, "a border of");
    operation.pad_left = reader.within(0, kMaxSide, "a border of");
    operation.pad_bottom = reader.within(0, kMaxSide, "a border of");
    operation.pad_right = reader.within(0, kMaxSide, "a border of");
}

void set_output_size(const Operation& operation, const Shape& in, Shape& out, const char* name) {
    out.height = output_side(in.height, operation.pad_top, operation.pad_bottom, operation.kernel_y,
                             operation.dilation_y, operation.step_y, name);
    out.width = output_side(in.width, operation.pad_left, operation.pad_right, operation.kernel_x, operation.dilation_x,
                            operation.step_x, name);
}

void expect(bool holds, const char* name, uint32_t number, const char* rule) {
    if (!holds) throw Fault(CSOT_CORRUPT, "models.xbin: operation %u of %s: %s", number, name, rule);
}

// Reads operation `number` and adds its multiplications to `products`.
Operation read_operation(Reader& reader, const std::vector<Shape>& tensors, uint32_t number, uint64_t weight_floats,
                         const char* name, uint64_t& products) {
    Operation operation{};
    operation.kind = static_cast<OperationKind>(reader.u32());
    const uint32_t inputs = reader.within(1, kMaxInputs, "a number of inputs");
    for (uint32_t i = 0; i < inputs; ++i) {
        operation.inputs.push_back(reader.within(0, static_cast<uint32_t>(tensors.size()) - 1, "an input"));
    }
    operation.has_relu = reader.within(0, 1, "a flag") == 1;
    const Shape& in = tensors[operation.inputs[0]];
    Shape& out = operation.out;
    out = in;
    bool one_input = true;
    switch (operation.kind) {
        case OperationKind::Convolution: {
            out.channels = reader.within(1, kMaxChannels, "a number of channels");
            read_kernel(reader, operation);
            operation.weights_at = reader.u64(), operation.bias_at = reader.u64();
            set_output_size(operation, in, out, name);
            const uint64_t depth = times(times(operation.kernel_y, operation.kernel_x), in.channels);
            expect(plus(operation.weights_at, times(depth, out.channels)) <= weight_floats, name, number,
                   "its weights lie outside the file");
            expect(plus(operation.bias_at, out.channels) <= weight_floats, name, number,
                   "its bias lies outside the file");
            products = plus(products, times(depth, times(uint64_t{out.height} * out.width, out.channels)));
            // The input is copied with its padding.
            expect(times(times(uint64_t{in.height} + operation.pad_top + operation.pad_bottom,
                               uint64_t{in.width} + operation.pad_left + operation.pad_right),
                         in.channels) <= kMaxTensorFloats,
                   name, number, "its input with its border is too large");
            expect(inputs <= 2, name, number, "a convolution has one input, and one to add");
            expect(inputs < 2 || tensors[operation.inputs[1]] == out, name, number, "what it adds has another shape");
            one_input = false;
            break;
        }
        case OperationKind::MaxPool:
            read_kernel(reader, operation);
            expect(operation.dilation_y == 1 && operation.dilation_x == 1, name, number, "a pool cannot be dilated");
            set_output_size(operation, in, out, name);
            products = plus(products, times(times(operation.kernel_y, operation.kernel_x),
                                            times(uint64_t{out.height} * out.width, out.channels)));
            break;
        case OperationKind::Mean:
            out.height = out.width = 1;
            break;
        case OperationKind::Add:
            expect(inputs == 2 && tensors[operation.inputs[1]] == in, name, number, "it adds two tensors of one shape");
            one_input = false;
            break;
        case OperationKind::Relu:
            break;
        case OperationKind::ResizeNearest:
        case OperationKind::ResizeBilinear:
            out.height = reader.within(1, kMaxSide, "a height of");
            out.width = reader.within(1, kMaxSide, "a width of");
            break;
        case OperationKind::Concatenate: {
            uint64_t channels = 0;
            for (const uint32_t input : operation.inputs) {
                const Shape& tensor = tensors[input];
                expect(tensor.height == in.height && tensor.width == in.width, name, number,
                       "it joins tensors of one size");
                channels += tensor.channels;
            }
            expect(channels <= kMaxChannels, name, number, "it has too many channels");
            out.channels = static_cast<uint32_t>(channels);
            one_input = false;
            break;
        }
        default:
            throw Fault(CSOT_CORRUPT, "models.xbin: operation %u of %s is of a kind %u that this library does not know",
                        number, name, static_cast<unsigned>(operation.kind));
    }
    expect(!one_input || inputs == 1, name, number, "it has one input");
    expect(times(uint64_t{out.height} * out.width, out.channels) <= kMaxTensorFloats, name, number,
           "its output is too large");
    products = plus(products, out.floats());
    return operation;
}

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
    uint64_t products = 0;
    for (uint32_t number = 0; number < operations; ++number) {
        graph.operations.push_back(read_operation(reader, graph.tensors, number, weight_floats, name, products));
        graph.tensors.push_back(graph.operations.back().out);
    }
    const uint32_t outputs = reader.within(1, kMaxInputs, "a number of outputs");
    for (uint32_t i = 0; i < outputs; ++i) graph.outputs.push_back(reader.within(1, operations, "an output"));
    reader.end();
    plan_memory(graph);
    if (graph.floats_per_image > kMaxFloats || products > kMaxProducts) {
        throw Fault(CSOT_CORRUPT, "models.xbin: %s would take more memory or time than any model that is exported",
                    name);
    }
    return graph;
}

}  // namespace csot
