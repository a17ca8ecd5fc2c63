"""Samples, their codes and counts, and their lines in manifests (D1, W12)."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from loupe.errors import Violation
from loupe.translation import sentence

from services.registry.domain.identifiers import shown
from services.registry.domain.objects import ImageObject

_PIXELS = "pixels_sha256"
"""The field of a manifest's line by which the split knows the same picture in other bytes (D3)."""
_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True)
class CodeCount:
    """How many samples of a code there are, and how many of them have a mask."""

    code: str
    sample_count: int
    mask_count: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with its code, and its mask where there is one."""

    file: str
    code: str
    image: ImageObject
    mask_sha256: str | None
    group: str | None
    create_time: datetime | None = None


def is_code(text: str) -> bool:
    """Whether the text can be a defect code."""
    return _CODE.fullmatch(text) is not None


def code_faults(code: str, at: str) -> list[Violation]:
    """What is wrong with the text of a defect code."""
    if is_code(code):
        return []
    return [
        Violation(
            at,
            "BAD_CODE",
            sentence(
                "{code} is not a defect code; use 1 to 32 letters, digits, '_' or '-'", code=shown(code)
            ),
        )
    ]


def total_counts(counts: Iterable[CodeCount]) -> tuple[CodeCount, ...]:
    """The counts of several listings together, in the order of the code."""
    samples: Counter[str] = Counter()
    masks: Counter[str] = Counter()
    for count in counts:
        samples[count.code] += count.sample_count
        masks[count.code] += count.mask_count
    return tuple(CodeCount(code, samples[code], masks[code]) for code in sorted(samples))


def count_changes(added: Iterable[Sample], removed: Iterable[tuple[str, bool]]) -> tuple[CodeCount, ...]:
    """The change of the counts for added samples, and for (code, had a mask) of removed ones."""
    samples: Counter[str] = Counter()
    masks: Counter[str] = Counter()
    for sample in added:
        samples[sample.code] += 1
        masks[sample.code] += sample.mask_sha256 is not None
    for code, had_mask in removed:
        samples[code] -= 1
        masks[code] -= had_mask
    return tuple(
        CodeCount(code, samples[code], masks[code])
        for code in sorted(samples)
        if samples[code] or masks[code]
    )


def names_pixels(start: bytes) -> bool:
    """Whether the first line of a manifest, or its start, has the pixels' hash; those of before have not."""
    return f'"{_PIXELS}":"'.encode() in start.partition(b"\n")[0]


def manifest_line(sample: Sample, mask_codes: Sequence[str] = ()) -> bytes:
    """A sample's line in a manifest. A contract: the same sample always gives the same bytes.

    `mask_codes` are those that the path declares; only lines with a mask have them.
    """
    line: dict[str, object] = {
        "name": sample.file,
        "code": sample.code,
        "sha256": sample.image.sha256,
        "size_bytes": sample.image.size_bytes,
        "width": sample.image.width,
        "height": sample.image.height,
        "format": sample.image.format,
        "mask_sha256": sample.mask_sha256,
        "group": sample.group,
        _PIXELS: sample.image.pixels_sha256,
    }
    if mask_codes and sample.mask_sha256 is not None:
        line["mask_codes"] = list(mask_codes)
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
