#include "threads.h"

#include <utility>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace csot {
namespace {

// A network has a task every 0.1 to 1 ms: a thread spins for about that long before it sleeps.
constexpr int kSpins = 4000;

void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

Team::Team(unsigned members) {
    try {
        workers_.reserve(members - 1);
        for (unsigned member = 1; member < members; ++member) workers_.emplace_back([this, member] { serve(member); });
    } catch (...) {
        end();
        throw;
    }
}

Team::~Team() { end(); }

void Team::end() {
    ending_ = true;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        wake_.notify_all();
    }
    for (std::thread& worker : workers_) worker.join();
}

void Team::run(size_t tasks, Call call, const void* context) {
    call_ = call, context_ = context, tasks_ = tasks;
    next_ = 0;
    ++gate_;
    if (asleep_ > 0) {
        const std::lock_guard<std::mutex> lock(mutex_);
        wake_.notify_all();
    }
    take_tasks(0);
    ++gate_;
    for (int spins = 0; inside_ > 0; ++spins) {
        if (spins < kSpins) {
            pause_briefly();
        } else {
            std::this_thread::yield();
        }
    }
    if (failed_.exchange(false)) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Team::take_tasks(unsigned member) noexcept {
    try {
        for (size_t task = next_++; task < tasks_; task = next_++) call_(context_, task, member);
    } catch (...) {
        next_ = tasks_;
        if (!failed_.exchange(true)) failure_ = std::current_exception();
    }
}

void Team::serve(unsigned member) {
    uint64_t seen = 0;
    while (true) {
        for (int spins = 0; spins < kSpins && gate_ == seen && !ending_; ++spins) pause_briefly();
        if (gate_ == seen && !ending_) {
            std::unique_lock<std::mutex> lock(mutex_);
            ++asleep_;
            wake_.wait(lock, [&] { return gate_ != seen || ending_; });
            --asleep_;
        }
        if (ending_) return;
        ++inside_;
        seen = gate_;
        if (seen % 2) take_tasks(member);
        --inside_;
    }
}

}  // namespace csot
