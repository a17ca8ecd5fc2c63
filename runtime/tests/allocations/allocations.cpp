// The library when memory runs out: every allocation fails, one at a time or all from one on, while a package is
// opened, used by one or several threads, and closed. Whatever fails, the library answers with a status, and the
// artifact can be used afterwards. To run under sanitizers.
//
//     allocations PACKAGE
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "csot_artifact.h"
#include "threads.h"

// --- allocations that fail --------------------------------------------------------------------------------------

namespace {

enum class Fails { None, One, AllFrom, AllOfOthers };

std::atomic<Fails> fails{Fails::None};
std::atomic<long> allocations_before{0};
std::atomic<bool> has_failed{false};
thread_local bool is_caller = false;

bool must_fail() {
    bool now = false;
    switch (fails.load()) {
        case Fails::None:
            return false;
        case Fails::One:
            now = allocations_before-- == 0;
            break;
        case Fails::AllFrom:
            now = allocations_before-- <= 0;
            break;
        case Fails::AllOfOthers:
            now = !is_caller;
            break;
    }
    if (now) has_failed = true, errno = ENOMEM;
    return now;
}

void begin(Fails which, long before = 0) {
    has_failed = false;
    allocations_before = before;
    fails = which;
}

// Whether an allocation has failed since `begin`.
bool end() {
    fails = Fails::None;
    return has_failed;
}

}  // namespace

#ifdef WITH_SANITIZERS
// malloc is the sanitizer's. Not inline: a compiler would see that one frees what another did not allocate.
__attribute__((noinline)) void* operator new(size_t size) {
    void* memory = must_fail() ? nullptr : std::malloc(size);
    if (!memory) throw std::bad_alloc();
    return memory;
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { std::free(memory); }
extern "C" void* __real_aligned_alloc(size_t alignment, size_t size);
extern "C" void* __wrap_aligned_alloc(size_t alignment, size_t size) {
    return must_fail() ? nullptr : __real_aligned_alloc(alignment, size);
}
#else
// Those of the C and C++ runtimes too: exceptions and threads.
extern "C" void* __libc_malloc(size_t size);
extern "C" void* __libc_calloc(size_t count, size_t size);
extern "C" void* __libc_memalign(size_t alignment, size_t size);
extern "C" void* malloc(size_t size) { return must_fail() ? nullptr : __libc_malloc(size); }
extern "C" void* calloc(size_t count, size_t size) { return must_fail() ? nullptr : __libc_calloc(count, size); }
extern "C" void* aligned_alloc(size_t alignment, size_t size) {
    return must_fail() ? nullptr : __libc_memalign(alignment, size);
}
#endif

namespace {

void require(bool holds, const char* rule) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s; the last error: %s\n", rule, csot_last_error());
    std::abort();
}

// --- threads ----------------------------------------------------------------------------------------------------

void wait_for(const std::atomic<bool>& flag) {
    while (!flag) std::this_thread::yield();
}

// Two tasks, of which each waits for the other to begin, so that both members have one. Member `thrower` throws; the
// other goes on for a while.
void team_with_thrower(csot::Team& team, unsigned thrower) {
    std::atomic<bool> began[2] = {{false}, {false}}, throws{false};
    std::atomic<unsigned> inside{0};
    bool is_caught = false;
    try {
        team.share(2, [&](size_t, unsigned member) {
            ++inside;
            began[member] = true;
            wait_for(began[1 - member]);
            if (member == thrower) {
                throws = true;
                --inside;
                throw std::runtime_error("thrown");
            }
            wait_for(throws);
            for (int i = 0; i < 1000; ++i) std::this_thread::yield();
            --inside;
        });
    } catch (const std::runtime_error& error) {
        is_caught = !std::strcmp(error.what(), "thrown");
    }
    require(is_caught, "the caller gets the exception of a member");
    require(inside == 0, "the caller gets an exception when no member works any more");
}

void check_team() {
    csot::Team team(2);
    for (unsigned round = 0; round < 10; ++round) {
        team_with_thrower(team, round % 2);
        std::atomic<size_t> done{0};
        team.share(100, [&](size_t, unsigned) { ++done; });
        require(done == 100, "a team works after an exception");
    }
    bool is_caught = false;
    try {
        team.share(100, [](size_t, unsigned) { throw std::bad_alloc(); });
    } catch (const std::bad_alloc&) {
        is_caught = true;
    }
    require(is_caught, "of many exceptions the caller gets one");
}

// --- packages ---------------------------------------------------------------------------------------------------

constexpr long kMostAllocations = 100000;
constexpr uint32_t kImages = 6;

csot_artifact* opened(const char* folder, uint32_t threads, uint32_t concurrent) {
    csot_options options{};
    options.struct_size = sizeof options, options.threads = threads, options.concurrent = concurrent;
    csot_artifact* artifact = nullptr;
    require(csot_open(folder, &options, &artifact) == CSOT_OK, "the package opens");
    return artifact;
}

void check_open(const char* folder, Fails which, csot_status without_failure) {
    for (long before = 0; before < kMostAllocations; ++before) {
        csot_artifact* artifact = nullptr;
        begin(which, before);
        const csot_status status = csot_open(folder, nullptr, &artifact);
        const bool failed = end();
        require(status == without_failure || (failed && status == CSOT_OUT_OF_MEMORY), "an opening has a right status");
        require((status == CSOT_OK) == (artifact != nullptr), "an opening that fails gives no artifact");
        require(status == CSOT_OK || *csot_last_error(), "an opening that fails has a sentence");
        csot_close(artifact);
        if (!failed) {
            std::printf("opening %s: %ld allocations\n", folder, before);
            return;
        }
    }
    require(false, "an opening ends");
}

struct Images {
    std::vector<std::vector<uint8_t>> pixels;
    std::vector<csot_image> images;
    Images() {
        for (uint32_t i = 0; i < kImages; ++i) {
            const uint32_t width = 40 + 7 * i, height = 60 - 3 * i;
            pixels.emplace_back(size_t{width} * height * 3);
            for (size_t at = 0; at < pixels[i].size(); ++at) pixels[i][at] = static_cast<uint8_t>(at * at >> i);
            images.push_back({pixels[i].data(), width, height, 0, CSOT_RGB});
        }
    }
};

// The outputs of one caller, allocated before anything fails.
struct Answer {
    csot_status status = CSOT_OK;
    std::vector<csot_prediction> predictions;
    std::vector<float> scores;
    std::vector<uint8_t> masks;
    explicit Answer(const csot_description& description)
        : predictions(kImages),
          scores(kImages * description.codes),
          masks(size_t{kImages} * description.mask_width * description.mask_height) {}

    void predict(csot_artifact* artifact, const Images& images) {
        const csot_buffers buffers = {sizeof buffers, scores.data(), scores.size(),
                                      masks.empty() ? nullptr : masks.data(), masks.size()};
        status = csot_predict(artifact, images.images.data(), kImages, predictions.data(), &buffers);
    }
    bool operator==(const Answer& other) const {
        return scores == other.scores && masks == other.masks &&
               !std::memcmp(predictions.data(), other.predictions.data(), kImages * sizeof(csot_prediction));
    }
};

csot_description describe(csot_artifact* artifact) {
    csot_description description{};
    description.struct_size = sizeof description;
    require(csot_describe(artifact, &description) == CSOT_OK, "a package can be described");
    return description;
}

// All callers predict at once, `threads` threads each; returns whether an allocation failed.
bool predict_failing(const char* folder, const Images& images, const Answer& expected, uint32_t callers,
                     uint32_t threads, Fails which, long before) {
    csot_artifact* artifact = opened(folder, threads, callers > 1 ? callers - 1 : 1);
    std::vector<Answer> answers(callers, Answer(describe(artifact)));
    std::atomic<uint32_t> ready{0};
    std::atomic<bool> go{false};
    const auto call = [&](uint32_t caller) {
        is_caller = true;
        ++ready;
        wait_for(go);
        answers[caller].predict(artifact, images);
        if (answers[caller].status == CSOT_OK) return;
        require(answers[caller].status == CSOT_OUT_OF_MEMORY, "a prediction fails for want of memory alone");
        require(*csot_last_error(), "a prediction that fails has a sentence");
    };
    std::vector<std::thread> others;
    for (uint32_t caller = 1; caller < callers; ++caller) others.emplace_back(call, caller);
    while (ready + 1 < callers) std::this_thread::yield();
    begin(which, before);
    go = true;
    call(0);
    for (std::thread& other : others) other.join();
    const bool failed = end();
    for (const Answer& answer : answers) {
        require(answer.status == CSOT_OK ? answer == expected : failed, "a prediction is right, or memory has failed");
    }
    answers[0].predict(artifact, images);
    require(answers[0].status == CSOT_OK && answers[0] == expected, "an artifact works when there is memory again");
    begin(Fails::AllFrom);
    describe(artifact);
    require(csot_check_image(artifact, 500, 400) != CSOT_OUT_OF_MEMORY, "an image can be checked without memory");
    csot_close(artifact);
    end();
    return failed;
}

void check_predict(const char* folder, uint32_t callers, uint32_t threads) {
    const Images images;
    csot_artifact* artifact = opened(folder, 1, 1);
    Answer expected(describe(artifact));
    expected.predict(artifact, images);
    require(expected.status == CSOT_OK, "a prediction needs nothing but memory");
    csot_close(artifact);
    for (const Fails which : {Fails::One, Fails::AllFrom}) {
        long before = 0;
        while (predict_failing(folder, images, expected, callers, threads, which, before)) {
            require(++before < kMostAllocations, "a prediction ends");
        }
        std::printf("%u callers of %u threads: %ld allocations\n", callers, threads, before);
    }
    for (int round = 0; round < 20; ++round) {
        predict_failing(folder, images, expected, callers, threads, Fails::AllOfOthers, 0);
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 2) return 2;
    const char* folder = arguments[1];
    const std::string nowhere = std::string(folder) + "/a-folder-that-is-not-there-and-has-a-long-name";
    check_team();
    for (const Fails which : {Fails::One, Fails::AllFrom}) {
        check_open(folder, which, CSOT_OK);
        check_open(nowhere.c_str(), which, CSOT_NOT_FOUND);
    }
    for (const uint32_t callers : {1u, 3u}) {
        for (const uint32_t threads : {1u, 3u}) check_predict(folder, callers, threads);
    }
}
