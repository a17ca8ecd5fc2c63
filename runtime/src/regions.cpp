#include <algorithm>
#include <vector>

#include "pipeline.h"

namespace csot {
namespace {

uint32_t root(std::vector<uint32_t>& parents, uint32_t pixel) {
    while (parents[pixel] != pixel) pixel = parents[pixel] = parents[parents[pixel]];
    return pixel;
}

}  // namespace

std::vector<uint32_t> largest_regions(const uint8_t* mask, uint32_t width, uint32_t height, size_t labels) {
    const uint32_t pixels = width * height;
    std::vector<uint32_t> parents(pixels), areas(pixels, 0), largest(labels + 1, 0);
    for (uint32_t at = 0; at < pixels; ++at) {
        parents[at] = at;
        if (!mask[at]) continue;
        const uint32_t x = at % width;
        const auto join = [&](uint32_t neighbour) {
            if (mask[neighbour] != mask[at]) return;
            const uint32_t a = root(parents, at), b = root(parents, neighbour);
            parents[std::max(a, b)] = std::min(a, b);
        };
        if (x > 0) join(at - 1);
        if (at >= width) {
            join(at - width);
            if (x > 0) join(at - width - 1);
            if (x + 1 < width) join(at - width + 1);
        }
    }
    for (uint32_t at = 0; at < pixels; ++at) {
        if (mask[at]) largest[mask[at]] = std::max(largest[mask[at]], ++areas[root(parents, at)]);
    }
    return largest;
}

}  // namespace csot
