// The C interface: checks arguments, and turns exceptions into codes and sentences.
#include "csot_artifact.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>

#include "fault.h"
#include "pipeline.h"

using csot::Fault;

struct csot_artifact {
    csot::Pipeline pipeline;
};

namespace {

constexpr uint32_t kMaxThreads = 256, kMaxConcurrent = 1024, kDefaultConcurrent = 64, kMaxImages = 65536;
constexpr uint32_t kDefaultMemoryMib = 2048;
constexpr uint32_t kMaxSide = 1 << 20;
constexpr uint64_t kMaxPixels = uint64_t{1} << 31;

csot_status failed(csot_status status, const char* sentence) {
    csot::set_last_sentence(sentence);
    return status;
}

template <class Work>
csot_status guarded(const Work& work) noexcept {
    try {
        work();
        return CSOT_OK;
    } catch (const Fault& fault) {
        return failed(fault.status, fault.what());
    } catch (const std::bad_alloc&) {
        return failed(CSOT_OUT_OF_MEMORY, csot::kNoMemory);
    } catch (const std::length_error&) {
        return failed(CSOT_OUT_OF_MEMORY, csot::kNoMemory);
    } catch (const std::system_error& error) {
        return failed(CSOT_OUT_OF_MEMORY, "a thread could not be started");
    } catch (const std::exception& error) {
        return failed(CSOT_INTERNAL, error.what());
    } catch (...) {
        return failed(CSOT_INTERNAL, "an unknown exception");
    }
}

void require(const void* pointer, const char* name) {
    if (!pointer) throw Fault(CSOT_INVALID_ARGUMENT, "%s is null", name);
}

// A copy of the caller's structure; an older program passes only the first members.
template <class Structure>
Structure copy_of(const Structure* given, uint32_t least, const char* name) {
    Structure copy{};
    if (given->struct_size < least || given->struct_size > 4096) {
        throw Fault(CSOT_INVALID_ARGUMENT, "%s->struct_size is %u; set it to sizeof", name, given->struct_size);
    }
    std::memcpy(&copy, given, std::min<size_t>(given->struct_size, sizeof copy));
    return copy;
}

void check(const csot_image& image, uint32_t number) {
    if (!image.pixels) throw Fault(CSOT_INVALID_ARGUMENT, "images[%u].pixels is null", number);
    if (image.format != CSOT_GREY && image.format != CSOT_RGB && image.format != CSOT_BGR) {
        throw Fault(CSOT_INVALID_ARGUMENT, "images[%u].format is %d; CSOT_GREY, CSOT_RGB and CSOT_BGR are known",
                    number, image.format);
    }
    if (!image.width || !image.height || image.width > kMaxSide || image.height > kMaxSide ||
        uint64_t{image.width} * image.height > kMaxPixels) {
        throw Fault(CSOT_INVALID_ARGUMENT, "images[%u] is %u × %u px; a side has 1 to %u, an image at most %llu in all",
                    number, image.width, image.height, kMaxSide, static_cast<unsigned long long>(kMaxPixels));
    }
    const size_t row = size_t{image.width} * (image.format == CSOT_GREY ? 1 : 3);
    if (image.stride && image.stride < row) {
        throw Fault(CSOT_INVALID_ARGUMENT, "images[%u].stride is %zu; a row has %zu bytes", number, image.stride, row);
    }
    if (image.stride > SIZE_MAX / 2 / image.height) {
        throw Fault(CSOT_INVALID_ARGUMENT, "images[%u].stride is %zu, which no memory holds", number, image.stride);
    }
}

}  // namespace

uint32_t csot_abi_version(void) { return CSOT_ABI_VERSION; }

const char* csot_status_name(csot_status status) {
    static const char* const names[] = {"CSOT_OK",       "CSOT_INVALID_ARGUMENT", "CSOT_NOT_FOUND",
                                        "CSOT_CORRUPT",  "CSOT_NEWER_FORMAT",     "CSOT_BAD_CONFIG",
                                        "CSOT_MISMATCH", "CSOT_OUT_OF_MEMORY",    "CSOT_NONCONFORMING",
                                        "CSOT_INTERNAL", "CSOT_UNTRUSTED"};
    return status >= 0 && status <= CSOT_UNTRUSTED ? names[status] : "unknown status";
}

const char* csot_last_error(void) { return csot::last_sentence(); }

namespace {

csot_status open(const char* folder, const char* keys_file, const csot_options* options, csot_artifact** artifact) {
    if (artifact) *artifact = nullptr;
    return guarded([&] {
        require(folder, "folder");
        require(artifact, "artifact");
        const std::vector<csot::PublicKey> keys =
            keys_file ? csot::read_public_keys(keys_file) : std::vector<csot::PublicKey>();
        csot_options copy{};
        if (options) copy = copy_of(options, sizeof(uint32_t), "options");
        if (copy.threads > kMaxThreads || copy.concurrent > kMaxConcurrent) {
            throw Fault(CSOT_INVALID_ARGUMENT,
                        "options ask for %u threads and %u concurrent calls; at most %u and %u are possible",
                        copy.threads, copy.concurrent, kMaxThreads, kMaxConcurrent);
        }
        const unsigned threads = copy.threads ? copy.threads : 1;
        const uint64_t memory_mib = copy.max_memory_mib ? copy.max_memory_mib : kDefaultMemoryMib;
        *artifact = new csot_artifact{
            {folder, keys, threads, copy.concurrent ? copy.concurrent : kDefaultConcurrent, memory_mib << 20}};
    });
}

}  // namespace

csot_status csot_open(const char* folder, const csot_options* options, csot_artifact** artifact) {
    return open(folder, nullptr, options, artifact);
}

csot_status csot_open_signed(const char* folder, const char* keys_file, const csot_options* options,
                             csot_artifact** artifact) {
    if (artifact) *artifact = nullptr;
    const csot_status status = guarded([&] { require(keys_file, "keys_file"); });
    return status == CSOT_OK ? open(folder, keys_file, options, artifact) : status;
}

void csot_close(csot_artifact* artifact) { delete artifact; }

csot_status csot_describe(const csot_artifact* artifact, csot_description* description) {
    return guarded([&] {
        require(artifact, "artifact");
        require(description, "description");
        const uint32_t size = copy_of(description, sizeof(uint32_t), "description").struct_size;
        const csot::Pipeline& pipeline = artifact->pipeline;
        const csot::Model& model = pipeline.model();
        csot_description copy{};
        copy.struct_size = size;
        copy.abi_version = CSOT_ABI_VERSION;
        copy.format_version = csot::kFormatVersion;
        copy.codes = static_cast<uint32_t>(model.codes.size());
        copy.classes = model.classes;
        copy.input_width = model.width;
        copy.input_height = model.height;
        copy.detail = model.detail;
        copy.mask_width = pipeline.mask_width();
        copy.mask_height = pipeline.mask_height();
        copy.confidence_threshold = static_cast<float>(pipeline.settings().confidence);
        copy.filters_resolution = pipeline.settings().filters_resolution;
        copy.model = model.name.c_str();
        copy.version = model.version.c_str();
        copy.kernels = pipeline.kernels().name;
        copy.signing_key = pipeline.signer().fingerprint.c_str();
        copy.config_changed = pipeline.signer().config_changed;
        std::memcpy(description, &copy, std::min<size_t>(size, sizeof copy));
    });
}

csot_status csot_code(const csot_artifact* artifact, uint32_t index, const char** code, int32_t* special) {
    return guarded([&] {
        require(artifact, "artifact");
        const csot::Model& model = artifact->pipeline.model();
        if (index >= model.codes.size()) {
            throw Fault(CSOT_INVALID_ARGUMENT, "there is no code %u; the model has %zu", index, model.codes.size());
        }
        if (code) *code = model.codes[index].c_str();
        if (special) *special = index >= model.classes;
    });
}

csot_status csot_check_image(const csot_artifact* artifact, uint32_t width, uint32_t height) {
    return guarded([&] {
        require(artifact, "artifact");
        if (!width || !height)
            throw Fault(CSOT_INVALID_ARGUMENT, "an image of %u × %u px has no pixels", width, height);
        const csot::ResolutionRule& rule = artifact->pipeline.model().resolution;
        switch (rule.judge(width, height)) {
            case CSOT_RESOLUTION_TOO_LOW:
                throw Fault(CSOT_NONCONFORMING, "%u × %u: the shorter side is under %u px", width, height,
                            rule.min_side_px);
            case CSOT_ASPECT_RATIO:
                throw Fault(CSOT_NONCONFORMING, "%u × %u: longer than %g times its width", width, height,
                            rule.max_aspect_ratio);
            case CSOT_RESOLUTION_OFF_NOMINAL:
                throw Fault(CSOT_NONCONFORMING, "%u × %u is more than %g %% off %u × %u", width, height,
                            rule.tolerance * 100, rule.width, rule.height);
            default:
                break;
        }
    });
}

csot_status csot_predict(csot_artifact* artifact, const csot_image* images, uint32_t count,
                         csot_prediction* predictions, const csot_buffers* buffers) {
    return guarded([&] {
        require(artifact, "artifact");
        require(images, "images");
        require(predictions, "predictions");
        if (count < 1 || count > kMaxImages) {
            throw Fault(CSOT_INVALID_ARGUMENT, "a batch of %u images; it must have 1 to %u", count, kMaxImages);
        }
        for (uint32_t i = 0; i < count; ++i) check(images[i], i);
        csot::Pipeline& pipeline = artifact->pipeline;
        csot_buffers copy{};
        if (buffers) copy = copy_of(buffers, sizeof(uint32_t), "buffers");
        const size_t scores = count * pipeline.model().codes.size();
        const size_t masks = size_t{count} * pipeline.mask_width() * pipeline.mask_height();
        if (copy.scores && copy.scores_size < scores) {
            throw Fault(CSOT_INVALID_ARGUMENT, "buffers->scores has room for %zu floats; %zu are needed",
                        copy.scores_size, scores);
        }
        if (copy.masks && !masks)
            throw Fault(CSOT_INVALID_ARGUMENT, "buffers->masks: the model has no segmentation network");
        if (copy.masks && copy.masks_size < masks) {
            throw Fault(CSOT_INVALID_ARGUMENT, "buffers->masks has room for %zu bytes; %zu are needed", copy.masks_size,
                        masks);
        }
        pipeline.predict(images, count, {predictions, copy.scores, copy.masks});
    });
}
