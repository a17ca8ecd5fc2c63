// The threads that share the work of one call.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace csot {

class Team {
public:
    // `members` counts the caller of `share`.
    explicit Team(unsigned members);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    unsigned members() const { return static_cast<unsigned>(workers_.size()) + 1; }

    // Calls work(task, member) for every task in [0, tasks), and returns when all are done. A free member takes the
    // next task, so the result must not depend on the member. Where `work` throws, no further task is begun, and one
    // of the exceptions is rethrown when no member uses `work` any more; the team can be used again.
    template <class Work>
    void share(size_t tasks, const Work& work) {
        if (workers_.empty() || tasks < 2) {
            for (size_t task = 0; task < tasks; ++task) work(task, 0u);
            return;
        }
        run(
            tasks,
            [](const void* context, size_t task, unsigned member) {
                (*static_cast<const Work*>(context))(task, member);
            },
            &work);
    }

private:
    using Call = void (*)(const void*, size_t, unsigned);

    void run(size_t tasks, Call call, const void* context);
    void take_tasks(unsigned member) noexcept;
    void serve(unsigned member);
    void end();

    // Odd while there is work. A worker enters by incrementing `inside_` and then reads the gate again: either it reads
    // an even number, or `run` reads its increment and waits for it.
    std::atomic<uint64_t> gate_{0};
    std::atomic<unsigned> inside_{0};
    std::atomic<unsigned> asleep_{0};
    std::atomic<bool> ending_{false};
    std::atomic<size_t> next_{0};
    std::atomic<bool> failed_{false};
    std::exception_ptr failure_;  // of the member that set `failed_`
    size_t tasks_ = 0;
    Call call_ = nullptr;
    const void* context_ = nullptr;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::thread> workers_;
};

}  // namespace csot
