#include "signature.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "ed25519.h"
#include "fault.h"

namespace csot {
namespace {

constexpr uint64_t kMaxKeysBytes = 1 << 20;
constexpr size_t kMaxText = 600;
constexpr std::string_view kBegin = "-----BEGIN PUBLIC KEY-----", kEnd = "-----END PUBLIC KEY-----";
// SubjectPublicKeyInfo of Ed25519, RFC 8410; the key follows.
constexpr uint8_t kDerPrefix[12] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr size_t kDerBytes = sizeof kDerPrefix + 32;
constexpr std::string_view kOperators[] = {"filter_resolution", "thresholds", "min_area_px"};

// Empty if it is no base64.
std::string from_base64(std::string_view text) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        if (c == '\n' || c == '\r' || c == ' ' || c == '=') continue;
        const size_t value = digits.find(c);
        if (value == std::string_view::npos) return {};
        bits = bits << 6 | static_cast<uint32_t>(value), count += 6;
        if (count >= 8) count -= 8, bytes += static_cast<char>(bits >> count & 0xff);
    }
    return bytes;
}

std::string_view view(const File& file) { return {reinterpret_cast<const char*>(file.data.get()), file.size}; }

// The next line of the text, without its end; it is taken away.
std::string_view take_line(std::string_view& text) {
    const size_t length = text.find('\n');
    std::string_view line = text.substr(0, length);
    text.remove_prefix(length == std::string_view::npos ? text.size() : length + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
}

bool begins_with(std::string_view text, std::string_view beginning) {
    return text.substr(0, beginning.size()) == beginning;
}

[[noreturn]] void refuse_section() {
    throw Fault(CSOT_UNTRUSTED, "config.yaml has a signature that cannot be read; get the package again");
}

std::string_view value_of(std::string_view line, std::string_view name) {
    if (!begins_with(line, name)) refuse_section();
    return line.substr(name.size());
}

std::string_view digits_of(std::string_view line, std::string_view name, size_t digits) {
    const std::string_view value = value_of(line, name);
    if (value.size() != digits || value.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
        refuse_section();
    }
    return value;
}

std::string_view text_of(std::string_view line, std::string_view name) {
    const std::string_view value = value_of(line, name);
    if (value.size() < 3 || value.size() > kMaxText + 2 || value.front() != '"' || value.back() != '"') {
        refuse_section();
    }
    const std::string_view text = value.substr(1, value.size() - 2);
    if (text.find_first_of("\"\\\r") != std::string_view::npos) refuse_section();
    return text;
}

struct Section {
    std::string_view key, version, task, config_sha256;
    uint8_t value[64];
    std::string rest;  // config.yaml without the section
};

std::optional<Section> find_section(std::string_view config) {
    constexpr size_t kNone = std::string_view::npos;
    size_t begin = kNone;
    for (size_t at = 0; at != kNone && at < config.size();) {
        if (begins_with(config.substr(at), "signature:")) {
            if (begin != kNone) refuse_section();
            begin = at;
        }
        at = config.find('\n', at);
        if (at != kNone) ++at;
    }
    if (begin == kNone) return std::nullopt;
    Section section;
    std::string_view left = config.substr(begin);
    if (take_line(left) != "signature:") refuse_section();
    section.key = digits_of(take_line(left), "  key: ", 64);
    section.version = text_of(take_line(left), "  version: ");
    section.task = text_of(take_line(left), "  task: ");
    section.config_sha256 = digits_of(take_line(left), "  config_sha256: ", 64);
    const std::string_view value = digits_of(take_line(left), "  ed25519: ", 128);
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (size_t i = 0; i < 64; ++i) {
        section.value[i] = static_cast<uint8_t>(digit(value[2 * i]) << 4 | digit(value[2 * i + 1]));
    }
    if (left != "..." && left != "...\n" && left != "...\r\n") refuse_section();
    section.rest = std::string(config.substr(0, begin)) + std::string(left);
    return section;
}

// What of config.yaml no operator may change.
std::string fixed_part(std::string_view config) {
    std::string kept, section;
    bool is_first = true, below = false;
    const auto keep = [&](std::string_view line) {
        if (!is_first) kept += '\n';
        is_first = false;
        kept += line;
    };
    for (bool is_last = false; !is_last;) {
        is_last = config.find('\n') == std::string_view::npos;
        const std::string_view line = take_line(config);
        below = below || line == "model:";
        if (below) {
            keep(line);
            continue;
        }
        std::string_view text = line.substr(0, line.find('#'));
        while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
        if (text.empty()) continue;
        if (text.front() != ' ') section = text.substr(0, text.find(':'));
        if (std::find(std::begin(kOperators), std::end(kOperators), section) == std::end(kOperators)) keep(text);
    }
    return kept;
}

std::string sha256_of(std::string_view text) { return hexadecimal(sha256(text.data(), text.size())); }

}  // namespace

std::string hexadecimal(const Digest& digest) {
    std::string text;
    for (const uint8_t byte : digest) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

std::vector<PublicKey> read_public_keys(const std::string& path) {
    const File file = read_file(path, path.c_str(), kMaxKeysBytes, kMaxKeysBytes);
    std::string_view left = view(file);
    std::vector<PublicKey> keys;
    for (size_t at; (at = left.find(kBegin)) != std::string_view::npos;) {
        left.remove_prefix(at + kBegin.size());
        const size_t length = left.find(kEnd);
        const std::string der = length == std::string_view::npos ? "" : from_base64(left.substr(0, length));
        if (der.size() != kDerBytes || !std::equal(std::begin(kDerPrefix), std::end(kDerPrefix), der.begin(),
                                                   [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); })) {
            throw Fault(CSOT_INVALID_ARGUMENT, "key %zu of %s is no Ed25519 key", keys.size() + 1, path.c_str());
        }
        PublicKey key;
        std::copy(der.begin() + sizeof kDerPrefix, der.end(), key.bytes.begin());
        key.fingerprint = sha256_of(der);
        keys.push_back(std::move(key));
    }
    if (keys.empty()) throw Fault(CSOT_INVALID_ARGUMENT, "%s has no public key in PEM", path.c_str());
    return keys;
}

Signer require_signature(const std::vector<PublicKey>& keys, const File& config, const File& models,
                         const File& library) {
    const std::optional<Section> section = find_section(view(config));
    if (!section) {
        throw Fault(CSOT_UNTRUSTED,
                    "the package is not signed: its signature was removed, or it was made before "
                    "packages were signed");
    }
    const std::string name(section->key);
    const auto key =
        std::find_if(keys.begin(), keys.end(), [&](const PublicKey& one) { return one.fingerprint == name; });
    if (key == keys.end()) {
        throw Fault(CSOT_UNTRUSTED, "the package is signed with the key %s, which is none of the keys that are trusted",
                    name.c_str());
    }
    std::string text = "Loupe package signature 1\nkey: " + name;
    text += "\nversion: ", text += section->version;
    text += "\ntask: ", text += section->task;
    text += "\nmodels.xbin: ", text += sha256_of(view(models));
    text += "\nlibCsotArtifact.so: ", text += sha256_of(view(library));
    text += "\nconfig.yaml: ", text += section->config_sha256;
    text += "\nconfig.yaml but for the operator's settings: ", text += sha256_of(fixed_part(section->rest));
    text += "\n";
    if (!ed25519_verifies(key->bytes.data(), section->value, text.data(), text.size())) {
        throw Fault(CSOT_UNTRUSTED, "the package's files are not those that the key %s signed; get it again",
                    name.c_str());
    }
    return {name, sha256_of(section->rest) != section->config_sha256};
}

}  // namespace csot
