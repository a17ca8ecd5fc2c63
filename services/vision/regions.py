"""Special defects with segmentation (S1): a code is there where a region of it is large enough.

A region is a set of pixels of one code that touch, corners included. The least area of each special code is
calibrated on the validation split: where having the code against not having it has the best F1.

H height, W width, N samples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.vision.special import best_threshold


@dataclass(frozen=True)
class RegionRule:
    """The least area, in pixels of the segmentation network's input, of each special code that it knows."""

    min_area_px: Mapping[str, float]

    def decide(self, areas_px: Mapping[str, int]) -> tuple[str, float] | None:
        """The special code that an image shows, with a confidence, given the largest region of each code.

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
        is_code_N = np.array([its == code for its in truth], np.bool_)
        if is_code_N.any():
            area_N = np.array([its.get(code, 0) for its in areas_px], np.float64)
            # Never under half a pixel: no region at all is no evidence, however well that scores.
            least[code] = max(0.5, -best_threshold(-area_N, is_code_N))
    return RegionRule(least)
