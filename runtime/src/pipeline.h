// From images to predictions, by the same rules as the trainer: services/evaluator/worker/measuring/predict.py.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "container.h"
#include "csot_artifact.h"
#include "network.h"
#include "preprocessing.h"
#include "settings.h"
#include "signature.h"
#include "threads.h"

namespace csot {

// The part "model".
struct Model {
    std::string name, version;
    std::vector<std::string> codes;
    uint32_t classes;  // the number of codes, from the first, that the classifier knows
    uint32_t width, height, detail;
    std::optional<uint32_t> background;  // the class without defects, if the classifier sees windows
    Normalisation normalisation;
    ResolutionRule resolution;

    static Model read(const Part& part);
    uint32_t side_windows() const { return background ? 2 * detail - 1 : 1; }
    uint32_t windows() const { return side_windows() * side_windows(); }
};

// The part "special", S2: services/vision/special.py.
struct SpecialRule {
    std::vector<uint32_t> codes;
    uint32_t features;
    double scale, threshold;
    double power;                         // that the features are raised to first
    std::vector<float> precision;         // features × features
    std::vector<double> projected_means;  // precision · mean, special codes first
    std::vector<double> mean_norms;       // mean · precision · mean

    static SpecialRule read(const Part& part, const Model& model);
    // The special code of the features, with a confidence; nothing if the softmax decides.
    std::optional<std::pair<uint32_t, double>> decide(const float* features) const;
};

struct Output {
    csot_prediction* predictions;
    float* scores;   // or null
    uint8_t* masks;  // or null
};

class Pipeline {
public:
    // Throws if the package, and a call on an image of it, would take more than `max_memory` bytes; and, unless there
    // are no keys, if none of them signed it.
    Pipeline(const std::string& folder, const std::vector<PublicKey>& keys, unsigned threads, unsigned concurrent,
             uint64_t max_memory);
    ~Pipeline();

    const Model& model() const { return model_; }
    const Settings& settings() const { return settings_; }
    const Signer& signer() const { return signer_; }
    const Kernels& kernels() const { return kernels_; }
    bool segments() const { return segmenter_ != nullptr; }
    uint32_t mask_width() const { return segments() ? model_.width * model_.detail : 0; }
    uint32_t mask_height() const { return segments() ? model_.height * model_.detail : 0; }

    // The images have been checked.
    void predict(const csot_image* images, size_t count, const Output& output);

private:
    struct Session;  // the threads and buffers of one call
    class BorrowedSession;

    void read(const std::string& folder, const std::vector<PublicKey>& keys, uint64_t max_memory);
    void check_classifier() const;
    void check_segmenter() const;
    void check_work() const;
    void check_memory(size_t file_bytes, size_t special_bytes, uint64_t max_memory);
    uint64_t buffer_bytes() const;
    // The windows' images are cut from one of so many times their width and height.
    uint32_t scale() const { return model_.background ? model_.detail : 1; }
    void take_thresholds();
    void classify(Session& session, const csot_image* images, const std::vector<size_t>& which) const;
    void segment(Session& session, const csot_image* images, const std::vector<size_t>& which,
                 const Output& output) const;
    void decide(const Session& session, size_t place, size_t image, const Output& output) const;

    const Kernels& kernels_;
    Settings settings_;
    Signer signer_;
    Model model_{};
    std::unique_ptr<Network> classifier_, segmenter_;
    std::optional<SpecialRule> special_;
    std::vector<double> min_area_;  // by code; negative if regions do not decide on the code
    uint64_t batch_floats_ = 0;     // that the networks' memory may have for more than one image

    const unsigned threads_, concurrent_;
    std::mutex mutex_;
    std::condition_variable returned_;
    std::vector<std::unique_ptr<Session>> idle_;
    unsigned sessions_ = 0;
};

// Area in pixels of the largest region of each label 1 … labels; pixels touch also at corners.
std::vector<uint32_t> largest_regions(const uint8_t* mask, uint32_t width, uint32_t height, size_t labels);

}  // namespace csot
