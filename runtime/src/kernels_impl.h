// The kernels for one vector width. A file defines these before it includes this one:
//   KERNELS_NAME   the identifier of the table
//   VECTOR_FLOATS  floats in a register
//   PANEL_VECTORS  registers across a panel
//   STEP_ROWS      rows of a step; STEP_ROWS × PANEL_VECTORS sums stay in registers
// and is compiled with the flags of its instruction set. No library header may be included here: an inline function
// compiled with those flags could be the copy that the linker keeps for the whole library.
#include "kernels.h"

namespace csot {
namespace {

constexpr size_t kVector = VECTOR_FLOATS;
constexpr size_t kPanelVectors = PANEL_VECTORS;
constexpr size_t kPanel = kVector * kPanelVectors;
constexpr size_t kRows = STEP_ROWS;

typedef float Vector __attribute__((vector_size(VECTOR_FLOATS * 4)));

inline __attribute__((always_inline)) Vector load(const float* from) {
    Vector value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}
inline __attribute__((always_inline)) void store(float* to, Vector value) {
    __builtin_memcpy(to, &value, sizeof value);
}
inline __attribute__((always_inline)) Vector all(float value) { return value - Vector{}; }
inline __attribute__((always_inline)) Vector not_negative(Vector value) { return value > Vector{} ? value : Vector{}; }
inline size_t least(size_t a, size_t b) { return a < b ? a : b; }

// Applies the epilogue to one row of one panel, of which `count` channels exist, and stores it.
inline __attribute__((always_inline)) void finish(const Vector* sums, const Epilogue& epilogue, size_t channel,
                                                  size_t count, size_t at, float* out) {
    if (count == kPanel) {
        for (size_t v = 0; v < kPanelVectors; ++v) {
            Vector sum = sums[v] + load(epilogue.bias + channel + v * kVector);
            if (epilogue.residual) sum += load(epilogue.residual + at + v * kVector);
            if (epilogue.relu) sum = not_negative(sum);
            store(out + at + v * kVector, sum);
        }
        return;
    }
    float whole[kPanel];
    for (size_t v = 0; v < kPanelVectors; ++v) store(whole + v * kVector, sums[v]);
    for (size_t c = 0; c < count; ++c) {
        float sum = whole[c] + epilogue.bias[channel + c];
        if (epilogue.residual) sum += epilogue.residual[at + c];
        out[at + c] = epilogue.relu && !(sum > 0) ? 0 : sum;
    }
}

template <size_t Rows>
inline __attribute__((always_inline)) void multiply_run(const float* const* rows, size_t offset, size_t run,
                                                        const float* b, Vector (&sums)[Rows][kPanelVectors]) {
    for (size_t k = 0; k < run; ++k) {
        Vector weights[kPanelVectors];
        for (size_t v = 0; v < kPanelVectors; ++v) weights[v] = load(b + k * kPanel + v * kVector);
        for (size_t r = 0; r < Rows; ++r) {
            const Vector value = all(rows[r][offset + k]);
            for (size_t v = 0; v < kPanelVectors; ++v) sums[r][v] += value * weights[v];
        }
    }
}

template <size_t Rows>
void step_of_rows(const RowsShape& shape, const float* const* rows, const float* b, const Epilogue& epilogue,
                  size_t row, size_t panel, float* out) {
    Vector sums[Rows][kPanelVectors] = {};
    for (size_t y = 0; y < shape.taps_y; ++y) {
        for (size_t x = 0; x < shape.taps_x; ++x) {
            multiply_run<Rows>(rows, y * shape.tap_y + x * shape.tap_x, shape.run, b, sums);
            b += shape.run * kPanel;
        }
    }
    const size_t channel = panel * kPanel;
    const size_t count = least(kPanel, shape.out_channels - channel);
    for (size_t r = 0; r < Rows; ++r) {
        finish(sums[r], epilogue, channel, count, (row + r) * shape.out_channels + channel, out);
    }
}

// Calls the step of exactly `count` rows, 1 ≤ count ≤ kRows.
template <size_t Rows = kRows, class... Arguments>
inline void some_rows(size_t count, const RowsShape& shape, Arguments... arguments) {
    if (count == Rows) {
        step_of_rows<Rows>(shape, arguments...);
    } else if constexpr (Rows > 1) {
        some_rows<Rows - 1>(count, shape, arguments...);
    }
}

void multiply_rows(const RowsShape& shape, const float* in, const float* packed, const Epilogue& epilogue, float* out,
                   size_t row, size_t row_end, size_t panel, size_t panel_end) {
    const size_t depth = shape.depth();
    const size_t steps = (row_end - row + kRows - 1) / kRows;
    for (size_t p = panel; p < panel_end; ++p) {
        for (size_t step = 0; step < steps; ++step) {
            // Steps of nearly equal size: 49 rows are 9 steps of 5 or 6, not 8 of 6 and one of 1.
            const size_t first = row + (row_end - row) * step / steps;
            const size_t count = row + (row_end - row) * (step + 1) / steps - first;
            const float* rows[kRows];
            for (size_t r = 0; r < count; ++r) {
                const size_t x = (first + r) % shape.out_width, line = (first + r) / shape.out_width;
                rows[r] = in + line / shape.out_height * shape.image + line % shape.out_height * shape.step_y +
                          x * shape.step_x;
            }
            some_rows(count, shape, rows, packed + p * depth * kPanel, epilogue, first, p, out);
        }
    }
}

// --- Winograd ---------------------------------------------------------------------------------------------------

template <size_t Tile>
struct Filtering;

template <>
struct Filtering<2> {
    static inline __attribute__((always_inline)) void input(const Vector* d, size_t s, Vector* t) {
        t[0] = d[0] - d[2 * s];
        t[1] = d[s] + d[2 * s];
        t[2] = d[2 * s] - d[s];
        t[3] = d[s] - d[3 * s];
    }
    static inline __attribute__((always_inline)) void output(const Vector* m, size_t s, Vector* y) {
        y[0] = m[0] + m[s] + m[2 * s];
        y[1] = m[s] - m[2 * s] - m[3 * s];
    }
};

template <>
struct Filtering<4> {
    static inline __attribute__((always_inline)) void input(const Vector* d, size_t s, Vector* t) {
        const Vector d0 = d[0], d1 = d[s], d2 = d[2 * s], d3 = d[3 * s], d4 = d[4 * s], d5 = d[5 * s];
        const Vector a = d4 - 4.0F * d2, b = d3 - 4.0F * d1, c = d4 - d2, e = 2.0F * (d3 - d1);
        t[0] = 4.0F * d0 - 5.0F * d2 + d4;
        t[1] = a + b;
        t[2] = a - b;
        t[3] = c + e;
        t[4] = c - e;
        t[5] = 4.0F * d1 - 5.0F * d3 + d5;
    }
    static inline __attribute__((always_inline)) void output(const Vector* m, size_t s, Vector* y) {
        const Vector m0 = m[0], m1 = m[s], m2 = m[2 * s], m3 = m[3 * s], m4 = m[4 * s], m5 = m[5 * s];
        const Vector a = m1 + m2, b = m1 - m2, c = m3 + m4, d = m3 - m4;
        y[0] = m0 + a + c;
        y[1] = b + 2.0F * d;
        y[2] = a + 4.0F * c;
        y[3] = b + 8.0F * d + m5;
    }
};

struct Place {
    size_t image, y, x;  // of a tile's first output
};

inline Place place(const TilesShape& shape, size_t tile) {
    const size_t x = tile % shape.tiles_x, line = tile / shape.tiles_x;
    return {line / shape.tiles_y, line % shape.tiles_y * shape.tile, x * shape.tile};
}

template <size_t Tile>
void transform(const TilesShape& shape, const float* in, float* transformed, size_t origin, size_t stride, size_t tile,
               size_t tile_end) {
    constexpr size_t kSide = Tile + 2;
    const size_t channels = shape.in_channels;
    for (; tile < tile_end; ++tile) {
        const Place at = place(shape, tile);
        const float* image = in + at.image * shape.in_height * shape.in_width * channels;
        // Unsigned: a coordinate in the padding wraps around to a huge value and fails the comparison below.
        const size_t top = at.y - shape.pad_y, left = at.x - shape.pad_x;
        const bool inside = at.y >= shape.pad_y && at.x >= shape.pad_x && top + kSide <= shape.in_height &&
                            left + kSide <= shape.in_width;
        for (size_t c = 0; c < channels; c += kVector) {
            Vector pixels[kSide * kSide], columns[kSide * kSide], rows[kSide];
            if (inside) {
                for (size_t y = 0; y < kSide; ++y) {
                    for (size_t x = 0; x < kSide; ++x) {
                        pixels[y * kSide + x] = load(image + ((top + y) * shape.in_width + left + x) * channels + c);
                    }
                }
            } else {
                for (size_t y = 0; y < kSide; ++y) {
                    for (size_t x = 0; x < kSide; ++x) {
                        const bool exists = top + y < shape.in_height && left + x < shape.in_width;
                        pixels[y * kSide + x] =
                            exists ? load(image + ((top + y) * shape.in_width + left + x) * channels + c) : Vector{};
                    }
                }
            }
            for (size_t x = 0; x < kSide; ++x) {
                Filtering<Tile>::input(pixels + x, kSide, rows);
                for (size_t y = 0; y < kSide; ++y) columns[y * kSide + x] = rows[y];
            }
            float* to = transformed + (tile - origin) * channels + c;
            for (size_t y = 0; y < kSide; ++y) {
                Filtering<Tile>::input(columns + y * kSide, 1, rows);
                for (size_t x = 0; x < kSide; ++x) store(to + (y * kSide + x) * stride * channels, rows[x]);
            }
        }
    }
}

template <size_t Rows>
void product_of_rows(const float* a, size_t depth, const float* b, float* to) {
    Vector sums[Rows][kPanelVectors] = {};
    const float* rows[Rows];
    for (size_t r = 0; r < Rows; ++r) rows[r] = a + r * depth;
    multiply_run<Rows>(rows, 0, depth, b, sums);
    for (size_t r = 0; r < Rows; ++r) {
        for (size_t v = 0; v < kPanelVectors; ++v) store(to + r * kPanel + v * kVector, sums[r][v]);
    }
}

template <size_t Rows = kRows, class... Arguments>
inline void some_products(size_t count, Arguments... arguments) {
    if (count == Rows) {
        product_of_rows<Rows>(arguments...);
    } else if constexpr (Rows > 1) {
        some_products<Rows - 1>(count, arguments...);
    }
}

template <size_t Tile>
void multiply(const TilesShape& shape, const float* transformed, size_t origin, size_t stride, const float* packed,
              const Epilogue& epilogue, float* products, float* out, size_t tile, size_t tile_end, size_t panel,
              size_t panel_end) {
    constexpr size_t kSide = Tile + 2;
    const size_t depth = shape.in_channels, tiles = tile_end - tile, steps = (tiles + kRows - 1) / kRows;
    for (size_t p = panel; p < panel_end; ++p) {
        for (size_t point = 0; point < kSide * kSide; ++point) {
            const float* a = transformed + (point * stride + tile - origin) * depth;
            const float* b = packed + (p * kSide * kSide + point) * depth * kPanel;
            float* to = products + point * tiles * kPanel;
            for (size_t step = 0; step < steps; ++step) {
                const size_t first = tiles * step / steps, count = tiles * (step + 1) / steps - first;
                some_products(count, a + first * depth, depth, b, to + first * kPanel);
            }
        }
        const size_t channel = p * kPanel, count = least(kPanel, shape.out_channels - channel);
        for (size_t t = 0; t < tiles; ++t) {
            const Place at = place(shape, tile + t);
            Vector sums[Tile * Tile][kPanelVectors];
            for (size_t v = 0; v < kPanelVectors; ++v) {
                Vector values[kSide * kSide], columns[Tile * kSide], lines[Tile];
                for (size_t point = 0; point < kSide * kSide; ++point) {
                    values[point] = load(products + (point * tiles + t) * kPanel + v * kVector);
                }
                for (size_t x = 0; x < kSide; ++x) {
                    Filtering<Tile>::output(values + x, kSide, lines);
                    for (size_t y = 0; y < Tile; ++y) columns[y * kSide + x] = lines[y];
                }
                for (size_t y = 0; y < Tile; ++y) {
                    Filtering<Tile>::output(columns + y * kSide, 1, lines);
                    for (size_t x = 0; x < Tile; ++x) sums[y * Tile + x][v] = lines[x];
                }
            }
            for (size_t y = 0; y < Tile && at.y + y < shape.out_height; ++y) {
                for (size_t x = 0; x < Tile && at.x + x < shape.out_width; ++x) {
                    const size_t pixel = (at.image * shape.out_height + at.y + y) * shape.out_width + at.x + x;
                    finish(sums[y * Tile + x], epilogue, channel, count, pixel * shape.out_channels + channel, out);
                }
            }
        }
    }
}

void transform_tiles(const TilesShape& shape, const float* in, float* transformed, size_t origin, size_t stride,
                     size_t tile, size_t tile_end) {
    (shape.tile == 4 ? transform<4> : transform<2>)(shape, in, transformed, origin, stride, tile, tile_end);
}

void multiply_tiles(const TilesShape& shape, const float* transformed, size_t origin, size_t stride,
                    const float* packed, const Epilogue& epilogue, float* products, float* out, size_t tile,
                    size_t tile_end, size_t panel, size_t panel_end) {
    (shape.tile == 4 ? multiply<4> : multiply<2>)(shape, transformed, origin, stride, packed, epilogue, products, out,
                                                  tile, tile_end, panel, panel_end);
}

// --- other operations, by lines of the output; the compiler vectorises the loops over channels ----------------------

void max_pool(const PoolShape& shape, const float* in, float* out, size_t line, size_t line_end) {
    const size_t channels = shape.channels;
    for (; line < line_end; ++line) {
        const float* image = in + line / shape.out_height * shape.in_height * shape.in_width * channels;
        // In coordinates with padding, where the first row of pixels is `pad_y`.
        const size_t top = line % shape.out_height * shape.step_y;
        const size_t y_begin = top < shape.pad_y ? shape.pad_y : top;
        const size_t y_end = least(top + shape.kernel_y, shape.pad_y + shape.in_height);
        for (size_t x = 0; x < shape.out_width; ++x) {
            const size_t left = x * shape.step_x;
            const size_t x_begin = left < shape.pad_x ? shape.pad_x : left;
            const size_t x_end = least(left + shape.kernel_x, shape.pad_x + shape.in_width);
            float* __restrict to = out + (line * shape.out_width + x) * channels;
            for (size_t c = 0; c < channels; ++c) to[c] = -__builtin_inff();
            for (size_t v = y_begin; v < y_end; ++v) {
                for (size_t h = x_begin; h < x_end; ++h) {
                    const float* from = image + ((v - shape.pad_y) * shape.in_width + h - shape.pad_x) * channels;
                    for (size_t c = 0; c < channels; ++c) to[c] = from[c] > to[c] ? from[c] : to[c];
                }
            }
        }
    }
}

void mean(const float* in, size_t pixels, size_t channels, float* __restrict out) {
    for (size_t c = 0; c < channels; ++c) out[c] = 0;
    for (size_t p = 0; p < pixels; ++p) {
        for (size_t c = 0; c < channels; ++c) out[c] += in[p * channels + c];
    }
    for (size_t c = 0; c < channels; ++c) out[c] /= static_cast<float>(pixels);
}

void add(const float* a, const float* b, bool has_relu, size_t count, float* out) {
    for (size_t i = 0; i < count; ++i) {
        const float sum = b ? a[i] + b[i] : a[i];
        out[i] = has_relu && !(sum > 0) ? 0 : sum;
    }
}

// The position of output `at` between inputs `low` and `low + 1`, with half-pixel centres.
struct Between {
    size_t low, high;
    float share;
};

inline Between between(size_t at, size_t in, size_t out) {
    const float scale = static_cast<float>(in) / static_cast<float>(out);
    const float centre = scale * (static_cast<float>(at) + 0.5F) - 0.5F;
    const float position = centre > 0 ? centre : 0;
    const size_t low = least(static_cast<size_t>(position), in - 1);
    return {low, least(low + 1, in - 1), position - static_cast<float>(low)};
}

void resize_bilinear(const ResizeShape& shape, const float* in, float* out, size_t line, size_t line_end) {
    const size_t channels = shape.channels, row = shape.in_width * channels;
    for (; line < line_end; ++line) {
        const float* image = in + line / shape.out_height * shape.in_height * row;
        const Between y = between(line % shape.out_height, shape.in_height, shape.out_height);
        for (size_t at = 0; at < shape.out_width; ++at) {
            const Between x = between(at, shape.in_width, shape.out_width);
            const float* upper_left = image + y.low * row + x.low * channels;
            const float* upper_right = image + y.low * row + x.high * channels;
            const float* lower_left = image + y.high * row + x.low * channels;
            const float* lower_right = image + y.high * row + x.high * channels;
            const float left = 1 - x.share, right = x.share, upper = 1 - y.share, lower = y.share;
            float* __restrict to = out + (line * shape.out_width + at) * channels;
            for (size_t c = 0; c < channels; ++c) {
                to[c] = upper * (left * upper_left[c] + right * upper_right[c]) +
                        lower * (left * lower_left[c] + right * lower_right[c]);
            }
        }
    }
}

void resize_nearest(const ResizeShape& shape, const float* in, float* out, size_t line, size_t line_end) {
    const size_t channels = shape.channels, row = shape.in_width * channels;
    const float scale_y = static_cast<float>(shape.in_height) / static_cast<float>(shape.out_height);
    const float scale_x = static_cast<float>(shape.in_width) / static_cast<float>(shape.out_width);
    for (; line < line_end; ++line) {
        const float* image = in + line / shape.out_height * shape.in_height * row;
        const float position = static_cast<float>(line % shape.out_height) * scale_y;
        const size_t y = least(static_cast<size_t>(position), shape.in_height - 1);
        for (size_t at = 0; at < shape.out_width; ++at) {
            const size_t x = least(static_cast<size_t>(static_cast<float>(at) * scale_x), shape.in_width - 1);
            const float* from = image + y * row + x * channels;
            float* __restrict to = out + (line * shape.out_width + at) * channels;
            for (size_t c = 0; c < channels; ++c) to[c] = from[c];
        }
    }
}

}  // namespace

extern const Kernels KERNELS_NAME;
const Kernels KERNELS_NAME = {KERNELS_LABEL,   kPanel,    kVector, kRows, &multiply_rows,   &transform_tiles,
                              &multiply_tiles, &max_pool, &mean,   &add,  &resize_bilinear, &resize_nearest};

}  // namespace csot
