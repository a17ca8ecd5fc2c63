"""Predicting a question bank beside what bounds it: `python -m tests.bench prediction [--samples 2000]`.

From the pack: what a child does of it, down to the rows that it tells, beside a bare loop of the same network
over the same pixels in memory. From JPEG: the same with an empty cache, beside bare decoding with as many
threads; where both share the cores, they bound it together. All take turns, a slice of the bank at a time, so
that a busy machine disturbs them alike.
"""

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from loupe.evaluator.v1 import report_service_pb2
from loupe.image_files import decode
from loupe.sample import DEFECTS, write_sample
from numpy.typing import NDArray

from services.evaluator.worker.child import sample_result
from services.evaluator.worker.measuring.predict import predict
from services.input_specification import InputSpecification
from services.vision.networks import build_classifier, normalise, to_input
from services.vision.pack import PackCache
from services.vision.preprocessing import resize
from services.vision.samples import Sample, read_verified
from services.vision.weights import Weights, certify

_SLICES, _LEAST = 10, 500
"""Slices of the bank, and the fewest samples of one: loading the weights must not be what is measured."""
_BATCH = 64
_SPECIFICATION = InputSpecification(64, 64, per_image_normalisation=True)


class Bank:
    """JPEGs that differ in a comment: as many as are wanted, each with bytes and a hash of its own."""

    def __init__(self, folder: Path, count: int) -> None:
        write_sample(folder, per_code=30)
        pictures = [(path.parent.name, path.read_bytes()) for path in sorted(folder.glob("*/P*_[0-9].jpg"))]
        self._made: dict[str, tuple[bytes, int]] = {}
        self.samples = []
        for number in range(count):
            code, jpeg = pictures[number % len(pictures)]
            sha256 = hashlib.sha256(self._bytes(jpeg, number)).hexdigest()
            self._made[sha256] = jpeg, number
            self.samples.append(Sample(f"{code}/{number:06}.jpg", code, sha256, manifest="bench"))

    @staticmethod
    def _bytes(jpeg: bytes, number: int) -> bytes:
        # Behind the start of the image a comment segment: its marker, its length, eight bytes.
        return jpeg[:2] + b"\xff\xfe\x00\x0a" + b"%08d" % number + jpeg[2:]

    def read(self, key: str) -> bytes:
        """An object, as a store would give it."""
        return self._bytes(*self._made[key.removeprefix("samples/")])


def _weights() -> Weights:
    torch.manual_seed(0)
    codes = tuple(DEFECTS)
    network = build_classifier("ResNet18", len(codes))
    return Weights(certify("ResNet18", codes, len(codes), _SPECIFICATION), network.state_dict(), None)


def _timed(work: Callable[[], int]) -> tuple[float, float]:
    """Images a second, and a second of processor time."""
    started_s, processor_s = time.perf_counter(), time.process_time()
    count = work()
    return count / (time.perf_counter() - started_s), count / (time.process_time() - processor_s)


def measure(*arguments: str) -> dict[str, Any]:
    """Images/s and ratios; a ratio is the median over slices."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench prediction")
    parser.add_argument("--samples", type=int, default=20_000)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    weights = _weights()
    network = weights.classifier().to(memory_format=torch.channels_last)
    taken: dict[str, list[tuple[float, float]]] = {}
    slices = max(1, min(_SLICES, options.samples // _LEAST))
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as temporary:
        bank = Bank(Path(temporary) / "images", options.samples)
        packs = PackCache(Path(temporary) / "packs")
        for number in range(slices):
            samples = bank.samples[number::slices]
            pixels = np.zeros((len(samples), 64, 64, 3), np.uint8)
            for name, work in (
                # The first fills the cache that the third reads; the second fills the fourth's memory.
                ("from JPEG", lambda samples=samples: _ours(weights, samples, bank, packs)),
                ("bare decoding", lambda samples=samples, pixels=pixels: _decode(samples, bank, pixels)),
                ("from the pack", lambda samples=samples: _ours(weights, samples, bank, packs)),
                ("bare inference", lambda pixels=pixels: _infer(network, pixels)),
            ):
                taken.setdefault(name, []).append(_timed(work))

    def median(name: str, clock: int) -> float:
        return round(statistics.median(rates[clock] for rates in taken[name]), 1)

    def ratio(ours: str, clock: int, *theirs: str) -> float:
        """To doing theirs one after another."""
        return round(
            statistics.median(
                rates[clock] * sum(1 / taken[name][number][clock] for name in theirs)
                for number, rates in enumerate(taken[ours])
            ),
            3,
        )

    return {
        clock: {
            **{f"{name}, images/s": median(name, index) for name in taken},
            "from the pack / bare inference": ratio("from the pack", index, "bare inference"),
            "from JPEG / bare decoding, then bare inference": ratio(
                "from JPEG", index, "bare decoding", "bare inference"
            ),
        }
        for index, clock in enumerate(("by the clock", "by processor time"))
    }


def _ours(weights: Weights, samples: Sequence[Sample], bank: Bank, packs: PackCache) -> int:
    results = predict(weights, samples, bank, packs, batch_size=_BATCH, stop_if_asked=lambda: None)
    rows = [sample_result(result, {}) for result in results]
    report_service_pb2.CreateReportRequest.Batch(results=rows).SerializeToString()
    return len(rows)


def _decode(samples: Sequence[Sample], bank: Bank, pixels: NDArray[np.uint8]) -> int:
    def read(number: int) -> None:
        sample = samples[number]
        data = read_verified(bank, f"samples/{sample.sha256}", sample.sha256)
        pixels[number] = resize(decode(data), _SPECIFICATION)

    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        return sum(1 for _ in threads.map(read, range(len(samples))))


def _infer(network: torch.nn.Module, pixels: NDArray[np.uint8]) -> int:
    with torch.inference_mode():
        for start in range(0, len(pixels), _BATCH):
            batch = to_input(torch.from_numpy(pixels[start : start + _BATCH]))
            network(normalise(batch, _SPECIFICATION)).softmax(1).max(1)
    return len(pixels)
