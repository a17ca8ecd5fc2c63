"""The weights container: a safetensors file of network, special-code statistics and certificate.

    network.<tensor>        the classifier's state
    segmentation.<tensor>   the segmentation network's, if one was trained
    special.<array>         SpecialRule's arrays, if the model has special codes that only features tell
    metadata "loupe"   the certificate, as canonical JSON

Nothing here executes what it reads. Equal content gives equal bytes, so the file's digest is the model's
identity.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from loupe.translation import sentence
from torch import Tensor, nn

from services.failure_codes import FailureCode
from services.input_specification import InputSpecification
from services.vision.faults import UserFault
from services.vision.networks import build_classifier
from services.vision.preprocessing import (
    RULE,
    ResolutionRule,
    from_certificate,
    magnified,
    to_certificate,
)
from services.vision.regions import RegionRule
from services.vision.segmenter import build_segmenter
from services.vision.special import SpecialRule
from services.vision.windows import Windows

FORMAT_VERSION = 1
_NETWORK, _SEGMENTATION, _SPECIAL = "network.", "segmentation.", "special."


class BadWeights(UserFault):
    """The file is not weights that this program can use; `code` says in which way.

    WEIGHTS_UNREADABLE       not a safetensors file, or cut short
    WEIGHTS_NOT_CERTIFIED    no certificate, or one that lacks an entry
    WEIGHTS_NEWER_FORMAT     written by a newer program
    WEIGHTS_OTHER_RULE       trained with another preprocessing rule
    WEIGHTS_TAMPERED         the tensors are not those the certificate names
    WEIGHTS_MISMATCH         tensors missing, unknown, of another shape, or not finite
    """

    def __init__(self, code: FailureCode, detail: str) -> None:
        super().__init__(
            code,
            *sentence("the weights cannot be used: {detail}", detail=detail),
        )


@dataclass(frozen=True)
class Segmentation:
    """A trained segmentation network; its label i is the i-th code, 0 the background."""

    network: str
    tensors: Mapping[str, Tensor]
    regions: RegionRule
    """From which regions the special codes follow that it knows."""
    clean: tuple[str, ...] = ()
    """Codes whose samples show nothing: their true masks are all background."""
    defect_threshold: float = 0.0
    """The evidence that a defect needs (see inference.labels)."""


@dataclass(frozen=True)
class Weights:
    """A trained model."""

    certificate: Mapping[str, Any]
    """What it was born from: see `certify`."""
    tensors: Mapping[str, Tensor]
    special: SpecialRule | None
    segmentation: Segmentation | None = None
    """None where only a classifier was trained (W11)."""

    @property
    def codes(self) -> tuple[str, ...]:
        """`code_list`, in its order; the first `num_of_classes` are the classifier's."""
        return tuple(self.certificate["codes"])

    @property
    def num_of_classes(self) -> int:
        """How many of the codes the softmax knows."""
        return int(self.certificate["num_of_classes"])

    @property
    def input_specification(self) -> InputSpecification:
        """What the network takes."""
        return from_certificate(self.certificate["input_specification"])

    @property
    def resolution(self) -> ResolutionRule:
        """Which originals conform."""
        rule = self.certificate["input_specification"].get("resolution") or {}
        return ResolutionRule(**{key: value for key, value in rule.items() if value is not None})

    @property
    def windows(self) -> Windows | None:
        """How the network sees an image, if not whole."""
        background = self.certificate.get("background")
        if background is None:
            return None
        defect_threshold = float(self.certificate["caution"])
        return Windows(self.input_specification.detail, self.codes.index(background), defect_threshold)

    @property
    def seen_at(self) -> InputSpecification:
        """What images are resized to before the classifier looks at them, whole or through windows."""
        return magnified(self.input_specification) if self.windows else self.input_specification

    @property
    def segmented_at(self) -> InputSpecification:
        """What images are resized to before the segmentation network looks at them."""
        return magnified(self.input_specification)

    def segmenter(self) -> nn.Module | None:
        """The segmentation network with these weights, ready to predict."""
        if not self.segmentation:
            return None
        network = _empty(build_segmenter, self.segmentation.network, len(self.codes))
        load_strictly(network, self.segmentation.tensors)
        return network.eval()

    def classifier(self) -> nn.Module:
        """The network with these weights, ready to predict."""
        network = _empty(build_classifier, self.certificate["network"], self.num_of_classes)
        load_strictly(network, self.tensors)
        return network.eval()


def certify(
    network: str,
    codes: tuple[str, ...],
    num_of_classes: int,
    specification: InputSpecification,
    *,
    windows: Windows | None = None,
    **lineage: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """A certificate: what predicting needs, and in `lineage` what tells where the weights come from.

    With `windows` the network sees images through them; else, whole.
    """
    return {
        "network": network,
        "codes": list(codes),
        "num_of_classes": num_of_classes,
        "input_specification": to_certificate(specification),
        "background": codes[windows.background] if windows else None,
        "caution": windows.defect_threshold if windows else 0.0,
        "preprocessing_rule": RULE,
        "lineage": lineage,
    }


def save_weights(path: Path, weights: Weights) -> None:
    """Writes the container; equal weights give equal bytes."""
    tensors = _prefixed(_NETWORK, weights.tensors)
    special = segmentation = None
    if weights.segmentation:
        tensors |= _prefixed(_SEGMENTATION, weights.segmentation.tensors)
        segmentation = {
            "network": weights.segmentation.network,
            "min_area_px": dict(weights.segmentation.regions.min_area_px),
            "clean": list(weights.segmentation.clean),
            "caution": weights.segmentation.defect_threshold,
        }
    if weights.special:
        tensors |= {
            _SPECIAL + name: torch.from_numpy(array) for name, array in weights.special.to_arrays().items()
        }
        special = weights.special.to_json()
    certificate = {
        **weights.certificate,
        "format_version": FORMAT_VERSION,
        "special": special,
        "segmentation": segmentation,
        "tensors_sha256": _digest(tensors),
    }
    # One metadata key only: safetensors writes several in the order of a hash map, different in every
    # process.
    safetensors.torch.save_file(tensors, path, {"loupe": json.dumps(certificate, sort_keys=True)})


def load_weights(path: Path) -> Weights:
    """Reads and checks the container whole. Raises BadWeights."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            certified = (file.metadata() or {}).get("loupe")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise BadWeights(
            FailureCode.WEIGHTS_UNREADABLE, f"{path.name} is not a whole safetensors file: {error}"
        ) from error
    if certified is None:
        raise BadWeights(
            FailureCode.WEIGHTS_NOT_CERTIFIED, f"{path.name} has no certificate: it was not trained here"
        )
    try:
        certificate = json.loads(certified)
        if int(certificate["format_version"]) > FORMAT_VERSION:
            raise BadWeights(
                FailureCode.WEIGHTS_NEWER_FORMAT,
                f"{path.name} has format {certificate['format_version']}; known is {FORMAT_VERSION}",
            )
        if certificate["preprocessing_rule"] != RULE:
            raise BadWeights(
                FailureCode.WEIGHTS_OTHER_RULE,
                f"{path.name} was trained by rule {certificate['preprocessing_rule']}; known is {RULE}",
            )
        if _digest(tensors) != certificate["tensors_sha256"]:
            raise BadWeights(
                FailureCode.WEIGHTS_TAMPERED,
                f"the tensors in {path.name} are not those its certificate names",
            )
        arrays = {name: tensor.numpy() for name, tensor in _below(tensors, _SPECIAL).items()}
        special, segmentation = certificate.get("special"), certificate.get("segmentation")
        weights = Weights(
            certificate,
            _below(tensors, _NETWORK),
            SpecialRule.from_arrays(arrays, special) if special else None,
            Segmentation(
                segmentation["network"],
                _below(tensors, _SEGMENTATION),
                RegionRule({code: float(least) for code, least in segmentation["min_area_px"].items()}),
                tuple(segmentation["clean"]),
                float(segmentation["caution"]),
            )
            if segmentation
            else None,
        )
        if not 2 <= weights.num_of_classes <= len(weights.codes):
            raise ValueError(f"{weights.num_of_classes} classes of {len(weights.codes)} codes")  # noqa: TRY301 - told below
        weights.classifier()
        weights.segmenter()
        # Raise where the certificate cannot be read.
        weights.input_specification, weights.resolution, weights.windows  # noqa: B018
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadWeights(
            FailureCode.WEIGHTS_NOT_CERTIFIED, f"the certificate in {path.name} cannot be read: {error!r}"
        ) from error
    return weights


def load_strictly(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copies tensors into a network that must have exactly these. Raises BadWeights, naming what differs."""
    expected = network.state_dict()
    faults = [f"{name} is missing" for name in sorted(expected.keys() - tensors.keys())]
    faults += [f"{name} is unknown" for name in sorted(tensors.keys() - expected.keys())]
    for name in sorted(expected.keys() & tensors.keys()):
        if expected[name].shape != tensors[name].shape or expected[name].dtype != tensors[name].dtype:
            want, have = expected[name], tensors[name]
            faults.append(f"{name} is {have.dtype}{list(have.shape)}, not {want.dtype}{list(want.shape)}")
        elif not torch.isfinite(tensors[name]).all():
            faults.append(f"{name} is not finite")
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise BadWeights(FailureCode.WEIGHTS_MISMATCH, "; ".join(faults[:3]) + more)
    network.load_state_dict(dict(tensors))


def _empty(build: Callable[[str, int], nn.Module], name: str, outputs: int) -> nn.Module:
    """A network whose weights are yet to come: drawing random ones first took half a second."""
    with torch.device("meta"):
        network = build(name, outputs)
    return network.to_empty(device="cpu")


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name].numpy())
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()
