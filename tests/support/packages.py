"""Small models whose packages are made in a moment, judged by the same rules as large ones."""

import hashlib
import struct
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's custom
from torch import Tensor, nn

from services.input_specification import InputSpecification
from services.vision.networks import CLASSIFIERS
from services.vision.regions import RegionRule
from services.vision.segmenter import SEGMENTERS
from services.vision.special import SpecialRule
from services.vision.weights import Segmentation, Weights, certify
from services.vision.windows import Windows

CODES = ("CLEAN", "SPOT", "LINE", "RARE", "ODD")
"""The first three are the classifier's."""
FEATURES = 16


class TinyClassifier(nn.Module):
    """What a ResNet does, once: stem, pool, a block with a shortcut, mean, last layer."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.first = nn.Sequential(nn.Conv2d(8, FEATURES, 3, 1, 1, bias=False), nn.BatchNorm2d(FEATURES))
        self.shortcut = nn.Conv2d(8, FEATURES, 1)
        self.fc = nn.Linear(FEATURES, classes)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        found = F.max_pool2d(self.stem(images_NCHW), 3, 2, 1)
        found = F.relu(self.first(found) + self.shortcut(found))
        return self.fc(F.adaptive_avg_pool2d(found, 1).flatten(1))


class TinySegmenter(nn.Module):
    """Down, up and beside each other."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 5, 2, 2)
        self.deep = nn.Conv2d(8, 8, 3, 1, 1)
        self.head = nn.Conv2d(16, labels, 1)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        fine = F.relu(self.down(images_NCHW))
        deep = F.interpolate(self.deep(F.max_pool2d(fine, 2)), size=fine.shape[2:], mode="nearest")
        labels = self.head(torch.cat([fine, deep], 1))
        return F.interpolate(labels, size=images_NCHW.shape[2:], mode="bilinear", align_corners=False)


class MaskOfPixels(nn.Module):
    """Labels each pixel with its red value: shows what preprocessing made of an image."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, labels, 1)
        value_K = torch.arange(labels, dtype=torch.float32)
        # The largest of 2·v·x - v² is that of the v nearest to x.
        self.head.weight.data.zero_()
        self.head.weight.data[:, 0, 0, 0] = 2 * value_K * 255
        self.head.bias = nn.Parameter(-(value_K**2))

    def forward(self, images_NCHW: Tensor) -> Tensor:
        return self.head(images_NCHW)


def register() -> None:
    """Makes the small networks known by name, to whoever builds networks from weights."""
    CLASSIFIERS["Tiny"] = TinyClassifier
    SEGMENTERS["Tiny"] = TinySegmenter
    SEGMENTERS["MaskOfPixels"] = MaskOfPixels


def settled(network: nn.Module, seed: int = 0) -> nn.Module:
    """With weights, and statistics of batch norm, that are nobody's defaults."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.rand(module.num_features, generator=generator) - 0.5
            module.running_var = torch.rand(module.num_features, generator=generator) + 0.5
            module.weight.data = torch.rand(module.num_features, generator=generator) + 0.5
            module.bias.data = torch.rand(module.num_features, generator=generator) - 0.5
        elif isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data = torch.randn(module.weight.shape, generator=generator) * 0.3
            if module.bias is not None:
                module.bias.data = torch.randn(module.bias.shape, generator=generator) * 0.1
    return network.eval()


def weights(
    *,
    size: int = 16,
    detail: int = 1,
    windows: bool = False,
    special: float | None = None,
    segmenter: str | None = None,
    classifier: str = "Tiny",
    least_px: Mapping[str, float] | None = None,
    **changes: Any,
) -> Weights:
    """A model of CODES that nobody trained; `special` is the threshold of its special codes."""
    register()
    specification = InputSpecification(size, size, detail=detail, **changes)
    seen_by = Windows(detail, background=0, defect_threshold=0.3) if windows else None
    certificate = certify(classifier, CODES, 3, specification, windows=seen_by, seed=7, manifests=["a" * 64])
    network = settled(CLASSIFIERS[classifier](3))
    segments = None
    if segmenter:
        its = SEGMENTERS[segmenter](len(CODES) + 1)
        settled(its) if segmenter != "MaskOfPixels" else its
        segments = Segmentation(segmenter, its.state_dict(), RegionRule(least_px or {}), (), 0.05)
    features = network.get_submodule("fc").in_features
    return Weights(
        certificate, network.state_dict(), None if special is None else _special(features, special), segments
    )


def _special(features: int, threshold: float) -> SpecialRule:
    random = np.random.default_rng(5)
    root_FF = random.normal(size=(features, features)) / features**0.5

    def single(array: np.ndarray) -> np.ndarray:
        return array.astype(np.float32).astype(np.float64)  # as the weights' file has them

    return SpecialRule(
        CODES[3:],
        single(random.uniform(0, 1, (2, features))),
        single(random.uniform(0, 1, (3, features))),
        single(root_FF @ root_FF.T + 0.1 * np.eye(features)),
        threshold=threshold,
        scale=3.0,
        power=0.5,
    )


def pictures(folder: Path, count: int = 12) -> list[Path]:
    """PNG files of many sizes, grey and colour, smooth enough to be judged differently."""
    import cv2  # noqa: PLC0415 - only who wants pictures needs it

    random = np.random.default_rng(1)
    paths = []
    for number in range(count):
        coarse = random.integers(0, 256, (5, 7) if number % 3 == 0 else (5, 7, 3), np.uint8)
        size = tuple(int(side) for side in random.integers(33, 130, 2))
        paths.append(folder / f"{number:02}.png")
        cv2.imwrite(str(paths[-1]), cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC))
    return paths


def files(package: bytes) -> dict[str, bytes]:
    """The entries of a package."""
    with zipfile.ZipFile(BytesIO(package)) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def parts(models: bytes) -> dict[str, bytes]:
    """The parts of a models.xbin, by its table."""
    found, at = {}, 52
    for _ in range(struct.unpack_from("<I", models, 48)[0]):
        name = models[at + 1 : at + 1 + models[at]].decode()
        offset, size = struct.unpack_from("<QQ", models, at + 1 + models[at])
        found[name] = models[offset : offset + size]
        at += 1 + models[at] + 48
    return found


def unpacked(package: Mapping[str, bytes], folder: Path) -> Path:
    """A folder with these files."""
    folder.mkdir(exist_ok=True)
    for name, data in package.items():
        # What is unchanged stays: the library may be loaded, and a loaded file must not be written.
        if not (folder / name).exists() or (folder / name).read_bytes() != data:
            (folder / name).unlink(missing_ok=True)
            (folder / name).write_bytes(data)
    return folder


def with_models(package: Mapping[str, bytes], models: bytes) -> dict[str, bytes]:
    """The package with another models.xbin, whose hash config.yaml tells."""
    before, after = (hashlib.sha256(data).hexdigest().encode() for data in (package["models.xbin"], models))
    return {**package, "models.xbin": models, "config.yaml": package["config.yaml"].replace(before, after)}
