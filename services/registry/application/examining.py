"""What the bytes of an object say as an image and as a mask (D4, D5); runs in the registry's decoders."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from loupe.image_files import inspect

from services.kit.confined_child import Answer
from services.registry.domain.objects import ImageObject, MaskFacts, MaskFault
from services.vision.masks import UnusableMask, read_mask
from services.vision.thumbnails import LIMITS


def examine(order: Mapping[str, Any], pieces: Sequence[bytes]) -> Answer:
    """The facts of an object; those of a mask too if the order says `is_mask`. Raises UnusableImage."""
    (data,) = pieces
    # A name without extension: the extension is checked for each file, these facts are of the bytes only.
    facts = inspect(data, "the file", LIMITS)
    return {"facts": asdict(facts), "mask": _as_mask(data) if order["is_mask"] else None}


def found(sha256: str, size_bytes: int, answer: Answer) -> ImageObject:
    """The object that `examine` has found."""
    facts = answer["facts"]
    return ImageObject(
        sha256=sha256,
        size_bytes=size_bytes,
        **{**facts, "format": facts["format"].upper()},
        mask=None if answer["mask"] is None else _mask_of(answer["mask"]),
    )


def _as_mask(data: bytes) -> dict[str, Any]:
    readings = read_mask(data)
    return {
        "black_and_white": _fault(readings.black_and_white),
        "indexed": _fault(readings.indexed),
        "largest_index": readings.largest_index,
    }


def _fault(unusable: UnusableMask | None) -> dict[str, str] | None:
    return None if unusable is None else {"message": unusable.message, "message_zh": unusable.message_zh}


def _mask_of(mask: Mapping[str, Any]) -> MaskFacts:
    black_and_white, indexed = (
        None if mask[meaning] is None else MaskFault(**mask[meaning])
        for meaning in ("black_and_white", "indexed")
    )
    return MaskFacts(black_and_white, indexed, mask["largest_index"])
