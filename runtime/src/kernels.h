// The arithmetic, once per instruction set. Nothing is checked here: it is memory-safe only for arguments that
// graph.cpp has checked.
//
// Activations are float32, NHWC, dense. Weights are packed at load into panels of `panel` output channels:
// [panel][k][channel in panel], zeros beyond the last channel, so that one product is
// (rows × k) · (k × panel) with both operands read in order.
#pragma once

#include <cstddef>
#include <cstdint>

namespace csot {

// Applied to a sum before it is stored, in this order.
struct Epilogue {
    const float* bias;      // a whole number of panels
    const float* residual;  // laid out as the output; null for none
    bool relu;
};

// A convolution as a matrix product, without an im2col copy: the row of output pixel (n, y, x)
// is `taps_y` × `taps_x` runs of `run` floats in an input that already has its zero padding.
struct RowsShape {
    size_t out_height, out_width, out_channels;
    size_t image, step_y, step_x;  // floats from one image, row and column of the output to the next
    size_t taps_y, taps_x, run;
    size_t tap_y, tap_x;  // floats from one tap to the next
    size_t depth() const { return taps_y * taps_x * run; }
};

// Winograd's minimal filtering F(tile × tile, 3 × 3), stride 1: Lavin and Gray, Fast algorithms for
// convolutional neural networks, 2016.
struct TilesShape {
    size_t tile;  // 2 or 4: outputs along a side; (tile + 2)² products each
    size_t in_height, in_width, in_channels;
    size_t out_height, out_width, out_channels;
    size_t pad_y, pad_x;
    size_t tiles_y, tiles_x;  // per image
    size_t points() const { return (tile + 2) * (tile + 2); }
};

struct PoolShape {
    size_t in_height, in_width, out_height, out_width, channels;
    size_t kernel_y, kernel_x, step_y, step_x, pad_y, pad_x;
};

struct ResizeShape {
    size_t in_height, in_width, out_height, out_width, channels;
};

struct Kernels {
    const char* name;
    size_t panel;   // output channels computed together
    size_t vector;  // floats in a register
    size_t rows;    // rows of one step of `multiply_rows`

    // Rows [row, row_end) of panels [panel, panel_end) of `out`.
    void (*multiply_rows)(const RowsShape&, const float* in, const float* packed, const Epilogue&, float* out,
                          size_t row, size_t row_end, size_t panel, size_t panel_end);

    // Tiles [tile, tile_end) → transformed[point][tile - origin][channel], `stride` tiles to a point.
    void (*transform_tiles)(const TilesShape&, const float* in, float* transformed, size_t origin, size_t stride,
                            size_t tile, size_t tile_end);

    // From those, panels [panel, panel_end) of `out`. `products` holds points × (tile_end - tile) × panel floats.
    void (*multiply_tiles)(const TilesShape&, const float* transformed, size_t origin, size_t stride,
                           const float* packed, const Epilogue&, float* products, float* out, size_t tile,
                           size_t tile_end, size_t panel, size_t panel_end);

    // Lines [line, line_end) of all images' output.
    void (*max_pool)(const PoolShape&, const float* in, float* out, size_t line, size_t line_end);
    // The mean over the pixels of one image.
    void (*mean)(const float* in, size_t pixels, size_t channels, float* out);
    // `b` may be null; `out` may be `a`.
    void (*add)(const float* a, const float* b, bool has_relu, size_t count, float* out);
    void (*resize_bilinear)(const ResizeShape&, const float* in, float* out, size_t line, size_t line_end);
    void (*resize_nearest)(const ResizeShape&, const float* in, float* out, size_t line, size_t line_end);
};

// The fastest kernels that this processor can run.
const Kernels& best_kernels();

}  // namespace csot
