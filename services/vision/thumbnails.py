"""Pictures for people to look at, as files: thumbnails, and what scales and encodes. No torch, no I/O.

H, W: height and width of the original; h, w: of the drawn picture; C: 3 channels, RGB.
"""

import cv2
import numpy as np
from loupe.image_files import ImageLimits, Pixels, decode
from loupe.walking import MAX_FILE_BYTES

MAX_OBJECT_BYTES = MAX_FILE_BYTES
LIMITS = ImageLimits(max_image_bytes=MAX_OBJECT_BYTES)
"""As of an import: what is listed was read under these once."""
THUMBNAIL_PX = 160
_JPEG_QUALITY = 85


def thumbnail(data: bytes) -> bytes:
    """A JPEG of at most THUMBNAIL_PX a side. Raises UnusableImage."""
    pixels_HWC = decode(data, LIMITS)
    return encoded(fitted(pixels_HWC, THUMBNAIL_PX), ".jpg", cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY)


def fitted(pixels_HWC: Pixels, most_px: int, *, at_least: int = 0) -> Pixels:
    """The picture with its longer side within the bounds, in its own proportions."""
    height, width = pixels_HWC.shape[:2]
    longer = max(height, width)
    wanted = min(max(longer, at_least), most_px)
    if wanted == longer:
        return pixels_HWC.copy()
    size = (max(1, round(width * wanted / longer)), max(1, round(height * wanted / longer)))
    # Magnified without smoothing: who looks for a defect wants to see its pixels.
    interpolation = cv2.INTER_AREA if wanted < longer else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(pixels_HWC, size, interpolation=interpolation), np.uint8)


def encoded(picture_hwC: Pixels, extension: str, *options: int) -> bytes:
    """The picture as a file."""
    _, buffer = cv2.imencode(extension, cv2.cvtColor(picture_hwC, cv2.COLOR_RGB2BGR), list(options))
    return bytes(buffer.tobytes())
