"""X3: the library gives the trainer's own answers."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's custom
from loupe.artifact import Artifact
from torch import Tensor, nn

from services.evaluator.worker.packaging.models import PackageName
from services.evaluator.worker.packaging.package import build_package
from services.evaluator.worker.packaging.verify import Verification, verify
from services.input_specification import InputSpecification
from services.vision.networks import CLASSIFIERS
from services.vision.preprocessing import resize
from services.vision.segmenter import SEGMENTER
from tests.support import packages

pytestmark = pytest.mark.xdist_group("packaging")
NAME = PackageName("panel-surface", "v3.01")


MODELS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "whole": ({}, {"softmax"}),
    "special": ({"per_image_normalisation": True, "special": 2.49}, {"softmax", "feature_distance"}),
    "windows": (
        {"per_image_normalisation": True, "detail": 3, "windows": True, "special": 1.0},
        {"softmax", "feature_distance"},
    ),
    "regions": (
        {"detail": 2, "segmenter": "Tiny", "least_px": {"RARE": 17.5, "ODD": 37.5}},
        {"softmax", "region"},
    ),
    "ordinary regions": (
        {"detail": 2, "segmenter": "Tiny", "least_px": {"SPOT": 790.5, "LINE": 60.5, "RARE": 17.5}},
        {"softmax", "region"},
    ),
    "everything": (
        {"per_image_normalisation": True, "detail": 2, "windows": True, "special": 1.9}
        | {"segmenter": "Tiny", "least_px": {"RARE": 63.5}},
        {"softmax", "feature_distance", "region"},
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_package_and_weights_judge_alike(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a model looks through (windows, S1, S2), and on every processor, both say the same (X3)."""
    model, ways = MODELS[name]
    weights = packages.weights(**model)
    package = tmp_path / "package.zip"
    package.write_bytes(build_package(weights, NAME))
    pictures = packages.pictures(tmp_path)
    for kernels in ("", "baseline"):
        monkeypatch.setenv("CSOT_KERNELS", kernels)
        verification = verify(package, weights, pictures)
        assert verification.agrees
        assert verification.largest_score_difference < 1e-5
        assert [its.package_way for its in verification.differences] == [
            its.released_way for its in verification.differences
        ]
        assert {its.released_way for its in verification.differences} == ways


def test_the_released_architectures_can_be_packaged(tmp_path: Path) -> None:
    """What a task trains today, classifier and segmentation network, a package knows the operations of."""
    weights = packages.weights(
        size=32,
        classifier="ResNet18",
        segmenter=SEGMENTER,
        special=2.25,
        detail=2,
        per_image_normalisation=True,
    )
    package = tmp_path / "package.zip"
    package.write_bytes(build_package(weights, NAME))
    verification = verify(package, weights, packages.pictures(tmp_path, 4))
    assert verification.agrees


class Zoo(nn.Module):
    """Every operation, in the shapes that kernels find hard."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.odd = nn.Conv2d(3, 5, (3, 2), (2, 1), (1, 0))
        self.dilated = nn.Conv2d(5, 17, 3, 1, 2, dilation=2)
        self.tiled = nn.Conv2d(17 + 7, 24, 3, 1, 1)
        self.tiled_again = nn.Conv2d(24, 40, 3, 1, 0)
        self.beside = nn.Conv2d(5, 7, 1)
        self.normal = nn.BatchNorm2d(24)
        self.fc = nn.Linear(40, classes)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        odd = F.relu(self.odd(images_NCHW))
        both = torch.cat([self.dilated(odd), F.max_pool2d(self.beside(odd), 3, 1, 1)], 1)
        tiled = self.normal(self.tiled(both))
        tiled = F.relu(
            tiled + F.interpolate(F.max_pool2d(tiled, (2, 3)), size=tiled.shape[2:], mode="nearest")
        )
        smooth = F.interpolate(tiled, size=(9, 31), mode="bilinear", align_corners=False)
        wide = self.tiled_again(F.relu(smooth + smooth))
        return self.fc(F.relu(wide).mean((2, 3)))


@pytest.mark.parametrize("size", [16, 29])
def test_every_operation_is_torchs(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Borders, dilation, odd channels and sizes: where a kernel's vectors do not come out even."""
    monkeypatch.setitem(CLASSIFIERS, "Zoo", Zoo)
    weights = packages.weights(classifier="Zoo", size=size)
    package = tmp_path / "package.zip"
    package.write_bytes(build_package(weights, NAME))
    pictures = packages.pictures(tmp_path, 6)
    for kernels in ("", "baseline"):
        monkeypatch.setenv("CSOT_KERNELS", kernels)
        verification = verify(package, weights, pictures)
        assert verification.agrees
        assert verification.largest_score_difference < 1e-5


def test_resizing_is_opencvs_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A difference of one grey level in preprocessing would skew scores on every image, unseen."""
    codes = tuple(f"V{value}" for value in range(1, 255))
    monkeypatch.setattr(packages, "CODES", codes)
    weights = packages.weights(size=37, segmenter="MaskOfPixels", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    package = tmp_path / "package.zip"
    package.write_bytes(build_package(weights, NAME))
    random = np.random.default_rng(0)
    with Artifact(package) as artifact:
        sizes = [[37, 37], [74, 74], [1, 1], [37, 500], *random.integers(1, 140, (60, 2)).tolist()]
        for height, width in sizes:
            pixels = random.integers(0, 255, (height, width, 3), np.uint8)
            mask_HW = artifact.predict(pixels).mask_HW
            expected_HWC = resize(pixels, InputSpecification(37, 37))
            np.testing.assert_array_equal(mask_HW, expected_HWC[..., 0], err_msg=f"{width}×{height}")
            grey = artifact.predict(np.ascontiguousarray(pixels[..., 0])).mask_HW
            np.testing.assert_array_equal(grey, expected_HWC[..., 0])


def test_neither_company_nor_threads_change_an_answer(small: dict[str, bytes], tmp_path: Path) -> None:
    """An image judged twice must be judged alike, whatever else was in the batch: to the last bit."""
    folder = packages.unpacked(small, tmp_path / "package")
    images = [cv2.imread(str(path)) for path in packages.pictures(tmp_path, 9)]
    with Artifact(folder) as alone, Artifact(folder, threads=3) as together:
        single = [alone.predict(image) for image in images]
        for batch in (alone.predict_batch(images), together.predict_batch(images)):
            for one, its in zip(single, batch, strict=True):
                assert (one.code, one.scores, one.way) == (its.code, its.scores, its.way)
                np.testing.assert_array_equal(one.mask_HW, its.mask_HW)


def test_nothing_compared_is_no_agreement() -> None:
    """X5: a package that no image was predicted with has proved nothing."""
    assert not Verification((), ((Path("broken.png"), "the file is cut"),)).agrees
