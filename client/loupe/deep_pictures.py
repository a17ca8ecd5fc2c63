"""Grey pictures of 10, 12 or 14 bits in files of 16, scaled to all of them at import (--bits, D6).

Loupe takes black to white to be what the file's depth can hold. A camera of 12 bits whose values lie in a
file of 16 is dark by that, so its values are shifted up by what its files do not use: nothing is lost.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loupe.extras import IMPORT, needs
from loupe.text import fact_of
from loupe.unusable import Unusable
from loupe.walking import read_file

_CONTAINER_BITS = 16
KINDS = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF"}
"""Files that can hold 16 bits, by their suffix."""
_ORIENTATION_TAG, _PHOTOMETRIC_TAG, _BITS_TAG, _WHITE_IS_ZERO = 0x0112, 262, 258, 0


def require_pillow() -> None:
    """MissingExtra where what scales is not installed."""
    with needs(IMPORT):
        import PIL.Image  # noqa: F401, PLC0415 -- an extra


@dataclass(frozen=True, slots=True)
class ScaledPicture:
    """A picture file whose values have `bits` bits, if it is a file of 16."""

    file: Path
    bits: int

    def make(self) -> bytes:
        """Its bytes: those of the file where that has not 16 bits, or several pages. Unusable; OSError."""
        from PIL import Image  # noqa: PLC0415 -- an extra

        data = read_file(self.file)
        kind = KINDS[self.file.suffix.lower()]
        try:
            with Image.open(io.BytesIO(data), formats=[kind]) as image:
                if getattr(image, "n_frames", 1) > 1 or _bits(image, data) != _CONTAINER_BITS:
                    return data  # the registry judges it
                self._refuse_unclear(image)
                image.load()
                return self._scaled(image, kind)
        except Unusable:
            raise
        except Exception as error:  # Pillow's decoders raise almost anything on hostile bytes
            raise Unusable(
                "BITS", f"{self.file.name} cannot be scaled as --bits says ({fact_of(error)}); replace it"
            ) from error

    def _refuse_unclear(self, image: Any) -> None:  # noqa: ANN401 -- Pillow is an extra
        """Before it is loaded: Pillow turns a TIFF then."""
        if not image.mode.startswith("I;16"):
            fact = "has 16 bits a colour, and --bits is for grey"
        elif image.getexif().get(_ORIENTATION_TAG, 1) not in {0, 1}:
            fact = "is turned by its orientation tag, which --bits does not keep"
        elif image.format == "TIFF" and image.tag_v2.get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO:
            fact = "is a TIFF of which 0 is white, and --bits is for those of which it is black"
        else:
            return
        raise Unusable("BITS", f"{self.file.name} {fact}; save it upright, as grey PNG of 16 bits")

    def _scaled(self, image: Any, kind: str) -> bytes:  # noqa: ANN401 -- Pillow is an extra
        wide = image.convert("I")
        largest, limit = wide.getextrema()[1], 2**self.bits - 1
        if largest > limit:
            raise Unusable(
                "BITS",
                f"{self.file.name} has the value {largest}, and --bits {self.bits} says that {limit} is "
                "white; correct --bits, for all pictures of the path",
            )
        factor = 2 ** (_CONTAINER_BITS - self.bits)
        file = io.BytesIO()
        wide.point(lambda value: value * factor).convert("I;16").save(file, kind)
        return file.getvalue()


def _bits(image: Any, data: bytes) -> int:  # noqa: ANN401 -- Pillow is an extra
    return data[24] if image.format == "PNG" else int(image.tag_v2[_BITS_TAG][0])
