"""Writes docs/settings.md from what each process declares; `--check` refuses a stale file.

python docs/generate_settings.py [--check]
"""

import importlib
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from loupe.settings import SettingDoc, describe, file_variable

_PAGE = Path(__file__).with_name("settings.md")

# Process, and where its settings are declared. The child inherits the environment of its worker.
_PROCESSES = (
    ("embedded stack", "deploy.embedded.settings", "StackSettings"),
    ("registry", "services.registry.settings", "Settings"),
    ("scheduler", "services.scheduler.settings", "Settings"),
    ("evaluator", "services.evaluator.settings", "Settings"),
    ("gateway", "gateway.settings", "Settings"),
    ("trainer", "services.trainer.settings", "Settings"),
    ("follower", "services.trainer.settings", "FollowerSettings"),
    ("evaluator worker", "services.evaluator.worker.settings", "Settings"),
    ("child of a worker", "services.vision.sources", "ChildSettings"),
)

_HEAD = """# Settings

Every process reads its settings from environment variables, once, when it starts.
It reports all faults together and exits with code 2.
A secret may be in a file instead, as orchestrators mount it: `LOUPE_…_FILE` names the file.
The line end at the end of the file does not count.
The embedded stack (`loupe up`) sets addresses, credentials and stores itself.

This page is generated from the code by `make settings`; `make check` refuses it when it is stale.

"""

_TAIL = """
## The command and the Python client

| variable | default | meaning |
| --- | --- | --- |
| `LOUPE_DATA_DIR` | `~/.local/share/loupe` | The embedded stack's folder, with its addresses and token |
| `LOUPE_REGISTRY_ADDRESS` | the embedded stack's | host:port of the registry |
| `LOUPE_SCHEDULER_ADDRESS` | the embedded stack's | host:port of the scheduler |
| `LOUPE_EVALUATOR_ADDRESS` | the embedded stack's | host:port of the evaluator |
| `LOUPE_TOKEN` | the embedded stack's | The token to send |
| `LOUPE_NATS_URL` | the embedded stack's | nats:// URL for `loupe events`, with user and password |
| `LOUPE_BACKUP_PASSPHRASE` | asked for | Passphrase of `loupe backup --encrypt` and of encrypted backups |
| `LOUPE_HTTPS_AUTHORITY` | the embedded stack's | PEM file to check servers and links by |
| `LOUPE_TLS_AUTHORITY` | none | As above; read if addresses and token are in the environment too |
| `LOUPE_TLS_CERTIFICATE` | none | As above |
| `LOUPE_TLS_KEY` | none | As above |

## Keys of the object store

With `LOUPE_S3_KEYS=aws`: [the variables of AWS's clients](operating/tls.md#keys-of-the-object-store).

## Traces

| variable | default | meaning |
| --- | --- | --- |
| `OTEL_EXPORTER_OTLP_ENDPOINT` | none | URL of a collector (OTLP, gRPC) for the spans of every process |

## Inspection machines

| variable | default | meaning |
| --- | --- | --- |
| `CSOT_KERNELS` | none | `baseline` or `AVX2`: the library of packages uses no larger set |

## Building the library of packages

| variable | default | meaning |
| --- | --- | --- |
| `LOUPE_NATIVE_CACHE` | `~/.cache/loupe/native` | Where the built library is kept |
| `CXX` | zig of the extra `compiler` if it is installed, else `g++` | The C++ compiler |
"""


def _default(of: SettingDoc) -> str:
    if of.required:
        return "required, secret" if of.secret else "required"
    if of.secret or of.default in {None, "", "None"}:
        return "none"
    return f"`{of.default}`".replace(f"{tempfile.gettempdir()}/", "/tmp/")  # noqa: S108 -- shown, not used


def _defaults(declared: Mapping[str, SettingDoc]) -> str:
    """One default for all processes, or each process with its own."""
    each = {process: _default(one) for process, one in declared.items()}
    if len(set(each.values())) == 1:
        return next(iter(each.values()))
    return ", ".join(f"{default} ({process})" for process, default in each.items())


def _variables(declared: Mapping[str, SettingDoc], name: str) -> str:
    """The variable of a setting; of a secret also the one that names its file."""
    secret = any(one.secret for one in declared.values())
    return f"`{name}` or `{file_variable(name)}`" if secret else f"`{name}`"


def page() -> str:
    """The whole page."""
    settings: dict[str, dict[str, SettingDoc]] = {}
    for process, module, name in _PROCESSES:
        for declared in describe(getattr(importlib.import_module(module), name)):
            settings.setdefault(declared.name, {})[process] = declared
    rows = []
    for name, declared in sorted(settings.items()):
        doc = next(iter(declared.values())).doc.replace("|", "\\|").replace("<", "&lt;")
        cells = (_variables(declared, name), _defaults(declared), doc, ", ".join(declared))
        rows.append(f"| {' | '.join(cells)} |")
    table = "\n".join(["| variable | default | meaning | read by |", "| --- | --- | --- | --- |", *rows])
    return f"{_HEAD}{table}\n{_TAIL}"


def main() -> None:
    """Write the page, or check it."""
    fresh = page()
    if sys.argv[1:] == ["--check"]:
        if not _PAGE.is_file() or _PAGE.read_text(encoding="utf-8") != fresh:
            raise SystemExit("docs/settings.md is stale; run `make settings`")
        return
    _PAGE.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main()
