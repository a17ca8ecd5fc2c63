// Ed25519, RFC 8032: whether a key made a signature. Nothing here is secret, so nothing takes care of time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace csot {

// `key` has 32 bytes, `signature` 64. Signatures and keys that are not encoded as RFC 8032 has it are not accepted.
bool ed25519_verifies(const uint8_t* key, const uint8_t* signature, const void* message, size_t size);

}  // namespace csot
