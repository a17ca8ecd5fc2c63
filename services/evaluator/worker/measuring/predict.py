"""From weights and samples to results.

N samples of a batch, H height, W width, C channels (in logits: classes), F features.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from services.input_specification import InputSpecification
from services.vision.inference import labels, outputs
from services.vision.networks import place_to_predict
from services.vision.pack import Pack, PackCache, Unreadable
from services.vision.perceptual import perceptual_hashes
from services.vision.pixel_labels import PixelLabels
from services.vision.regions import largest_regions
from services.vision.samples import ObjectReader, Sample
from services.vision.weights import Weights

DecidedBy = Literal["softmax", "feature_distance", "region"]
_CHUNK = 512
"""Samples decoded together: while one chunk is predicted, the next is read and decoded."""
_TOP = 3


@dataclass(frozen=True)
class Prediction:
    """What the model says of one sample."""

    sample: Sample
    predicted: str
    confidence: float
    ranked: tuple[tuple[str, float], ...]
    """The codes that it may have, and how confidently; the first is the prediction."""
    decided_by: DecidedBy
    labels_HW: NDArray[np.uint8] | None = None
    """What the segmentation network sees in each pixel: 0 is background and i the i-th code; None without."""
    truth_HW: NDArray[np.uint8] | None = None
    """What the masks say of each pixel, where labels are to be judged and it is known."""
    perceptual_hash: bytes = b""

    @property
    def top(self) -> tuple[tuple[str, float], ...]:
        """The codes that a report keeps."""
        return self.ranked[:_TOP]


@dataclass(frozen=True)
class NotPredicted:
    """A sample without a prediction, and why (D4)."""

    sample: Sample
    reason: str
    message: str


@dataclass(frozen=True)
class _Chunk:
    """Decoded samples: what the classifier sees, and for the segmentation network what it sees and should."""

    pack: Pack
    magnified: Pack
    truth: PixelLabels | None

    def unreadable(self, sample: Sample) -> Unreadable | None:
        """Why it has no prediction; None where it has one."""
        return self.pack.unreadable.get(sample.sha256) or self.magnified.unreadable.get(sample.sha256)


class _Model:
    """The networks of weights on their device, and how they decide together."""

    def __init__(self, weights: Weights, *, segments: bool) -> None:
        self._weights = weights
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._classifier = place_to_predict(weights.classifier(), device)
        segmenter = weights.segmenter() if segments else None
        self._segmenter = place_to_predict(segmenter, device) if segmenter else None

    def load(
        self,
        samples: Sequence[Sample],
        objects: ObjectReader,
        packs: PackCache,
        stop_if_asked: Callable[[], None],
    ) -> _Chunk:
        """Decodes what the networks need. Raises Fault."""

        def load(specification: InputSpecification) -> Pack:
            return packs.load(samples, specification, objects, lambda _done, _total: stop_if_asked())

        weights = self._weights
        pack = load(weights.seen_at)
        if not self._segmenter or not weights.segmentation:
            return _Chunk(pack, pack, None)
        magnified = pack if weights.segmented_at == weights.seen_at else load(weights.segmented_at)
        masks = packs.load_labels(samples, weights.segmented_at, objects)
        return _Chunk(pack, magnified, PixelLabels(weights.codes, masks, weights.segmentation.clean))

    def predict(self, chunk: _Chunk, samples: Sequence[Sample]) -> Iterator[Prediction]:
        """One batch of a chunk's samples."""
        weights, pack = self._weights, chunk.pack
        rows = pack.rows(sample.sha256 for sample in samples)
        features_NF, logits_NC = outputs(
            self._classifier, pack, rows, weights.input_specification, weights.windows
        )
        probability_NC = logits_NC.double().softmax(1).cpu().numpy()
        special_N, special_confidence_N = np.full(len(samples), -1), np.zeros(len(samples))
        if weights.special:
            special_N, special_confidence_N = weights.special.decide(features_NF.double().cpu().numpy())
        pixels_NHW3 = np.empty((len(rows), *pack.sample_shape), np.uint8)
        pack.gather(rows, pixels_NHW3)
        hashes_N32 = perceptual_hashes(torch.from_numpy(pixels_NHW3).to(features_NF.device))
        labels_NHW = None
        if self._segmenter:
            magnified_rows = chunk.magnified.rows(sample.sha256 for sample in samples)
            defect_threshold = weights.segmentation.defect_threshold if weights.segmentation else 0.0
            labels_NHW = labels(
                self._segmenter, chunk.magnified, magnified_rows, weights.segmented_at, defect_threshold
            )
        for row, sample in enumerate(samples):
            ranked = list(zip(weights.codes, probability_NC[row].tolist(), strict=False))
            ranked.sort(key=lambda item: -item[1])
            decided_by: DecidedBy = "softmax"
            found = None
            if weights.special and special_N[row] >= 0:
                decided_by = "feature_distance"
                found = weights.special.codes[int(special_N[row])], float(special_confidence_N[row])
            if labels_NHW is not None and (region := self._region(labels_NHW[row])):
                decided_by, found = "region", region
            if found:
                ranked = _joined(found, ranked)
            yield Prediction(
                sample=sample,
                predicted=ranked[0][0],
                confidence=ranked[0][1],
                ranked=tuple(ranked),
                decided_by=decided_by,
                labels_HW=None if labels_NHW is None else labels_NHW[row],
                truth_HW=chunk.truth.of(sample) if chunk.truth else None,
                perceptual_hash=hashes_N32[row].tobytes(),
            )

    def _region(self, labels_HW: NDArray[np.uint8]) -> tuple[str, float] | None:
        """The code that a region tells, S1."""
        segmentation = self._weights.segmentation
        if not segmentation or not segmentation.regions.min_area_px:
            return None
        codes = self._weights.codes
        areas = {codes[label - 1]: area for label, area in largest_regions(labels_HW).items()}
        return segmentation.regions.decide(areas)


def predict(  # noqa: PLR0913 - what predicting takes
    weights: Weights,
    samples: Sequence[Sample],
    objects: ObjectReader,
    packs: PackCache,
    *,
    batch_size: int,
    stop_if_asked: Callable[[], None],
    segments: bool = True,
) -> Iterator[Prediction | NotPredicted]:
    """Results in the order of the samples; with `segments` by the segmentation network too, if there is one.

    Raises Fault.
    """
    model = _Model(weights, segments=segments)
    chunks = [samples[start : start + _CHUNK] for start in range(0, len(samples), _CHUNK)]

    def load(chunk: Sequence[Sample]) -> _Chunk:
        return model.load(chunk, objects, packs, stop_if_asked)

    with ThreadPoolExecutor(1, "decode") as ahead:
        pending = [ahead.submit(load, chunk) for chunk in chunks[:1]]
        for number, chunk in enumerate(chunks):
            loaded = pending.pop().result()
            if number + 1 < len(chunks):
                pending.append(ahead.submit(load, chunks[number + 1]))
            usable = [sample for sample in chunk if not loaded.unreadable(sample)]
            # Batch by batch, so that who watches sees it move.
            predictions = (
                result
                for batch in _batches(usable, batch_size, stop_if_asked)
                for result in model.predict(loaded, batch)
            )
            for sample in chunk:
                if why := loaded.unreadable(sample):
                    yield NotPredicted(sample, why.reason, why.message)
                else:
                    yield next(predictions)


def _joined(found: tuple[str, float], ranked: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """The code found another way first; the softmax shares what it leaves, its part of that code too.

    So the confidences go on adding up to 1.
    """
    code, confidence = found
    shared = [(ranked_code, share * (1 - confidence)) for ranked_code, share in ranked]
    own = sum(share for ranked_code, share in shared if ranked_code == code)
    return [(code, confidence + own), *(item for item in shared if item[0] != code)]


def _batches(
    samples: Sequence[Sample], batch_size: int, stop_if_asked: Callable[[], None]
) -> Iterator[Sequence[Sample]]:
    for start in range(0, len(samples), batch_size):
        stop_if_asked()
        yield samples[start : start + batch_size]
