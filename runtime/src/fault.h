// The exception of this library; csot_artifact.cpp turns it into a status and a sentence.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <exception>

#include "csot_artifact.h"

namespace csot {

class Fault : public std::exception {
public:
    // A printf format; the sentence is cut at 511 bytes. Allocates nothing: it may report that memory is exhausted.
    __attribute__((format(printf, 3, 4))) Fault(csot_status code, const char* format, ...) : status(code) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(sentence_, sizeof sentence_, format, arguments);
        va_end(arguments);
    }
    const char* what() const noexcept override { return sentence_; }

    const csot_status status;

private:
    char sentence_[512];
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

}  // namespace csot
