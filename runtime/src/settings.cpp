#include "settings.h"

#include <cstdlib>
#include <cstring>
#include <locale.h>
#include <string_view>

#include "container.h"
#include "fault.h"

namespace csot {
namespace {

constexpr size_t kMaxLine = 1000, kMaxEntries = 1000;

struct Entry {
    std::string_view section, key, value;
    unsigned line;
};

[[noreturn]] void refuse(unsigned line, const char* rule) {
    throw Fault(CSOT_BAD_CONFIG, "config.yaml, line %u: %s", line, rule);
}

// Splits `key: value  # comment`; the value is empty where only a comment follows.
Entry split(std::string_view line, unsigned number) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) refuse(number, "expected `key: value`");
    Entry entry{{}, line.substr(0, colon), line.substr(colon + 1), number};
    for (const char c : entry.key) {
        const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                             c == '-' || c == '.';
        if (!allowed) refuse(number, "a key may have letters, digits, _, - and . only");
    }
    if (!entry.value.empty() && entry.value[0] != ' ') refuse(number, "a space must follow the colon");
    while (!entry.value.empty() && entry.value[0] == ' ') entry.value.remove_prefix(1);
    size_t end;
    if (!entry.value.empty() && entry.value[0] == '"') {
        end = entry.value.find('"', 1);
        if (end == std::string_view::npos) refuse(number, "the text has no closing quote");
        const std::string_view inside = entry.value.substr(1, end - 1);
        if (inside.find('\\') != std::string_view::npos) refuse(number, "a text cannot have a backslash");
        std::string_view rest = entry.value.substr(end + 1);
        while (!rest.empty() && rest[0] == ' ') rest.remove_prefix(1);
        if (!rest.empty() && rest[0] != '#') refuse(number, "something follows the text");
        entry.value = inside;
        return entry;
    }
    end = entry.value.find('#');
    entry.value = entry.value.substr(0, end);
    while (!entry.value.empty() && entry.value.back() == ' ') entry.value.remove_suffix(1);
    return entry;
}

double number(const Entry& entry, double least, double most) {
    // A package has decimal points, whatever the program's locale.
    static const locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
    char text[64], *end = nullptr;
    const bool fits = !entry.value.empty() && entry.value.size() < sizeof text;
    if (!fits || entry.value.find_first_not_of("0123456789+-.eE") != std::string_view::npos) {
        refuse(entry.line, "expected a number such as 0.25");
    }
    std::memcpy(text, entry.value.data(), entry.value.size());
    text[entry.value.size()] = 0;
    const double value = strtod_l(text, &end, c_locale);
    if (*end || end == text) refuse(entry.line, "expected a number such as 0.25");
    if (!(value >= least && value <= most)) {
        throw Fault(CSOT_BAD_CONFIG, "config.yaml, line %u: %.*s must be from %g to %g", entry.line,
                    static_cast<int>(entry.key.size()), entry.key.data(), least, most);
    }
    return value;
}

bool boolean(const Entry& entry) {
    if (entry.value == "true") return true;
    if (entry.value == "false") return false;
    refuse(entry.line, "expected true or false");
}

void store(Settings& settings, const Entry& entry) {
    constexpr double kAny = 1e30;
    const std::string_view section = entry.section, key = entry.key;
    if (section.empty() && key == "format_version") {
        const double version = number(entry, 1, 1e9);
        if (version > kFormatVersion) {
            throw Fault(
                CSOT_NEWER_FORMAT,
                "config.yaml has format %.0f, this library reads up to %u: use the libCsotArtifact.so of its package",
                version, kFormatVersion);
        }
    } else if (section.empty() && key == "filter_resolution") {
        settings.filters_resolution = boolean(entry);
    } else if (section == "sha256" && key == "models.xbin") {
        if (entry.value.size() != 64 || entry.value.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
            refuse(entry.line, "a SHA-256 has 64 digits from 0 to f");
        }
        settings.models_sha256 = entry.value;
    } else if (section == "sha256") {
        // digest of the library's file: for sha256sum
    } else if (section == "thresholds" && key == "confidence") {
        settings.confidence = number(entry, 0, 1);
    } else if (section == "thresholds" && key == "classifier_caution") {
        settings.classifier_caution = number(entry, -kAny, kAny);
    } else if (section == "thresholds" && key == "segmentation_caution") {
        settings.segmentation_caution = number(entry, -kAny, kAny);
    } else if (section == "thresholds" && key == "special_distance") {
        settings.special_distance = number(entry, -kAny, kAny);
    } else if (section == "min_area_px") {
        settings.min_area_px.emplace_back(key, number(entry, 0, kAny));
    } else {
        throw Fault(CSOT_BAD_CONFIG, "config.yaml, line %u: %.*s is not an entry that this library knows", entry.line,
                    static_cast<int>(key.size()), key.data());
    }
}

}  // namespace

Settings read_settings(const char* text, size_t size) {
    Settings settings;
    std::vector<Entry> entries;
    std::string_view rest(text, size), section;
    while (!rest.empty() && (rest.back() == '\n' || rest.back() == '\r')) rest.remove_suffix(1);
    // YAML's end of document: a truncated file lacks it.
    if (rest.size() < 4 || rest.substr(rest.size() - 4) != "\n...") {
        throw Fault(CSOT_BAD_CONFIG, "config.yaml does not end with a line `...`; is it cut short?");
    }
    bool reached_model = false;
    for (unsigned number = 1; !rest.empty() && !reached_model; ++number) {
        const size_t length = rest.find('\n');
        std::string_view line = rest.substr(0, length);
        rest.remove_prefix(length == std::string_view::npos ? rest.size() : length + 1);
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (line.size() > kMaxLine) refuse(number, "the line is too long");
        for (const char c : line) {
            if (static_cast<unsigned char>(c) < 0x20) refuse(number, "a tab or control character; indent by spaces");
        }
        const size_t indent = line.find_first_not_of(' ');
        if (indent == std::string_view::npos || line[indent] == '#') continue;
        if (indent != 0 && indent != 2) refuse(number, "indent by no or by two spaces");
        Entry entry = split(line.substr(indent), number);
        if (indent == 0) section = entry.value.empty() ? entry.key : std::string_view{};
        if (indent == 0 && entry.value.empty()) {
            reached_model = entry.key == "model";
            continue;
        }
        if (indent == 2 && section.empty()) refuse(number, "indented, but under no key");
        entry.section = section;
        for (const Entry& other : entries) {
            if (other.section == entry.section && other.key == entry.key) refuse(number, "the entry is there twice");
        }
        if (entries.size() == kMaxEntries) refuse(number, "too many entries");
        store(settings, entry);
        entries.push_back(entry);
    }
    if (!reached_model) throw Fault(CSOT_BAD_CONFIG, "config.yaml lacks the line `model:`; is it another file?");
    constexpr std::pair<std::string_view, std::string_view> kRequired[] = {
        {"", "format_version"}, {"", "filter_resolution"}, {"sha256", "models.xbin"}, {"thresholds", "confidence"}};
    for (const auto& [required_section, key] : kRequired) {
        bool found = false;
        for (const Entry& entry : entries) found = found || (entry.section == required_section && entry.key == key);
        if (!found) {
            throw Fault(CSOT_BAD_CONFIG, "config.yaml lacks %.*s%s%.*s", static_cast<int>(required_section.size()),
                        required_section.data(), required_section.empty() ? "" : ": ", static_cast<int>(key.size()),
                        key.data());
        }
    }
    return settings;
}

}  // namespace csot
