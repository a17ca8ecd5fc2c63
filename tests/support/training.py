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

from services.vision.channel import Stopped
from services.vision.samples import DirectoryObjects

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


def train_order(manifest: str, **changes: Any) -> dict[str, Any]:
    """The work of a train order, small enough for a test."""
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
    segmentation = classification | {"batch_size": 4, **(changes.pop("segmentation", None) or {})}
    classification |= changes.pop("classification", {})
    return {
        "task": "t",
        "attempt": 1,
        "job": "j",
        "manifests": [manifest],
        "codes": list(CODES),
        "num_of_classes": 3,
        "network": "ResNet18",
        "input_specification": {"width": 32, "height": 32},
        "training_parameters": {"classification": classification, "segmentation": segmentation},
        "train_segmentation": False,
        "preprocessing": {
            "train_fraction": 0.8,
            "filter_resolution": True,
            "augmentations": ["colour", "scale", "flip", "random"],
        },
        "seed": 7,
        "resume": None,
        "warm_start_weights_key": None,
        "certificate": {"image_version": "surface-classification@v3.0"},
        "threads": 1,
    } | changes


@contextmanager
def in_float64() -> Iterator[None]:
    """Networks and images are made in float64: training multiplies rounding by millions within ten steps."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


class RecordingChannel:
    """A channel that keeps every event, as JSON would carry it, and can be stopped after some of them."""

    def __init__(self, stop_after: tuple[str, int] | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self._stop_after = stop_after
        self._asked = threading.Event()

    def emit(self, event: str, /, **fields: Any) -> None:
        self.events.append(json.loads(json.dumps({"event": event, **fields}, allow_nan=False)))
        if self._stop_after and len(self.of(self._stop_after[0])) >= self._stop_after[1]:
            self._asked.set()

    @property
    def stopping(self) -> bool:
        return self._asked.is_set()

    def stop_if_asked(self) -> None:
        if self.stopping:
            raise Stopped

    def of(self, event: str) -> list[dict[str, Any]]:
        return [its for its in self.events if its["event"] == event]

    @property
    def losses(self) -> dict[int, float]:
        """The classifier's."""
        return self.curve("classification")

    def curve(self, network: str) -> dict[int, float]:
        """Loss by iteration; a point told twice fails."""
        found: dict[int, float] = {}
        for event in (its for its in self.of("loss") if its["network"] == network):
            for iteration, value in enumerate(event["values"], event["first_iteration"]):
                assert iteration not in found
                found[iteration] = value
        return found
