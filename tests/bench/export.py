"""An exported package beside PyTorch eager, torch.compile and ONNX Runtime, in one run.

ResNet18 on a picture of 600 × 600: all resize and normalise to 224 × 224 first, as a machine would have to.
Each round times every runtime once, so that what else the machine does meets all alike; figures are
the median and least of the rounds. ONNX Runtime is measured where it is installed, with `onnxscript`
(extras `bench` and `export`).
"""

import argparse
import contextlib
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loupe.artifact import Artifact

from services.evaluator.worker.packaging.models import PackageName
from services.evaluator.worker.packaging.onnx import write_onnx
from services.evaluator.worker.packaging.package import build_package
from services.input_specification import InputSpecification
from services.vision.networks import build_classifier, normalise, to_input
from services.vision.preprocessing import Pixels, resize
from services.vision.weights import Weights, certify

SPECIFICATION = InputSpecification(224, 224)
ROUNDS = {1: 15, 32: 3}
_PAUSE_S = 0.3
"""Before each run: threads of OpenMP and of ONNX Runtime go on spinning after theirs, on others' cores."""
Predict = Callable[[list[Pixels]], Any]


def measure(*arguments: str) -> dict[str, Any]:
    """Milliseconds for one image and images/s for 32, on one thread and two; ratios to the package's."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench export")
    parser.add_argument("--no-compile", action="store_true", help="without torch.compile")
    compiled = not parser.parse_args(arguments).no_compile
    torch.manual_seed(0)
    network = build_classifier("ResNet18", 6).eval()
    codes = tuple(f"C{number}" for number in range(6))
    weights = Weights(certify("ResNet18", codes, 6, SPECIFICATION), network.state_dict(), None)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "package.zip").write_bytes(build_package(weights, PackageName("bench", "v1.01")))
        figures: dict[str, Any] = {"package": _facts(folder / "package.zip")}
        for threads in (1, 2):
            figures[f"threads_{threads}"] = _timed(network, weights, folder, threads, compiled=compiled)
    return figures


def _facts(package: Path) -> dict[str, float]:
    opened = []
    for _ in range(5):
        started = time.perf_counter()
        with Artifact(package):
            opened.append(time.perf_counter() - started)
    return {"megabytes": package.stat().st_size / 1e6, "open_ms": 1000 * min(opened)}


def _timed(
    network: torch.nn.Module, weights: Weights, folder: Path, threads: int, *, compiled: bool
) -> dict[str, Any]:
    torch.set_num_threads(threads)
    runtimes: dict[str, Predict] = {}
    artifact = Artifact(folder / "package.zip", threads=threads)
    runtimes["package"] = artifact.predict_batch
    last = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def by(run: Callable[[torch.Tensor], Any]) -> Predict:
        return lambda images: run(_input(images))

    runtimes["eager"] = by(last)
    if compiled:
        runtimes["compiled"] = by(torch.compile(last))
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnxscript"):
        import onnxruntime  # noqa: PLC0415 - a peer that need not be there

        path = folder / "classifier.onnx"
        if not path.exists():
            write_onnx(weights, folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(str(path), options)
        runtimes["onnxruntime"] = by(lambda images: session.run(None, {"images": images.numpy()}))
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (600, 600, 3), np.uint8) for _ in range(32)]
    result: dict[str, Any] = {}
    with torch.inference_mode(), contextlib.closing(artifact):
        for count, rounds in ROUNDS.items():
            batch = images[:count]
            for run in runtimes.values():
                run(batch)  # compiles, allocates
            taken: dict[str, list[float]] = {name: [] for name in runtimes}
            for _ in range(rounds):
                for name, run in runtimes.items():
                    time.sleep(_PAUSE_S)
                    started = time.perf_counter()
                    run(batch)
                    taken[name].append(time.perf_counter() - started)
            own = {"median": statistics.median(taken["package"]), "least": min(taken["package"])}
            result[f"batch_{count}"] = {
                name: {
                    "least_ms": round(1000 * min(its), 1),
                    "median_ms": round(1000 * statistics.median(its), 1),
                    "images_per_s": round(count / statistics.median(its), 1),
                    "times_as_long_as_the_package": round(statistics.median(its) / own["median"], 2),
                }
                for name, its in taken.items()
            }
    return result


def _input(images: list[Pixels]) -> torch.Tensor:
    pixels_NHWC = np.stack([resize(image, SPECIFICATION) for image in images])
    scaled = normalise(to_input(torch.from_numpy(pixels_NHWC)), SPECIFICATION)
    return scaled.contiguous(memory_format=torch.channels_last)
