"""Predicted masks as files, and how they agree with the true ones."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.evaluator.worker.measuring.predict import Prediction
from services.vision.masks import encode_labels
from services.vision.pixel_labels import agreement


class MaskFiles:
    """A folder of masks, each named by its hash."""

    def __init__(self, folder: Path, codes: Sequence[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._codes = codes

    def told(self, prediction: Prediction) -> dict[str, Any]:
        """What the sample's row says beside the prediction."""
        labels_HW, truth_HW = prediction.labels_HW, prediction.truth_HW
        assert labels_HW is not None  # noqa: S101 - there is a segmentation network
        row: dict[str, Any] = {}
        if truth_HW is not None:
            row["pixels"] = [
                [self._codes[label - 1] if label else "", its.intersection, its.truth, its.predicted]
                for label, its in agreement(truth_HW, labels_HW).items()
            ]
        if labels_HW.any() or (truth_HW is not None and truth_HW.any()):
            png = encode_labels(labels_HW)
            sha256 = hashlib.sha256(png).hexdigest()
            path = self._folder / f"{sha256}.png"
            partial = path.with_suffix(".partial")
            partial.write_bytes(png)
            partial.replace(path)
            row["predicted_mask_sha256"] = sha256
        return row
