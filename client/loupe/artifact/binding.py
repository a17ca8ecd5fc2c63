"""libCsotArtifact.so by ctypes: the structures and functions of csot_artifact.h, version 1."""

import ctypes as c
from os import PathLike
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8] | str | PathLike[str]
"""Pixels, (H, W) grey or (H, W, 3) RGB, or the path of an image file."""

ABI_VERSION = 1
NONCONFORMING = 8
GREY, RGB = 1, 2


class ArtifactError(RuntimeError):
    """The library refused; `status` is its stable name such as CSOT_CORRUPT, the message a sentence."""

    def __init__(self, status: str, sentence: str) -> None:
        super().__init__(f"{status}: {sentence}")
        self.status = status
        self.sentence = sentence


class Options(c.Structure):
    """csot_options."""

    _fields_ = [
        ("struct_size", c.c_uint32),
        ("threads", c.c_uint32),
        ("concurrent", c.c_uint32),
        ("max_memory_mib", c.c_uint32),
    ]


class RawDescription(c.Structure):
    """csot_description."""

    _fields_ = [
        ("struct_size", c.c_uint32),
        ("abi_version", c.c_uint32),
        ("format_version", c.c_uint32),
        ("codes", c.c_uint32),
        ("classes", c.c_uint32),
        ("input_width", c.c_uint32),
        ("input_height", c.c_uint32),
        ("detail", c.c_uint32),
        ("mask_width", c.c_uint32),
        ("mask_height", c.c_uint32),
        ("confidence_threshold", c.c_float),
        ("filters_resolution", c.c_uint32),
        ("model", c.c_char_p),
        ("version", c.c_char_p),
        ("kernels", c.c_char_p),
    ]


class RawImage(c.Structure):
    """csot_image."""

    _fields_ = [
        ("pixels", c.c_void_p),
        ("width", c.c_uint32),
        ("height", c.c_uint32),
        ("stride", c.c_size_t),
        ("format", c.c_int32),
    ]


class RawPrediction(c.Structure):
    """csot_prediction."""

    _fields_ = [
        ("status", c.c_int32),
        ("resolution", c.c_int32),
        ("code", c.c_int32),
        ("confidence", c.c_float),
        ("way", c.c_int32),
        ("to_human", c.c_int32),
    ]


class Buffers(c.Structure):
    """csot_buffers."""

    _fields_ = [
        ("struct_size", c.c_uint32),
        ("scores", c.c_void_p),
        ("scores_size", c.c_size_t),
        ("masks", c.c_void_p),
        ("masks_size", c.c_size_t),
    ]


_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "csot_abi_version": (c.c_uint32, []),
    "csot_status_name": (c.c_char_p, [c.c_int32]),
    "csot_last_error": (c.c_char_p, []),
    "csot_open": (c.c_int32, [c.c_char_p, c.POINTER(Options), c.POINTER(c.c_void_p)]),
    "csot_close": (None, [c.c_void_p]),
    "csot_describe": (c.c_int32, [c.c_void_p, c.POINTER(RawDescription)]),
    "csot_code": (
        c.c_int32,
        [c.c_void_p, c.c_uint32, c.POINTER(c.c_char_p), c.POINTER(c.c_int32)],
    ),
    "csot_check_image": (c.c_int32, [c.c_void_p, c.c_uint32, c.c_uint32]),
    "csot_predict": (
        c.c_int32,
        [c.c_void_p, c.POINTER(RawImage), c.c_uint32, c.POINTER(RawPrediction), c.POINTER(Buffers)],
    ),
}


def load(path: str | PathLike[str]) -> c.CDLL:
    """The library with its functions declared. Raises ArtifactError."""
    try:
        library = c.CDLL(str(path))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise ArtifactError("CSOT_NOT_FOUND", f"{path} is not a libCsotArtifact: {error}") from error
    if library.csot_abi_version() != ABI_VERSION:
        raise ArtifactError(
            "CSOT_NEWER_FORMAT",
            f"{path} has interface version {library.csot_abi_version()}; known is {ABI_VERSION}",
        )
    return library


def check(library: c.CDLL, status: int) -> None:
    """Raises ArtifactError for what is not CSOT_OK."""
    if status:
        name = library.csot_status_name(status).decode()
        raise ArtifactError(name, library.csot_last_error().decode(errors="replace"))
