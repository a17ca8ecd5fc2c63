"""Trains on a folder of real images through the whole training path, without a stack, and says how it went.

    python tests/bench/training.py accuracy DATA [--size 64] [--iterations 400] …

`accuracy` prints the report of the validation side. How fast the loop is, `tests.bench.throughput` measures.
"""

import argparse
import csv
import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
from loupe.image_files import FORMAT_OF_SUFFIX, UnusableImage, inspect

from services.evaluator.child import Evaluator
from services.evaluator.measuring.metrics import measure
from services.trainer.training.session import run
from services.vision.pack import PackCache
from services.vision.samples import DirectoryObjects


class Recorder:
    """A channel that keeps the events and shows some."""

    stopping = False

    def __init__(self, *, quiet: bool = False) -> None:
        self.events: list[dict[str, Any]] = []
        self._quiet = quiet

    def emit(self, event: str, /, **fields: Any) -> None:  # noqa: ANN401 - JSON
        self.events.append({"event": event, **fields})
        if event in {"validation", "stage"} and not self._quiet:
            print(event, fields, flush=True)

    def stop_if_asked(self) -> None:
        return

    def of(self, event: str) -> list[dict[str, Any]]:
        return [its for its in self.events if its["event"] == event]


def object_source(data: Path, folder: Path) -> tuple[DirectoryObjects, str, list[str]]:
    """Objects, manifest and codes of a folder <CODE>/<file>, with its groups.csv."""
    groups = {}
    if (data / "groups.csv").exists():
        with (data / "groups.csv").open() as file:
            for row in csv.DictReader(file):
                values = list(row.values())
                groups[values[0]] = row.get("tile_group") or row.get("group") or values[1]
    files, lines = {}, []
    for path in sorted(data.glob("*/*")):
        name = f"{path.parent.name}/{path.name}"
        stem_is_image = any(path.with_suffix(s).exists() for s in (".jpg", ".jpeg", ".bmp"))
        if (
            path.suffix not in FORMAT_OF_SUFFIX
            or path.stem.endswith(".mask")
            or (path.suffix == ".png" and stem_is_image)
        ):
            continue
        content = path.read_bytes()
        try:
            facts = inspect(content, name)
        except UnusableImage as error:
            print("set aside:", name, error)
            continue
        sha256 = hashlib.sha256(content).hexdigest()
        files[f"samples/{sha256}"] = path
        mask = path.with_suffix(".png") if path.suffix != ".png" else None
        mask_sha256 = None
        if mask and mask.exists():
            mask_sha256 = hashlib.sha256(mask.read_bytes()).hexdigest()
            files[f"samples/{mask_sha256}"] = mask
        line = {
            "name": name,
            "code": path.parent.name,
            "sha256": sha256,
            "size_bytes": len(content),
            "width": facts.width,
            "height": facts.height,
            "format": facts.format,
            "mask_sha256": mask_sha256,
            "group": groups.get(name),
        }
        lines.append(json.dumps(line))
    manifest = "\n".join(lines).encode()
    sha256 = hashlib.sha256(manifest).hexdigest()
    files[f"manifests/{sha256}.jsonl"] = folder / "manifest"
    (folder / "manifest").write_bytes(manifest)
    return DirectoryObjects(folder, files), sha256, sorted({json.loads(line)["code"] for line in lines})


def accuracy(options: argparse.Namespace) -> None:
    """Trains and evaluates as a task would."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        objects, manifest, codes = object_source(Path(options.data), folder)
        special = options.special.split(",") if options.special else []
        codes = [code for code in codes if code not in special] + special
        packs = PackCache(folder / "packs")
        channel = Recorder()
        started = time.monotonic()
        work = {
            "manifests": [manifest],
            "codes": codes,
            "num_of_classes": len(codes) - len(special),
            "network": "ResNet18",
            "input_specification": {
                "width": options.size,
                "height": options.size,
                "normalisation": options.normalisation,
                "detail": options.detail,
            },
            "training_parameters": {
                "classification": {
                    "base_lr": options.lr,
                    "batch_size": options.batch_size,
                    "max_iter": options.iterations,
                    "weight_decay": options.weight_decay,
                    "momentum": 0.9,
                    "lr_policy": "poly",
                    "power": 0.9,
                    "gamma": 0.1,
                }
            },
            "preprocessing": {
                "train_fraction": 0.8,
                "filter_resolution": True,
                "augmentations": [its for its in options.augment.split(",") if its],
            },
            "seed": options.seed,
            "class_balance": options.class_balance,
            "threads": options.threads,
        }
        run(work, objects, packs, folder / "training", channel)
        finished = channel.of("finished")[0]
        print("trained", finished["metrics"], f"{time.monotonic() - started:.1f} s")
        weights, split = (
            Path(finished["weights_path"]).read_bytes(),
            Path(finished["split_path"]).read_bytes(),
        )
        keys = {}
        for kind, suffix, data in (("weights", "safetensors", weights), ("splits", "jsonl", split)):
            keys[kind] = f"{kind}/{hashlib.sha256(data).hexdigest()}.{suffix}"
            (folder / kind).mkdir()
            (folder / keys[kind]).write_bytes(data)
        evaluation = Recorder(quiet=True)
        evaluator = Evaluator(objects, packs, evaluation)  # type: ignore[arg-type]
        evaluator.evaluate(
            {
                "weights_key": keys["weights"],
                "split_key": keys["splits"],
                "manifests": [manifest],
                "masks_folder": str(folder / "masks"),
            }
        )
        rows = [
            row for its in evaluation.of("samples") for row in its["samples"] if row["outcome"] == "PREDICTED"
        ]
        result = measure([row["code"] for row in rows], [row["predicted"] for row in rows], codes)
        print(f"accuracy {result.accuracy:.4f} {result.accuracy_interval}")
        print(f"macro recall {result.macro_recall:.4f}")
        majority = max(its.support for its in result.per_code) / result.samples
        print(f"largest class {majority:.4f} of {result.samples}")
        for row in result.per_code:
            print(row.code, "support", row.support, "precision", row.precision, "recall", row.recall)
        print(result.confusion)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["accuracy"])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--detail", type=int, default=1)
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.003)
    parser.add_argument("--weight-decay", type=float, default=1e-4)
    parser.add_argument("--class-balance", type=float, default=0.5)
    parser.add_argument("--augment", default="colour,flip")
    parser.add_argument("--normalisation", default="per_image", choices=["fixed", "per_image"])
    parser.add_argument("--special", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)
    return parser.parse_args(arguments)


def main() -> None:
    """Runs what the command line names."""
    options = _options(sys.argv[1:])
    cv2.setNumThreads(1)
    accuracy(options)


if __name__ == "__main__":
    sys.exit(main())
