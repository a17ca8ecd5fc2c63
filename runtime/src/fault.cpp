#include "fault.h"

#include <pthread.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace csot {
namespace {

// Where a program loads this library by dlopen, the C library allocates the `thread_local`s of a thread when the thread
// first uses one, such as by an exception, and ends the process if it cannot. Of a library with the model initial-exec
// they are there from the beginning, but must be small: so this is a pointer.
__attribute__((tls_model("initial-exec"))) thread_local const char* last = "";

constexpr size_t kSentenceBytes = 512;

// A buffer for each thread, allocated by its first failure and freed when it ends.
class Buffers {
public:
    Buffers() : is_usable_(pthread_key_create(&key_, free_buffer) == 0) {}
    ~Buffers() {
        if (is_usable_) pthread_key_delete(key_);
    }
    Buffers(const Buffers&) = delete;
    Buffers& operator=(const Buffers&) = delete;

    // Null if there is no memory.
    char* own() const {
        if (!is_usable_) return nullptr;
        if (void* buffer = pthread_getspecific(key_)) return static_cast<char*>(buffer);
        void* buffer = std::malloc(kSentenceBytes);
        if (buffer && pthread_setspecific(key_, buffer) == 0) return static_cast<char*>(buffer);
        std::free(buffer);
        return nullptr;
    }

private:
    static void free_buffer(void* buffer) {
        last = "";
        std::free(buffer);
    }

    pthread_key_t key_{};
    const bool is_usable_;
};
const Buffers buffers;

}  // namespace

const char* last_sentence() { return last; }

void set_last_sentence(const char* sentence) {
    char* buffer = buffers.own();
    if (buffer && buffer != sentence) std::snprintf(buffer, kSentenceBytes, "%s", sentence);
    last = buffer ? buffer : kNoMemory;
}

Fault::Fault(csot_status code, const char* format, ...) : status(code) {
    char* buffer = buffers.own();
    sentence_ = buffer ? buffer : kNoMemory;
    if (!buffer) return;
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(buffer, kSentenceBytes, format, arguments);
    va_end(arguments);
}

}  // namespace csot
