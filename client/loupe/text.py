"""Makes text from outside, such as file names, safe to encode and to show."""

import os
import re
import unicodedata

_SURROGATES = re.compile("[\ud800-\udfff]")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_OBJECT = re.compile(r"<[^<>]*>")
_INTERNAL = re.compile(r"site-packages|\bPIL\b|\bcv2\b|cannot import|No module named|\.(?:py|so|[ch]pp)\b")
"""What a library says of itself, and not of the file."""
_MOST_OF_A_FACT = 300


def encodable(text: str) -> str:
    r"""Text that can be written as UTF-8: a byte of a file's name that is none becomes `\xb2`."""
    return _SURROGATES.sub(lambda found: _escaped(found[0]), text)


def unstorable(value: object, at: str) -> tuple[str, str] | None:
    """The place of a JSON value's first text that has U+0000 or a lone surrogate, and the text, escaped.

    No database keeps the one, and UTF-8 has no bytes for the other. None: all can be kept.
    """
    parts = [(at, value)]
    for place, part in parts:
        if isinstance(part, str) and _UNSTORABLE.search(part):
            return place, visible(encodable(part))
        if isinstance(part, dict):
            for key, item in part.items():
                if _UNSTORABLE.search(key):
                    return place, visible(encodable(key))
                parts.append((f"{place}.{key}".removeprefix("."), item))
        elif isinstance(part, list):
            parts.extend((f"{place}[{index}]", item) for index, item in enumerate(part))
    return None


def fact_of(error: Exception) -> str:
    """What a library says of a file, in one line and without its own objects, modules and paths."""
    # By name: Pillow is an extra.
    if type(error).__name__ == "UnidentifiedImageError":
        return "it is of no format that is known"
    text = str(error)
    if _INTERNAL.search(text):
        return "it needs a part of the decoder that is not there"
    text = "".join(one if one.isprintable() else " " for one in _OBJECT.sub("the file", text))
    return text[:_MOST_OF_A_FACT].strip() or type(error).__name__


def as_utf8(name: str) -> str:
    """A file's name as its bytes say it in UTF-8, whatever encoding the terminal's locale asks for.

    The same folder has the same names from every terminal. Bytes that are no UTF-8 become lone surrogates.
    """
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def visible(text: str) -> str:
    """Escape characters that move the cursor, change the direction of writing or have no width.

    Spaces of any width stay.
    """
    if text.isprintable():
        return text
    return "".join(one if _is_visible(one) else _escaped(one) for one in text)


def _is_visible(character: str) -> bool:
    return character.isprintable() or character == "\n" or unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        # How Python keeps a byte that it could not decode.
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def key_of(name: str) -> str:
    """Equal for names that Windows or macOS take as one: in capitals or not, composed or not."""
    return unicodedata.normalize("NFC", name).lower()


def human_bytes(size: float) -> str:
    """`12.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
