// A graph with weights packed for this processor. It runs on batches of images.
#pragma once

#include <memory>
#include <vector>

#include "container.h"
#include "graph.h"
#include "kernels.h"
#include "threads.h"

namespace csot {

// Floats at an address that is a multiple of 64.
using Floats = std::unique_ptr<float[], FreeDeleter>;
Floats allocate(uint64_t count);

class Network {
public:
    // Plans only: what it needs is known before anything of that size is allocated. The fastest way to compute a
    // convolution depends on the batch size, so `typical_batch` chooses it.
    Network(Graph graph, const Kernels& kernels, size_t typical_batch);

    // Floats of the weights as `pack` lays them out.
    uint64_t packed_floats() const;
    // Must be called once, before `run`. `weights` may be freed afterwards.
    void pack(const Part& weights, const char* name);

    uint64_t work() const { return graph_.work; }
    // Floats of memory that a batch of `images` needs on a team of `members`.
    uint64_t memory(size_t images, unsigned members) const;
    // The batch size that is worth its memory: at most `wanted`, and 1 or what `most_floats` hold.
    size_t batch_size(size_t wanted, unsigned members, uint64_t most_floats) const;

    const Shape& input() const { return graph_.tensors[0]; }
    const Shape& output(size_t index) const { return graph_.tensors[graph_.outputs[index]]; }
    size_t outputs() const { return graph_.outputs.size(); }

    // Where the input of image 0 must be written before a run, and where its output `index` is afterwards; the other
    // images follow. The result of an image depends neither on the other images nor on the team.
    float* input(float* memory, size_t images) const { return memory + graph_.places[0] * images; }
    const float* output(size_t index, const float* memory, size_t images) const {
        return memory + graph_.places[graph_.outputs[index]] * images;
    }
    void run(Team& team, float* memory, size_t images) const;

private:
    // How a convolution is computed.
    struct Convolution {
        bool uses_winograd = false;
        bool has_padding = false;  // its input is first copied into one with zero padding
        size_t padded_height = 0, padded_width = 0;
        RowsShape rows{};
        TilesShape tiles{};
        size_t block = 0;  // tiles that are transformed together
        Floats packed, bias;
    };

    Convolution plan(const Operation& operation, size_t typical_batch) const;
    uint64_t packed_floats(const Convolution& convolution, const Operation& operation) const;
    void pack_rows(Convolution& convolution, const Operation& operation, const float* weights) const;
    void pack_tiles(Convolution& convolution, const Operation& operation, const float* weights) const;
    void add_padding(Team& team, const Operation& operation, const Convolution& convolution, const float* in,
                     float* out, size_t images) const;
    void convolve(Team& team, const Operation& operation, const Convolution& convolution, const float* in,
                  const float* residual, float* out, float* scratch, size_t images) const;
    void concatenate(const Operation& operation, const float* memory, float* to, size_t images) const;
    void run_operation(Team& team, size_t index, float* memory, size_t images) const;
    uint64_t scratch(size_t images, unsigned members) const;

    Graph graph_;
    const Kernels& kernels_;
    std::vector<Convolution> convolutions_;  // by operation
};

}  // namespace csot
