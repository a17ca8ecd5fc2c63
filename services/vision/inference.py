"""From packed pixels to features and logits: the same for validation, evaluation and special codes.

N samples of a batch, H height, W width, C channels (in logits: classes), F features.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.input_specification import InputSpecification
from services.vision.networks import features_and_logits, normalise, to_input
from services.vision.pack import Pack
from services.vision.windows import Windows

_AT_ONCE = 100
"""Inputs in one forward pass. On two cores a hundred of 64 px take half the time each that 1,600 do, and
channels-last a quarter less again, whatever the training's layout."""


_WHOLE_AT_ONCE = 8
"""Whole images in one forward pass of a segmentation network, whose maps are larger."""


def outputs(
    network: nn.Module,
    pack: Pack,
    rows: NDArray[np.int64],
    specification: InputSpecification,
    windows: Windows | None,
) -> tuple[Tensor, Tensor]:
    """Penultimate features (N, F) and logits (N, C) of one batch of `pack.rows`, on the network's device.

    The network is in eval mode; `specification` is its input's. With windows the pack holds magnified images.
    """
    with torch.inference_mode():
        images_NCHW = _images(network, pack, rows, specification)
        if windows:
            images_NCHW = windows.cut(images_NCHW)
        parts = [
            features_and_logits(
                network,
                images_NCHW[start : start + _AT_ONCE].contiguous(memory_format=torch.channels_last),
            )
            for start in range(0, len(images_NCHW), _AT_ONCE)
        ]
        features_NF, logits_NC = (torch.cat(of_parts) for of_parts in zip(*parts, strict=True))
        if windows:
            features_NF, logits_NC = windows.judge(features_NF, logits_NC)
    return features_NF, logits_NC


def evidence(
    network: nn.Module, pack: Pack, rows: NDArray[np.int64], specification: InputSpecification
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """How much more a defect is believed than background, and which label it has, (N, H, W) each.

    That is, of each pixel of one batch of magnified images, the difference of the logits of the likeliest
    code and of background. The network is in eval mode.
    """
    found = []
    with torch.inference_mode():
        images_NCHW = _images(network, pack, rows, specification)
        for start in range(0, len(images_NCHW), _WHOLE_AT_ONCE):
            logits_NKHW = network(images_NCHW[start : start + _WHOLE_AT_ONCE]).float()
            strongest_NHW, code_NHW = logits_NKHW[:, 1:].max(1)
            difference_NHW = strongest_NHW - logits_NKHW[:, 0]
            found.append((difference_NHW.cpu(), (code_NHW + 1).to("cpu", torch.uint8)))
    difference_NHW, label_NHW = (torch.cat(parts) for parts in zip(*found, strict=True))
    return difference_NHW.numpy(), label_NHW.numpy()


def labels(
    network: nn.Module,
    pack: Pack,
    rows: NDArray[np.int64],
    specification: InputSpecification,
    defect_threshold: float,
) -> NDArray[np.uint8]:
    """What the segmentation network sees in each pixel, (N, H, W): 0 is background and i the i-th code.

    A defect needs more evidence than `defect_threshold`.
    """
    evidence_NHW, label_NHW = evidence(network, pack, rows, specification)
    return np.where(evidence_NHW > defect_threshold, label_NHW, np.uint8(0))


def _images(
    network: nn.Module, pack: Pack, rows: NDArray[np.int64], specification: InputSpecification
) -> Tensor:
    """Of the pack, (N, 3, H, W), normalised, on the network's device and channels-last."""
    pixels_NHWC = np.empty((len(rows), *pack.sample_shape), np.uint8)
    pack.gather(rows, pixels_NHWC)
    device = next(network.parameters()).device
    return normalise(to_input(torch.from_numpy(pixels_NHWC).to(device)), specification)
