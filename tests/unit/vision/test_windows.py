"""Seeing an image through windows: none of it is lost, and the most suspicious window decides."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loupe.image_files import UnusableImage

from services.vision.masks import decode_mask
from services.vision.samples import Sample
from services.vision.windows import COVERED, Windows, background_class, operating_point, place_window


@settings(deadline=None)
@given(detail=st.integers(1, 4), half=st.integers(2, 8))
def test_every_pixel_is_seen_and_a_defect_of_half_a_window_is_seen_whole(detail, half):
    side = 2 * half
    windows = Windows(detail, 0)
    image = torch.arange((detail * side) ** 2).reshape(1, 1, detail * side, detail * side)
    cut = windows.cut(image.repeat(2, 3, 1, 1))
    assert cut.shape == (2 * windows.count, 3, side, side)
    assert torch.equal(cut[: windows.count, 0].unique(), image.unique())
    for top in range(detail * side - half + 1):
        defect = image[0, 0, top : top + half, top : top + half]
        assert any(torch.isin(defect, window).all() for window in cut[: windows.count, 0])


def test_one_window_is_the_network_itself():
    """Detail 1 must not change what anybody predicts."""
    logits, features = torch.randn(5, 4), torch.randn(5, 8)
    judged_features, judged = Windows(1, 2).judge(features, logits)
    assert torch.allclose(judged.softmax(1), logits.softmax(1), atol=1e-6)
    assert torch.equal(judged_features, features)


def test_the_most_suspicious_window_decides():
    windows = Windows(2, background=0)
    logits = torch.zeros(2 * windows.count, 3)
    logits[:, 0] = 4.0  # every window of both images looks clean …
    logits[3] = torch.tensor([1.0, 0.0, 6.0])  # … but one of the first image
    features = torch.arange(2 * windows.count)[:, None].float()
    judged_features, judged = windows.judge(features, logits)
    assert judged.argmax(1).tolist() == [2, 0]
    assert judged[0].tolist() == [0.0, -1.0, 5.0]
    assert judged_features[0].item() == 3


@settings(deadline=None)
@given(st.data())
def test_a_window_shows_the_defect_it_was_cut_for(data):
    height, width = data.draw(st.integers(8, 40)), data.draw(st.integers(8, 40))
    size = data.draw(st.integers(4, height)), data.draw(st.integers(4, width))
    mask = np.zeros((height, width), np.uint8)
    mask[data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] = COVERED
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    top, left = place_window(mask, (height, width), size, random)
    assert 0 <= top <= height - size[0]
    assert 0 <= left <= width - size[1]
    assert mask[top : top + size[0], left : left + size[1]].any()


def test_a_window_of_a_clean_image_lies_anywhere_in_it():
    random = np.random.default_rng(0)
    corners = np.array([place_window(None, (12, 10), (4, 4), random) for _ in range(500)])
    assert set(corners[:, 0]) == set(range(9))
    assert set(corners[:, 1]) == set(range(7))


@pytest.mark.parametrize(
    ("shown_share", "expected"),
    [
        ([0, 1, 1], 0),
        ([1, 0, 1], 1),
        ([0, 0.95, 1], 0),  # a few masks may be missing
        ([0, 0.5, 1], None),  # too many are: where do the defects lie?
        ([0, 0, 1], None),  # which of the two is clean?
        ([1, 1, 1], None),  # what does a window beside a defect show?
    ],
)
def test_windows_need_masks_of_every_class_but_one(shown_share, expected):
    classes = np.repeat(np.arange(3), 100)
    shown = np.concatenate([np.arange(100) < 100 * share for share in shown_share])
    assert background_class(shown, classes, 3) == expected


def test_the_share_of_windows_that_show_the_defect():
    """It sets how rare a defect is among windows; a wrong one floods the line with false alarms."""
    mask = np.zeros((8, 8), np.uint8)
    mask[3, 3] = 255
    assert Windows(2, 0).defect_share(mask) == pytest.approx(4 / 9)
    assert Windows(2, 0).defect_share(np.zeros((8, 8), np.uint8)) == 0


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(1, 30), st.integers(2, 4))
def test_no_threshold_judges_more_images_right_than_the_operating_point(seed, count, classes):
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.integers(-3, 4, (count, classes)).astype(np.float32))
    truth = random.integers(0, classes, count)

    def right(defect_threshold: float) -> int:
        judged = logits.clone()
        judged[:, 1] = defect_threshold
        return int((judged.argmax(1).numpy() == truth).sum())

    found = right(operating_point(logits, truth, background=1))
    assert found == max(right(defect_threshold) for defect_threshold in np.arange(-4.5, 5))


def test_of_thresholds_as_good_the_middle_of_the_widest_range_is_taken():
    """A point at the edge of what was seen would fall over with the next image."""
    logits = torch.tensor([[0.0, 9.0], [0.0, 7.0], [0.0, 1.0], [0.0, 0.5]])
    assert operating_point(logits, np.array([1, 1, 0, 0]), background=0) == pytest.approx(4.0)
    assert operating_point(torch.zeros(0, 2), np.zeros(0, np.int64), background=0) == 0


def test_d1_a_binary_mask_marks_the_samples_own_code_and_an_indexed_one_what_it_declares():
    values, shown = np.array([[0, 1, 2, 128, 255]], np.uint8), np.array([[0, 0, 0, 255, 255]], np.uint8)
    png, black_and_white = (cv2.imencode(".png", one)[1].tobytes() for one in (values, shown))
    binary = Sample("A/1.png", "A", "0", mask_sha256="m")
    indexed = Sample("A/1.png", "A", "0", mask_sha256="m", mask_codes=("B", "A"))
    foreign = Sample("C/1.png", "C", "0", mask_sha256="m", mask_codes=("B", "A"))
    mask = decode_mask(black_and_white, indexed=False)
    assert binary.marks(mask).tolist() == [[False, False, False, True, True]]
    mask = decode_mask(png, indexed=True)
    assert indexed.marks(mask).tolist() == [[False, False, True, False, False]]
    assert not foreign.marks(mask).any()
    assert len({binary.mask_key, indexed.mask_key, foreign.mask_key}) == 3
    with pytest.raises(UnusableImage):
        decode_mask(png[:40], indexed=True)
