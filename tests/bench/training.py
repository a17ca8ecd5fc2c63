"""Trains on a folder of real images through the whole training path, without a stack, and says how it went.

    python -m tests.bench.training accuracy DATA [--size 64] [--iterations 400] …

`accuracy` prints the report of the validation side. How fast the loop is, `tests.bench.throughput` measures.
"""

import argparse
import csv
import hashlib
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
from google.protobuf import text_format
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.scheduler.v1 import job_pb2
from loupe.worker.v1 import event_pb2, order_pb2

from services.evaluator.domain.metrics import measure_counts
from services.evaluator.worker.child import Evaluator
from services.trainer.training.session import run
from services.vision.images import FORMAT_OF_SUFFIX, UnusableImage, inspect
from services.vision.pack import PackCache
from services.vision.samples import DirectoryObjects
from tests.support.training import train_order


class Recorder:
    """A channel that keeps the events and shows some."""

    stopping = False

    def __init__(self, *, quiet: bool = False) -> None:
        self.events: list[event_pb2.Event] = []
        self._quiet = quiet

    def emit(self, event: event_pb2.Event) -> None:
        self.events.append(event)
        if event.WhichOneof("event") in {"validation", "stage"} and not self._quiet:
            print(text_format.MessageToString(event, as_one_line=True), flush=True)

    def stop_if_asked(self) -> None:
        return

    def of(self, kind: str) -> list[Any]:
        """The messages of all events of a kind."""
        return [getattr(event, kind) for event in self.events if event.HasField(kind)]


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
        order = train_order(
            manifest,
            code_list=codes,
            num_of_classes=len(codes) - len(special),
            input={
                "width": options.size,
                "height": options.size,
                "per_image_normalisation": options.normalisation == "per_image",
                "detail": options.detail,
            },
            classification={
                "base_lr": options.lr,
                "batch_size": options.batch_size,
                "max_iter": options.iterations,
                "weight_decay": options.weight_decay,
            },
            augmentations=[name for name in options.augment.split(",") if name],
            seed=options.seed,
            class_balance=options.class_balance,
            threads=options.threads,
        )
        run(order, objects, packs, folder / "training", channel)
        (finished,) = channel.of("trained")
        print("trained", finished, f"{time.monotonic() - started:.1f} s")
        weights, split = Path(finished.weights_path).read_bytes(), Path(finished.split_path).read_bytes()
        sha256 = {}
        for kind, suffix, data in (("weights", "safetensors", weights), ("splits", "jsonl", split)):
            sha256[kind] = hashlib.sha256(data).hexdigest()
            (folder / kind).mkdir()
            (folder / kind / f"{sha256[kind]}.{suffix}").write_bytes(data)
        evaluation = Recorder(quiet=True)
        evaluator = Evaluator(objects, packs, evaluation)  # type: ignore[arg-type]
        work = job_pb2.EvaluateWork(
            weights_sha256=sha256["weights"],
            split_sha256=sha256["splits"],
            manifests=order.train.work.manifests,
        )
        evaluate = order_pb2.Evaluate(work=work, masks_folder=str(folder / "masks"))
        evaluator.evaluate(order_pb2.Order(evaluate=evaluate))
        batch = report_service_pb2.CreateReportRequest.Batch
        results = [
            result
            for data in evaluation.of("sample_results")
            for result in batch.FromString(data).results
            if result.verdict != report_pb2.VERDICT_NONCONFORMING
        ]
        counted = Counter((row.true_code, row.predicted_code) for row in results)
        counts = [[counted[true, predicted] for predicted in codes] for true in codes]
        measured = measure_counts(counts, codes)
        print(f"accuracy {measured.accuracy:.4f} {measured.accuracy_interval}")
        print(f"macro recall {measured.macro_recall:.4f}")
        print(f"largest class {measured.majority_share:.4f} of {measured.samples}")
        for row in measured.per_code:
            print(row.code, "support", row.support, "precision", row.precision, "recall", row.recall)
        print(measured.confusion)


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
    parser.add_argument("--threads", type=int, default=0)
    return parser.parse_args(arguments)


def main() -> None:
    """Runs what the command line names."""
    options = _options(sys.argv[1:])
    cv2.setNumThreads(1)
    accuracy(options)


if __name__ == "__main__":
    sys.exit(main())
