"""The networks, by the names that model parameters use (W3)."""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from services.input_specification import InputSpecification
from services.vision.faults import BadOrder
from services.vision.preprocessing import PER_IMAGE_FLOOR

_operator_library: torch.library.Library | None = None


def _torchvision_models() -> Any:  # noqa: ANN401 - torchvision ships no types
    """Imports torchvision.models, also where torchvision is a CUDA build beside a CPU torch.

    Such a pair fails with `operator torchvision::nms does not exist`, because torchvision registers shape
    rules for operators of its C++ library, which does not load. No network here uses them: declaring their
    schemas is enough.
    """
    global _operator_library  # noqa: PLW0603 - the declaration lives as long as the process
    try:
        from torchvision import models  # noqa: PLC0415 - see above
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        for module in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[module]
        _operator_library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for operator in ("nms", "qnms"):
            _operator_library.define(  # type: ignore[no-untyped-call]
                f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
        from torchvision import models  # noqa: PLC0415
    return models


def _resnet18(num_of_classes: int) -> nn.Module:
    network = _torchvision_models().resnet18(weights=None, num_classes=num_of_classes)
    assert isinstance(network, nn.Module)  # noqa: S101 - for the type checker
    return network


CLASSIFIERS: dict[str, Callable[[int], nn.Module]] = {"ResNet18": _resnet18}


def build_classifier(name: str, num_of_classes: int) -> nn.Module:
    """A classifier with fresh weights, drawn from torch's global generator."""
    if name not in CLASSIFIERS:
        raise BadOrder(f"there is no classifier {name!r}; known: {', '.join(CLASSIFIERS)}")
    return CLASSIFIERS[name](num_of_classes)


def features_and_logits(network: nn.Module, images_NCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Penultimate features (N, F) and logits (N, C) of a classifier whose last layer is `fc`."""
    last = network.get_submodule("fc")
    kept: list[Tensor] = []
    hook = last.register_forward_pre_hook(lambda _module, inputs: kept.append(inputs[0]))
    try:
        logits_NC = network(images_NCHW)
    finally:
        hook.remove()
    return kept[0], logits_NC


def to_input(images_NHWC: Tensor) -> Tensor:
    """Pixels (N, H, W, C) uint8 → (N, C, H, W) in 0..1, channels-last in memory.

    Of torch's default dtype, as a network that is built: float32, except in a test of the arithmetic.
    """
    return images_NHWC.permute(0, 3, 1, 2).to(torch.get_default_dtype()).div_(255)


def normalise(
    images_NCHW: Tensor, specification: InputSpecification, of_whole: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Images in 0..1 as the network takes them (see preprocessing); changes them in place.

    `of_whole`: deviation and mean, each (N, 1, 1, 1), of the whole images of which these are windows.
    """
    if specification.per_image_normalisation:
        std_N111, mean_N111 = of_whole or deviation_and_mean(images_NCHW)
        return images_NCHW.sub_(mean_N111).div_(std_N111 + PER_IMAGE_FLOOR)
    mean = torch.tensor(specification.mean, device=images_NCHW.device).view(1, -1, 1, 1)
    std = torch.tensor(specification.std, device=images_NCHW.device).view(1, -1, 1, 1)
    return images_NCHW.sub_(mean).div_(std)


def deviation_and_mean(images_NCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Of all pixels and channels of each image, (N, 1, 1, 1) each."""
    std_N111, mean_N111 = torch.std_mean(images_NCHW, dim=(1, 2, 3), correction=0, keepdim=True)
    return std_N111, mean_N111


def place(network: nn.Module, specification: InputSpecification, device: torch.device) -> nn.Module:
    """The network on a device, in the layout that is fastest there; `lay_out` gives images the same."""
    layout = _memory_format(specification, device)
    network.to(device)
    network.to(memory_format=layout)  # type: ignore[call-overload]
    return network


def place_to_predict(network: nn.Module, device: torch.device) -> nn.Module:
    """A copy of the network in eval mode on a device, in the layout in which `inference` feeds it.

    Batch normalisation is folded into the convolutions before it, which takes an eighth less time for a
    ResNet18 and a quarter less for a U-Net, and changes logits by rounding (2e-6).
    """
    folded = fuse(network).to(device)
    assert isinstance(folded, nn.Module)  # noqa: S101 - for the type checker
    return folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def lay_out(images_NCHW: Tensor, specification: InputSpecification) -> Tensor:
    """Images in the memory layout of a network that `place` put on their device."""
    return images_NCHW.contiguous(memory_format=_memory_format(specification, images_NCHW.device))


def _memory_format(specification: InputSpecification, device: torch.device) -> torch.memory_format:
    """The faster layout.

    Measured on two AVX2 cores: channels-last loses a fifth at 64 px and wins from 128 on.
    """
    small = specification.width * specification.height < 96 * 96
    return torch.contiguous_format if small and device.type == "cpu" else torch.channels_last
