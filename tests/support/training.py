"""A small data set on disk, as a worker's child would find it in the object store."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from google.protobuf import json_format
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.registry.v1 import algorithm_image_pb2
from loupe.scheduler.v1 import job_pb2, task_pb2
from loupe.worker.v1 import event_pb2, order_pb2

from services.vision.samples import DirectoryObjects
from services.worker.child_channel import Stopped

DATA_PATH = "datasets/d/paths/p"
CODES = ("SPOT", "LINE", "RING")
"""RING is used as a special code where a test wants one."""


def defect(code: str, random: np.random.Generator) -> np.ndarray:
    """A 40×40 picture of a panel with a defect that a small network learns in seconds."""
    pixels = random.normal(110, 8, (40, 40, 3))
    x, y = random.integers(12, 28, 2)
    if code == "SPOT":
        pixels[y - 6 : y + 6, x - 6 : x + 6] += 90
    elif code == "LINE":
        pixels[:, x - 2 : x + 2] -= 80
    else:
        rows, columns = np.mgrid[:40, :40]
        distance = np.hypot(rows - y, columns - x)
        pixels[(distance > 7) & (distance < 11)] = (220, 40, 40)
    return pixels.clip(0, 255).astype(np.uint8)


@dataclass
class DataSet:
    """Objects of a folder and the manifest that lists them."""

    root: Path
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def objects(self) -> DirectoryObjects:
        return DirectoryObjects(self.root)

    def put(self, kind: str, data: bytes, suffix: str = "") -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.root / kind / f"{sha256}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return sha256

    def add(
        self,
        name: str,
        data: bytes,
        size: tuple[int, int] = (40, 40),
        group: str | None = None,
        mask: bytes | None = None,
    ) -> None:
        self.lines.append(
            {
                "name": name,
                "code": name.split("/", maxsplit=1)[0],
                "sha256": self.put("samples", data),
                "size_bytes": len(data),
                "width": size[0],
                "height": size[1],
                "format": "png",
                "mask_sha256": self.put("samples", mask) if mask else None,
                "group": group,
            }
        )

    def manifest(self) -> str:
        return self.put(
            "manifests", "".join(json.dumps(line) + "\n" for line in self.lines).encode(), ".jsonl"
        )


def small_data_set(root: Path) -> DataSet:
    """Thirty pictures of each code, two of each part."""
    found = DataSet(root)
    random = np.random.default_rng(0)
    for code in CODES:
        for number in range(30):
            png = cv2.imencode(".png", defect(code, random))[1].tobytes()
            found.add(f"{code}/{number:03}.png", png, group=f"{code}{number // 2}")
    return found


def masked_data_set(root: Path) -> DataSet:
    """Pictures of 96×96 with a defect of a few pixels and its mask (SPOT, LINE), and clean ones (RING)."""
    found = DataSet(root)
    random = np.random.default_rng(0)
    for code in CODES:
        for number in range(20):
            pixels, mask = random.normal(110, 8, (96, 96, 3)), np.zeros((96, 96), np.uint8)
            top, left = random.integers(8, 80, 2)
            if code != CODES[2]:
                height, width = (6, 6) if code == CODES[0] else (2, 10)
                pixels[top : top + height, left : left + width] += 110 if code == CODES[0] else -90
                mask[top : top + height, left : left + width] = 255
            png = cv2.imencode(".png", pixels.clip(0, 255).astype(np.uint8))[1].tobytes()
            # An empty mask says the same as none.
            found.add(f"{code}/{number:03}.png", png, (96, 96), mask=cv2.imencode(".png", mask)[1].tobytes())
    return found


def train_order(manifest: str, **changes: Any) -> order_pb2.Order:
    """A train order, small enough for a test.

    `changes` are fields of TrainWork, Train, Order and PreprocessingParams; `classification`,
    `segmentation` and `input` change some entries.
    """
    classification = {
        "base_lr": 0.02,
        "batch_size": 8,
        "max_iter": 12,
        "weight_decay": 0.0005,
        "momentum": 0.9,
        "lr_policy": "poly",
        "power": 0.9,
        "gamma": 0.1,
    }
    segmentation = classification | {"batch_size": 4, **changes.pop("segmentation", {})}
    classification |= changes.pop("classification", {})
    order = order_pb2.Order(task="t", attempt=1, job="j", threads=changes.pop("threads", 1))
    for name in ("checkpoint_interval_s", "class_balance"):
        if name in changes:
            setattr(order.train, name, changes.pop(name))
    preprocessing = task_pb2.PreprocessingParams(
        train_fraction=0.8, filter_resolution=changes.pop("filter_resolution", True)
    )
    preprocessing.augmentations.extend(
        task_pb2.Augmentation.Value(f"AUGMENTATION_{name.upper()}")
        for name in changes.pop("augmentations", ("colour", "scale", "flip", "random"))
    )
    work = {
        "manifests": [job_pb2.Manifest(data_path=DATA_PATH, sha256=manifest)],
        "code_list": CODES,
        "num_of_classes": 3,
        "classification_network": "ResNet18",
        "input": algorithm_image_pb2.InputSpecification(
            **{"width": 32, "height": 32} | changes.pop("input", {})
        ),
        "preprocessing": preprocessing,
        "seed": 7,
        "origin": {"image_version": "surface-classification@v3.0"},
    }
    order.train.work.MergeFrom(job_pb2.TrainWork(**work | changes))
    order.train.work.training_params.update({"classification": classification, "segmentation": segmentation})
    return order


def resumed(order: order_pb2.Order, checkpoint: job_pb2.Checkpoint) -> order_pb2.Order:
    """The order, to be resumed from a stored checkpoint."""
    changed = order_pb2.Order()
    changed.CopyFrom(order)
    changed.train.work.resume.CopyFrom(checkpoint)
    return changed


def stored(data_set: DataSet, file: event_pb2.CheckpointFile) -> job_pb2.Checkpoint:
    """A checkpoint after its file was put among the objects, as a worker would."""
    sha256 = data_set.put("checkpoints", Path(file.path).read_bytes(), ".safetensors")
    checkpoint = job_pb2.Checkpoint(sha256=sha256)
    checkpoint.MergeFrom(file.checkpoint)
    return checkpoint


@contextmanager
def in_float64() -> Iterator[None]:
    """Networks and images are made in float64: training multiplies rounding by millions within ten steps."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


class RecordingChannel:
    """A channel that keeps every event, as JSON carries it, and can be stopped after some of a kind."""

    def __init__(self, stop_after: tuple[str, int] | None = None) -> None:
        self.events: list[event_pb2.Event] = []
        self._stop_after = stop_after
        self._asked = threading.Event()

    def emit(self, event: event_pb2.Event) -> None:
        self.events.append(json_format.Parse(json_format.MessageToJson(event), event_pb2.Event()))
        if self._stop_after and len(self.of(self._stop_after[0])) >= self._stop_after[1]:
            self._asked.set()

    @property
    def stopping(self) -> bool:
        return self._asked.is_set()

    def stop_if_asked(self) -> None:
        if self.stopping:
            raise Stopped

    def of(self, kind: str) -> list[Any]:
        """The messages of all events of a kind, such as `loss_points`."""
        return [getattr(event, kind) for event in self.events if event.HasField(kind)]

    @property
    def results(self) -> list[report_pb2.SampleResult]:
        """Of an evaluation or a prediction."""
        batch = report_service_pb2.CreateReportRequest.Batch
        return [result for data in self.of("sample_results") for result in batch.FromString(data).results]

    @property
    def losses(self) -> dict[int, float]:
        """The classifier's."""
        return self.curve("classification")

    def curve(self, network: str) -> dict[int, float]:
        """Loss by iteration; a point that is reported twice fails."""
        found: dict[int, float] = {}
        for points in self.of("loss_points"):
            if points.network == task_pb2.Network.Value(f"NETWORK_{network.upper()}"):
                for iteration, value in enumerate(points.losses, points.first_iteration):
                    assert iteration not in found
                    found[iteration] = value
        return found
