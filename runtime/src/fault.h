// The exception of this library; csot_artifact.cpp turns it into a status and a sentence.
#pragma once

#include <cstdint>
#include <exception>

#include "csot_artifact.h"

namespace csot {

constexpr char kNoMemory[] = "there is not enough memory";

// The sentence of the thread's last failure, until the next.
const char* last_sentence();
void set_last_sentence(const char* sentence);

class Fault : public std::exception {
public:
    // A printf format; the sentence is cut at 511 bytes and lasts until the thread's next. It is no part of the
    // exception, which must be small: C++ runtimes keep little memory for exceptions where there is no other.
    __attribute__((format(printf, 3, 4))) Fault(csot_status code, const char* format, ...);
    const char* what() const noexcept override { return sentence_; }

    const csot_status status;

private:
    const char* sentence_;
};

// Checked arithmetic: sizes from a file are multiplied and added only by these.
inline uint64_t times(uint64_t a, uint64_t b) {
    uint64_t product;
    if (__builtin_mul_overflow(a, b, &product)) throw Fault(CSOT_CORRUPT, "models.xbin names a size beyond 64 bits");
    return product;
}
inline uint64_t plus(uint64_t a, uint64_t b) {
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) throw Fault(CSOT_CORRUPT, "models.xbin names a size beyond 64 bits");
    return sum;
}

// Called before so much is allocated.
inline void require_memory(uint64_t bytes, uint64_t max_bytes) {
    if (bytes <= max_bytes) return;
    throw Fault(CSOT_OUT_OF_MEMORY, "models.xbin takes %llu MiB of memory; options->max_memory_mib allows %llu",
                static_cast<unsigned long long>((bytes >> 20) + 1), static_cast<unsigned long long>(max_bytes >> 20));
}

}  // namespace csot
