"""Seeing an image through windows, where masks have shown what a defect is and what is not.

A blowhole of nine pixels in a photo of 300 is two pixels in an input of 64, and an input that keeps it costs
ten times as much. So the network keeps its small input and is taught on windows of it, cut where the masks
say; an image is then judged by the window with the most evidence of a defect.

N images, D = detail, W windows an image, C channels (in logits: classes), F features.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

COVERED = 64
"""A mask's value, 0 to 255 after resizing, from which a pixel counts as defect: a quarter of it is."""


@dataclass(frozen=True)
class Windows:
    """How a network that was taught on windows sees a whole image."""

    detail: int
    background: int
    """The class whose samples show no defect: what a window without one looks like, whatever its image."""
    defect_threshold: float = 0.0
    """The evidence a defect needs (see `operating_point`)."""

    @property
    def count(self) -> int:
        """Windows an image."""
        return len(self.corners(1)) ** 2

    def corners(self, side_px: int) -> list[int]:
        """Where windows of that side begin along an axis: each overlaps its neighbour by half.

        A defect that one window cuts in two then lies whole in the next.
        """
        return [step * side_px // 2 for step in range(2 * self.detail - 1)]

    def cut(self, images_NCHW: Tensor) -> Tensor:
        """(N, C, D·h, D·w) → (N·W, C, h, w), the windows of an image beside each other."""
        height, width = images_NCHW.shape[2] // self.detail, images_NCHW.shape[3] // self.detail
        windows = [images_NCHW[:, :, rows, columns] for rows, columns in self._slices(height, width)]
        return torch.stack(windows, 1).flatten(0, 1)

    def judge(self, features_MF: Tensor, logits_MC: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, F) of each image's most suspicious window, and logits (N, C) of the image.

        A class has the logit of the window that speaks most for it and against the background, which itself
        has `defect_threshold`: with one window and none these are the network's own, up to a constant.
        """
        images = len(logits_MC) // self.count
        evidence_MC = logits_MC - logits_MC[:, self.background, None]
        evidence_NWC = evidence_MC.reshape(images, self.count, -1)
        others_NWC = evidence_NWC.clone()
        others_NWC[..., self.background] = -float("inf")
        worst_N11 = others_NWC.amax(2).argmax(1).view(-1, 1, 1)
        features_NF = features_MF.reshape(images, self.count, -1).take_along_dim(worst_N11, 1).squeeze(1)
        logits_NC = evidence_NWC.amax(1)
        logits_NC[:, self.background] = self.defect_threshold
        return features_NF, logits_NC

    def defect_share(self, mask_HW: NDArray[np.uint8]) -> float:
        """The share of an image's windows that contain some of its defect."""
        height, width = mask_HW.shape[0] // self.detail, mask_HW.shape[1] // self.detail
        windows = self._slices(height, width)
        return float(np.mean([mask_HW[rows, columns].max() >= COVERED for rows, columns in windows]))

    def _slices(self, height: int, width: int) -> list[tuple[slice, slice]]:
        """Rows and columns of each window, row by row."""
        return [
            (slice(top, top + height), slice(left, left + width))
            for top in self.corners(height)
            for left in self.corners(width)
        ]


def operating_point(logits_NC: Tensor, classes_N: NDArray[np.int64], background: int) -> float:
    """The evidence from which an image should count as defective: what makes most of these images right.

    Many windows look for a defect, and a network is surer of what it was taught on than of what is new; so
    the point is found on images it was not taught on. Between points that are as good, the middle of the
    widest stretch of them.
    """
    if not len(classes_N):
        return 0.0
    evidence_NC = logits_NC.double().cpu().numpy().copy()
    evidence_NC[:, background] = -np.inf
    order = np.argsort(-evidence_NC.max(1), kind="stable")
    strongest_N, code_N, truth_N = evidence_NC.max(1)[order], evidence_NC.argmax(1)[order], classes_N[order]
    # Right when the first k count as defective: those of them that are, and the others that are not.
    right = np.concatenate([[0], np.cumsum(code_N == truth_N)]) + np.concatenate(
        [np.cumsum((truth_N == background)[::-1])[::-1], [0]]
    )
    upper = np.concatenate([[strongest_N[0] + 1], strongest_N])
    lower = np.concatenate([strongest_N, [strongest_N[-1] - 1]])
    best = np.flatnonzero((right == right[upper > lower].max()) & (upper > lower))
    stretches = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    widest = max(stretches, key=lambda stretch: upper[stretch[0]] - lower[stretch[-1]])
    return float((upper[widest[0]] + lower[widest[-1]]) / 2)


def background_class(
    shown_N: NDArray[np.bool_], classes_N: NDArray[np.int64], num_of_classes: int
) -> int | None:
    """The one class none of whose samples shows a defect, if nearly all of every other class do; else None.

    `shown_N` says of each sample whether its mask marks anything. Without such a class nobody knows what a
    window beside a defect shows; with a class half of which is masked, where its defects lie.
    """
    count = np.bincount(classes_N, minlength=num_of_classes)
    share = np.bincount(classes_N, shown_N, num_of_classes) / np.maximum(count, 1)
    clean = np.flatnonzero(share == 0)
    masked = np.flatnonzero(share >= _MASKED_SHARE)
    if len(clean) != 1 or len(masked) != num_of_classes - 1 or not count.all():
        return None
    return int(clean[0])


_MASKED_SHARE = 0.9
"""The rest of such a class is not trained on: nothing says where to look."""


def place_window(
    mask_HW: NDArray[np.uint8] | None,
    within: tuple[int, int],
    size: tuple[int, int],
    random: np.random.Generator,
) -> tuple[int, int]:
    """Top and left of a window of `size` (h, w) in an image of `within` (H, W).

    With a mask: some pixel of the defect lies in the window's inner part, anywhere in it. Without: anywhere.
    """
    chances = random.random(3)
    room = np.subtract(within, size)
    if mask_HW is None:
        top, left = np.floor(chances[:2] * (room + 1))
        return int(top), int(left)
    marked = np.flatnonzero(mask_HW >= COVERED)
    at = np.array(divmod(int(marked[int(chances[2] * len(marked))]), within[1]))
    offset = np.floor(np.array(size) * (_MARGIN + (1 - 2 * _MARGIN) * chances[:2]))
    top, left = np.clip(at - offset, 0, room)
    return int(top), int(left)


_MARGIN = 0.1
"""Share of the window's side at each edge in which the chosen pixel of the defect does not lie."""
