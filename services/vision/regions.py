"""Codes told by the segmentation network: a code is there where a region of it is large enough (S1).

A region is a set of pixels of one code that touch, corners included. Least areas are calibrated on the
validation split: of a special code where having it against not having it has the best F1; the one that all
ordinary codes share where the whole model has the best macro F1, if it is better so than without.

H height, W width, N samples, C codes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.vision.special import best_threshold

_TRIED = 1000
"""Least areas; more only take time."""


@dataclass(frozen=True)
class RegionRule:
    """The least area, in pixels of the segmentation network's input, of each code that regions tell."""

    min_area_px: Mapping[str, float]

    def decide(self, areas_px: Mapping[str, int]) -> tuple[str, float] | None:
        """The code that an image shows, with a confidence, given the largest region of each code.

        Of several the one that exceeds its least area by the greatest factor; None where none does. The
        confidence is a/(a + m) of area a and least area m: 0.5 where the region is just large enough.
        """
        found = [
            (areas_px[code] / (areas_px[code] + least), code)
            for code, least in self.min_area_px.items()
            if areas_px.get(code, 0) > least
        ]
        if not found:
            return None
        confidence, code = max(found)
        return code, confidence


def largest_regions(labels_HW: NDArray[np.uint8]) -> dict[int, int]:
    """Pixels of the largest region of each label that occurs; 0, the background, is none."""
    found = {}
    for label in np.unique(labels_HW[labels_HW > 0]).tolist():
        _, _, stats, _ = cv2.connectedComponentsWithStats(
            (labels_HW == label).astype(np.uint8), connectivity=8
        )
        found[int(label)] = int(stats[1:, cv2.CC_STAT_AREA].max())
    return found


def calibrate(
    areas_px: Sequence[Mapping[str, int]], truth: Sequence[str], known: Sequence[str]
) -> RegionRule:
    """The rule for the special codes in `known`, from the largest regions and true codes of N samples.

    A code that none of the samples has stays unknown: nothing says how large its regions are.
    """
    least = {}
    for code in known:
        is_code_N = np.array([true_code == code for true_code in truth], np.bool_)
        if is_code_N.any():
            area_N = np.array([areas.get(code, 0) for areas in areas_px], np.float64)
            # Never under half a pixel: no region at all is no evidence, however well that scores.
            least[code] = max(0.5, -best_threshold(-area_N, is_code_N))
    return RegionRule(least)


def calibrate_ordinary(
    rule: RegionRule,
    areas_px: Sequence[Mapping[str, int]],
    truth: Sequence[str],
    predicted: Sequence[str],
    known: Sequence[str],
) -> RegionRule:
    """The rule, by which regions also decide the ordinary codes `known`, if that judges N samples better.

    `predicted` has the code of each sample where no region decides.
    All ordinary codes share one least area: the one with the best macro F1, among those with at least as many
    right samples as without it. An area for each code would fit the few samples of a rare code, and cost
    accuracy on others (docs/decisions/0033).
    """
    # Of equal confidences the first counts here, and the greatest name in RegionRule.decide.
    names = sorted({*truth, *predicted, *known, *rule.min_area_px}, reverse=True)
    truth_N, predicted_N = (
        np.array([names.index(code) for code in codes], np.int64) for codes in (truth, predicted)
    )
    area_NC = np.array([areas.get(name, 0) for areas in areas_px for name in names], np.float64)
    area_NC = area_NC.reshape(len(truth), len(names))
    least_C = np.array([rule.min_area_px.get(name, np.inf) for name in names])
    ordinary_C = np.isin(names, list(known))
    alone = best = _right(_decided(area_NC, least_C, predicted_N), truth_N)
    best_area = None
    for area in _between(area_NC[:, ordinary_C]):
        score = _right(_decided(area_NC, np.where(ordinary_C, area, least_C), predicted_N), truth_N)
        if score > best and score[0] > alone[0] and score[1] >= alone[1]:
            best, best_area = score, float(area)
    return rule if best_area is None else RegionRule({**rule.min_area_px, **dict.fromkeys(known, best_area)})


def _decided(
    area_NC: NDArray[np.float64], least_C: NDArray[np.float64], predicted_N: NDArray[np.int64]
) -> NDArray[np.int64]:
    """As RegionRule.decide, of many samples; least areas of codes that regions do not decide are infinite."""
    confidence_NC = np.where(area_NC > least_C, area_NC / (area_NC + least_C), 0.0)
    return np.where(confidence_NC.any(1), confidence_NC.argmax(1), predicted_N)


def _right(decided_N: NDArray[np.int64], truth_N: NDArray[np.int64]) -> tuple[float, int]:
    """Macro F1 over the codes that there are, and how many samples are right."""
    of_code_C = np.bincount(truth_N)
    right_C, decided_C = (
        np.bincount(code_N, minlength=len(of_code_C))[: len(of_code_C)]
        for code_N in (truth_N[decided_N == truth_N], decided_N)
    )
    there_C = of_code_C > 0
    f1_C = 2 * right_C[there_C] / (of_code_C + decided_C)[there_C]
    return float(f1_C.mean()) if len(f1_C) else 0.0, int(right_C.sum())


def _between(area_NC: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least areas worth a try: the middles between the areas that occur, at most _TRIED of them."""
    areas = np.unique(np.append(area_NC.max(1, initial=0), 0.0))
    middles = (areas[1:] + areas[:-1]) / 2
    tried = np.linspace(0, len(middles) - 1, min(len(middles), _TRIED)).astype(np.int64)
    return np.asarray(middles[tried], np.float64)
