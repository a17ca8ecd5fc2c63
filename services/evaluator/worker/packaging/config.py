"""Writes config.yaml (X2): above `model:` what the library reads, below it what people read.

The text is a part of the package's bytes: another wording gives a version another digest (X1).
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from services.evaluator.worker.packaging.faults import NotPackageable
from services.evaluator.worker.packaging.models import PackageName
from services.evaluator.worker.packaging.native_library import LIBRARY
from services.vision.preprocessing import to_certificate
from services.vision.weights import Weights

FORMAT_VERSION = 1


def write_config(
    weights: Weights,
    name: PackageName,
    files: Mapping[str, bytes],
    *,
    filter_resolution: bool = False,
    confidence: float = 0.0,
) -> str:
    """The text; it names the SHA-256 of `files` (name → bytes). Equal arguments give equal text."""
    lines = [
        *_heading(name, files),
        f"format_version: {FORMAT_VERSION}",
        "",
        "# true: an image whose resolution is not what the model was taught on is not judged.",
        f"filter_resolution: {str(filter_resolution).lower()}",
        "",
        f"# The package's other files; `sha256sum {' '.join(files)}` prints the same.",
        "sha256:",
        *(f"  {name}: {hashlib.sha256(data).hexdigest()}" for name, data in files.items()),
        "",
        *_thresholds(weights, confidence),
        "",
        "# From here on: what people want to know.",
        "model:",
        *_description(weights, name),
        "...",
    ]
    return "\n".join(lines) + "\n"


def _heading(name: PackageName, files: Mapping[str, bytes]) -> Iterator[str]:
    if LIBRARY in files:
        yield f"# Model {name.model} {name.version}, exported by Loupe for {LIBRARY}."
        yield "#"
        yield "# The library reads everything above the line `model:`. An operator may change"
        yield "# filter_resolution, thresholds and min_area_px; a change counts from the next opening on."
        return
    yield f"# Model {name.model} {name.version}, exported by Loupe as ONNX for a runtime of your own."
    yield "#"
    yield "# Each network takes `images`, float32 (N, 3, H, W), and answers `logits`. Resizing, normalising,"
    yield "# windows, special codes and the thresholds below are the runtime's business."


def _thresholds(weights: Weights, confidence: float) -> Iterator[str]:
    yield "thresholds:"
    yield "  # Under this confidence, 0 to 1, a prediction asks for a person."
    yield f"  confidence: {confidence!r}"
    if weights.windows:
        yield "  # How much evidence a defect needs against the background: more finds fewer defects."
        yield f"  classifier_caution: {weights.windows.defect_threshold!r}"
    if weights.segmentation:
        yield "  # The same for a pixel of the mask."
        yield f"  segmentation_caution: {weights.segmentation.defect_threshold!r}"
    if weights.special:
        yield "  # A special code is told by features that lie nearer to it than to any other code by this."
        yield f"  special_distance: {weights.special.threshold!r}"
    areas = weights.segmentation.regions.min_area_px if weights.segmentation else {}
    if areas:
        yield ""
        yield "# Pixels of the mask that a region of a code must exceed for an image to have it, whatever the"
        yield "# classifier says. A code without an entry is the classifier's alone."
        yield "min_area_px:"
        yield from (f"  {code}: {areas[code]!r}" for code in sorted(areas))


def _description(weights: Weights, name: PackageName) -> Iterator[str]:
    yield f"  name: {_text(name.model)}"
    yield f"  version: {_text(name.version)}"
    yield f"  network: {_text(weights.certificate['network'])}"
    if weights.segmentation:
        yield f"  segmentation_network: {_text(weights.segmentation.network)}"
    yield "codes:  # in the order of their indices"
    for index, code in enumerate(weights.codes):
        yield f"  - code: {_text(code)}"
        yield f"    special: {str(index >= weights.num_of_classes).lower()}"
    yield "input:"
    rule = weights.certificate["preprocessing_rule"]
    values: dict[str, Any] = {
        **to_certificate(weights.input_specification),
        "resolution": asdict(weights.resolution),
        "preprocessing_rule": rule,
    }
    yield from (f"  {key}: {json.dumps(value)}" for key, value in values.items())
    yield "lineage:  # what the weights were born from"
    yield from (
        f"  {_text(key)}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}"
        for key, value in sorted(weights.certificate["lineage"].items())
    )
    yield f"  weights_sha256_of_tensors: {_text(weights.certificate.get('tensors_sha256', ''))}"


def _text(text: str) -> str:
    """A JSON string is a YAML string."""
    return json.dumps(text, ensure_ascii=False)


def refuse_control_characters(texts: Iterable[str]) -> None:
    """Such a character would break a comment or a line of the file. Raises NotPackageable."""
    for text in texts:
        if not text or not text.isprintable():
            raise NotPackageable(f"{text!r} is not a text that can stand in config.yaml")
