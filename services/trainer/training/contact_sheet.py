"""A picture of what augmentation does to the samples of a training, before and after (M1, W10).

R rows, one a sample; T draws that are tried for a tile, C = 3 channels RGB, H height, W width.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.trainer.training.augment import augment
from services.vision.networks import to_input

Pixels = NDArray[np.uint8]

MAX_WIDTH_PX = 1200
_ROWS = 6
_SIDE_PX = 150
"""Of a tile, at most; with `_ROWS` it bounds the sheet's height."""
_GAP_PX, _LABELS_PX, _TITLES_PX = 8, 92, 30
_ORDER = ("colour", "scale", "flip", "random")
_TRIES, _TRY_PX = 8, 32
"""How many draws of a tile are tried, and on how small an image."""
_VISIBLE = 2 / 255
"""Mean difference from which a tile shows something. A flip leaves every other image as it is, and a tile
that equals its original would look as if nothing were done."""
_SHEET = 2
"""Keeps the choice of samples apart from what is drawn from the same keys (see batches)."""
_PAPER, _INK = (250, 250, 250), (60, 60, 60)


@dataclass(frozen=True)
class Column:
    """What is done to the images of a column."""

    title: str
    augmentations: frozenset[str]


def columns(augmentations: frozenset[str], before: str = "original") -> list[Column]:
    """The images as they are, each augmentation alone, and all together; the wild ones as two draws."""
    shown = [Column(before, frozenset())]
    for name in _ORDER:
        if name in augmentations:
            shown += [Column(name, frozenset({name}))] * (2 if name == "random" else 1)
    if len(augmentations) > 1:
        shown += [Column("all together", augmentations)] * 2
    return shown


def choose(classes_N: NDArray[np.int64], seed: int) -> list[int]:
    """Indices of some samples, of as many classes as there is room for; a function of the seed."""
    random = np.random.Generator(np.random.Philox(key=[seed % 2**64, 0], counter=_SHEET))
    taken: Counter[int] = Counter()
    ranked = []
    for turn, index in enumerate(random.permutation(len(classes_N)).tolist()):
        class_of_sample = int(classes_N[index])
        ranked.append((taken[class_of_sample], turn, index))
        taken[class_of_sample] += 1
    return sorted((index for _, _, index in sorted(ranked)[:_ROWS]), key=lambda index: classes_N[index])


def draw(labels: Sequence[str], images: Sequence[Pixels], shown: Sequence[Column], seed: int) -> Pixels:
    """The sheet, (H, W, 3) RGB, at most MAX_WIDTH_PX wide; of images (H, W, 3) RGB of one size.

    On the CPU, whatever trains: a job that goes on elsewhere then draws the same picture, of the same hash.
    """
    width, height = _tile(images[0].shape, len(shown))
    small_RHWC = np.stack([_resized(image, width, height, enlarge=False) for image in images])
    sheet = np.full(
        (
            _TITLES_PX + len(images) * (height + _GAP_PX),
            _LABELS_PX + len(shown) * (width + _GAP_PX),
            3,
        ),
        _PAPER,
        np.uint8,
    )
    for row, label in enumerate(labels):
        middle = _TITLES_PX + row * (height + _GAP_PX) + height // 2
        _write(sheet, label, left=_GAP_PX, middle=middle, room=_LABELS_PX - 2 * _GAP_PX)
    for place, column in enumerate(shown):
        left = _LABELS_PX + place * (width + _GAP_PX)
        _write(sheet, column.title, left=left, middle=_TITLES_PX // 2, room=width)
        for row, tile in enumerate(_augmented(small_RHWC, column, place, seed)):
            top = _TITLES_PX + row * (height + _GAP_PX)
            sheet[top : top + height, left : left + width] = _resized(tile, width, height, enlarge=True)
    return sheet


def to_jpeg(sheet: Pixels) -> bytes:
    """The file."""
    _, encoded = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    return encoded.tobytes()


def _tile(shape: tuple[int, ...], count: int) -> tuple[int, int]:
    """Width and height of a tile: an image's proportions, within what so many columns leave."""
    room = min(_SIDE_PX, (MAX_WIDTH_PX - _LABELS_PX) // count - _GAP_PX)
    scale = min(room / shape[1], _SIDE_PX / shape[0])
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def _resized(image: Pixels, width: int, height: int, *, enlarge: bool) -> Pixels:
    """Made smaller before it is changed, which costs less; made larger only to be looked at."""
    if (image.shape[1] < width) is not enlarge:
        return image
    method = cv2.INTER_CUBIC if enlarge else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def _augmented(images_RHWC: Pixels, column: Column, place: int, seed: int) -> Pixels:
    """Each image, augmented by the first of its draws whose effect is visible."""
    if not column.augmentations:
        return images_RHWC
    draws_RT = torch.arange(len(images_RHWC) * _TRIES).view(-1, _TRIES) + place * len(images_RHWC) * _TRIES
    small_RHWC = np.stack([_resized(image, _TRY_PX, _TRY_PX, enlarge=False) for image in images_RHWC])
    chosen_R1 = _first_visible(small_RHWC, draws_RT, column, seed)[:, None]
    draws_R = draws_RT.take_along_dim(chosen_R1, 1)[:, 0]
    return _to_pixels(augment(to_input(torch.from_numpy(images_RHWC)), draws_R, column.augmentations, seed))


def _first_visible(images_RHWC: Pixels, draws_RT: Tensor, column: Column, seed: int) -> Tensor:
    """(R,) int64: which of its draws; that which changes the image most, if none does so visibly."""
    before_NCHW = to_input(torch.from_numpy(images_RHWC)).repeat_interleave(_TRIES, 0)
    after_NCHW = augment(before_NCHW, draws_RT.flatten(), column.augmentations, seed)
    difference_RT = (after_NCHW - before_NCHW).abs().mean((1, 2, 3)).view(-1, _TRIES)
    visible_RT = difference_RT >= _VISIBLE
    return torch.where(visible_RT.any(1), visible_RT.int().argmax(1), difference_RT.argmax(1))


def _to_pixels(images_NCHW: Tensor) -> Pixels:
    return images_NCHW.mul(255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _write(sheet: Pixels, text: str, *, left: int, middle: int, room: int) -> None:
    """Text beside `left`, made as small as the room asks. The font has ASCII only."""
    shown, font, scale = text.encode("ascii", "replace").decode(), cv2.FONT_HERSHEY_SIMPLEX, 0.45
    (length, height), _ = cv2.getTextSize(shown, font, scale, 1)
    if length > room:
        scale, height = scale * room / length, height * room // length
    cv2.putText(sheet, shown, (left, middle + height // 2), font, scale, _INK, 1, cv2.LINE_AA)
