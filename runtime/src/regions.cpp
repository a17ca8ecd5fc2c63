#include <algorithm>
#include <vector>

#include "pipeline.h"

namespace csot {
namespace {

// A pixel's entry is another pixel of its region; that of the region's root is the region's area, negative.
using Regions = std::vector<int32_t>;

size_t root(Regions& regions, size_t pixel) {
    while (regions[pixel] >= 0) {
        const size_t next = static_cast<size_t>(regions[pixel]);
        if (regions[next] >= 0) regions[pixel] = regions[next];
        pixel = next;
    }
    return pixel;
}

void unite(Regions& regions, size_t a, size_t b) {
    if (a == b) return;
    const auto [first, second] = std::minmax(a, b);
    regions[first] += regions[second];
    regions[second] = static_cast<int32_t>(first);
}

}  // namespace

std::vector<uint32_t> largest_regions(const uint8_t* mask, uint32_t width, uint32_t height, size_t labels) {
    const size_t pixels = size_t{width} * height;
    Regions regions(pixels, -1);
    std::vector<uint32_t> largest(labels + 1, 0);
    for (size_t at = 0; at < pixels; ++at) {
        if (!mask[at]) continue;
        const size_t x = at % width;
        const auto join = [&](size_t neighbour) {
            if (mask[neighbour] == mask[at]) unite(regions, root(regions, at), root(regions, neighbour));
        };
        if (x > 0) join(at - 1);
        if (at >= width) {
            join(at - width);
            if (x > 0) join(at - width - 1);
            if (x + 1 < width) join(at - width + 1);
        }
    }
    for (size_t at = 0; at < pixels; ++at) {
        if (mask[at] && regions[at] < 0) {
            largest[mask[at]] = std::max(largest[mask[at]], static_cast<uint32_t>(-regions[at]));
        }
    }
    return largest;
}

}  // namespace csot
