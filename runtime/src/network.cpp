#include "network.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "fault.h"

namespace csot {
namespace {

// The transformed tiles of a block should fit into a core's share of the cache.
constexpr size_t kBlockBytes = 640 << 10;
constexpr size_t kMaxBlockTiles = 96;
// Above this, weights are read once for all rows, not once for every few rows.
constexpr size_t kManyWeightBytes = 2 << 20;
constexpr size_t kRowsPerTask = 48;
// Above this, activations do not stay in the cache between two layers.
constexpr size_t kActivationBytes = 12 << 20;

size_t round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }
size_t ceil_div(size_t value, size_t by) { return (value + by - 1) / by; }

// The matrix G of F(2, 3) and F(4, 3), which turns the three weights of a line into tile + 2.
constexpr double kFilter2[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
constexpr double kFilter4[6][3] = {{1 / 4.0, 0, 0},
                                   {-1 / 6.0, -1 / 6.0, -1 / 6.0},
                                   {-1 / 6.0, 1 / 6.0, -1 / 6.0},
                                   {1 / 24.0, 1 / 12.0, 1 / 6.0},
                                   {1 / 24.0, -1 / 12.0, 1 / 6.0},
                                   {0, 0, 1}};

// The cost of a convolution in a unit of time: products at the speed of one core, weights at the speed of memory.
double cost(double products, double weights) { return products + 10 * weights; }

}  // namespace

Floats allocate(uint64_t count) {
    const uint64_t bytes = plus(times(count, sizeof(float)), 64) / 64 * 64;
    if (bytes != static_cast<size_t>(bytes)) throw std::bad_alloc();
    Floats floats(static_cast<float*>(std::aligned_alloc(64, static_cast<size_t>(bytes))));
    if (!floats) throw std::bad_alloc();
    return floats;
}

Network::Network(Graph graph, const Kernels& kernels, size_t typical_batch)
    : graph_(std::move(graph)), kernels_(kernels) {
    for (const Operation& operation : graph_.operations) {
        convolutions_.push_back(operation.kind == OperationKind::Convolution ? plan(operation, typical_batch)
                                                                             : Convolution{});
    }
}

Network::Convolution Network::plan(const Operation& operation, size_t typical_batch) const {
    const Shape &in = graph_.tensors[operation.inputs[0]], &out = operation.out;
    Convolution convolution;
    const bool can_tile = operation.kernel_y == 3 && operation.kernel_x == 3 && operation.step_y == 1 &&
                          operation.step_x == 1 && operation.dilation_y == 1 && operation.dilation_x == 1 &&
                          in.channels % kernels_.vector == 0;
    const double channels = double{1.0} * in.channels * out.channels, images = static_cast<double>(typical_batch);
    double cheapest = cost(9 * channels * images * out.height * out.width, 9 * channels);
    for (const size_t tile : {size_t{2}, size_t{4}}) {
        const size_t tiles_y = ceil_div(out.height, tile), tiles_x = ceil_div(out.width, tile),
                     points = (tile + 2) * (tile + 2);
        const double products = static_cast<double>(points * tiles_y * tiles_x) * channels * images;
        const double tiled_cost = cost(products, static_cast<double>(points) * channels);
        if (!can_tile || tiled_cost >= cheapest) continue;
        cheapest = tiled_cost;
        convolution.uses_winograd = true;
        convolution.tiles = {tile,         in.height,         in.width,           in.channels, out.height, out.width,
                             out.channels, operation.pad_top, operation.pad_left, tiles_y,     tiles_x};
        convolution.block =
            std::clamp(kBlockBytes / (points * in.channels * sizeof(float)), size_t{24}, kMaxBlockTiles);
    }
    if (!convolution.uses_winograd) {
        convolution.has_padding =
            operation.pad_top || operation.pad_left || operation.pad_bottom || operation.pad_right;
        convolution.padded_height = size_t{in.height} + operation.pad_top + operation.pad_bottom;
        convolution.padded_width = size_t{in.width} + operation.pad_left + operation.pad_right;
        const size_t line = convolution.padded_width * in.channels;
        RowsShape& rows = convolution.rows;
        rows.out_height = out.height, rows.out_width = out.width, rows.out_channels = out.channels;
        rows.image = convolution.padded_height * line;
        rows.step_y = operation.step_y * line, rows.step_x = size_t{operation.step_x} * in.channels;
        rows.taps_y = operation.kernel_y, rows.tap_y = operation.dilation_y * line;
        rows.taps_x = operation.kernel_x, rows.tap_x = size_t{operation.dilation_x} * in.channels,
        rows.run = in.channels;
        if (operation.dilation_x == 1) rows.run *= rows.taps_x, rows.taps_x = 1;  // adjacent taps are one run
    }
    return convolution;
}

uint64_t Network::packed_floats(const Convolution& convolution, const Operation& operation) const {
    const TilesShape& tiles = convolution.tiles;
    const uint64_t depth =
        convolution.uses_winograd ? times(tiles.in_channels, tiles.points()) : convolution.rows.depth();
    return times(round_up(operation.out.channels, kernels_.panel), depth);
}

uint64_t Network::packed_floats() const {
    uint64_t floats = 0;
    for (size_t i = 0; i < convolutions_.size(); ++i) {
        const Operation& operation = graph_.operations[i];
        if (operation.kind != OperationKind::Convolution) continue;
        floats = plus(
            floats, plus(packed_floats(convolutions_[i], operation), round_up(operation.out.channels, kernels_.panel)));
    }
    return floats;
}

void Network::pack(const Part& weights, const char* name) {
    const float* values = reinterpret_cast<const float*>(weights.data);
    for (size_t i = 0; i < weights.size / sizeof(float); ++i) {
        if (values[i] - values[i] != 0)
            throw Fault(CSOT_CORRUPT, "models.xbin: %s has a weight that is not finite", name);
    }
    for (size_t i = 0; i < convolutions_.size(); ++i) {
        const Operation& operation = graph_.operations[i];
        if (operation.kind != OperationKind::Convolution) continue;
        Convolution& convolution = convolutions_[i];
        const size_t channels = operation.out.channels, padded_channels = round_up(channels, kernels_.panel);
        convolution.bias = allocate(padded_channels);
        std::fill_n(convolution.bias.get(), padded_channels, 0.0F);
        std::copy_n(values + operation.bias_at, channels, convolution.bias.get());
        convolution.packed = allocate(packed_floats(convolution, operation));
        convolution.uses_winograd ? pack_tiles(convolution, operation, values)
                                  : pack_rows(convolution, operation, values);
    }
}

void Network::pack_rows(Convolution& convolution, const Operation& operation, const float* weights) const {
    const size_t depth = convolution.rows.depth(), channels = operation.out.channels, panel = kernels_.panel;
    const size_t panels = ceil_div(channels, panel);
    float* to = convolution.packed.get();
    for (size_t p = 0; p < panels; ++p) {
        for (size_t k = 0; k < depth; ++k) {
            for (size_t c = p * panel; c < (p + 1) * panel; ++c) {
                *to++ = c < channels ? weights[operation.weights_at + c * depth + k] : 0;
            }
        }
    }
}

void Network::pack_tiles(Convolution& convolution, const Operation& operation, const float* weights) const {
    const TilesShape& shape = convolution.tiles;
    const size_t side = shape.tile + 2, points = shape.points(), panel = kernels_.panel;
    const size_t depth = shape.in_channels;
    const double (*filter)[3] = shape.tile == 4 ? kFilter4 : kFilter2;
    std::fill_n(convolution.packed.get(), packed_floats(convolution, operation), 0.0F);
    for (size_t channel = 0; channel < shape.out_channels; ++channel) {
        float* to = convolution.packed.get() + channel / panel * points * depth * panel + channel % panel;
        const float* from = weights + operation.weights_at + channel * 9 * depth;
        for (size_t k = 0; k < depth; ++k) {
            double lines[6][3];
            for (size_t y = 0; y < side; ++y) {
                for (size_t x = 0; x < 3; ++x) {
                    lines[y][x] = 0;
                    for (size_t i = 0; i < 3; ++i) lines[y][x] += filter[y][i] * double{from[(i * 3 + x) * depth + k]};
                }
            }
            for (size_t y = 0; y < side; ++y) {
                for (size_t x = 0; x < side; ++x) {
                    double sum = 0;
                    for (size_t i = 0; i < 3; ++i) sum += lines[y][i] * filter[x][i];
                    to[((y * side + x) * depth + k) * panel] = static_cast<float>(sum);
                }
            }
        }
    }
}

uint64_t Network::scratch(size_t images, unsigned members) const {
    uint64_t most = 0;
    for (size_t i = 0; i < convolutions_.size(); ++i) {
        const Convolution& convolution = convolutions_[i];
        uint64_t floats = 0;
        if (convolution.uses_winograd) {
            const uint64_t tiles = images * convolution.tiles.tiles_y * convolution.tiles.tiles_x,
                           points = convolution.tiles.points();
            const uint64_t block = std::min<uint64_t>(convolution.block, tiles);
            // Either every member has its own block, or all members share the blocks of all tiles, which are fewer.
            floats = points * (std::min<uint64_t>(tiles, 2 * members * block) * convolution.tiles.in_channels +
                               members * block * kernels_.panel);
        } else if (convolution.has_padding) {
            floats = times(images, convolution.rows.image);
        }
        most = std::max(most, floats);
    }
    return most;
}

uint64_t Network::memory(size_t images, unsigned members) const {
    return plus(times(images, graph_.floats_per_image), scratch(images, members));
}

size_t Network::batch_size(size_t wanted, unsigned members, uint64_t most_floats) const {
    const size_t fit = kActivationBytes / (graph_.floats_per_image * sizeof(float));
    size_t images = std::clamp<size_t>(fit, 1, std::max<size_t>(wanted, 1));
    while (images > 1 && memory(images, members) > most_floats) images /= 2;
    return images;
}

void Network::add_padding(Team& team, const Operation& operation, const Convolution& convolution, const float* in,
                          float* out, size_t images) const {
    const Shape& shape = graph_.tensors[operation.inputs[0]];
    const size_t height = convolution.padded_height, line = convolution.padded_width * shape.channels;
    const size_t kept = size_t{shape.width} * shape.channels, before = size_t{operation.pad_left} * shape.channels;
    constexpr size_t kLines = 16;
    team.share(ceil_div(images * height, kLines), [&](size_t task, unsigned) {
        const size_t end = std::min((task + 1) * kLines, images * height);
        for (size_t row = task * kLines; row < end; ++row) {
            const size_t y = row % height - operation.pad_top;  // above the image it wraps around to a huge value
            float* to = out + row * line;
            if (y >= shape.height) {
                std::memset(to, 0, line * sizeof(float));
                continue;
            }
            std::memset(to, 0, before * sizeof(float));
            std::memcpy(to + before, in + (row / height * shape.height + y) * kept, kept * sizeof(float));
            std::memset(to + before + kept, 0, (line - before - kept) * sizeof(float));
        }
    });
}

void Network::convolve(Team& team, const Operation& operation, const Convolution& convolution, const float* in,
                       const float* residual, float* out, float* scratch, size_t images) const {
    const Epilogue epilogue{convolution.bias.get(), residual, operation.has_relu};
    const float* packed = convolution.packed.get();
    const size_t panels = ceil_div(operation.out.channels, kernels_.panel), wanted = 2 * size_t{team.members()};
    if (!convolution.uses_winograd) {
        if (convolution.has_padding) {
            add_padding(team, operation, convolution, in, scratch, images);
            in = scratch;
        }
        const size_t rows = images * convolution.rows.out_height * convolution.rows.out_width;
        const bool many = convolution.rows.depth() * operation.out.channels * sizeof(float) > kManyWeightBytes;
        size_t row_tasks = many ? 1 : ceil_div(rows, kRowsPerTask), panel_tasks = 1;
        if (team.members() > 1 && row_tasks < wanted) panel_tasks = std::min(panels, ceil_div(wanted, row_tasks));
        team.share(row_tasks * panel_tasks, [&](size_t task, unsigned) {
            const size_t of_rows = task / panel_tasks, of_panels = task % panel_tasks;
            kernels_.multiply_rows(convolution.rows, in, packed, epilogue, out, rows * of_rows / row_tasks,
                                   rows * (of_rows + 1) / row_tasks, panels * of_panels / panel_tasks,
                                   panels * (of_panels + 1) / panel_tasks);
        });
        return;
    }
    const size_t tiles = images * convolution.tiles.tiles_y * convolution.tiles.tiles_x,
                 points = convolution.tiles.points();
    const size_t block = std::min(convolution.block, tiles), blocks = ceil_div(tiles, block),
                 depth = convolution.tiles.in_channels;
    const size_t products = points * block * kernels_.panel;
    if (team.members() == 1 || blocks >= wanted) {
        float* transformed = scratch + team.members() * products;
        team.share(blocks, [&](size_t task, unsigned member) {
            const size_t from = tiles * task / blocks, to = tiles * (task + 1) / blocks;
            float* own = transformed + member * points * block * depth;
            kernels_.transform_tiles(convolution.tiles, in, own, from, block, from, to);
            kernels_.multiply_tiles(convolution.tiles, own, from, block, packed, epilogue, scratch + member * products,
                                    out, from, to, 0, panels);
        });
        return;
    }
    // Too few blocks for all members: all transform first, then they share the panels.
    float* transformed = scratch + team.members() * products;
    const size_t parts = std::min(tiles, wanted);
    team.share(parts, [&](size_t task, unsigned) {
        kernels_.transform_tiles(convolution.tiles, in, transformed, 0, tiles, tiles * task / parts,
                                 tiles * (task + 1) / parts);
    });
    const size_t panel_tasks = std::min(panels, ceil_div(wanted, blocks));
    team.share(blocks * panel_tasks, [&](size_t task, unsigned member) {
        const size_t of_tiles = task / panel_tasks, of_panels = task % panel_tasks;
        kernels_.multiply_tiles(convolution.tiles, transformed, 0, tiles, packed, epilogue, scratch + member * products,
                                out, tiles * of_tiles / blocks, tiles * (of_tiles + 1) / blocks,
                                panels * of_panels / panel_tasks, panels * (of_panels + 1) / panel_tasks);
    });
}

void Network::concatenate(const Operation& operation, const float* memory, float* to, size_t images) const {
    const Shape& out = operation.out;
    const size_t pixels = images * out.height * out.width;
    size_t before = 0;
    for (const uint32_t input : operation.inputs) {
        const size_t channels = graph_.tensors[input].channels;
        const float* from = memory + graph_.places[input] * images;
        for (size_t pixel = 0; pixel < pixels; ++pixel) {
            std::memcpy(to + pixel * out.channels + before, from + pixel * channels, channels * sizeof(float));
        }
        before += channels;
    }
}

void Network::run_operation(Team& team, size_t index, float* memory, size_t images) const {
    const Operation& operation = graph_.operations[index];
    const auto tensor = [&](size_t number) { return memory + graph_.places[number] * images; };
    const Shape &in = graph_.tensors[operation.inputs[0]], &out = operation.out;
    const float* from = tensor(operation.inputs[0]);
    const float* other = operation.inputs.size() > 1 ? tensor(operation.inputs[1]) : nullptr;
    float* to = tensor(index + 1);
    const size_t lines = images * out.height;
    const auto by_line = [&](auto&& work) {
        const size_t tasks = team.members() == 1 ? 1 : std::min(lines, 4 * size_t{team.members()});
        team.share(tasks, [&](size_t task, unsigned) { work(lines * task / tasks, lines * (task + 1) / tasks); });
    };
    switch (operation.kind) {
        case OperationKind::Convolution:
            convolve(team, operation, convolutions_[index], from, other, to, memory + images * graph_.floats_per_image,
                     images);
            return;  // it has applied its ReLU
        case OperationKind::MaxPool: {
            const PoolShape shape{in.height,        in.width,           out.height,         out.width,
                                  in.channels,      operation.kernel_y, operation.kernel_x, operation.step_y,
                                  operation.step_x, operation.pad_top,  operation.pad_left};
            by_line([&](size_t line, size_t end) { kernels_.max_pool(shape, from, to, line, end); });
            break;
        }
        case OperationKind::Mean:
            team.share(images, [&](size_t image, unsigned) {
                kernels_.mean(from + image * in.floats(), size_t{in.height} * in.width, in.channels,
                              to + image * in.channels);
            });
            break;
        case OperationKind::Add:
        case OperationKind::Relu: {
            const size_t line = size_t{out.width} * out.channels;
            const bool has_relu = operation.has_relu || operation.kind == OperationKind::Relu;
            by_line([&](size_t first, size_t end) {
                kernels_.add(from + first * line, other ? other + first * line : nullptr, has_relu,
                             (end - first) * line, to + first * line);
            });
            return;
        }
        case OperationKind::ResizeNearest:
        case OperationKind::ResizeBilinear: {
            const ResizeShape shape{in.height, in.width, out.height, out.width, in.channels};
            const bool is_nearest = operation.kind == OperationKind::ResizeNearest;
            const auto resize = is_nearest ? kernels_.resize_nearest : kernels_.resize_bilinear;
            by_line([&](size_t line, size_t end) { resize(shape, from, to, line, end); });
            break;
        }
        case OperationKind::Concatenate:
            concatenate(operation, memory, to, images);
            break;
    }
    if (operation.has_relu) kernels_.add(to, nullptr, true, images * out.floats(), to);
}

void Network::run(Team& team, float* memory, size_t images) const {
    for (size_t index = 0; index < graph_.operations.size(); ++index) run_operation(team, index, memory, images);
}

}  // namespace csot
