#include "pipeline.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "fault.h"

namespace csot {
namespace {

constexpr uint64_t kMaxModelBytes = uint64_t{4} << 30, kMaxConfigBytes = 1 << 20,
                   kMaxLibraryBytes = uint64_t{256} << 20;
constexpr uint32_t kMaxCodes = 254;  // a mask's label is a byte, and 0 its background
constexpr uint32_t kNoBackground = UINT32_MAX;
// Larger batches are no faster.
constexpr uint64_t kMaxBatchFloats = uint64_t{1} << 26;

std::unique_ptr<Network> read_network(const Container& container, const char* graph, const char* weights,
                                      const Kernels& kernels, size_t typical_batch) {
    const Part& part = container.part(weights);
    if (part.size % sizeof(float)) throw Fault(CSOT_CORRUPT, "models.xbin: %s is not a number of floats", weights);
    return std::make_unique<Network>(read_graph(container.part(graph), graph, part.size / sizeof(float)), kernels,
                                     typical_batch);
}

}  // namespace

Model Model::read(const Part& part) {
    Reader reader(part.data, part.size, "the part model");
    Model model{};
    model.name = reader.text(), model.version = reader.text();
    const uint32_t codes = reader.within(2, kMaxCodes, "a number of codes");
    for (uint32_t i = 0; i < codes; ++i) {
        model.codes.push_back(reader.text());
        const std::string& code = model.codes.back();
        if (code.empty() || std::count(model.codes.begin(), model.codes.end(), code) != 1) {
            throw Fault(CSOT_CORRUPT, "models.xbin: code %u is empty or there twice", i);
        }
    }
    model.classes = reader.within(2, codes, "a number of classes");
    model.width = reader.within(1, 4096, "a width of");
    model.height = reader.within(1, 4096, "a height of");
    model.detail = reader.within(1, 16, "a detail of");
    const uint32_t background = reader.u32();
    if (background != kNoBackground) {
        if (background >= model.classes)
            throw Fault(CSOT_CORRUPT, "models.xbin: the background is not one of the classes");
        model.background = background;
    }
    Normalisation& normalisation = model.normalisation;
    normalisation.per_image = reader.within(0, 1, "a flag") == 1;
    for (float& value : normalisation.mean) value = reader.f32();
    for (float& value : normalisation.deviation) value = reader.f32();
    normalisation.floor = reader.f32();
    for (const float value : normalisation.deviation) {
        if (!(value > 0) || !(normalisation.floor > 0)) {
            throw Fault(CSOT_CORRUPT, "models.xbin: a deviation must be positive");
        }
    }
    ResolutionRule& rule = model.resolution;
    rule.width = reader.u32(), rule.height = reader.u32();
    rule.tolerance = reader.f64();
    rule.min_side_px = reader.u32();
    rule.max_aspect_ratio = reader.f64();
    reader.end();
    return model;
}

SpecialRule SpecialRule::read(const Part& part, const Model& model) {
    Reader reader(part.data, part.size, "the part special");
    SpecialRule rule{};
    const uint32_t special = reader.within(1, kMaxCodes, "a number of codes");
    for (uint32_t i = 0; i < special; ++i) {
        rule.codes.push_back(reader.within(0, static_cast<uint32_t>(model.codes.size()) - 1, "a code"));
    }
    const uint32_t means = special + reader.within(1, kMaxCodes, "a number of codes");
    rule.features = reader.within(1, 16384, "a number of features");
    rule.scale = reader.f64();
    if (!(rule.scale > 0)) throw Fault(CSOT_CORRUPT, "models.xbin: the scale of the special rule must be positive");
    rule.power = reader.f64();
    if (!(rule.power > 0 && rule.power <= 1))
        throw Fault(CSOT_CORRUPT, "models.xbin: the power of the special rule must be in (0, 1]");
    const size_t width = rule.features;
    const auto floats = [&](size_t count) {
        std::vector<float> values(count);
        const size_t bytes = count * sizeof(float);
        std::memcpy(values.data(), reader.take(bytes), bytes);
        for (const float value : values) {
            if (value - value != 0)
                throw Fault(CSOT_CORRUPT, "models.xbin: the part special has a value that is not finite");
        }
        return values;
    };
    if (reader.left() != (means + width) * width * sizeof(float)) {
        throw Fault(CSOT_CORRUPT, "models.xbin: the part special is not as large as it says");
    }
    const std::vector<float> mean = floats(means * width);
    rule.precision = floats(width * width);
    rule.projected_means.resize(means * width);
    rule.mean_norms.resize(means);
    for (size_t m = 0; m < means; ++m) {
        for (size_t row = 0; row < width; ++row) {
            double projected = 0, across = 0;
            for (size_t k = 0; k < width; ++k) {
                projected += double{rule.precision[row * width + k]} * mean[m * width + k];
                across += mean[m * width + k] * double{rule.precision[k * width + row]};
            }
            rule.projected_means[m * width + row] = projected;
            rule.mean_norms[m] += across * mean[m * width + row];
        }
    }
    return rule;
}

std::optional<std::pair<uint32_t, double>> SpecialRule::decide(const float* features_F) const {
    std::vector<double> raised(features);
    for (size_t k = 0; k < features; ++k)
        raised[k] = std::copysign(std::pow(std::fabs(double{features_F[k]}), power), features_F[k]);
    // The squared distance to a mean, without the term of the features alone, which all means share.
    size_t nearest[2] = {0, codes.size()};
    double least[2] = {INFINITY, INFINITY};
    for (size_t m = 0; m < mean_norms.size(); ++m) {
        double product = 0;
        for (size_t k = 0; k < features; ++k) product += raised[k] * projected_means[m * features + k];
        const double distance = mean_norms[m] - 2 * product;
        const size_t kind = m >= codes.size();
        if (distance < least[kind]) least[kind] = distance, nearest[kind] = m;
    }
    const double score = least[0] - least[1];
    if (!(score < threshold)) return std::nullopt;
    const double confidence = 1 / (1 + std::exp(std::clamp((score - threshold) / scale, -50.0, 50.0)));
    return std::pair{codes[nearest[0]], confidence};
}

// --- reading ----------------------------------------------------------------------------------------------------

Pipeline::Pipeline(const std::string& folder, const std::vector<PublicKey>& keys, unsigned threads, unsigned concurrent,
                   uint64_t max_memory)
    : kernels_(best_kernels()), threads_(threads), concurrent_(concurrent) {
    read(folder, keys, max_memory);
}

void Pipeline::read(const std::string& folder, const std::vector<PublicKey>& keys, uint64_t max_memory) {
    const File config = read_file(folder + "/config.yaml", "config.yaml", kMaxConfigBytes, kMaxConfigBytes);
    // Of a package that must be signed, nothing is understood before the signature.
    if (keys.empty()) settings_ = read_settings(reinterpret_cast<const char*>(config.data.get()), config.size);
    const File file = read_file(folder + "/models.xbin", "models.xbin", kMaxModelBytes, max_memory);
    if (!keys.empty()) {
        const File library =
            read_file(folder + "/libCsotArtifact.so", "libCsotArtifact.so", kMaxLibraryBytes, kMaxLibraryBytes);
        signer_ = require_signature(keys, config, file, library);
        settings_ = read_settings(reinterpret_cast<const char*>(config.data.get()), config.size);
    }
    const Container container(file.data.get(), file.size);
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    const std::string found = hexadecimal(sha256(file.data.get(), file.size));
    if (found != settings_.models_sha256) {
        throw Fault(CSOT_MISMATCH, "models.xbin has SHA-256 %s, config.yaml names %s: they are of different packages",
                    found.c_str(), settings_.models_sha256.c_str());
    }
#endif
    model_ = Model::read(container.part("model"));
    classifier_ = read_network(container, "classifier.graph", "classifier.weights", kernels_, model_.windows());
    check_classifier();
    if (container.find("segmenter.graph")) {
        segmenter_ = read_network(container, "segmenter.graph", "segmenter.weights", kernels_, 1);
        check_segmenter();
    }
    const Part* special = container.find("special");
    check_work();
    check_memory(file.size, special ? special->size : 0, max_memory);
    if (special) {
        special_ = SpecialRule::read(*special, model_);
        if (special_->features != classifier_->output(1).channels) {
            throw Fault(CSOT_CORRUPT, "models.xbin: the special rule has %u features, the classifier %u",
                        special_->features, classifier_->output(1).channels);
        }
    }
    classifier_->pack(container.part("classifier.weights"), "classifier.weights");
    if (segments()) segmenter_->pack(container.part("segmenter.weights"), "segmenter.weights");
    take_thresholds();
}

void Pipeline::check_classifier() const {
    const Shape vector{1, 1, model_.classes};
    if (!(classifier_->input() == Shape{model_.height, model_.width, 3}) || classifier_->outputs() != 2 ||
        !(classifier_->output(0) == vector) || classifier_->output(1).height != 1 ||
        classifier_->output(1).width != 1) {
        throw Fault(CSOT_CORRUPT, "models.xbin: the classifier does not take or give what the model says");
    }
}

void Pipeline::check_segmenter() const {
    const uint32_t height = model_.height * model_.detail, width = model_.width * model_.detail;
    const Shape labels{height, width, static_cast<uint32_t>(model_.codes.size()) + 1};
    if (!(segmenter_->input() == Shape{height, width, 3}) || segmenter_->outputs() != 1 ||
        !(segmenter_->output(0) == labels)) {
        throw Fault(CSOT_CORRUPT, "models.xbin: the segmentation network does not take or give what the model says");
    }
}

void Pipeline::check_work() const {
    // Where the windows of an image do not fit into one batch, it is resized for each.
    const uint64_t pixels = uint64_t{model_.width} * model_.height * scale() * scale();
    uint64_t work = times(model_.windows(), plus(classifier_->work(), pixels));
    if (segments()) work = plus(work, segmenter_->work());
    if (work > kMaxWork) throw Fault(CSOT_CORRUPT, "models.xbin takes more work than any model that is exported");
}

// Bytes that a call on one image takes beside the networks' memory.
uint64_t Pipeline::buffer_bytes() const {
    const auto resized = [](uint64_t width, uint64_t height) { return 3 * width * height + 20 * (width + height); };
    const uint64_t mask = uint64_t{mask_width()} * mask_height();
    const uint64_t picture = std::max(resized(uint64_t{model_.width} * scale(), uint64_t{model_.height} * scale()),
                                      resized(mask_width(), mask_height()));
    const uint64_t outputs = sizeof(float) * (uint64_t{model_.classes} + classifier_->output(1).channels);
    // A mask is searched for regions by a number for every pixel.
    return threads_ * picture + model_.windows() * outputs + mask * (1 + sizeof(int32_t));
}

void Pipeline::check_memory(size_t file_bytes, size_t special_bytes, uint64_t max_memory) {
    uint64_t packed = classifier_->packed_floats(), working = classifier_->memory(1, threads_);
    if (segments()) {
        packed = plus(packed, segmenter_->packed_floats());
        working = std::max(working, segmenter_->memory(1, threads_));
    }
    // The means of the special rule are there as they are read, and as numbers of double the size.
    const uint64_t kept = plus(times(packed, sizeof(float)), times(special_bytes, 3));
    const uint64_t buffers = buffer_bytes(), call = plus(times(working, sizeof(float)), buffers);
    require_memory(plus(kept, std::max<uint64_t>(file_bytes, call)), max_memory);
    batch_floats_ = std::min(kMaxBatchFloats, (max_memory - kept - buffers) / sizeof(float));
}

void Pipeline::take_thresholds() {
    const auto needs = [](bool needed, const std::optional<double>& value, const char* name) {
        if (needed && !value)
            throw Fault(CSOT_BAD_CONFIG, "config.yaml lacks thresholds: %s, which the model needs", name);
        if (!needed && value)
            throw Fault(CSOT_BAD_CONFIG, "config.yaml has thresholds: %s, which the model has no use for", name);
    };
    needs(model_.background.has_value(), settings_.classifier_caution, "classifier_caution");
    needs(segments(), settings_.segmentation_caution, "segmentation_caution");
    needs(special_.has_value(), settings_.special_distance, "special_distance");
    if (special_) special_->threshold = *settings_.special_distance;
    min_area_.assign(model_.codes.size(), -1);
    for (const auto& [code, least] : settings_.min_area_px) {
        const auto found = std::find(model_.codes.begin(), model_.codes.end(), code);
        if (found == model_.codes.end() || !segments()) {
            throw Fault(CSOT_BAD_CONFIG, "config.yaml: min_area_px names %s, which no segmentation network knows",
                        code.c_str());
        }
        min_area_[static_cast<size_t>(found - model_.codes.begin())] = least;
    }
}

// --- predicting -------------------------------------------------------------------------------------------------

struct Pipeline::Session {
    explicit Session(unsigned threads) : team(threads), resized(threads) {}

    Team team;
    std::vector<Resized> resized;  // by member
    Floats memory;
    uint64_t memory_floats = 0;
    std::vector<float> evidence, features;  // of every image, from its windows
    std::vector<uint8_t> mask;
    std::vector<uint32_t> areas;  // of every image, by label

    float* room(uint64_t floats) {
        if (floats > memory_floats) {
            memory.reset();
            memory_floats = 0;
            memory = allocate(floats);
            memory_floats = floats;
        }
        return memory.get();
    }
};

Pipeline::~Pipeline() = default;

// Borrows a session for the duration of a call.
class Pipeline::BorrowedSession {
public:
    explicit BorrowedSession(Pipeline& pipeline) : pipeline_(pipeline) {
        std::unique_lock<std::mutex> lock(pipeline.mutex_);
        pipeline.returned_.wait(lock,
                                [&] { return !pipeline.idle_.empty() || pipeline.sessions_ < pipeline.concurrent_; });
        if (!pipeline.idle_.empty()) {
            session_ = std::move(pipeline.idle_.back());
            pipeline.idle_.pop_back();
            return;
        }
        pipeline.idle_.reserve(pipeline.sessions_ + 1);  // so that returning the session cannot fail
        session_ = std::make_unique<Session>(pipeline.threads_);
        ++pipeline.sessions_;
    }
    ~BorrowedSession() {
        {
            const std::lock_guard<std::mutex> lock(pipeline_.mutex_);
            pipeline_.idle_.push_back(std::move(session_));
        }
        pipeline_.returned_.notify_one();
    }
    BorrowedSession(const BorrowedSession&) = delete;
    BorrowedSession& operator=(const BorrowedSession&) = delete;
    Session& operator*() const { return *session_; }

private:
    Pipeline& pipeline_;
    std::unique_ptr<Session> session_;
};

void Pipeline::predict(const csot_image* images, size_t count, const Output& output) {
    const BorrowedSession borrowed(*this);
    Session& session = *borrowed;
    std::vector<size_t> which;
    for (size_t i = 0; i < count; ++i) {
        const csot_resolution resolution = model_.resolution.judge(images[i].width, images[i].height);
        const bool refused = settings_.filters_resolution && resolution != CSOT_RESOLUTION_CONFORMS;
        output.predictions[i] = {refused ? CSOT_NONCONFORMING : CSOT_OK, resolution, -1, 0, CSOT_BY_SOFTMAX, 0};
        if (!refused) which.push_back(i);
    }
    if (output.scores) std::fill_n(output.scores, count * model_.codes.size(), 0.0F);
    if (output.masks) std::memset(output.masks, 0, count * mask_width() * mask_height());
    classify(session, images, which);
    if (segments()) segment(session, images, which, output);
    for (size_t place = 0; place < which.size(); ++place) decide(session, place, which[place], output);
}

void Pipeline::classify(Session& session, const csot_image* images, const std::vector<size_t>& which) const {
    const size_t windows = model_.windows(), side = model_.side_windows(), classes = model_.classes;
    const size_t pixels = classifier_->input().floats(), features = classifier_->output(1).floats();
    const size_t batch_size =
        classifier_->batch_size(std::max<size_t>(which.size(), 1) * windows, session.team.members(), batch_floats_);
    const size_t images_per_batch = std::max<size_t>(1, batch_size / windows),
                 inputs_per_batch = std::min(batch_size, images_per_batch * windows);
    std::vector<float> logits(images_per_batch * windows * classes),
        window_features(images_per_batch * windows * features);
    session.evidence.assign(which.size() * classes, 0);
    session.features.assign(which.size() * features, 0);
    for (size_t first = 0; first < which.size(); first += images_per_batch) {
        const size_t count = std::min(images_per_batch, which.size() - first), inputs = count * windows;
        for (size_t begin = 0; begin < inputs; begin += inputs_per_batch) {
            const size_t part = std::min(inputs_per_batch, inputs - begin);
            float* memory = session.room(classifier_->memory(part, session.team.members()));
            float* in = classifier_->input(memory, part);
            // One member cuts all windows of an image that are in this batch.
            const size_t first_image = begin / windows, end_image = (begin + part - 1) / windows + 1;
            session.team.share(end_image - first_image, [&](size_t task, unsigned member) {
                const size_t image = first_image + task;
                Resized& resized = session.resized[member];
                resized.resize(images[which[first + image]], model_.width * scale(), model_.height * scale());
                resized.normalise(model_.normalisation);
                for (size_t window = 0; window < windows; ++window) {
                    const size_t input = image * windows + window;
                    if (input < begin || input >= begin + part) continue;
                    const uint32_t top = static_cast<uint32_t>(window / side) * model_.height / 2;
                    const uint32_t left = static_cast<uint32_t>(window % side) * model_.width / 2;
                    resized.copy(top, left, model_.width, model_.height, in + (input - begin) * pixels);
                }
            });
            classifier_->run(session.team, memory, part);
            std::copy_n(classifier_->output(0, memory, part), part * classes, logits.data() + begin * classes);
            std::copy_n(classifier_->output(1, memory, part), part * features,
                        window_features.data() + begin * features);
        }
        for (size_t image = 0; image < count; ++image) {
            const float* logits_of_image = logits.data() + image * windows * classes;
            const float* image_features = window_features.data() + image * windows * features;
            float* evidence = session.evidence.data() + (first + image) * classes;
            size_t deciding_window = 0;
            if (model_.background) {
                // As Windows.judge: for every class the window with the most evidence for it against the background.
                const size_t background = *model_.background;
                float most = -INFINITY;
                std::fill_n(evidence, classes, -INFINITY);
                for (size_t window = 0; window < windows; ++window) {
                    for (size_t c = 0; c < classes; ++c) {
                        const float value =
                            logits_of_image[window * classes + c] - logits_of_image[window * classes + background];
                        evidence[c] = std::max(evidence[c], value);
                        if (c != background && value > most) most = value, deciding_window = window;
                    }
                }
                evidence[background] = static_cast<float>(*settings_.classifier_caution);
            } else {
                std::copy_n(logits_of_image, classes, evidence);
            }
            std::copy_n(image_features + deciding_window * features, features,
                        session.features.data() + (first + image) * features);
        }
    }
}

void Pipeline::segment(Session& session, const csot_image* images, const std::vector<size_t>& which,
                       const Output& output) const {
    const uint32_t width = mask_width(), height = mask_height();
    const size_t pixels = size_t{width} * height, labels = model_.codes.size() + 1;
    const float caution = static_cast<float>(*settings_.segmentation_caution);
    const size_t batch_size = segmenter_->batch_size(which.size(), session.team.members(), batch_floats_);
    session.mask.resize(batch_size * pixels);
    session.areas.assign(which.size() * labels, 0);
    for (size_t first = 0; first < which.size(); first += batch_size) {
        const size_t count = std::min(batch_size, which.size() - first);
        float* memory = session.room(segmenter_->memory(count, session.team.members()));
        float* in = segmenter_->input(memory, count);
        session.team.share(count, [&](size_t image, unsigned member) {
            Resized& resized = session.resized[member];
            resized.resize(images[which[first + image]], width, height);
            resized.normalise(model_.normalisation);
            resized.copy(0, 0, width, height, in + image * pixels * 3);
        });
        segmenter_->run(session.team, memory, count);
        const float* logits = segmenter_->output(0, memory, count);
        session.team.share(count * height, [&](size_t line, unsigned) {
            for (size_t at = line * width; at < (line + 1) * width; ++at) {
                const float* logits_of_pixel = logits + at * labels;
                size_t strongest = 1;
                for (size_t label = 2; label < labels; ++label) {
                    if (logits_of_pixel[label] > logits_of_pixel[strongest]) strongest = label;
                }
                session.mask[at] = logits_of_pixel[strongest] - logits_of_pixel[0] > caution
                                       ? static_cast<uint8_t>(strongest)
                                       : uint8_t{0};
            }
        });
        for (size_t image = 0; image < count; ++image) {
            const uint8_t* mask = session.mask.data() + image * pixels;
            if (output.masks) std::memcpy(output.masks + which[first + image] * pixels, mask, pixels);
            if (settings_.min_area_px.empty()) continue;
            const std::vector<uint32_t> areas = largest_regions(mask, width, height, labels - 1);
            std::copy(areas.begin(), areas.end(),
                      session.areas.begin() + static_cast<std::ptrdiff_t>((first + image) * labels));
        }
    }
}

void Pipeline::decide(const Session& session, size_t place, size_t image, const Output& output) const {
    const size_t classes = model_.classes, codes = model_.codes.size();
    const float* logits = session.evidence.data() + place * classes;
    const double most = *std::max_element(logits, logits + classes);
    double sum = 0;
    std::vector<double> scores(codes, 0.0);
    for (size_t c = 0; c < classes; ++c) sum += scores[c] = std::exp(logits[c] - most);
    if (!(sum - sum == 0)) throw Fault(CSOT_CORRUPT, "the classifier's weights give outputs that are not finite");
    for (size_t c = 0; c < classes; ++c) scores[c] /= sum;

    csot_prediction& prediction = output.predictions[image];
    size_t code = static_cast<size_t>(
        std::max_element(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(classes)) - scores.begin());
    std::optional<std::pair<uint32_t, double>> found;
    if (special_) {
        found = special_->decide(session.features.data() + place * special_->features);
        if (found) prediction.way = CSOT_BY_FEATURE_DISTANCE;
    }
    if (segments()) {
        std::optional<std::pair<uint32_t, double>> region;
        for (uint32_t i = 0; i < codes; ++i) {
            const double area = session.areas[place * (codes + 1) + i + 1], min_area = min_area_[i];
            if (min_area < 0 || !(area > min_area)) continue;
            const double confidence = area / (area + min_area);
            // Of equal confidences the code that sorts last, as in the trainer.
            if (!region ||
                std::pair(confidence, model_.codes[i]) > std::pair(region->second, model_.codes[region->first])) {
                region = {i, confidence};
            }
        }
        if (region) found = region, prediction.way = CSOT_BY_REGION;
    }
    if (found) {
        // The other scores share the rest, so that all scores add up to 1.
        for (double& score : scores) score *= 1 - found->second;
        code = found->first;
        scores[code] += found->second;
    }
    prediction.code = static_cast<int32_t>(code);
    prediction.confidence = static_cast<float>(scores[code]);
    prediction.to_human = scores[code] < settings_.confidence;
    if (output.scores) {
        for (size_t i = 0; i < codes; ++i) output.scores[image * codes + i] = static_cast<float>(scores[i]);
    }
}

}  // namespace csot
