import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from services.input_specification import InputSpecification
from services.vision.faults import UserFault
from services.vision.networks import normalise
from services.vision.preprocessing import (
    ResolutionRule,
    from_certificate,
    magnified,
    pack_recipe,
    resize,
    to_certificate,
)


def bilinear(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """The rule as its definition says: half-pixel centres, edges held, no antialias."""

    def axis(target: int, source: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = (np.arange(target) + 0.5) * source / target - 0.5
        low = np.floor(at).astype(int)
        return np.clip(low, 0, source - 1), np.clip(low + 1, 0, source - 1), at - low

    top, bottom, down = axis(height, pixels.shape[0])
    left, right, across = axis(width, pixels.shape[1])
    source = pixels.astype(np.float64)
    down, across = down[:, None, None], across[None, :, None]
    upper = source[top][:, left] * (1 - across) + source[top][:, right] * across
    lower = source[bottom][:, left] * (1 - across) + source[bottom][:, right] * across
    return upper * (1 - down) + lower * down


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(8, 70), st.integers(8, 70), st.integers(0, 9))
def test_the_resize_is_the_documented_rule(height, width, to_height, to_width, seed):
    """The exported library implements the rule anew: it must be what is written."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    resized = resize(pixels, InputSpecification(to_width, to_height))
    assert resized.shape == (to_height, to_width, 3)
    off = np.abs(resized - bilinear(pixels, to_width, to_height))
    assert off.max() <= 1.6
    assert off.mean() <= 0.45


def test_the_pack_recipe_names_what_decides_a_pixel_and_nothing_else():
    """Another mean must not decode a data set again; another size must."""
    a = InputSpecification(64, 48)
    assert pack_recipe(a) == pack_recipe(InputSpecification(64, 48, mean=(0.5, 0.5, 0.5)))
    assert pack_recipe(a) != pack_recipe(InputSpecification(48, 64))


def test_a_specification_survives_a_certificate():
    given_ = InputSpecification(
        64, 48, min_side=16, max_aspect_ratio=4.5, per_image_normalisation=True, detail=3
    )
    assert from_certificate(json.loads(json.dumps(to_certificate(given_)))) == given_
    assert from_certificate({"width": 64, "height": 48, "resolution": None}) == InputSpecification(64, 48)


def test_a_magnified_input_has_the_same_limits():
    """It is what memory must hold."""
    seen = magnified(InputSpecification(64, 48, detail=3))
    assert (seen.width, seen.height, seen.detail) == (192, 144, 1)
    with pytest.raises(UserFault, match=r"input\.width: width is 6000"):
        magnified(InputSpecification(2000, 8, detail=3))


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"width": "wide", "height": 1},
        {"width": 64, "height": 64, "channels": 1},
        {"width": 4, "height": 4},
        {"width": 64, "height": 64, "normalisation": "histogram"},
    ],
)
def test_a_certificate_that_cannot_be_is_refused(value):
    with pytest.raises((KeyError, ValueError)):
        from_certificate(value)


@pytest.mark.parametrize(
    ("rule", "size", "reason"),
    [
        (ResolutionRule(), (32, 32), None),
        (ResolutionRule(), (31, 900), "RESOLUTION_TOO_LOW"),
        (ResolutionRule(), (320, 40), None),
        (ResolutionRule(), (321, 40), "ASPECT_RATIO"),
        (ResolutionRule(width=600, height=400), (660, 361), None),
        (ResolutionRule(width=600, height=400), (661, 400), "RESOLUTION_OFF_NOMINAL"),
    ],
)
def test_the_resolution_rule_says_what_does_not_conform(rule, size, reason):
    """M1 lists these samples with their reason."""
    fault = rule.fault(*size)
    assert (fault[0] if fault else None) == reason
    if fault:
        assert f"{size[0]}×{size[1]}" in fault[1].english
        assert any("\u4e00" <= character <= "\u9fff" for character in fault[1].chinese)


def test_per_image_normalisation_forgets_exposure():
    """The same part at two exposures must look alike to the network."""
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    specification = InputSpecification(16, 16, per_image_normalisation=True)
    plain = normalise(images.clone(), specification)
    brighter = normalise(images * 0.5 + 0.3, specification)
    assert plain.mean((1, 2, 3)).abs().max() < 1e-5
    assert (plain - brighter).abs().max() < 0.1
    empty = normalise(torch.full((1, 3, 16, 16), 0.4), specification)
    assert empty.abs().max() < 1e-3


def test_fixed_normalisation_is_the_constants():
    images = torch.full((1, 3, 8, 8), 0.485)
    assert normalise(images, InputSpecification(8, 8))[0, :, 0, 0].tolist() == pytest.approx(
        [0, (0.485 - 0.456) / 0.224, (0.485 - 0.406) / 0.225], abs=1e-6
    )
