// models.xbin: named parts, each with its SHA-256. All numbers are little-endian. A file that is cut or changed, or of
// a newer format, is refused (X5).
//
//      0  8 bytes   "CSOTXBIN"
//      8  u32       format version
//     12  u32       size of the header, which ends before the first part
//     16  32 bytes  SHA-256 of the header from byte 48 on
//     48  u32       number of parts, then of each:
//                   u8 length and text of its name, u64 offset, u64 size, 32 bytes SHA-256
//
// Parts lie in the header's order, each at the next multiple of 64, zeros between; the last ends the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sha256.h"

namespace csot {

constexpr uint32_t kFormatVersion = 1;

// Reads values in order, never past the end. `what` names the bytes in error messages.
class Reader {
public:
    Reader(const uint8_t* data, size_t size, const char* what) : at_(data), left_(size), what_(what) {}

    uint8_t u8() { return *take(1); }
    uint32_t u32() { return number<uint32_t>(); }
    uint64_t u64() { return number<uint64_t>(); }
    float f32() { return finite(number<float>()); }
    double f64() { return finite(number<double>()); }
    // A number that must lie in [least, most]; `name` is for the error message.
    uint32_t within(uint32_t least, uint32_t most, const char* name);
    // UTF-8 without control characters, preceded by its length as one byte.
    std::string text();
    const uint8_t* take(size_t size);
    size_t left() const { return left_; }
    // Throws if anything follows the last value.
    void end() const;

private:
    template <class Number>
    Number number() {
        Number value;
        __builtin_memcpy(&value, take(sizeof value), sizeof value);
        return value;
    }
    template <class Number>
    Number finite(Number value) {
        refuse_unless(value - value == 0);
        return value;
    }
    void refuse_unless(bool finite) const;

    const uint8_t* at_;
    size_t left_;
    const char* what_;
};

struct Part {
    const uint8_t* data = nullptr;
    size_t size = 0;
};

class Container {
public:
    // Verifies all bytes of the file, which begin at an address that is a multiple of 64, and keeps pointing into them.
    Container(const uint8_t* data, size_t size);

    const Part* find(std::string_view name) const;
    // Throws if there is none.
    const Part& part(std::string_view name) const;

private:
    struct Entry {
        std::string name;
        Part part;
    };
    std::vector<Entry> entries_;
};

struct FreeDeleter {
    void operator()(void* memory) const;
};

// A whole file, at an address that is a multiple of 64.
struct File {
    std::unique_ptr<uint8_t[], FreeDeleter> data;
    size_t size = 0;
};
File read_file(const std::string& path, const char* name, uint64_t most_bytes, uint64_t max_memory);

}  // namespace csot
