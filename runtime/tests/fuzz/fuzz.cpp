// Opens and uses packages whose models.xbin and config.yaml come from a fuzzer. Digests are not checked
// (FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION). Whatever the files hold, the library must answer with a status, and take
// no more memory than it may; with AddressSanitizer that is measured.
//
// One input is both files: u32 size of config.yaml, config.yaml, models.xbin. Linked with libFuzzer this is its
// target; alone, it mutates the inputs of a folder, the same way for the same seed:
//
//     fuzz CORPUS RUNS [SEED]
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "csot_artifact.h"

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
extern "C" size_t __sanitizer_get_allocated_size(const volatile void* memory);
#define MEASURES_MEMORY
#endif

namespace {

constexpr uint32_t kMaxMemoryMib = 16;
// For tables as long as a file of 64 KiB can make them, and for what the images of a call take.
constexpr int64_t kMaxTableBytes = int64_t{8} << 20;

// Bytes that are allocated, and the most since `most_allocated` was set.
int64_t allocated = 0, most_allocated = 0;

void require(bool holds, const char* rule) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", rule);
    std::abort();
}

// A folder in memory, removed when the process ends.
const std::string& folder() {
    static const std::string path = [] {
        char name[] = "/dev/shm/csot-fuzz-XXXXXX";
        require(mkdtemp(name) != nullptr, "a folder can be made in /dev/shm");
        static std::string kept = name;
        std::atexit([] {
            for (const char* file : {"/config.yaml", "/models.xbin", "/libCsotArtifact.so", "/keys.pem"}) {
                unlink((kept + file).c_str());
            }
            rmdir(kept.c_str());
        });
        return kept;
    }();
    return path;
}

void write(const char* name, const uint8_t* data, size_t size) {
    FILE* file = std::fopen((folder() + name).c_str(), "wb");
    require(file && std::fwrite(data, 1, size, file) == size && std::fclose(file) == 0, "a file can be written");
}

// Who may sign: the key of tests/native/harness.py, which signed the seed, with another library.
void require_refusal_without_signature() {
    static const bool is_prepared = [] {
        const std::string key =
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n"
            "-----END PUBLIC KEY-----\n";
        write("/keys.pem", reinterpret_cast<const uint8_t*>(key.data()), key.size());
        write("/libCsotArtifact.so", reinterpret_cast<const uint8_t*>(key.data()), 0);
        return true;
    }();
    require(is_prepared, "the key lies there");
    csot_artifact* artifact = nullptr;
    const csot_status status = csot_open_signed(folder().c_str(), (folder() + "/keys.pem").c_str(), nullptr, &artifact);
    require(status == CSOT_UNTRUSTED && !artifact && *csot_last_error(), "what nobody signed does not open");
}

void use(csot_artifact* artifact) {
    csot_description description{};
    description.struct_size = sizeof description;
    require(csot_describe(artifact, &description) == CSOT_OK, "an open package can be described");
    require(description.codes >= 2 && description.model && description.version, "it has codes, a model and a version");
    for (uint32_t i = 0; i < description.codes; ++i) {
        const char* code = nullptr;
        require(csot_code(artifact, i, &code, nullptr) == CSOT_OK && code && *code, "every code has a text");
    }
    static const std::vector<uint8_t> pixels = [] {
        std::vector<uint8_t> values(48 * 40 * 3);
        for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i * 2654435761u >> 13);
        return values;
    }();
    const csot_image images[] = {{pixels.data(), 48, 40, 0, CSOT_RGB}, {pixels.data(), 33, 37, 40, CSOT_GREY}};
    csot_prediction predictions[2];
    const size_t mask = size_t{description.mask_width} * description.mask_height;
    std::vector<float> scores(2 * description.codes);
    std::vector<uint8_t> masks(2 * mask);
    const csot_buffers buffers = {sizeof buffers, scores.data(), scores.size(), mask ? masks.data() : nullptr,
                                  masks.size()};
    const int64_t own = static_cast<int64_t>(scores.size() * sizeof(float) + masks.size());
    most_allocated = allocated;
    const csot_status status = csot_predict(artifact, images, 2, predictions, &buffers);
    most_allocated -= own;
    if (status != CSOT_OK) {
        require(status == CSOT_CORRUPT || status == CSOT_OUT_OF_MEMORY,
                "a prediction fails for a reason that it may have");
        return;
    }
    for (const csot_prediction& prediction : predictions) {
        if (prediction.status == CSOT_NONCONFORMING) continue;
        require(prediction.code >= 0 && prediction.code < static_cast<int32_t>(description.codes),
                "a prediction is one of the codes");
        require(prediction.confidence >= 0 && prediction.confidence <= 1, "a confidence is from 0 to 1");
    }
    for (const uint8_t label : masks) require(label <= description.codes, "a label is one of the codes");
}

}  // namespace

#ifdef MEASURES_MEMORY
extern "C" __attribute__((visibility("default"))) void __sanitizer_malloc_hook(const volatile void*, size_t size) {
    allocated += static_cast<int64_t>(size);
    most_allocated = std::max(most_allocated, allocated);
}
extern "C" __attribute__((visibility("default"))) void __sanitizer_free_hook(const volatile void* memory) {
    if (memory) allocated -= static_cast<int64_t>(__sanitizer_get_allocated_size(memory));
}
#endif

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    uint32_t config = 0;
    if (size < sizeof config || size > 1 << 20) return 0;
    std::memcpy(&config, data, sizeof config);
    data += sizeof config, size -= sizeof config;
    config = static_cast<uint32_t>(std::min<size_t>(config, size));
    write("/config.yaml", data, config);
    write("/models.xbin", data + config, size - config);
    csot_options options{};
    options.struct_size = sizeof options, options.max_memory_mib = kMaxMemoryMib;
    csot_artifact* artifact = nullptr;
    const int64_t before = most_allocated = allocated;
    const csot_status status = csot_open(folder().c_str(), &options, &artifact);
    const auto require_bound = [&] {
        require(most_allocated - before <= (int64_t{kMaxMemoryMib} << 20) + kMaxTableBytes,
                "a package takes no more memory than it may");
    };
    require_bound();
    if (status == CSOT_OK) {
        use(artifact);
        require_bound();
    } else {
        require(!artifact && *csot_last_error(), "a refusal has a sentence");
        require(status > CSOT_OK && status < CSOT_NONCONFORMING, "a refusal has a status");
    }
    csot_close(artifact);
    require_refusal_without_signature();
    return 0;
}

#ifndef WITH_LIBFUZZER
namespace {

using Input = std::vector<uint8_t>;

std::vector<Input> read_corpus(const std::string& path) {
    std::vector<std::string> names;
    DIR* entries = opendir(path.c_str());
    require(entries != nullptr, "the corpus can be listed");
    while (const dirent* entry = readdir(entries)) {
        if (entry->d_name[0] != '.') names.push_back(path + "/" + entry->d_name);
    }
    closedir(entries);
    std::sort(names.begin(), names.end());
    std::vector<Input> corpus;
    for (const std::string& name : names) {
        FILE* file = std::fopen(name.c_str(), "rb");
        require(file != nullptr, "an input can be opened");
        Input input(1 << 20);
        input.resize(std::fread(input.data(), 1, input.size(), file));
        std::fclose(file);
        corpus.push_back(std::move(input));
    }
    return corpus;
}

void mutate(Input& input, std::mt19937& random) {
    const auto at = [&] { return random() % input.size(); };
    static const uint32_t boundary_values[] = {0,    1,    2,     3,          16,         255,       256,
                                               4095, 4096, 65535, 0x7fffffff, 0x80000000, 0xffffffff};
    for (unsigned changes = 1 + random() % 4; changes && !input.empty(); --changes) {
        switch (random() % 6) {
            case 0:
                input[at()] ^= static_cast<uint8_t>(1u << random() % 8);
                break;
            case 1:
                input[at()] = static_cast<uint8_t>(random());
                break;
            case 2: {  // a number, most of which lie at multiples of four
                const uint32_t value = boundary_values[random() % (sizeof boundary_values / sizeof *boundary_values)];
                const size_t place = at();
                std::memcpy(input.data() + place, &value, std::min(sizeof value, input.size() - place));
                break;
            }
            case 3: {
                const size_t place = at(), end = place + std::min<size_t>(random() % 64, input.size() - place);
                input.erase(input.begin() + static_cast<long>(place), input.begin() + static_cast<long>(end));
                break;
            }
            case 4: {
                const size_t from = at(), count = std::min<size_t>(random() % 64, input.size() - from);
                const Input copy(input.begin() + static_cast<long>(from),
                                 input.begin() + static_cast<long>(from + count));
                input.insert(input.begin() + static_cast<long>(at()), copy.begin(), copy.end());
                break;
            }
            default:
                input.resize(at());
        }
    }
}

}  // namespace

int main(int count, char** arguments) {
    require(count >= 3, "usage: fuzz CORPUS RUNS [SEED]");
    const std::vector<Input> corpus = read_corpus(arguments[1]);
    require(!corpus.empty(), "the corpus has inputs");
    for (const Input& input : corpus) LLVMFuzzerTestOneInput(input.data(), input.size());
    std::mt19937 random(count > 3 ? static_cast<unsigned>(std::atoi(arguments[3])) : 0);
    for (long run = std::atol(arguments[2]); run > 0; --run) {
        Input input = corpus[random() % corpus.size()];
        mutate(input, random);
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    std::printf("%zu inputs and %s mutations of them\n", corpus.size(), arguments[2]);
}
#endif
