"""From weights and samples to results.

N samples of a batch, H height, W width, C channels (in logits: classes), F features.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from services.vision.inference import outputs
from services.vision.networks import place
from services.vision.pack import Pack, PackCache
from services.vision.samples import Objects, Sample
from services.vision.weights import Weights

DecidedBy = Literal["softmax", "feature_distance"]
_CHUNK = 512
"""Samples decoded together: while one chunk is predicted, the next is read and decoded."""
_TOP = 3


@dataclass(frozen=True)
class Prediction:
    """What the model says of one sample."""

    sample: Sample
    predicted: str
    confidence: float
    top: tuple[tuple[str, float], ...]
    """The codes with the greatest confidence, and it; the first is the prediction."""
    decided_by: DecidedBy


@dataclass(frozen=True)
class NotPredicted:
    """A sample without a prediction, and why (D4)."""

    sample: Sample
    reason: str
    message: str


def predict(  # noqa: PLR0913 - what predicting takes
    weights: Weights,
    samples: Sequence[Sample],
    objects: Objects,
    packs: PackCache,
    *,
    batch_size: int,
    stop_if_asked: Callable[[], None],
) -> Iterator[Prediction | NotPredicted]:
    """Results in the order of the samples. Raises Fault."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    specification = weights.input_specification
    network = place(weights.classifier(), specification, device)
    chunks = [samples[start : start + _CHUNK] for start in range(0, len(samples), _CHUNK)]

    seen = specification.magnified if weights.windows else specification

    def load(chunk: Sequence[Sample]) -> Pack:
        return packs.load(chunk, seen, objects, lambda _done, _total: stop_if_asked())

    with ThreadPoolExecutor(1, "decode") as ahead:
        pending = [ahead.submit(load, chunk) for chunk in chunks[:1]]
        for number, chunk in enumerate(chunks):
            pack = pending.pop().result()
            if number + 1 < len(chunks):
                pending.append(ahead.submit(load, chunks[number + 1]))
            usable = [sample for sample in chunk if sample.sha256 in pack.slots]
            # Batch by batch, so that who watches sees it move.
            predictions = (
                result
                for start in range(0, len(usable), batch_size)
                for result in _predict_batch(
                    weights, network, pack, usable[start : start + batch_size], stop_if_asked
                )
            )
            for sample in chunk:
                if why := pack.unreadable.get(sample.sha256):
                    yield NotPredicted(sample, why.reason, why.message)
                else:
                    yield next(predictions)


def _predict_batch(
    weights: Weights,
    network: torch.nn.Module,
    pack: Pack,
    samples: Sequence[Sample],
    stop_if_asked: Callable[[], None],
) -> Iterator[Prediction]:
    stop_if_asked()
    rows = pack.rows(sample.sha256 for sample in samples)
    features_NF, logits_NC = outputs(network, pack, rows, weights.input_specification, weights.windows)
    probability_NC = logits_NC.double().softmax(1).cpu().numpy()
    special_N, special_confidence_N = np.full(len(samples), -1), np.zeros(len(samples))
    if weights.special:
        special_N, special_confidence_N = weights.special.decide(features_NF.double().cpu().numpy())
    for row, sample in enumerate(samples):
        ranked = [
            (weights.codes[code], float(probability_NC[row, code])) for code in range(weights.num_of_classes)
        ]
        ranked.sort(key=lambda item: -item[1])
        by_distance = bool(special_N[row] >= 0) and weights.special is not None
        if by_distance and weights.special:
            # The softmax shares what the special code leaves: the confidences go on adding up to 1.
            certain = float(special_confidence_N[row])
            ranked = [(code, share * (1 - certain)) for code, share in ranked]
            ranked.insert(0, (weights.special.codes[int(special_N[row])], certain))
        yield Prediction(
            sample=sample,
            predicted=ranked[0][0],
            confidence=ranked[0][1],
            top=tuple(ranked[:_TOP]),
            decided_by="feature_distance" if by_distance else "softmax",
        )
