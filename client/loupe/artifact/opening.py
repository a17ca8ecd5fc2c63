"""A package as a Python object."""

import ctypes as c
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from loupe.artifact.binding import (
    GREY,
    NONCONFORMING,
    RGB,
    ArtifactError,
    Buffers,
    Image,
    Options,
    RawDescription,
    RawImage,
    RawPrediction,
    check,
    load,
)
from loupe.image_files import decode
from loupe.unpacking import LIBRARY, NotAPackage, copy, unpack
from numpy.typing import NDArray

_WAYS = ("softmax", "feature_distance", "region")
_RESOLUTIONS = ("", "RESOLUTION_TOO_LOW", "ASPECT_RATIO", "RESOLUTION_OFF_NOMINAL")


@dataclass(frozen=True)
class Description:
    """What a package is."""

    model: str
    version: str
    codes: tuple[str, ...]
    num_of_classes: int
    """How many codes, from the beginning of the list, are the classifier's; the others are special."""
    input_size: tuple[int, int]
    """(height, width) at which the classifier sees an image, or a window of one."""
    detail: int
    mask_size: tuple[int, int] | None
    """(height, width); None without a segmentation network."""
    confidence_threshold: float
    filters_resolution: bool
    kernels: str
    """The instruction set in use."""


@dataclass(frozen=True)
class Prediction:
    """What the package says of one image."""

    code: str | None
    """None where the image's resolution does not conform, and config.yaml asks for that filter."""
    confidence: float
    scores: dict[str, float]
    """Of every code; they add up to 1."""
    way: str
    """How it was decided: softmax, feature_distance or region."""
    to_human: bool
    resolution: str
    """Why the resolution does not conform; empty where it does."""
    mask_HW: NDArray[np.uint8] | None  # noqa: N815 - names carry shapes
    """0 is background and i the i-th code; None without a segmentation network."""


class Artifact:
    """An open package. Threads may share it; `close` ends it, as leaving a `with` does.

    A package is a program: opening it runs the library in it, with your rights. Open only what verifies:
    by `keys`, or by `loupe verify`.
    """

    def __init__(
        self,
        package: str | PathLike[str],
        *,
        threads: int = 1,
        max_memory_mib: int = 0,
        library: str | PathLike[str] | None = None,
        keys: str | PathLike[str] | None = None,
    ) -> None:
        """Opens a zip, or the folder of an unpacked one. Raises ArtifactError.

        `max_memory_mib` as in csot_options: 0 means 2048.
        `keys` is a PEM file of public keys, as `loupe keys -o` saves it: a package that none of them signed
        is refused with CSOT_UNTRUSTED, before its library is loaded. It needs `loupe-client[signatures]`.
        `library` is a libCsotArtifact.so to run instead of the package's own, which then is not loaded.
        """
        self._handle = c.c_void_p()
        self._unpacked: tempfile.TemporaryDirectory[str] | None = None
        path = Path(package)
        if keys or not path.is_dir():
            self._unpacked = tempfile.TemporaryDirectory(prefix="loupe-artifact-")
            folder = Path(self._unpacked.name)
            try:
                if keys:
                    folder = _signed(path, folder / "package", Path(keys))
                else:
                    unpack(path, folder)
            except BaseException as error:
                self._unpacked.cleanup()
                if isinstance(error, NotAPackage):
                    raise ArtifactError("CSOT_CORRUPT", str(error)) from error
                if isinstance(error, FileNotFoundError):
                    raise ArtifactError("CSOT_NOT_FOUND", f"{error.filename or path} is not there") from error
                raise
            path = folder
        try:
            self._library = load((Path(library) if library else path / LIBRARY).absolute())
            options = Options(c.sizeof(Options), threads, 0, max_memory_mib)
            status = self._library.csot_open(str(path).encode(), c.byref(options), c.byref(self._handle))
            check(self._library, status)
            self.description = self._describe()
        except BaseException:
            self.close()
            raise

    def predict(self, image: Image) -> Prediction:
        """Of one image. Raises ArtifactError, or ValueError for what is no image."""
        return self.predict_batch([image])[0]

    def predict_batch(self, images: Sequence[Image]) -> list[Prediction]:
        """Of several at once, which is faster; each gets what it would get alone."""
        if not self._handle:
            raise ArtifactError("CSOT_INVALID_ARGUMENT", "the artifact is closed")
        pixels = [_pixels(image) for image in images]
        count, description = len(pixels), self.description
        raw_images = (RawImage * count)(
            *(
                RawImage(
                    one.ctypes.data,
                    one.shape[1],
                    one.shape[0],
                    one.strides[0],
                    GREY if one.ndim == 2 else RGB,
                )
                for one in pixels
            )
        )
        raw = (RawPrediction * count)()
        scores_NC = np.zeros((count, len(description.codes)), np.float32)
        masks_NHW = np.zeros((count, *description.mask_size), np.uint8) if description.mask_size else None
        buffers = Buffers(
            c.sizeof(Buffers),
            scores_NC.ctypes.data,
            scores_NC.size,
            None if masks_NHW is None else masks_NHW.ctypes.data,
            0 if masks_NHW is None else masks_NHW.size,
        )
        check(
            self._library,
            self._library.csot_predict(self._handle, raw_images, count, raw, c.byref(buffers)),
        )
        return [
            Prediction(
                code=None if raw[i].status == NONCONFORMING else description.codes[raw[i].code],
                confidence=raw[i].confidence,
                scores=dict(zip(description.codes, scores_NC[i].tolist(), strict=True)),
                way=_WAYS[raw[i].way],
                to_human=bool(raw[i].to_human),
                resolution=_RESOLUTIONS[raw[i].resolution],
                mask_HW=None if masks_NHW is None else masks_NHW[i],
            )
            for i in range(count)
        ]

    def close(self) -> None:
        """Frees the networks; may be called twice."""
        if self._handle:
            self._library.csot_close(self._handle)
            self._handle = c.c_void_p()
        if self._unpacked:
            self._unpacked.cleanup()  # the loaded library stays mapped
            self._unpacked = None

    def __enter__(self) -> Self:
        """Return the artifact."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()

    def __del__(self) -> None:
        """Close an artifact that was not closed."""
        if hasattr(self, "_unpacked"):
            self.close()

    def _describe(self) -> Description:
        raw = RawDescription(c.sizeof(RawDescription))
        check(self._library, self._library.csot_describe(self._handle, c.byref(raw)))
        codes = []
        for index in range(raw.codes):
            code = c.c_char_p()
            check(self._library, self._library.csot_code(self._handle, index, c.byref(code), None))
            codes.append((code.value or b"").decode())
        return Description(
            model=raw.model.decode(),
            version=raw.version.decode(),
            codes=tuple(codes),
            num_of_classes=raw.classes,
            input_size=(raw.input_height, raw.input_width),
            detail=raw.detail,
            mask_size=(raw.mask_height, raw.mask_width) if raw.mask_width else None,
            confidence_threshold=raw.confidence_threshold,
            filters_resolution=bool(raw.filters_resolution),
            kernels=raw.kernels.decode(),
        )


def _signed(package: Path, folder: Path, keys: Path) -> Path:
    """A private copy of a package that one of the keys signed: what is checked is what is loaded."""
    from loupe.signatures import BadKey, BadSignature, PublicKeys  # noqa: PLC0415 -- of another extra

    try:
        known = PublicKeys.read(keys)
        known.require(copy(package, folder))
    except BadKey as error:
        raise ArtifactError("CSOT_INVALID_ARGUMENT", str(error)) from error
    except BadSignature as error:
        raise ArtifactError("CSOT_UNTRUSTED", str(error)) from error
    return folder


def _pixels(image: Image) -> NDArray[np.uint8]:
    """Grey (H, W) or RGB (H, W, 3), each row's pixels beside each other."""
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim not in {2, 3} or (image.ndim == 3 and image.shape[2] != 3):
            raise ValueError(f"an image is uint8 (H, W) or (H, W, 3), not {image.dtype} {image.shape}")
        packed = image.strides[1:] == ((1,) if image.ndim == 2 else (3, 1)) and image.strides[0] > 0
        return image if packed and image.size else np.ascontiguousarray(image)
    return decode(Path(image).read_bytes())
