"""Changes to bytes, texts and JSON, drawn from a seeded `Random`."""

import contextlib
import json
import math
import re
from collections.abc import Callable
from random import Random
from typing import Any, Literal

INTEGERS = (
    0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 127, 128, 255, 256, 4095, 4096, 32767, 32768, 65535, 65536, 2**24,
    2**31 - 1, 2**31, 2**32 - 1,
)  # fmt: skip
_NUMBERS: tuple[Any, ...] = (
    *INTEGERS, -1, -2, -128, -(2**31), 2**32, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30,
    -(10**400), 0.0, -0.0, 0.5, 1e-320, 1e-9, 1e7, 1e16, 1e308, -1e308, math.nan, math.inf, -math.inf,
)  # fmt: skip
_TEXTS = (
    "", " ", "a", "0", "-1", "1e999", "true", "null", ".", "..", "/", "\\", "../../a", "C:\\a.png", "a" * 300,
    "a/" * 60, "\0", "a\0b", "\ud800", "\udfff", "\u202e", "\u2028", "\u200b", "\ufeff", "\U0010ffff", "缺陷",
    "{}", "%s%n", "=", "=1+1", "<b>", "&amp;", "'", '"', "\n", "\r", "\t", "\x1b[31m", "\uff41", "\u0130",
)  # fmt: skip
_BYTES = (
    *(text.encode("utf-8", "surrogatepass") for text in _TEXTS),
    b"\xff", b"\xfe", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc0\x80", b"\xed\xa0\x80", b"[" * 200, b"{" * 200,
    b"-", b"e", b"NaN", b"Infinity", b"1" * 5000, b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&#0;", b"]]>", b"<a>",
    b"</a>", b",", b";",
)  # fmt: skip
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")


def changed(random: Random, data: bytes, most: int = 4) -> bytes:
    """The bytes after one to `most` small changes."""
    made = bytearray(data)
    for _ in range(random.randint(1, most)):
        _change(random, made)
    return bytes(made)


def _change(random: Random, data: bytearray) -> None:
    if not data:
        data += random.randbytes(random.randint(0, 8))
        return
    random.choice(_CHANGES)(random, data, random.randrange(len(data)))


def _flip(random: Random, data: bytearray, at: int) -> None:
    data[at] ^= 1 << random.randrange(8)


def _put(random: Random, data: bytearray, at: int) -> None:
    data[at] = random.randrange(256)


def _put_integer(random: Random, data: bytearray, at: int) -> None:
    size = random.choice((1, 2, 4, 8))
    order: Literal["little", "big"] = random.choice(("little", "big"))
    data[at : at + size] = (random.choice(INTEGERS) % 256**size).to_bytes(size, order)


def _put_number(random: Random, data: bytearray, _at: int) -> None:
    if numbers := list(_NUMBER.finditer(data)):
        found = random.choice(numbers)
        data[found.start() : found.end()] = _number_text(random)


def _put_noise(random: Random, data: bytearray, at: int) -> None:
    data[at : at + 8] = random.randbytes(8)


def _drop(random: Random, data: bytearray, at: int) -> None:
    del data[at : at + random.choice((1, 2, 4, 16, 64))]


def _cut(random: Random, data: bytearray, at: int) -> None:
    if random.randrange(4) == 0:
        del data[at:]


def _double(random: Random, data: bytearray, at: int) -> None:
    begin = random.randrange(len(data))
    data[at:at] = data[begin : begin + random.choice((1, 4, 16, 64, 256))]


def _overwrite(random: Random, data: bytearray, at: int) -> None:
    begin = random.randrange(len(data))
    piece = data[begin : begin + random.choice((2, 8, 32))]
    data[at : at + len(piece)] = piece


def _insert(random: Random, data: bytearray, at: int) -> None:
    data[at:at] = random.choice(_BYTES)


_CHANGES: tuple[Callable[[Random, bytearray, int], None], ...] = (
    _flip, _put, _put_integer, _put_number, _put_noise, _drop, _cut, _double, _overwrite, _insert,
)  # fmt: skip


def _number_text(random: Random) -> bytes:
    return repr(random.choice(_NUMBERS)).encode() if random.randrange(8) else b"9" * random.randrange(1, 6000)


def value(random: Random) -> Any:  # noqa: ANN401 -- JSON is anything
    """A value that is seldom expected."""
    match random.randrange(8):
        case 0 | 1 | 2:
            return random.choice(_NUMBERS)
        case 3 | 4:
            return random.choice(_TEXTS)
        case 5:
            return random.choice((None, True, False))
        case 6:
            return [value(random) for _ in range(random.randrange(4))]
        case _:
            return {random.choice(_TEXTS): value(random) for _ in range(random.randrange(3))}


def changed_json(random: Random, document: Any, most: int = 3) -> bytes:  # noqa: ANN401 -- JSON is anything
    """A JSON text of the document after some changes; in one of eight, of bytes too."""
    for _ in range(random.randint(1, most)):
        document = _changed_node(random, document)
    text = json.dumps(document, ensure_ascii=random.randrange(2) == 0).encode("utf-8", "surrogatepass")
    return changed(random, text, 2) if random.randrange(8) == 0 else text


def _changed_node(random: Random, node: Any) -> Any:  # noqa: ANN401 -- JSON is anything
    """A copy with one change, somewhere."""
    if isinstance(node, list | dict) and node and random.randrange(8):
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = random.choice(keys)
        copied: Any = node.copy()
        match random.randrange(10):
            case 0:
                del copied[key]
            case 1 if isinstance(node, list):
                copied.insert(key, node[key])
            case 1:
                copied[random.choice(_TEXTS)] = node[key]
            case 2:
                copied[key] = node[random.choice(keys)]
            case _:
                copied[key] = _changed_node(random, node[key])
        return copied
    if isinstance(node, str) and random.randrange(2):
        return changed(random, node.encode("utf-8", "surrogatepass"), 2).decode("utf-8", "replace")
    if isinstance(node, int | float) and not isinstance(node, bool) and random.randrange(2):
        with contextlib.suppress(OverflowError):  # a whole number that is too large for a float
            return random.choice((-node, node + 1, node - 1, node * 1000, node * 1.5))
    return value(random)
