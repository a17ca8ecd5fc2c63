"""Rare codes by distance (S2) beside a softmax that was given them: `python -m tests.bench special`.

Two codes have at most 12 samples. One network learns the other codes and is told the rare ones as special
defects; another, of the same seed, split and budget, has them as classes. Both then judge pictures of parts
that neither has seen. The main set is generated, so that anybody can repeat it; `--sets panels,tiles` takes
magnetic tiles too, where ../shared is.
"""

import argparse
import csv
import hashlib
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from loupe.sample import DEFECTS, write_sample
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from services.registry.seeds import TRAINING_PARAMS
from services.trainer.training.session import run
from services.vision.inference import outputs
from services.vision.networks import place
from services.vision.pack import PackCache
from services.vision.samples import DirectoryObjects, read_manifests
from services.vision.weights import Weights, load_weights
from tests.bench.training import Recorder, object_source
from tests.support.training import train_order

TILES = Path(__file__).resolve().parents[3] / "shared" / "data" / "magnetic_tile"
RARE_TILES = ("Crack", "Fray")
_RARE = 12
"""Samples of each rare code, both sides of the split together."""
_AT_ONCE = 64


@dataclass(frozen=True)
class Bank:
    """Pictures to train with and pictures to judge, in folders; the last two codes are rare."""

    training: Path
    judged: Path
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """How a model judged a bank."""

    recall: float
    """Of rare samples, the share that was given its own code."""
    found: float
    """The share that was given either rare code."""
    false_alarms: float
    """Of ordinary samples, the share that was given a rare code."""
    ordinary: float
    """Of ordinary samples, the share that was given its own code."""
    area: float
    """Under the curve of recall over false alarms, whatever the threshold."""


def panels(folder: Path) -> Bank:
    """Sixty pictures of each ordinary code and twelve of each rare one; the judged are of other panels."""
    write_sample(folder / "training", per_code=5 * _RARE, seed=0)
    write_sample(folder / "judged", per_code=150, seed=1)
    return Bank(folder / "training", folder / "judged", tuple(DEFECTS))


def tiles(folder: Path) -> Bank:
    """Four in five tiles of the ordinary codes, and of each rare one whole tiles of at most twelve photos."""
    with (TILES / "groups.csv").open() as rows:
        group_of = {row["file"]: row["tile_group"] for row in csv.DictReader(rows)}
    by_group = defaultdict(list)
    for file, group in group_of.items():
        by_group[group].append(file)
    taken: dict[str, int] = dict.fromkeys(RARE_TILES, 0)
    for group in sorted(by_group, key=lambda name: hashlib.sha256(name.encode()).digest()):
        rare = {code: sum(file.startswith(f"{code}/") for file in by_group[group]) for code in RARE_TILES}
        if any(rare.values()):
            trains = all(taken[code] + count <= _RARE for code, count in rare.items())
            for code, count in rare.items() if trains else ():
                taken[code] += count
        else:
            trains = hashlib.sha256(f"side {group}".encode()).digest()[0] % 5 > 0
        _copy(folder / ("training" if trains else "judged"), by_group[group])
    for side in ("training", "judged"):
        shutil.copy(TILES / "groups.csv", folder / side)
    ordinary = sorted({file.partition("/")[0] for file in group_of} - set(RARE_TILES))
    return Bank(folder / "training", folder / "judged", (*ordinary, *RARE_TILES))


def _copy(folder: Path, files: Sequence[str]) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".jpg", ".png"):
            # An import does not follow links out of its folder.
            shutil.copy((TILES / file).with_suffix(suffix), (folder / file).with_suffix(suffix))


def train(bank: Bank, folder: Path, packs: PackCache, *, classes: int, seed: int, **wanted: int) -> Weights:
    """Weights of one training with the seeded image's parameters, but shorter and smaller."""
    folder.mkdir()
    objects, manifest, _ = object_source(bank.training, folder)
    channel = Recorder(quiet=True)
    size = wanted["size"]
    order = train_order(
        manifest,
        code_list=bank.codes,
        num_of_classes=classes,
        input={"width": size, "height": size, "per_image_normalisation": True, "detail": 3},
        classification=TRAINING_PARAMS["classification"] | {"max_iter": wanted["iterations"]},
        augmentations=["colour", "flip", "scale"],
        seed=seed,
        threads=0,
    )
    run(order, objects, packs, folder / "training", channel)
    return load_weights(Path(channel.of("trained")[0].weights_path))


def judge(weights: Weights, bank: Bank, folder: Path, packs: PackCache) -> Judgement:
    """The bank by the product's own decision."""
    folder.mkdir()
    objects, manifest, _ = object_source(bank.judged, folder)
    features, probability, codes = _outputs(weights, objects, manifest, bank.codes, packs)
    rare = len(bank.codes) - 2
    said = probability.argmax(1)
    score = probability[:, rare:].sum(1) if weights.num_of_classes > rare else np.zeros(len(codes))
    if weights.special:
        special, score = weights.special.decide(features)
        index = np.array([bank.codes.index(code) for code in weights.special.codes])
        said = np.where(special >= 0, index[special], said)
    is_rare = codes >= rare
    return Judgement(
        recall=float((said == codes)[is_rare].mean()),
        found=float((said >= rare)[is_rare].mean()),
        false_alarms=float((said >= rare)[~is_rare].mean()),
        ordinary=float((said == codes)[~is_rare].mean()),
        area=float(roc_auc_score(is_rare, score)),
    )


def _outputs(
    weights: Weights, objects: DirectoryObjects, manifest: str, codes: Sequence[str], packs: PackCache
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Features, probabilities and true codes of all samples that conform."""
    rule = weights.resolution
    samples = [
        sample
        for sample in read_manifests(objects, [manifest])
        if rule.fault(sample.width, sample.height) is None
    ]
    network = weights.classifier()
    place(network, weights.input_specification, next(network.parameters()).device)
    pack = packs.load(samples, weights.seen_at, objects)
    rows = pack.rows(sample.sha256 for sample in samples)
    parts = [
        outputs(network, pack, rows[start : start + _AT_ONCE], weights.input_specification, weights.windows)
        for start in range(0, len(rows), _AT_ONCE)
    ]
    features = np.concatenate([part.double().numpy() for part, _ in parts])
    probability = np.concatenate([part.double().softmax(1).numpy() for _, part in parts])
    return features, probability, np.array([codes.index(sample.code) for sample in samples])


def compare(bank: Bank, folder: Path, *, seeds: int, **wanted: int) -> dict[str, Any]:
    """Both models, once a seed."""
    packs = PackCache(folder / "packs")
    found: dict[str, list[Judgement]] = {"by distance (S2)": [], "softmax": []}
    for seed in range(seeds):
        for name, classes in (("by distance (S2)", len(bank.codes) - 2), ("softmax", len(bank.codes))):
            at = folder / f"{name} {seed}"
            weights = train(bank, at, packs, classes=classes, seed=seed, **wanted)
            found[name].append(judge(weights, bank, at / "judged", packs))
    return {
        name: {
            field: {
                "mean": round(statistics.mean(values), 3),
                "of each seed": [round(value, 3) for value in values],
            }
            for field in Judgement.__dataclass_fields__
            if (values := [getattr(its, field) for its in judgements])
        }
        for name, judgements in found.items()
    }


def measure(*arguments: str) -> dict[str, Any]:
    """Generated panels, and magnetic tiles where they are."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench special")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--size", type=int, default=40)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--sets", default="panels")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    figures: dict[str, Any] = {}
    for name, make in (("panels", panels), ("tiles", tiles)):
        if name not in options.sets.split(",") or (make is tiles and not TILES.is_dir()):
            continue
        with tempfile.TemporaryDirectory(prefix="loupe-bench-") as temporary:
            started_s = time.monotonic()
            bank = make(Path(temporary) / "images")
            figures[name] = compare(
                bank, Path(temporary), seeds=options.seeds, size=options.size, iterations=options.iterations
            )
            figures[name]["s"] = round(time.monotonic() - started_s)
    return figures
