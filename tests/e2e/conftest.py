"""One running stack for all end-to-end tests, the command line before it, and a task that went through."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from loupe.client import AsyncLoupe
from loupe.profile import load_profile
from loupe.registry.v1 import algorithm_image_pb2, algorithm_image_service_pb2

from deploy.embedded import stack

CODES = ["TPFIP", "TTFBS", "TTMUD", "TGGS0", "TPOTS", "TSFAS", "TSDFS"]
IMAGE = "surface-classification@v3.1"
COMMAND_TIMEOUT_S = 400
"""Generous: on a crowded machine importing torch alone takes half a minute."""
PROXIES = {
    variable: "http://127.0.0.1:9"
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy")
    for variable in (name, name.upper())
}
"""As a fab's shell has them, for pip; nobody listens there."""
TRAINING = ["--set", "max_iter=20", "--set", "batch_size=8", "--set", "base_lr=0.02"]


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def value(self) -> Any:  # noqa: ANN401 -- JSON
        """The one JSON value on stdout; the command must have succeeded."""
        assert self.code == 0, self.stderr
        return json.loads(self.stdout)


class Loupe:
    """The command, with a data folder; `token` acts as somebody else."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def __call__(self, *arguments: str | Path, token: str = "", language: str = "C.UTF-8") -> Done:
        """Run it to its end."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("LOUPE_")}
        environ |= {"LOUPE_DATA_DIR": str(self.data_dir), "LC_ALL": language, **PROXIES}
        if token:
            environ["LOUPE_TOKEN"] = token
        done = subprocess.run(
            [sys.executable, "-m", "loupe.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            env=environ,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str | Path) -> Any:  # noqa: ANN401 -- JSON
        """What the command answers to a script."""
        return self(*arguments, "--json").value


@pytest.fixture(scope="session")
def loupe() -> Iterator[Loupe]:
    """A running stack with an image version small enough for tests: 32 pixels."""
    root = Path(tempfile.mkdtemp(prefix="loupe-e2e-"))
    try:
        with pytest.MonkeyPatch.context() as shell:
            for name, value in PROXIES.items():
                shell.setenv(name, value)
            stack.up(root, detach=True, trainers=1, evaluators=1)
        asyncio.run(_small_image(root))
        yield Loupe(root)
    finally:
        stack.down(root)
        shutil.rmtree(root, ignore_errors=True)


async def _small_image(root: Path) -> None:
    async with AsyncLoupe(load_profile(root, {})) as client:
        version = await client.image_version("surface-classification@v3.0")
        version.major, version.minor = 3, 1
        version.input.width = version.input.height = 32
        await client.images.CreateAlgorithmImageVersion(
            algorithm_image_service_pb2.CreateAlgorithmImageVersionRequest(
                parent="algorithmImages/surface-classification",
                version=algorithm_image_pb2.AlgorithmImageVersion.FromString(version.SerializeToString()),
            )
        )


@pytest.fixture(scope="session")
def panels(loupe: Loupe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated set, imported as dataset `panels`."""
    folder = tmp_path_factory.mktemp("images") / "panels"
    assert loupe.json("sample", folder, "--per-code", "6")["masks"] == 34
    imported = loupe.json("data", "import", folder, "--dataset", "panels")
    assert (imported["added"], imported["rejected"], imported["leftOut"]) == (35, [], [])
    assert imported["dataPath"]["status"] == "DATA_PATH_STATUS_VALID"
    return folder


@pytest.fixture(scope="session")
def bank(loupe: Loupe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other panels, as many, imported as dataset `bank`; nothing is trained with them."""
    folder = tmp_path_factory.mktemp("images") / "bank"
    loupe.json("sample", folder, "--per-code", "6", "--seed", "5")
    assert loupe.json("data", "import", folder, "--dataset", "bank")["added"] == 35
    return folder


@pytest.fixture(scope="session")
def trained(loupe: Loupe, panels: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A completed training task; the command watched it to its end."""
    params = tmp_path_factory.mktemp("params") / "model.json"
    params.write_text(
        json.dumps({"classification": {"name": "ResNet18", "num_of_classes": 5}, "code_list": CODES})
    )
    assert panels.is_dir()
    task: dict[str, Any] = loupe.json(
        "train", "--name", "panel-adc", "--image", IMAGE, "--dataset", "panels", "--model-params", params,
        "--environment", "demo-fab-cell-array", "--augment", "flip,colour", "--filter-resolution",
        "--request-id", "e2e-1", *TRAINING, "--watch",
    )  # fmt: skip
    return task


@pytest.fixture(scope="session")
def released(loupe: Loupe, trained: dict[str, Any]) -> dict[str, Any]:
    """The task, released."""
    task: dict[str, Any] = loupe.json("release", trained["name"])
    return task
