"""Writes docs/operating/metrics.md from what each process declares; `--check` refuses a stale file.

python docs/generate_metrics.py [--check]
"""

import importlib
import sys
from pathlib import Path

from services.kit import metrics

_PAGE = Path(__file__).with_name("operating") / "metrics.md"

# Where metrics are declared, under the processes that have them.
_MODULES = (
    ("Every process", ("services.kit.operations",), ""),
    ("Servers and workers", ("services.kit.grpc_server", "services.kit.object_store"), ""),
    (
        "Servers with a database",
        (
            "services.kit.database",
            "services.kit.signals",
            "services.kit.outbox",
            "services.kit.consumer",
            "services.kit.backlog",
        ),
        "The registry, the scheduler and the evaluator; the evaluator has no outbox.",
    ),
    ("Scheduler", ("services.scheduler.application.queue_metrics",), ""),
    (
        "Workers",
        ("services.worker.job_execution", "services.worker.held_job", "services.worker.gpus"),
        "A worker has one job at a time, so its figures are that job's.",
    ),
    ("Gateway", ("gateway.envelope",), ""),
)

_HEAD = """# Metrics

What `/metrics` of each process tells; [monitoring](monitoring.md) says where that is.
Beside these it has the metrics `process_…` of Prometheus' client library, such as memory and open files.
A histogram `x` is told as `x_bucket`, `x_count` and `x_sum`.

Every replica of the scheduler tells the same queue, and every replica of a server the same outbox.
Take their `max`, not their `sum`.

This page is generated from the code by `make metrics`; `make check` refuses it when it is stale.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for title, modules, note in _MODULES:
        for module in modules:
            importlib.import_module(module)
        # By module: the catalogue is in the order in which modules happened to be imported.
        rows = [one for module in modules for one in metrics.catalogue.values() if one.module == module]
        parts.append(f"\n## {title}\n\n{note}{chr(10) * 2 if note else ''}{_table(rows)}")
    return "".join(parts)


def _table(rows: list[metrics.Description]) -> str:
    lines = ["| name | kind | unit | labels | meaning |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| `{one.name}` | {one.kind} | {one.unit} | "
        f"{', '.join(f'`{label}`' for label in one.labels) or '–'} | {one.meaning} |"
        for one in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page, or check it."""
    fresh = page()
    if sys.argv[1:] == ["--check"]:
        if not _PAGE.is_file() or _PAGE.read_text(encoding="utf-8") != fresh:
            raise SystemExit("docs/operating/metrics.md is stale; run `make metrics`")
        return
    _PAGE.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main()
