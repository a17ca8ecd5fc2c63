"""Predicted masks as files, and how they agree with the true masks."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from loupe.evaluator.v1 import report_pb2

from services.evaluator.worker.measuring.predict import Prediction
from services.vision.masks import encode_labels
from services.vision.pixel_labels import agreement


class MaskFiles:
    """A folder of masks, each named by its hash."""

    def __init__(self, folder: Path, codes: Sequence[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._codes = codes

    def complete(self, result: report_pb2.SampleResult, prediction: Prediction) -> None:
        """Sets the result's pixel counts and mask; writes the mask where a defect is predicted or true."""
        labels_HW, truth_HW = prediction.labels_HW, prediction.truth_HW
        assert labels_HW is not None  # noqa: S101 - there is a segmentation network
        if truth_HW is not None:
            result.pixels.extend(
                report_pb2.PixelCounts(
                    code=self._codes[label - 1] if label else "",
                    intersection=counts.intersection,
                    truth=counts.truth,
                    predicted=counts.predicted,
                )
                for label, counts in agreement(truth_HW, labels_HW).items()
            )
        if labels_HW.any() or (truth_HW is not None and truth_HW.any()):
            png = encode_labels(labels_HW)
            sha256 = hashlib.sha256(png).hexdigest()
            path = self._folder / f"{sha256}.png"
            partial = path.with_suffix(".partial")
            partial.write_bytes(png)
            partial.replace(path)
            result.predicted_mask_sha256 = sha256
