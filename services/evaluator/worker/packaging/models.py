"""Writes models.xbin, which holds everything that the library computes with.

What an operator may change (thresholds) is in config.yaml instead.
"""

import struct
from dataclasses import dataclass

import numpy as np

from services.evaluator.worker.packaging.container import pack
from services.evaluator.worker.packaging.faults import NotPackageable
from services.evaluator.worker.packaging.graph import encode, trace
from services.vision.preprocessing import PER_IMAGE_FLOOR
from services.vision.weights import Weights

_NO_BACKGROUND = 2**32 - 1
_MAX_CODES = 254


@dataclass(frozen=True)
class PackageName:
    """Model and version of a package, such as `panel-surface` and `v3.01`."""

    model: str
    version: str


def write_models(weights: Weights, name: PackageName) -> bytes:
    """models.xbin; equal weights give equal bytes. Raises NotPackageable."""
    if len(weights.codes) > _MAX_CODES:
        raise NotPackageable(f"a package has at most {_MAX_CODES} codes, not {len(weights.codes)}")
    specification = weights.input_specification
    parts = {"model": _model(weights, name)}
    graph, values = encode(
        trace(weights.classifier(), (3, specification.height, specification.width), with_features=True)
    )
    parts |= {"classifier.graph": graph, "classifier.weights": values}
    if weights.special:
        parts["special"] = _special(weights)
    segmenter, specification = weights.segmenter(), weights.segmented_at
    if segmenter:
        graph, values = encode(
            trace(segmenter, (3, specification.height, specification.width), with_features=False)
        )
        parts |= {"segmenter.graph": graph, "segmenter.weights": values}
    return pack(parts)


def _model(weights: Weights, name: PackageName) -> bytes:
    specification, windows = weights.input_specification, weights.windows
    rule = weights.resolution
    data = _text(name.model) + _text(name.version) + struct.pack("<I", len(weights.codes))
    data += b"".join(_text(code) for code in weights.codes)
    data += struct.pack(
        "<5I",
        weights.num_of_classes,
        specification.width,
        specification.height,
        specification.detail,
        windows.background if windows else _NO_BACKGROUND,
    )
    data += struct.pack("<I", specification.per_image_normalisation)
    data += struct.pack("<7f", *specification.mean, *specification.std, PER_IMAGE_FLOOR)
    nominal = (rule.width, rule.height) if rule.width and rule.height else (0, 0)
    return data + struct.pack("<IIdId", *nominal, rule.tolerance, rule.min_side_px, rule.max_aspect_ratio)


def _special(weights: Weights) -> bytes:
    rule = weights.special
    assert rule is not None  # noqa: S101 - for the type checker
    indices = [weights.codes.index(code) for code in rule.codes]
    data = struct.pack(f"<I{len(indices)}I", len(indices), *indices)
    data += struct.pack("<IIdd", len(rule.ordinary_means_CF), len(rule.precision_FF), rule.scale, rule.power)
    for array in (rule.special_means_SF, rule.ordinary_means_CF, rule.precision_FF):
        data += np.ascontiguousarray(array, "<f4").tobytes()
    return data


def _text(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > 255:
        raise NotPackageable(f"{text[:40]}… is longer than the 255 bytes that a package's texts have")
    return struct.pack("<B", len(encoded)) + encoded
