"""Decodes files of strangers in a confined process, the child of `services.vision.decoders`. No torch."""

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from loupe.image_files import UnusableImage, inspect
from PIL import Image

from services.kit import confined_child
from services.kit.confined_child import Answer, Handler
from services.vision.masks import read_mask
from services.vision.thumbnails import thumbnail

_TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06" + bytes(6)
"""EXIF whose only tag is an orientation."""
_FORMATS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("RGB", "PNG", {}),
    ("P", "PNG", {}),
    ("LA", "PNG", {}),
    ("I;16", "PNG", {}),
    ("RGB", "JPEG", {"progressive": True, "exif": _TURNED}),
    ("L", "BMP", {}),
    ("RGB", "TIFF", {}),
    ("L", "TIFF", {"compression": "tiff_lzw"}),
    ("RGB", "TIFF", {"compression": "jpeg"}),
)


def serve(handlers: Mapping[str, Handler]) -> None:
    """Do what the orders say; whatever a handler raises of an image is its answer."""
    cv2.setNumThreads(1)
    confined_child.serve({work: _answering(handler) for work, handler in handlers.items()}, _rehearse)


def make_thumbnail(_order: Mapping[str, Any], pieces: Sequence[bytes]) -> Answer:
    """A handler: the thumbnail of one image."""
    return picture(thumbnail(pieces[0]))


def picture(data: bytes) -> Answer:
    """The answer that holds a picture."""
    return {"picture": base64.b64encode(data).decode("ascii")}


def _answering(handler: Handler) -> Handler:
    def answer(order: Mapping[str, Any], pieces: Sequence[bytes]) -> Answer:
        try:
            return handler(order, pieces)
        except UnusableImage as unusable:
            return {"unusable": {"reason": unusable.reason, "message": unusable.message}}

    return answer


def _rehearse() -> None:
    """Read a file of each kind, and a broken one: this imports what is imported at the first use."""
    Image.init()
    grey_HW = np.linspace(0, 255, 64, dtype=np.uint8).reshape(8, 8)
    for mode, kind, options in _FORMATS:
        file = BytesIO()
        source = Image.fromarray(grey_HW.astype(np.uint16) if mode == "I;16" else grey_HW)
        (source if mode == "I;16" else source.convert(mode)).save(file, kind, **options)
        data = file.getvalue()
        inspect(data, "a")
        read_mask(data)
        thumbnail(data)
        for broken in (data[: len(data) // 2], data[:-40]):
            try:
                inspect(broken, "a")
                read_mask(broken)
            except UnusableImage:
                continue
