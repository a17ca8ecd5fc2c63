#include "container.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "models.xbin is little-endian and is read without conversion"
#endif

namespace csot {
namespace {

constexpr char kMagic[9] = "CSOTXBIN";
constexpr size_t kFixed = 48, kAlignment = 64, kMaxParts = 16, kMaxHeader = 1 << 16;

bool same(const Digest& found, const uint8_t* expected) {
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    (void)found, (void)expected;
    return true;  // a fuzzer cannot guess digests; the checks behind them must hold without them
#else
    return std::memcmp(found.data(), expected, found.size()) == 0;
#endif
}

struct DescriptorCloser {
    const int descriptor;
    ~DescriptorCloser() { close(descriptor); }
};

}  // namespace

void FreeDeleter::operator()(void* memory) const { std::free(memory); }

const uint8_t* Reader::take(size_t size) {
    if (size > left_) throw Fault(CSOT_CORRUPT, "models.xbin: %s ends too early", what_);
    const uint8_t* taken = at_;
    at_ += size, left_ -= size;
    return taken;
}

uint32_t Reader::within(uint32_t least, uint32_t most, const char* name) {
    const uint32_t value = u32();
    if (value < least || value > most) {
        throw Fault(CSOT_CORRUPT, "models.xbin: %s has %s %u, which is outside %u to %u", what_, name, value, least,
                    most);
    }
    return value;
}

std::string Reader::text() {
    const size_t size = u8();
    const uint8_t* data = take(size);
    for (size_t i = 0; i < size; ++i) {
        if (data[i] < 0x20 || data[i] == 0x7f) {
            throw Fault(CSOT_CORRUPT, "models.xbin: %s has a text with a control character", what_);
        }
    }
    return std::string(reinterpret_cast<const char*>(data), size);
}

void Reader::end() const {
    if (left_) throw Fault(CSOT_CORRUPT, "models.xbin: %s has %zu bytes too many", what_, left_);
}

void Reader::refuse_unless(bool finite) const {
    if (!finite) throw Fault(CSOT_CORRUPT, "models.xbin: %s has a number that is not finite", what_);
}

Container::Container(const uint8_t* data, size_t size) {
    Reader fixed(data, size, "the file");
    if (std::memcmp(fixed.take(8), kMagic, 8) != 0) {
        throw Fault(CSOT_CORRUPT, "models.xbin does not begin as one: it is another file, or damaged");
    }
    const uint32_t version = fixed.u32();
    if (version > kFormatVersion) {
        throw Fault(CSOT_NEWER_FORMAT,
                    "models.xbin has format %u, this library reads up to %u: use the libCsotArtifact.so of its package",
                    version, kFormatVersion);
    }
    if (version < 1) throw Fault(CSOT_CORRUPT, "models.xbin has format 0, which never was");
    const uint32_t header = fixed.u32();
    if (header < kFixed || header > size || header > kMaxHeader) {
        throw Fault(CSOT_CORRUPT, "models.xbin: a header of %u bytes cannot be; the file has %zu", header, size);
    }
    const uint8_t* expected = fixed.take(32);
    if (!same(sha256(data + kFixed, header - kFixed), expected)) {
        throw Fault(CSOT_CORRUPT, "models.xbin: the header is not what its SHA-256 says; copy the package again");
    }
    Reader table(data + kFixed, header - kFixed, "the header");
    const uint32_t parts = table.within(1, kMaxParts, "a number of parts");
    uint64_t end = header;
    for (uint32_t i = 0; i < parts; ++i) {
        Entry entry;
        entry.name = table.text();
        if (find(entry.name)) throw Fault(CSOT_CORRUPT, "models.xbin has two parts %s", entry.name.c_str());
        const uint64_t offset = table.u64(), bytes = table.u64();
        const uint8_t* digest = table.take(32);
        const uint64_t expected_offset = (end + kAlignment - 1) / kAlignment * kAlignment;
        if (offset != expected_offset || offset > size || bytes > size - offset) {
            throw Fault(CSOT_CORRUPT, "models.xbin: part %s does not lie within the file's %zu bytes; is it cut short?",
                        entry.name.c_str(), size);
        }
        for (uint64_t at = end; at < offset; ++at) {
            if (data[at]) throw Fault(CSOT_CORRUPT, "models.xbin has something between its parts");
        }
        entry.part = {data + offset, static_cast<size_t>(bytes)};
        if (!same(sha256(entry.part.data, entry.part.size), digest)) {
            throw Fault(CSOT_CORRUPT, "models.xbin: part %s is not what its SHA-256 says; copy the package again",
                        entry.name.c_str());
        }
        end = offset + bytes;
        entries_.push_back(std::move(entry));
    }
    table.end();
    if (end != size)
        throw Fault(CSOT_CORRUPT, "models.xbin has %zu bytes after its last part", size - static_cast<size_t>(end));
}

const Part* Container::find(std::string_view name) const {
    for (const Entry& entry : entries_) {
        if (entry.name == name) return &entry.part;
    }
    return nullptr;
}

const Part& Container::part(std::string_view name) const {
    if (const Part* found = find(name)) return *found;
    throw Fault(CSOT_CORRUPT, "models.xbin lacks the part %.*s", static_cast<int>(name.size()), name.data());
}

File read_file(const std::string& path, const char* name, uint64_t most_bytes, uint64_t max_memory) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        throw Fault(errno == ENOMEM ? CSOT_OUT_OF_MEMORY : CSOT_NOT_FOUND, "%s cannot be opened: %s", path.c_str(),
                    std::strerror(errno));
    }
    const DescriptorCloser closer{descriptor};
    struct stat status;
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        throw Fault(CSOT_NOT_FOUND, "%s is not a file", path.c_str());
    }
    const uint64_t size = static_cast<uint64_t>(status.st_size);
    if (size > most_bytes) {
        throw Fault(CSOT_CORRUPT, "%s has %llu bytes; at most %llu can be right", name,
                    static_cast<unsigned long long>(size), static_cast<unsigned long long>(most_bytes));
    }
    require_memory(size, max_memory);
    File file;
    file.size = static_cast<size_t>(size);
    file.data.reset(static_cast<uint8_t*>(std::aligned_alloc(kAlignment, (file.size / kAlignment + 1) * kAlignment)));
    if (!file.data) throw std::bad_alloc();
    for (size_t done = 0; done < file.size;) {
        const ssize_t count = read(descriptor, file.data.get() + done, file.size - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw Fault(CSOT_NOT_FOUND, "%s cannot be read: %s", path.c_str(), std::strerror(errno));
        if (count == 0) throw Fault(CSOT_CORRUPT, "%s became shorter while it was read", name);
        done += static_cast<size_t>(count);
    }
    return file;
}

}  // namespace csot
