// A graph with its weights packed for this processor, ready to run on several images at once.
#pragma once

#include <memory>
#include <vector>

#include "container.h"
#include "graph.h"
#include "kernels.h"
#include "threads.h"

namespace csot {

// Floats at an address that is a multiple of 64.
using Floats = std::unique_ptr<float[], Freed>;
Floats allocate(uint64_t count);

class Network {
public:
    // `usual` images are run at once most of the time: what is the fastest way to convolve depends on it. `part`
    // may be freed afterwards.
    Network(Graph graph, const Part& weights, const char* name, const Kernels& kernels, size_t usual);

    // Floats of memory that running `images` at once on so many members takes.
    uint64_t memory(size_t images, unsigned members) const;
    // How many images at once are worth it; the memory grows with them.
    size_t at_once(size_t wanted) const;

    const Shape& input() const { return graph_.tensors[0]; }
    const Shape& output(size_t index) const { return graph_.tensors[graph_.outputs[index]]; }
    size_t outputs() const { return graph_.outputs.size(); }

    // Where, in the memory, the input of image 0 is written before, and output `index` of it lies after a run; the
    // images follow each other. What one image gives does not depend on the others, nor on the team.
    float* input(float* memory, size_t images) const { return memory + graph_.places[0] * images; }
    const float* output(size_t index, const float* memory, size_t images) const {
        return memory + graph_.places[graph_.outputs[index]] * images;
    }
    void run(Team& team, float* memory, size_t images) const;

private:
    // How a convolution is computed.
    struct Convolution {
        bool by_tiles = false;
        bool bordered = false;  // its input is copied into a border of zeros first
        size_t padded_height = 0, padded_width = 0;
        RowsShape rows{};
        TilesShape tiles{};
        size_t block = 0;  // tiles that are transformed together
        Floats packed, bias;
    };

    Convolution prepare(const Operation& operation, const float* weights, size_t usual) const;
    void pack_rows(Convolution& convolution, const Operation& operation, const float* weights) const;
    void pack_tiles(Convolution& convolution, const Operation& operation, const float* weights) const;
    void add_border(Team& team, const Operation& operation, const Convolution& convolution, const float* in, float* out,
                    size_t images) const;
    void convolve(Team& team, const Operation& operation, const Convolution& convolution, const float* in,
                  const float* residual, float* out, float* scratch, size_t images) const;
    uint64_t scratch(size_t images, unsigned members) const;

    Graph graph_;
    const Kernels& kernels_;
    std::vector<Convolution> convolutions_;  // by operation
};

}  // namespace csot
