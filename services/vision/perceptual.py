"""Hashes of pictures that change little when the picture does: for finding look-alikes (P4).

N pictures, H, W height and width, 3 channels RGB.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_SIDE = 16
_FLAT = 0.5
"""Grey levels by which a patch must be brighter: in flat areas rounding would decide."""


def perceptual_hashes(pixels_NHW3: Tensor) -> NDArray[np.uint8]:
    """256 bits of each picture, (N, 32): is each of 16 × 16 patches brighter than the one to its left?

    Pixels are uint8. Known as dHash (Krawetz 2013), here of 17 × 16 patches.
    """
    with torch.inference_mode():
        # Green, as the eye: a mean of three channels costs three times as much and tells the same.
        green_N1HW = pixels_NHW3[:, None, :, :, 1].float()
        patches_N1hw = nn.functional.adaptive_avg_pool2d(green_N1HW, (_SIDE, _SIDE + 1))
        brighter = patches_N1hw[..., 1:] > patches_N1hw[..., :-1] + _FLAT
        return np.packbits(brighter.flatten(1).cpu().numpy(), axis=1)
