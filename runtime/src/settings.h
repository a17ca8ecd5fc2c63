// The entries of config.yaml above its line "model:". The rest of the file is for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace csot {

struct Settings {
    std::string models_sha256;  // 64 hexadecimal digits
    bool filters_resolution = false;
    double confidence = 0;  // 0 to 1: below it a person should look
    // Required if the model has that part, refused if not; pipeline.cpp checks.
    std::optional<double> classifier_caution, segmentation_caution, special_distance;
    std::vector<std::pair<std::string, double>> min_area_px;  // by code
};

// A subset of YAML: comments, `key: value`, and one level of keys indented by two spaces under `key:`; a value is a
// word, a number, or a text in double quotes without escapes. Throws CSOT_BAD_CONFIG with the line, or
// CSOT_NEWER_FORMAT.
Settings read_settings(const char* text, size_t size);

}  // namespace csot
