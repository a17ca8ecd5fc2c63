// A network as a list of operations with one output each. Reading checks everything; running checks nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "container.h"

namespace csot {

struct Shape {
    uint32_t height, width, channels;
    size_t floats() const { return size_t{height} * width * channels; }
    bool operator==(const Shape& other) const {
        return height == other.height && width == other.width && channels == other.channels;
    }
};

// The operations of a part "….graph"; written by services/evaluator/worker/packaging/graph.py.
enum class OperationKind : uint32_t {
    Convolution = 1,  // x, optionally a tensor to add; weights [out][kernel_y][kernel_x][in], bias [out]
    MaxPool = 2,
    Mean = 3,  // over all pixels
    Add = 4,
    Relu = 5,
    ResizeNearest = 6,
    ResizeBilinear = 7,  // half-pixel centres, edges held, no antialias
    Concatenate = 8,     // of channels
};

struct Operation {
    OperationKind kind;
    std::vector<uint32_t> inputs;  // tensors: 0 is the network's input, i + 1 the output of operation i
    uint32_t kernel_y, kernel_x, step_y, step_x, dilation_y, dilation_x;
    uint32_t pad_top, pad_left, pad_bottom, pad_right;
    bool has_relu;                 // its output: negative values become 0
    uint64_t weights_at, bias_at;  // in floats, of the part "….weights"
    Shape out;
};

struct Graph {
    std::vector<Shape> tensors;
    std::vector<Operation> operations;
    std::vector<uint32_t> outputs;

    // The offset of each tensor in the working memory, in floats per image: tensors that are needed at the same time
    // do not overlap. And the size of that memory.
    std::vector<size_t> places;
    size_t floats_per_image = 0;

    // Products and moves of floats for one image, at least.
    uint64_t work = 0;
};

// No image may take more work: of a classifier for all windows, and of a segmentation network.
constexpr uint64_t kMaxWork =
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    uint64_t{1} << 24;  // a fuzzer tries many packages a second
#else
    uint64_t{1} << 42;
#endif

// Reads and checks a graph. Its convolutions use only the first `weight_floats` weights, each of them once.
Graph read_graph(const Part& part, const char* name, uint64_t weight_floats);

}  // namespace csot
