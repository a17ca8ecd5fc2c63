// A network as a list of operations, each with one output; checked when read, so that whatever runs it need not.
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

// What may stand in a part "….graph"; builder: services/evaluator/worker/packaging/graph.py.
enum class Kind : uint32_t {
    Convolution = 1,  // x, and perhaps what is added to it; weights [out][kernel_y][kernel_x][in], bias [out]
    MaxPool = 2,
    Mean = 3,  // over all pixels
    Add = 4,
    Rectify = 5,
    ResizeNearest = 6,
    ResizeBilinear = 7,  // half-pixel centres, edges held, no antialias
    Concatenate = 8,     // of channels
};

struct Operation {
    Kind kind;
    std::vector<uint32_t> inputs;  // tensors: 0 is the network's input, i + 1 the output of operation i
    uint32_t kernel_y, kernel_x, step_y, step_x, dilation_y, dilation_x;
    uint32_t pad_top, pad_left, pad_bottom, pad_right;
    bool rectifies;               // its output: negative values become 0
    uint64_t weights_at, bias_at;  // in floats, of the part "….weights"
    Shape out;
};

struct Graph {
    std::vector<Shape> tensors;
    std::vector<Operation> operations;
    std::vector<uint32_t> outputs;

    // Where each tensor lies in a working memory, in floats per image, so that no two that are needed at the same
    // time overlap; and how many floats that takes.
    std::vector<size_t> places;
    size_t floats_per_image = 0;
};

// Reads and checks a graph. What it computes stays within `weight_floats` weights.
Graph read_graph(const Part& part, const char* name, uint64_t weight_floats);

}  // namespace csot
