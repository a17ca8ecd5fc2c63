"""COCO's two ways of writing run lengths, checked before a pixel is allocated.

Source: the COCO API's mask format. Numbers are written in base 32, five bits a character from `0` (48) up,
the sixth bit saying that more follows, the last character's fifth bit being the sign; from the fourth on each
is the difference to the count two before.
"""

from typing import Any

import numpy as np
from loupe.annotations.json_files import shortened
from loupe.annotations.mask_pixels import marks_nothing
from loupe.annotations.shapes import MAX_PIXELS, RunLengths
from loupe.unusable import Unusable

_FIRST_CHARACTER = 48
_MAX_CHARACTERS_PER_COUNT = 7
"""35 bits: more than any picture has pixels."""


def run_lengths(segmentation: dict[str, Any], where: str) -> RunLengths:
    """The shape of `{"size": [height, width], "counts": …}`; Unusable if the counts do not fill the size."""
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not (
        isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)
    ):
        raise _bad(where, f"its size is {shortened(size)}, not [height, width]")
    height, width = size
    if width * height > MAX_PIXELS:
        raise _bad(where, f"its size of {shortened(size)} is above the limit of {MAX_PIXELS:,} pixels")
    if isinstance(counts, str):
        numbers = _decompressed(counts, where)
    elif isinstance(counts, list) and all(type(count) is int for count in counts):
        numbers = counts
    else:
        raise _bad(where, "its counts are neither a list of whole numbers nor a string")
    wrong = next((index for index, count in enumerate(numbers) if not 0 <= count <= width * height), None)
    if wrong is not None:
        raise _bad(where, f"count {wrong} is {shortened(numbers[wrong])}, outside of 0 to {width * height}")
    if sum(numbers) != width * height:
        raise _bad(
            where, f"its counts add up to {sum(numbers)}, but {width}×{height} are {width * height} pixels"
        )
    if not any(numbers[1::2]):
        raise marks_nothing(where)
    return RunLengths(width, height, np.array(numbers, np.int64))


def _decompressed(text: str, where: str) -> list[int]:
    numbers: list[int] = []
    value = used = 0
    for position, character in enumerate(text):
        code = ord(character) - _FIRST_CHARACTER
        if not 0 <= code < 64 or used == _MAX_CHARACTERS_PER_COUNT:
            raise _bad(where, f"character {position} of its counts ({character!r}) belongs to no number")
        value |= (code & 0x1F) << (5 * used)
        used += 1
        if code & 0x20:
            continue
        if code & 0x10:
            value -= 1 << (5 * used)
        numbers.append(value + (numbers[-2] if len(numbers) > 2 else 0))
        value = used = 0
    if used:
        raise _bad(where, "its counts end inside a number")
    return numbers


def _bad(where: str, fact: str) -> Unusable:
    return Unusable("BAD_RLE", f"{where}: {fact}; export the run lengths again")
