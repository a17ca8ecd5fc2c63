"""How well confidences are calibrated on data that was held back: `python -m tests.bench calibration` (E5).

A model is trained and then judges pictures that neither its training nor its validation side has seen, by
the product's own prediction. Three sets: scikit-learn's handwritten digits; generated panels, with their rare
codes told by distance (S2); and the same panels with a segmentation network, so that regions decide too (S1).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from loupe.sample import DEFECTS, write_sample
from sklearn.datasets import load_digits

from services.evaluator.domain.metrics import measure_calibration
from services.evaluator.domain.report import SampleResult, Verdict
from services.evaluator.domain.tally import Tally
from services.evaluator.worker.measuring.predict import Prediction, predict
from services.registry.seeds import TRAINING_PARAMS
from services.trainer.training.session import run
from services.vision.pack import PackCache
from services.vision.samples import read_manifests
from services.vision.weights import Weights, load_weights
from tests.bench.training import Recorder, object_source
from tests.support.training import train_order

_DIGITS = 400
"""Samples that train and validate; the other 1,397 are held back."""


@dataclass(frozen=True)
class Set:
    """Pictures to train with and pictures held back, in folders, and how to train."""

    training: Path
    judged: Path
    codes: tuple[str, ...]
    order: dict[str, Any]


def digits(folder: Path, *, seed: int, iterations: int, size: int) -> Set:
    """Handwritten digits of 8×8 pixels; other ones train with each seed."""
    data = load_digits()
    for place, at in enumerate(np.random.default_rng(seed).permutation(len(data.images)).tolist()):
        path = folder / ("training" if place < _DIGITS else "judged") / f"D{data.target[at]}" / f"{at:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = (data.images[at] * 15.9).astype(np.uint8)
        cv2.imwrite(str(path), cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_LINEAR))
    codes = tuple(f"D{digit}" for digit in range(10))
    order = {
        "num_of_classes": 10,
        "input": {"width": 32, "height": 32},
        "classification": TRAINING_PARAMS["classification"] | {"max_iter": iterations},
        "augmentations": ["scale"],
    }
    del size
    return Set(folder / "training", folder / "judged", codes, order)


def panels(folder: Path, *, seed: int, iterations: int, size: int) -> Set:
    """Sixty pictures of each ordinary code and twelve of each rare one; the held back are of other panels."""
    write_sample(folder / "training", per_code=60, seed=2 * seed)
    write_sample(folder / "judged", per_code=150, seed=2 * seed + 1)
    order = {
        "num_of_classes": len(DEFECTS) - 2,
        "input": {"width": size, "height": size, "per_image_normalisation": True, "detail": 3},
        "classification": TRAINING_PARAMS["classification"] | {"max_iter": iterations},
        "augmentations": ["colour", "flip", "scale"],
    }
    return Set(folder / "training", folder / "judged", tuple(DEFECTS), order)


def regions(folder: Path, *, seed: int, iterations: int, size: int) -> Set:
    """The panels with a segmentation network."""
    found = panels(folder, seed=seed, iterations=iterations, size=size)
    for mask in found.training.glob("*/*.mask.png"):
        mask.rename(mask.with_name(mask.name.replace(".mask.png", ".png")))  # as object_source takes them
    segmentation = TRAINING_PARAMS["segmentation"] | {"max_iter": iterations}
    order = {**found.order, "segmentation": segmentation, "train_segmentation": True}
    return Set(found.training, found.judged, found.codes, order)


SETS = {"digits": digits, "panels": panels, "regions": regions}


def train(its: Set, folder: Path, packs: PackCache, seed: int) -> Weights:
    """Weights of one training with the seeded image's parameters, but shorter and smaller."""
    objects, manifest, _ = object_source(its.training, folder / "training")
    channel = Recorder(quiet=True)
    order = train_order(manifest, code_list=its.codes, seed=seed, threads=0, **its.order)
    run(order, objects, packs, folder / "run", channel)
    return load_weights(Path(channel.of("trained")[0].weights_path))


def judge(weights: Weights, its: Set, folder: Path, packs: PackCache) -> list[Prediction]:
    """The held-back pictures that conform, by the product's own decision."""
    objects, manifest, _ = object_source(its.judged, folder / "judged")
    rule = weights.resolution
    samples = [
        sample
        for sample in read_manifests(objects, [manifest])
        if rule.fault(sample.width, sample.height) is None
    ]
    found = predict(weights, samples, objects, packs, batch_size=64, stop_if_asked=lambda: None)
    return [one for one in found if isinstance(one, Prediction)]


def errors(predictions: Sequence[Prediction], codes: tuple[str, ...]) -> dict[str, float]:
    """Accuracy, and the calibration error of the report with calibration and without."""
    tally = Tally(codes, 0.0)
    for one in predictions:
        right = one.predicted == one.sample.code
        tally.add(
            SampleResult(
                file=one.sample.name,
                data_path="",
                sha256=one.sample.sha256,
                true_code=one.sample.code,
                verdict=Verdict.CORRECT if right else Verdict.MISJUDGED,
                predicted_code=one.predicted,
                confidence=one.confidence,
                uncalibrated_confidence=one.uncalibrated_confidence,
            )
        )
    found = measure_calibration(tally.counts())
    assert found
    assert found.before
    right = sum(one.predicted == one.sample.code for one in predictions)
    return {
        "samples": len(predictions),
        "accuracy": right / len(predictions),
        "before": found.before.error,
        "after": found.after.error,
    }


def compare(name: str, folder: Path, **wanted: int) -> dict[str, Any]:
    """One training and its judgement, overall and by what decided."""
    its = SETS[name](folder / "images", **wanted)
    packs = PackCache(folder / "packs")
    for at in ("training", "judged"):
        (folder / at).mkdir()
    weights = train(its, folder, packs, wanted["seed"])
    predictions = judge(weights, its, folder, packs)
    ways = sorted({one.decided_by for one in predictions})
    found: dict[str, Any] = {"all": errors(predictions, its.codes)}
    found |= {way: errors([one for one in predictions if one.decided_by == way], its.codes) for way in ways}
    found["temperature"] = weights.temperature
    if weights.segmentation:
        found["steepness"] = weights.segmentation.regions.steepness
    return found


def measure(*arguments: str) -> dict[str, Any]:
    """Each set, once a seed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench calibration")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--size", type=int, default=40)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--sets", default=",".join(SETS))
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    figures: dict[str, Any] = {}
    for name in options.sets.split(","):
        started_s = time.monotonic()
        of_seeds = []
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory(prefix="loupe-bench-") as temporary:
                of_seeds.append(
                    compare(
                        name, Path(temporary), seed=seed, iterations=options.iterations, size=options.size
                    )
                )
        figures[name] = {
            "of each seed": of_seeds,
            "mean": {
                key: round(statistics.mean(its["all"][key] for its in of_seeds), 4)
                for key in ("accuracy", "before", "after")
            },
            "s": round(time.monotonic() - started_s),
        }
    return figures
