#include "preprocessing.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace csot {
namespace {

// Interpolates between inputs `from` and `from + 1`: `share` / 256 of the second. At an edge only `from` counts.
struct Tap {
    uint32_t from;
    uint16_t share;
};

std::vector<Tap> taps(uint32_t in, uint32_t out) {
    // 1 / (out / in), not in / out: they differ in the last bit, and OpenCV computes the former.
    const double scale = 1.0 / (static_cast<double>(out) / static_cast<double>(in));
    std::vector<Tap> found(out);
    for (uint32_t at = 0; at < out; ++at) {
        const double position = scale * (at + 0.5) - 0.5;
        const double low = std::floor(position);
        if (low < 0 || in == 1) {
            found[at] = {0, 0};
        } else if (low >= in - 1) {
            found[at] = {in - 1, 0};
        } else {
            found[at] = {static_cast<uint32_t>(low), static_cast<uint16_t>(std::nearbyint((position - low) * 256))};
        }
    }
    return found;
}

// Resizes one line horizontally, in 8.8 fixed point, and reorders its colours to RGB.
void across(const uint8_t* line, csot_format format, const std::vector<Tap>& columns, uint16_t* to) {
    if (format == CSOT_GREY) {
        for (const Tap& tap : columns) {
            const uint32_t second = tap.share ? line[tap.from + 1] : 0;
            *to++ = static_cast<uint16_t>(line[tap.from] * (256u - tap.share) + second * tap.share);
        }
        return;
    }
    const int red = format == CSOT_RGB ? 0 : 2;
    for (const Tap& tap : columns) {
        const uint8_t* first = line + size_t{tap.from} * 3;
        const uint8_t* second = tap.share ? first + 3 : first;
        for (const int channel : {red, 1, 2 - red}) {
            *to++ = static_cast<uint16_t>(first[channel] * (256u - tap.share) + second[channel] * uint32_t{tap.share});
        }
    }
}

}  // namespace

csot_resolution ResolutionRule::judge(uint32_t image_width, uint32_t image_height) const {
    const auto [shorter, longer] = std::minmax(image_width, image_height);
    if (shorter < min_side_px) return CSOT_RESOLUTION_TOO_LOW;
    if (longer > max_aspect_ratio * shorter) return CSOT_ASPECT_RATIO;
    if (width && height) {
        const double off_x = std::fabs(double{1.0} * image_width - width) / width;
        const double off_y = std::fabs(double{1.0} * image_height - height) / height;
        if (std::max(off_x, off_y) > tolerance) return CSOT_RESOLUTION_OFF_NOMINAL;
    }
    return CSOT_RESOLUTION_CONFORMS;
}

void Resized::resize(const csot_image& image, uint32_t width, uint32_t height) {
    width_ = width, height_ = height;
    const size_t bytes = image.format == CSOT_GREY ? 1 : 3, values = width * bytes;
    const size_t stride = image.stride ? image.stride : image.width * bytes;
    pixels_.resize(size_t{width} * height * 3);
    const std::vector<Tap> columns = taps(image.width, width), rows = taps(image.height, height);
    uint32_t held[2] = {UINT32_MAX, UINT32_MAX};  // the lines of the image that are in `lines_`
    for (std::vector<uint16_t>& line : lines_) line.resize(values);
    const auto line = [&](uint32_t y) {
        const size_t place = y % 2;
        if (held[place] != y) {
            across(image.pixels + y * stride, image.format, columns, lines_[place].data());
            held[place] = y;
        }
        return lines_[place].data();
    };
    uint8_t* to = pixels_.data();
    for (const Tap& tap : rows) {
        const uint16_t* upper = line(tap.from);
        const uint16_t* lower = tap.share ? line(tap.from + 1) : upper;
        for (size_t i = 0; i < values; ++i) {
            const uint32_t sum = upper[i] * (256u - tap.share) + lower[i] * uint32_t{tap.share};
            const uint8_t value = static_cast<uint8_t>((sum + (1u << 15)) >> 16);
            *to++ = value;
            if (bytes == 1) *to++ = value, *to++ = value;
        }
    }
}

void Resized::normalise(const Normalisation& rule) {
    std::array<float, 3> mean = rule.mean, deviation = rule.deviation;
    if (rule.per_image) {
        uint64_t sum = 0, squares = 0;
        for (const uint8_t value : pixels_) sum += value, squares += uint32_t{value} * value;
        const double count = static_cast<double>(pixels_.size()), average = static_cast<double>(sum) / count;
        const double variance = std::max(0.0, static_cast<double>(squares) / count - average * average);
        mean.fill(static_cast<float>(average / 255));
        deviation.fill(static_cast<float>(std::sqrt(variance) / 255) + rule.floor);
    }
    for (size_t channel = 0; channel < 3; ++channel) {
        for (size_t value = 0; value < 256; ++value) {
            values_[channel][value] = (static_cast<float>(value) / 255.0F - mean[channel]) / deviation[channel];
        }
    }
}

void Resized::copy(uint32_t top, uint32_t left, uint32_t width, uint32_t height, float* to) const {
    for (uint32_t y = top; y < top + height; ++y) {
        const uint8_t* from = pixels_.data() + (size_t{y} * width_ + left) * 3;
        for (uint32_t x = 0; x < width; ++x, from += 3, to += 3) {
            for (int channel = 0; channel < 3; ++channel) to[channel] = values_[channel][from[channel]];
        }
    }
}

}  // namespace csot
