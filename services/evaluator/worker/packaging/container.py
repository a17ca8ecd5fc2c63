"""Writes models.xbin; runtime/src/container.h describes its layout."""

import hashlib
import struct
from collections.abc import Mapping

FORMAT_VERSION = 1
_MAGIC = b"CSOTXBIN"
_FIXED_BYTES = 48
_ALIGNMENT = 64


def pack(parts: Mapping[str, bytes]) -> bytes:
    """A container with the parts in their order; equal parts give equal bytes."""
    header_size = _FIXED_BYTES + 4 + sum(1 + len(name.encode()) + 8 + 8 + 32 for name in parts)
    table = bytearray(struct.pack("<I", len(parts)))
    body = bytearray()
    for name, data in parts.items():
        offset = -(-(header_size + len(body)) // _ALIGNMENT) * _ALIGNMENT
        body += bytes(offset - header_size - len(body)) + data
        encoded = name.encode()
        table += struct.pack("<B", len(encoded)) + encoded + struct.pack("<QQ", offset, len(data))
        table += hashlib.sha256(data).digest()
    header = _MAGIC + struct.pack("<II", FORMAT_VERSION, header_size) + hashlib.sha256(table).digest()
    return header + bytes(table) + bytes(body)
