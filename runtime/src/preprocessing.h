// From pixels to a network's input: equal, bit by bit, to services/vision/preprocessing.py.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "csot_artifact.h"

namespace csot {

struct ResolutionRule {
    uint32_t width, height;  // 0: no nominal resolution
    double tolerance;
    uint32_t min_side_px;
    double max_aspect_ratio;

    csot_resolution judge(uint32_t image_width, uint32_t image_height) const;
};

struct Normalisation {
    bool per_image;
    std::array<float, 3> mean, deviation;  // of RGB in 0..1; unused per image
    float floor;                           // added to an image's own deviation
};

// An image resized to width × height: RGB, 3 bytes a pixel. Bilinear, half-pixel centres, edges held, weights of 8
// bits: what OpenCV calls INTER_LINEAR_EXACT.
class Resized {
public:
    // `image` has been checked.
    void resize(const csot_image& image, uint32_t width, uint32_t height);

    // Computes the normalisation from the whole image; then copies rectangles as float32 RGB.
    void normalise(const Normalisation& rule);
    void copy(uint32_t top, uint32_t left, uint32_t width, uint32_t height, float* to) const;

private:
    uint32_t width_ = 0, height_ = 0;
    std::vector<uint8_t> pixels_;
    std::vector<uint16_t> lines_[2];  // two lines of the image, resized across
    float values_[3][256];            // normalised value by channel and pixel value
};

}  // namespace csot
