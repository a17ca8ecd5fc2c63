"""The chart as helm renders it, and which settings there are."""

import functools
import importlib.util
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.repository import ROOT

CHART = ROOT / "deploy/helm/loupe"
EXAMPLES = ROOT / "deploy/helm/examples"
Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]


@pytest.fixture(scope="session")
def helm() -> str:
    fetched = ROOT / ".cache/helm/helm"
    found = str(fetched) if fetched.is_file() else shutil.which("helm")
    if found is None:
        pytest.skip("helm is not here: `make check-deploy` fetches it")
    return found


def call(helm: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm, *arguments], capture_output=True, text=True, check=False)


def values_files(*names: str) -> list[str]:
    """As arguments of helm: each example beside the least that the chart needs, where it needs that."""
    return [word for name in names for word in ("--values", str(EXAMPLES / f"values-{name}.yaml"))]


@pytest.fixture(scope="session")
def render(helm: str) -> Render:
    @functools.cache
    def rendered(names: Sequence[str], settings: Sequence[str], chart: Path) -> str:
        sets = [word for one in settings for word in ("--set-json", one)]
        done = call(helm, "template", "loupe", str(chart), *values_files(*names), *sets)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def manifests(*names: str, settings: Sequence[str] = (), chart: Path = CHART) -> list[Manifest]:
        return [one for one in yaml.safe_load_all(rendered(names, tuple(settings), chart)) if one]

    return manifests


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] == kind}


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """The templates of all pods, by the names of what makes them."""
    for one in manifests:
        spec = one.get("spec", {})
        group = spec.get("leaderWorkerTemplate", {})
        found = (spec.get("template"), spec.get("jobTargetRef", {}).get("template"))
        for template in (*found, group.get("leaderTemplate"), group.get("workerTemplate")):
            if template:
                yield one["metadata"]["name"], template


def variables(pod: Manifest) -> dict[str, Manifest]:
    return {one["name"]: one for container in pod["spec"]["containers"] for one in container["env"]}


@pytest.fixture(scope="session")
def settings_of() -> Mapping[str, set[str]]:
    """The names of the variables that each process reads; of a secret also the one with the file of it."""
    place = ROOT / "docs/generate_settings.py"
    spec = importlib.util.spec_from_file_location("generate_settings", place)
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    read: dict[str, set[str]] = {}
    for process, module, name in generator._PROCESSES:
        declared = list(generator.describe(getattr(importlib.import_module(module), name)))
        read[process] = {one.name for one in declared}
        read[process] |= {f"{one.name}_FILE" for one in declared if one.secret}
        # Where the probes and the metrics of a process are.
        read[process].add("LOUPE_OPERATIONS_LISTEN")
    return read


PROCESS_OF_MODULE = {
    "services.registry": "registry",
    "services.scheduler": "scheduler",
    "services.evaluator": "evaluator",
    "gateway": "gateway",
    "services.trainer": "trainer",
    "services.trainer.follow": "follower",
    "services.evaluator.worker": "evaluator worker",
}
