"""Augmentation must not depend on how samples are batched."""

import colorsys
import re
from pathlib import Path

import pytest
import torch

from services.trainer.training import augment as training
from services.trainer.training.augment import _hue_rotation, augment, uniform
from services.trainer.training.recipe import AUGMENTATIONS

IMAGES = torch.rand(8, 3, 20, 24, generator=torch.Generator().manual_seed(0))
DRAWS = torch.arange(100, 108)


@pytest.mark.parametrize("augmentations", [*([its] for its in AUGMENTATIONS), AUGMENTATIONS])
def test_a_sample_is_augmented_alike_in_any_batch(augmentations):
    """Resuming and another batch size leave every sample as it would have been."""
    whole = augment(IMAGES.clone(), DRAWS, frozenset(augmentations), seed=3)
    order = torch.tensor([5, 1, 7])
    part = augment(IMAGES[order].clone(), DRAWS[order], frozenset(augmentations), seed=3)
    torch.testing.assert_close(whole[order], part, rtol=0, atol=1e-6)
    assert whole.shape == IMAGES.shape
    assert 0 <= whole.min() <= whole.max() <= 1
    assert not torch.equal(whole, IMAGES)


@pytest.mark.parametrize("augmentations", [[its] for its in AUGMENTATIONS])
def test_seed_and_draw_decide(augmentations):
    kind = frozenset(augmentations)
    once = augment(IMAGES.clone(), DRAWS, kind, seed=3)
    assert not torch.equal(once, augment(IMAGES.clone(), DRAWS, kind, seed=4))
    assert not torch.equal(once, augment(IMAGES.clone(), DRAWS + 8, kind, seed=3))


def test_no_augmentation_changes_nothing():
    assert torch.equal(augment(IMAGES.clone(), DRAWS, frozenset(), seed=3), IMAGES)


def test_flip_is_left_to_right_and_for_about_half():
    """W10: a defect's mirror image is as good a defect."""
    draws = torch.arange(1000)
    images = IMAGES[:1].expand(1000, -1, -1, -1).clone()
    flipped = augment(images, draws, frozenset({"flip"}), seed=0)
    turned = (flipped == IMAGES[0].flip(2)).flatten(1).all(1)
    kept = (flipped == IMAGES[0]).flatten(1).all(1)
    assert bool((turned | kept).all())
    assert 430 < int(turned.sum()) < 570


def test_the_numbers_are_uniform_and_unrelated():
    """Neighbouring draws and purposes must not move together."""
    draws = torch.arange(100_000)
    a, b = uniform(draws, 1, "hue"), uniform(draws, 1, "scale")
    assert float(a.min()) >= 0
    assert float(a.max()) < 1
    assert torch.histc(a, 20, 0, 1).sub(5000).abs().max() < 350
    for x, y in ((a, b), (a[1:], a[:-1])):
        assert abs(float(torch.corrcoef(torch.stack([x, y]))[0, 1])) < 0.015


def test_colour_leaves_grey_pictures_grey():
    """Most inspection cameras are grey: no hue may come out of nothing."""
    grey = torch.rand(4, 1, 8, 8).expand(-1, 3, -1, -1).clone()
    jittered = augment(grey, torch.arange(4), frozenset({"colour"}), seed=1)
    assert (jittered.amax(1) - jittered.amin(1)).max() < 1e-5


def test_a_turn_of_hue_is_a_turn_of_hue():
    """A third of a turn takes red to green, as in HSV."""
    turned = _hue_rotation(torch.tensor([1 / 3]))[0] @ torch.tensor([1.0, 0.0, 0.0])
    assert colorsys.rgb_to_hsv(*turned.tolist())[0] == pytest.approx(1 / 3, abs=1e-4)


def test_the_consoles_preview_has_the_same_figures():
    """W10: who looks at the preview must see what the training does, not what it once did."""
    written = (Path(__file__).parents[3] / "gateway/console/src/features/wizard/augmentation.ts").read_text()
    figures = dict(re.findall(r"^export const ([A-Z_]+) = ([\d.]+);", written, re.MULTILINE))
    assert {name: float(value) for name, value in figures.items()} == {
        "SCALE": training._SCALE,
        "RANDOM_SCALE": training._RANDOM_SCALE,
        "HUE_TURNS": training._HUE_TURNS,
        "SATURATION": training._SATURATION,
        "VALUE": training._VALUE,
    }
