"""Text of files that other programs wrote: UTF-8, UTF-16 and UTF-32 by their first bytes, else GB18030.

Tools on a Chinese Windows write GBK, of which GB18030 is a superset. Nothing in a file says so: it is
concluded from bytes that are no UTF-8, and told as a conclusion.
"""

import codecs
import json
from dataclasses import dataclass

from loupe.unusable import Unusable

_CONCLUDED = "GB18030"
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a file."""

    text: str
    concluded: str = ""
    """The encoding, if nothing in the file says that it is this one."""


def decode(data: bytes, name: str) -> Decoded:
    """The text of these bytes; Unusable if they are of no encoding that is read."""
    # `detect_encoding` looks at byte order marks and at zeros among the first four bytes.
    encoding = json.detect_encoding(data)
    if encoding not in ("utf-8", "utf-8-sig"):
        return Decoded(decode_as(data, encoding, name))
    try:
        return Decoded(data.decode(encoding))
    except UnicodeDecodeError as error:
        fault = Unusable(
            "NOT_UTF8",
            f"{name} is not UTF-8 (byte {error.start}) and not GB18030 (GBK) either; save it as UTF-8",
        )
        if encoding == "utf-8-sig" or _is_damaged_utf8(data):
            raise fault from error
    try:
        return Decoded(data.decode(_CONCLUDED), _CONCLUDED)
    except UnicodeDecodeError as error:
        raise fault from error


def decode_as(data: bytes, encoding: str, name: str) -> str:
    """The text of bytes that are said to have this encoding; Unusable if they have not."""
    try:
        # Of UTF-16 and UTF-32, those names that say the order of bytes leave the mark in the text.
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        label = codecs.lookup(encoding).name.upper()
        raise Unusable(
            "NOT_UTF8", f"{name} says that it is {label} and is not (byte {error.start}); save it as UTF-8"
        ) from error


def _is_damaged_utf8(data: bytes) -> bool:
    """Whether more characters beyond ASCII are whole UTF-8 than not: GBK rarely has one by chance."""
    text = data.decode(errors="replace")
    beyond_ascii = sum(not character.isascii() for character in text)
    return beyond_ascii > 2 * text.count(_REPLACEMENT)
