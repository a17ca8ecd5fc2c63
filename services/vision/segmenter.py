"""The segmentation networks, by name.

N images, C = 3 channels, H height, W width (multiples of 32 are not needed), K = codes + 1 labels.
"""

from collections.abc import Callable

import torch.nn.functional as F  # noqa: N812 - torch's custom
from torch import Tensor, nn

from services.vision.faults import UserFault
from services.vision.networks import build_classifier

SEGMENTER = "ResNet18-FPN"
"""What a task trains: DECISIONS.md has what it was measured against."""
_STEM = ("conv1", "bn1", "relu", "maxpool")
_STAGES = ("layer1", "layer2", "layer3", "layer4")
_STAGE_CHANNELS = (64, 128, 256, 512)
_WIDTH = 96


class FeaturePyramid(nn.Module):
    """ResNet18 with an additive feature pyramid, its levels summed at a quarter of the image's size.

    Source: Kirillov et al., Panoptic feature pyramid networks, 2019, without group norm and fewer channels.
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        body = build_classifier("ResNet18", 2)
        self.stem = nn.Sequential(*(body.get_submodule(name) for name in _STEM))
        self.stages = nn.ModuleList(body.get_submodule(name) for name in _STAGES)
        self.lateral = nn.ModuleList(nn.Conv2d(channels, _WIDTH, 1) for channels in _STAGE_CHANNELS)
        self.smooth = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(_WIDTH), nn.ReLU()
            )
            for _ in _STAGE_CHANNELS
        )
        self.head = nn.Conv2d(_WIDTH, labels, 1)

    def inherit(self, classifier: nn.Module) -> None:
        """Begins with what a ResNet18 has learnt of the same images."""
        for own, name in zip((*self.stem, *self.stages), (*_STEM, *_STAGES), strict=True):
            own.load_state_dict(classifier.get_submodule(name).state_dict())

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Logits (N, K, H, W)."""
        levels = []
        found = self.stem(images_NCHW)
        for stage in self.stages:
            found = stage(found)
            levels.append(found)
        top = self.lateral[3](levels[3])
        summed = self.smooth[3](top)
        for level in (2, 1, 0):
            side = self.lateral[level](levels[level])
            top = side + F.interpolate(top, size=side.shape[2:], mode="nearest")
            smooth = self.smooth[level](top)
            summed = smooth + F.interpolate(
                summed, size=smooth.shape[2:], mode="bilinear", align_corners=False
            )
        return F.interpolate(
            self.head(summed), size=images_NCHW.shape[2:], mode="bilinear", align_corners=False
        )


SEGMENTERS: dict[str, Callable[[int], FeaturePyramid]] = {SEGMENTER: FeaturePyramid}


def build_segmenter(name: str, codes: int) -> FeaturePyramid:
    """A segmentation network of so many codes and the background, with weights from torch's generator."""
    if name not in SEGMENTERS:
        raise UserFault(
            "BAD_ORDER", f"there is no segmentation network {name!r}; known: {', '.join(SEGMENTERS)}"
        )
    return SEGMENTERS[name](codes + 1)
