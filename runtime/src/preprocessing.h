// The one rule from pixels to what a network sees: services/vision/preprocessing.py, bit by bit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "csot_artifact.h"

namespace csot {

struct ResolutionRule {
    uint32_t width, height;  // 0: any that is not too small or too long
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

    // Pixels of the rectangle as a network takes them: float32 RGB, normalised by what the whole image shows.
    void normalise(const Normalisation& rule);
    void copy(uint32_t top, uint32_t left, uint32_t width, uint32_t height, float* to) const;

private:
    uint32_t width_ = 0, height_ = 0;
    std::vector<uint8_t> pixels_;
    std::vector<uint16_t> lines_[2];  // two lines of the image, resized across
    float values_[3][256];            // what each pixel value becomes
};

}  // namespace csot
