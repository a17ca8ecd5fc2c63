// Threads that use one artifact at the same time get the results of a single thread, bit by bit. To run under
// sanitizers.
//
//     races PACKAGE SECONDS [THREADS]
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "csot_artifact.h"

namespace {

struct Answer {
    csot_prediction prediction;
    std::vector<float> scores;
    std::vector<uint8_t> mask;
    bool operator==(const Answer& other) const {
        return !std::memcmp(&prediction, &other.prediction, sizeof prediction) && scores == other.scores &&
               mask == other.mask;
    }
};

std::vector<Answer> predict(csot_artifact* artifact, const std::vector<csot_image>& images) {
    csot_description description{};
    description.struct_size = sizeof description;
    csot_describe(artifact, &description);
    const size_t count = images.size(), pixels = size_t{description.mask_width} * description.mask_height;
    std::vector<csot_prediction> predictions(count);
    std::vector<float> scores(count * description.codes);
    std::vector<uint8_t> masks(count * pixels);
    const csot_buffers buffers = {sizeof buffers, scores.data(), scores.size(), pixels ? masks.data() : nullptr,
                                  masks.size()};
    if (csot_predict(artifact, images.data(), static_cast<uint32_t>(count), predictions.data(), &buffers) != CSOT_OK) {
        std::fprintf(stderr, "%s\n", csot_last_error());
        std::exit(1);
    }
    std::vector<Answer> answers;
    for (size_t i = 0; i < count; ++i) {
        answers.push_back(
            {predictions[i],
             {scores.begin() + static_cast<long>(i * description.codes),
              scores.begin() + static_cast<long>((i + 1) * description.codes)},
             {masks.begin() + static_cast<long>(i * pixels), masks.begin() + static_cast<long>((i + 1) * pixels)}});
    }
    return answers;
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3) return 2;
    const double seconds = std::atof(arguments[2]);
    const unsigned threads = count > 3 ? static_cast<unsigned>(std::atoi(arguments[3])) : 8;
    // Each call uses two threads, and fewer calls may run at a time than there are callers: some wait.
    csot_options options{};
    options.struct_size = sizeof options, options.threads = 2;
    options.concurrent = threads > 2 ? threads - 2 : threads;
    csot_artifact* artifact = nullptr;
    if (csot_open(arguments[1], &options, &artifact) != CSOT_OK) {
        std::fprintf(stderr, "%s\n", csot_last_error());
        return 1;
    }
    std::mt19937 random(1);
    std::vector<std::vector<uint8_t>> pixels;
    std::vector<csot_image> images;
    for (uint32_t i = 0; i < 12; ++i) {
        const uint32_t width = 33 + random() % 60, height = 33 + random() % 60;
        pixels.emplace_back(size_t{width} * height * 3);
        for (uint8_t& value : pixels.back()) value = static_cast<uint8_t>(random() % (20 * i + 5));
        images.push_back({pixels.back().data(), width, height, 0, CSOT_BGR});
    }
    const std::vector<Answer> expected = predict(artifact, images);
    std::atomic<long> calls{0}, wrong{0};
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    std::vector<std::thread> callers;
    for (unsigned t = 0; t < threads; ++t) {
        callers.emplace_back([&, t] {
            std::mt19937 own(t);
            do {
                const size_t first = own() % images.size(), size = 1 + own() % (images.size() - first);
                const auto from = images.begin() + static_cast<long>(first);
                const std::vector<Answer> found = predict(artifact, {from, from + static_cast<long>(size)});
                for (size_t i = 0; i < size; ++i) wrong += !(found[i] == expected[first + i]);
                csot_image bad = images[0];
                bad.pixels = nullptr;
                csot_prediction none;
                const bool refused = csot_predict(artifact, &bad, 1, &none, nullptr) == CSOT_INVALID_ARGUMENT;
                wrong += !refused || std::strcmp(csot_last_error(), "images[0].pixels is null") != 0;
                ++calls;
            } while (std::chrono::steady_clock::now() < end);
        });
    }
    for (std::thread& thread : callers) thread.join();
    csot_close(artifact);
    std::printf("%ld calls by %u threads, %ld wrong\n", calls.load(), threads, wrong.load());
    return wrong != 0;
}
