"""Dashboards, alerts and their runbook name what the processes tell, and nothing else."""

import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.repository import ROOT

_FOLDER = ROOT / "deploy/monitoring"
_RUNBOOK = ROOT / "docs/operating/runbook.md"
_METRIC = re.compile(r"\b(?:loupe|process)_[a-z_]+")
_LABEL = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)|\{([^}]*)\}")
# Prometheus' own client library, and Prometheus itself.
_OTHERS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
_OTHER_LABELS = {"instance", "job", "le"}


def _generator() -> Any:  # noqa: ANN401 -- a module
    spec = importlib.util.spec_from_file_location("generate_metrics", ROOT / "docs/generate_metrics.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def told() -> dict[str, set[str]]:
    """The series of every metric, with their labels."""
    generator = _generator()
    generator.page()
    series: dict[str, set[str]] = {name: set() for name in _OTHERS}
    for name, described in generator.metrics.catalogue.items():
        suffixes = ("_bucket", "_count", "_sum") if described.kind == "histogram" else ("",)
        series.update({name + suffix: set(described.labels) for suffix in suffixes})
    return series


def _alerts() -> list[dict[str, Any]]:
    rules = yaml.safe_load((_FOLDER / "alerts.yaml").read_text(encoding="utf-8"))
    return [rule for group in rules["groups"] for rule in group["rules"]]


def _expressions() -> Iterator[tuple[str, str]]:
    for alert in _alerts():
        yield alert["alert"], alert["expr"]
    for path in sorted((_FOLDER / "dashboards").glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        for variable in board["templating"]["list"]:
            if "definition" in variable:
                yield f"{path.name}: {variable['name']}", variable["definition"]
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{path.name}: {panel['title']}", target["expr"]


def test_dashboards_and_alerts_name_metrics_and_labels_that_there_are(told: dict[str, set[str]]) -> None:
    """A panel of a metric that was renamed is empty, and an alert never fires."""
    for where, expression in _expressions():
        # What stands in quotes is a value.
        bare = re.sub(r'"[^"]*"', '""', expression)
        named = set(_METRIC.findall(bare))
        assert named <= set(told) | {"loupe"}, where
        labels = {
            label
            for by, selected in _LABEL.findall(bare)
            for label in re.findall(r"[a-z_]+", by or re.sub(r'[=~!]+""', "", selected))
        }
        assert labels <= set().union(_OTHER_LABELS, *(told[name] for name in named & set(told))), where


def test_every_alert_has_its_section_of_the_runbook_and_its_test() -> None:
    """Who is woken finds what to do."""
    names = [alert["alert"] for alert in _alerts()]
    assert len(set(names)) == len(names)
    sections = re.findall(r"^## (.*)$", _RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert sections == names
    for alert in _alerts():
        assert alert["annotations"]["runbook"] == f"docs/operating/runbook.md#{alert['alert'].lower()}"
        assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    tests = yaml.safe_load((_FOLDER / "alerts.test.yaml").read_text(encoding="utf-8"))["tests"]
    tried = [f"{name} {how}" for name in names for how in ("fires", "is quiet")]
    assert [test["name"] for test in tests] == tried


def test_every_metric_that_can_be_watched_is_on_a_dashboard(told: dict[str, set[str]]) -> None:
    """What nobody can see is measured for nothing."""
    shown = {
        name
        for where, expression in _expressions()
        if where.endswith(".json") or ".json:" in where
        for name in _METRIC.findall(expression)
    }
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in told} - _OTHERS
    unseen = {family for family in families if not any(name.startswith(family) for name in shown)}
    assert unseen == set()


def test_the_page_of_metrics_is_fresh() -> None:
    """`make metrics` writes it."""
    generator = _generator()
    assert generator._PAGE.read_text(encoding="utf-8") == generator.page()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here (Debian: prometheus)")
@pytest.mark.parametrize("what", [("check", "rules", "alerts.yaml"), ("test", "rules", "alerts.test.yaml")])
def test_prometheus_takes_the_rules_and_they_fire_where_they_should(what: tuple[str, ...]) -> None:
    """Every alert by its own series, once firing and once quiet."""
    done = subprocess.run(["promtool", *what], cwd=_FOLDER, capture_output=True, text=True, check=False)  # noqa: S607 -- where PATH says
    assert done.returncode == 0, done.stdout + done.stderr
