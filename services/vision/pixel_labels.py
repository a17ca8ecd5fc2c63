"""The labels of a sample's pixels, from its mask (D1).

H height, W width; a label is 0 for background and i for the i-th code, UNKNOWN for what none of them names.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.vision.pack import Pack
from services.vision.samples import UNKNOWN, Sample
from services.vision.windows import background_class


@dataclass(frozen=True)
class PixelLabels:
    """The labels of samples, as far as there are any."""

    codes: Sequence[str]
    masks: Pack
    """Of `PackCache.load_labels`."""
    clean: Collection[str]
    """Codes whose samples show nothing: all of their pixels are background."""

    def of(self, sample: Sample) -> NDArray[np.uint8] | None:
        """Labels (H, W); None where it is not known what the pixels show.

        That is a sample without a mask, or whose mask marks nothing although its code is a defect.
        """
        mask_HW = _mask(sample, self.masks)
        if mask_HW is not None and mask_HW.any():
            return np.asarray(sample.labels(self.codes)[mask_HW])
        if sample.code in self.clean:
            return np.zeros(self.masks.sample_shape[:2], np.uint8)
        return None


def clean_codes(samples: Iterable[Sample], masks: Pack) -> frozenset[str]:
    """Codes whose samples show nothing, because every mask says so or, without masks, every other code's do.

    In the latter case it can only be one (`windows.background_class`).
    """
    samples = list(samples)
    codes = sorted({sample.code for sample in samples})
    seen = [_mask(sample, masks) for sample in samples]
    shown_N = np.array([mask_HW is not None and mask_HW.any() for mask_HW in seen], np.bool_)
    classes_N = np.array([codes.index(sample.code) for sample in samples], np.int64)
    empty = {
        code
        for number, code in enumerate(codes)
        if not shown_N[classes_N == number].any()
        and all(seen[index] is not None for index in np.flatnonzero(classes_N == number))
    }
    background = background_class(shown_N, classes_N, len(codes))
    return frozenset(empty | (set() if background is None else {codes[background]}))


@dataclass(frozen=True)
class Agreement:
    """Pixels of a code, or of any defect: in both masks, in the true one, in the predicted one."""

    intersection: int = 0
    truth: int = 0
    predicted: int = 0

    def __add__(self, other: "Agreement") -> "Agreement":
        """Over both."""
        return Agreement(
            self.intersection + other.intersection,
            self.truth + other.truth,
            self.predicted + other.predicted,
        )

    @property
    def iou(self) -> float:
        """Intersection over union; NaN where there is neither."""
        union = self.truth + self.predicted - self.intersection
        return self.intersection / union if union else float("nan")


def agreement(truth_HW: NDArray[np.uint8], predicted_HW: NDArray[np.uint8]) -> dict[int, Agreement]:
    """By label, of the labels in either mask; 0 stands for any defect, and is always there."""
    true_HW, found_HW = truth_HW > 0, predicted_HW > 0
    by_label = {0: _agreement(true_HW, found_HW)}
    present = np.union1d(np.unique(truth_HW[true_HW]), np.unique(predicted_HW[found_HW]))
    for label in present[present != UNKNOWN].tolist():
        true_HW, found_HW = truth_HW == label, predicted_HW == label
        by_label[label] = _agreement(true_HW, found_HW)
    return by_label


def _agreement(true_HW: NDArray[np.bool_], found_HW: NDArray[np.bool_]) -> Agreement:
    return Agreement(int((true_HW & found_HW).sum()), int(true_HW.sum()), int(found_HW.sum()))


def _mask(sample: Sample, masks: Pack) -> NDArray[np.uint8] | None:
    if sample.label_key is None or sample.label_key not in masks.slots:
        return None
    return masks.sample(masks.rows([sample.label_key])[0])[..., 0]
