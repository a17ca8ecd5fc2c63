"""X5: a small package cannot ask for much memory or work: that is computed before anything is allocated."""

import struct
from pathlib import Path

import numpy as np
import pytest
from loupe.artifact import Artifact, ArtifactError

from services.evaluator.worker.packaging.container import pack
from services.evaluator.worker.packaging.graph import Graph, GraphOperation, Kernel, OperationKind, encode
from services.evaluator.worker.packaging.models import PackageName
from services.evaluator.worker.packaging.package import build_package
from tests.support import packages

pytestmark = pytest.mark.xdist_group("packaging")
INPUT = (16, 16, 3)


def package(folder: Path, operations: list[GraphOperation], *, detail: int = 1) -> Path:
    """A package whose classifier has these operations and gives the mean of the last."""
    weights = packages.weights(detail=detail, windows=detail > 1)
    files = packages.files(build_package(weights, PackageName("greedy", "v1.01")))
    mean = GraphOperation("mean", OperationKind.MEAN, (operations[-1].name,))
    graph, values = encode(Graph(INPUT, "images", (*operations, mean), ("mean", "mean")))
    parts = packages.parts(files["models.xbin"]) | {"classifier.graph": graph, "classifier.weights": values}
    return packages.unpacked(packages.with_models(files, pack(parts)), folder)


def resize(name: str, of: str, side: int) -> GraphOperation:
    return GraphOperation(name, OperationKind.RESIZE_NEAREST, (of,), size=(side, side))


def refusal(folder: Path, **options: int) -> ArtifactError:
    with pytest.raises(ArtifactError) as caught:
        Artifact(folder, **options).close()
    return caught.value


def test_large_activations_are_refused(tmp_path: Path) -> None:
    """Three layers of 9,400 × 9,400 px that are needed at once: 1 KB of a file, 3 GiB of memory."""
    layers = [
        resize("first", "images", 9400),
        GraphOperation("second", OperationKind.RELU, ("first",)),
        GraphOperation("sum", OperationKind.ADD, ("first", "second")),
    ]
    folder = package(tmp_path, layers)
    assert (folder / "models.xbin").stat().st_size < 1500
    error = refusal(folder)
    assert error.status == "CSOT_OUT_OF_MEMORY"
    assert "models.xbin takes 3034 MiB" in error.sentence
    assert "allows 2048" in error.sentence


def test_a_program_sets_its_own_limit(tmp_path: Path) -> None:
    """A machine with little memory refuses what another takes, and each is told both figures."""
    folder = package(tmp_path, [resize("large", "images", 1000)])
    error = refusal(folder, max_memory_mib=10)
    assert error.status == "CSOT_OUT_OF_MEMORY"
    assert "takes 12 MiB" in error.sentence
    assert "allows 10" in error.sentence
    with Artifact(folder, max_memory_mib=12) as artifact:
        artifact.predict(np.zeros((40, 40), np.uint8))


def test_every_thread_counts(tmp_path: Path) -> None:
    """Each resizes an image of its own, here to 256 × 256 px."""
    folder = package(tmp_path, [resize("large", "images", 400)], detail=16)
    with Artifact(folder, threads=4, max_memory_mib=3) as artifact:
        artifact.predict(np.zeros((40, 40), np.uint8))
    assert "takes 53 MiB" in refusal(folder, threads=256, max_memory_mib=3).sentence


def test_few_weights_for_many_layers_are_refused(tmp_path: Path) -> None:
    """Every convolution gets a copy of its weights, laid out for the processor, up to 32 times as large."""
    random = np.random.default_rng(0)
    kernel = Kernel((3, 3), (1, 1), (1, 1), (1, 1))
    layers = [
        GraphOperation(
            name,
            OperationKind.CONVOLUTION,
            (of,),
            kernel=kernel,
            weight_OIHW=random.normal(size=(3, 3, 3, 3)),
            bias_O=np.zeros(3),
        )
        for of, name in (("images", "first"), ("first", "second"))
    ]
    folder = package(tmp_path, layers)
    Artifact(folder).close()
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    parts = packages.parts(files["models.xbin"])
    floats = 3 * 3 * 3 * 3
    before, after = struct.pack("<2Q", floats + 3, 2 * floats + 3), struct.pack("<2Q", 0, floats)
    assert before in parts["classifier.graph"]
    parts["classifier.graph"] = parts["classifier.graph"].replace(before, after)
    parts["classifier.weights"] = parts["classifier.weights"][: (floats + 3) * 4]
    error = refusal(packages.unpacked(packages.with_models(files, pack(parts)), tmp_path))
    assert error.status == "CSOT_CORRUPT"
    assert "more weights than the file" in error.sentence


def test_much_work_is_refused(tmp_path: Path) -> None:
    """A network that may look at one image may not look at 961 windows of it, which takes an hour."""
    pool = GraphOperation(
        "pool", OperationKind.MAX_POOL, ("large",), kernel=Kernel((64, 64), (1, 1), (1, 1), (0, 0))
    )
    layers = [resize("large", "images", 1000), pool]
    Artifact(package(tmp_path / "one", layers)).close()
    error = refusal(package(tmp_path / "many", layers, detail=16))
    assert error.status == "CSOT_CORRUPT"
    assert "more work" in error.sentence
