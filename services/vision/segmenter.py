"""The segmentation networks, by name.

N images, C = 3 channels, H height, W width (multiples of 32 are not needed), K = codes + 1 labels.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812 - torch's custom
from torch import Tensor, nn

from services.vision.faults import BadOrder

SEGMENTER = "UNet-24"
"""What a task trains: docs/decisions/0026 has what it was measured against."""
_WIDTHS = (24, 40, 64, 128, 192)
"""Channels at a half, a quarter, … of the image's size: two convolutions where it is large must be cheap."""
_COMMON = 0.95
"""Share of background that an untrained network tells, as if it had seen what is usual."""


class UNet(nn.Module):
    """A small U-Net from a half of the image's size on, whose finer levels are added, not stacked.

    Source: Ronneberger et al., U-Net: Convolutional networks for biomedical image segmentation, 2015.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        finest = _WIDTHS[0]
        self.down = nn.ModuleList(
            [nn.Sequential(_convolution(3, finest, 5, 2), _convolution(finest, finest))]
        )
        self.down.extend(
            nn.Sequential(_convolution(finer, coarser), _convolution(coarser, coarser))
            for finer, coarser in pairwise(_WIDTHS)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(coarser, finer, 1) for finer, coarser in pairwise(_WIDTHS))
        self.up = nn.ModuleList(_convolution(width, width) for width in _WIDTHS[:-1])
        self.head = nn.Conv2d(finest, labels, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.head.weight, std=0.01)
        bias_K = torch.zeros(labels)
        bias_K[0] = math.log(_COMMON / (1 - _COMMON) * (labels - 1))
        self.head.bias = nn.Parameter(bias_K)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Logits (N, K, H, W)."""
        levels: list[Tensor] = []
        for stage in self.down:
            levels.append(stage(F.max_pool2d(levels[-1], 2) if levels else images_NCHW))
        found = levels.pop()
        for level in reversed(range(len(levels))):
            finer = levels[level]
            coarser = F.interpolate(self.lateral[level](found), size=finer.shape[2:], mode="nearest")
            found = self.up[level](coarser + finer)
        return F.interpolate(
            self.head(found), size=images_NCHW.shape[2:], mode="bilinear", align_corners=False
        )


def _convolution(channels: int, width: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, size, stride, size // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


SEGMENTERS: dict[str, Callable[[int], nn.Module]] = {SEGMENTER: UNet}


def build_segmenter(name: str, codes: int) -> nn.Module:
    """A segmentation network of so many codes and the background, with weights from torch's generator."""
    if name not in SEGMENTERS:
        raise BadOrder(f"there is no segmentation network {name!r}; known: {', '.join(SEGMENTERS)}")
    return SEGMENTERS[name](codes + 1)
