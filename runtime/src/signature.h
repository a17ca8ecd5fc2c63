// Who signed a package. config.yaml ends with
//
//     signature:
//       key: <SHA-256 of the public key in DER>
//       version: "<MODEL@VERSION>"
//       task: "<the task that made the package>"
//       config_sha256: <SHA-256 of config.yaml as it was exported, without this section>
//       ed25519: <the signature, 128 hexadecimal digits>
//     ...
//
// What is signed are these lines, each ended by a line feed:
//
//     Loupe package signature 1
//     key: …
//     version: …
//     task: …
//     models.xbin: <SHA-256>
//     libCsotArtifact.so: <SHA-256>
//     config.yaml: <config_sha256>
//     config.yaml but for the operator's settings: <SHA-256 of the fixed part>
//
// The fixed part of config.yaml is the file without the section, as lines that are joined by line feeds, without a
// carriage return at an end: the line `model:` and all below it; above it every line without its comment and without
// the spaces at its end, unless it is empty then, or belongs to filter_resolution, thresholds or min_area_px.
// client/loupe/signatures.py of Loupe does the same.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "container.h"

namespace csot {

struct PublicKey {
    std::array<uint8_t, 32> bytes;
    std::string fingerprint;
};

// Of a PEM file with one key or more. Throws CSOT_NOT_FOUND, or CSOT_INVALID_ARGUMENT for what is no Ed25519 key.
std::vector<PublicKey> read_public_keys(const std::string& path);

struct Signer {
    std::string fingerprint;
    bool config_changed = false;  // by an operator, where an operator may
};

// Throws CSOT_UNTRUSTED unless one of the keys signed the three files, and nothing was changed since.
Signer require_signature(const std::vector<PublicKey>& keys, const File& config, const File& models,
                         const File& library);

std::string hexadecimal(const Digest& digest);

}  // namespace csot
