"""From packed pixels to features and logits: the same for validation, evaluation and special codes.

N samples of a batch, H height, W width, C channels (in logits: classes), F features.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.vision.networks import features_and_logits, normalise, to_input
from services.vision.pack import Pack
from services.vision.preprocessing import InputSpecification
from services.vision.windows import Windows

_AT_ONCE = 100
"""Inputs in one forward pass. On two cores a hundred of 64 px take half the time each that 1,600 do, and
channels-last a quarter less again, whatever the training's layout."""


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
    pixels_NHWC = np.empty((len(rows), *pack.sample_shape), np.uint8)
    pack.gather(rows, pixels_NHWC)
    device = next(network.parameters()).device
    with torch.inference_mode():
        images_NCHW = normalise(to_input(torch.from_numpy(pixels_NHWC).to(device)), specification)
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
