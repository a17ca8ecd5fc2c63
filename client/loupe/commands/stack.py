"""`loupe up`, `down` and `status`: the embedded stack."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from loupe.client import Loupe
from loupe.commands.access import first_log_in
from loupe.commands.session import Output, local
from loupe.failures import Refused, Unreachable
from loupe.language import translated
from loupe.profile import default_data_dir
from loupe.rendering import facts, human_bytes, human_duration, table
from rich.console import Group, RenderableType
from rich.text import Text

from deploy.embedded import stack
from deploy.embedded.errors import StackError, StartFailed
from deploy.embedded.state import ProcessState, State


@contextmanager
def refuse_on_stack_error() -> Iterator[None]:
    """Refused for everything that the embedded stack refuses or fails to do."""
    try:
        yield
    except StartFailed as error:
        raise Refused(f"{error}\n{error.log_tail}".rstrip()) from error
    except StackError as error:
        raise Refused(str(error)) from error


_STATE_STYLE = {
    State.READY: "green",
    State.STARTING: "yellow",
    State.PENDING: "yellow",
    State.BACKOFF: "red",
    State.STOPPING: "magenta",
    State.STOPPED: "dim",
}


@click.command(short_help="Start the embedded stack with all services.")
@click.option(
    "--detach", is_flag=True, help="Return when everything is ready; the stack goes on in the background."
)
@click.option("--trainers", default=1, show_default=True, type=click.IntRange(0, 64), help="Trainer workers.")
@click.option(
    "--evaluators", default=1, show_default=True, type=click.IntRange(0, 64), help="Evaluator workers."
)
@local
@refuse_on_stack_error()
def up(out: Output, data_dir: Path | None, *, detach: bool, trainers: int, evaluators: int) -> None:
    """Start PostgreSQL, NATS, S3 and all services on 127.0.0.1, with everything they keep in one folder.

    Without --detach it stays in the foreground and stops everything on Ctrl-C. Starting twice is harmless.

    \b
    Examples:
      loupe up --detach
      loupe up --detach --trainers 2 --data-dir ./loupe-data
    """
    folder = data_dir or default_data_dir()

    def tell(process: ProcessState) -> None:
        # In the foreground this goes on after the start, so that later restarts are reported too.
        if process.state in (State.READY, State.BACKOFF, State.STOPPED):
            why = f" ({process.detail})" if process.detail and process.state is State.BACKOFF else ""
            where = f" at {process.address}" if process.address and process.state is State.READY else ""
            out.say(f"{process.name}: {process.state}{where}{why}")

    def ready(status: stack.StackStatus) -> None:
        _tell_ready(out, folder, status, already_running=False)

    if detach:
        result = stack.up(folder, detach=True, trainers=trainers, evaluators=evaluators, on_event=tell)
    else:
        result = stack.up(folder, trainers=trainers, evaluators=evaluators, on_event=tell, on_ready=ready)
        if not result.already_running:
            return
    if result.already_running:
        out.say("the stack runs already")
    _tell_ready(out, folder, result.status, already_running=result.already_running)
    out.hint("next: loupe demo, or loupe sample /tmp/panels; `loupe down` stops it")


@click.command(short_help="Stop the embedded stack.")
@local
@refuse_on_stack_error()
def down(out: Output, data_dir: Path | None) -> None:
    """Stop the stack of a data folder. What it keeps stays; a stack that does not run is no error."""
    folder = data_dir or default_data_dir()
    stopped = stack.down(folder)
    text = f"stopped the stack of {folder}" if stopped else f"no stack runs in {folder}"
    out.answer({"dataDir": str(folder), "stopped": stopped}, text)


@click.command(short_help="Show what runs, where, and how it is.")
@local
@refuse_on_stack_error()
def status(out: Output, data_dir: Path | None) -> None:
    """Show the stack of a data folder, process by process. Exit code 3 if it does not run."""
    folder = data_dir or default_data_dir()
    found = stack.status(folder)
    rows = [
        (
            process.name,
            Text(process.state, style=_STATE_STYLE.get(process.state, "")),
            process.address or "",
            str(process.pid or ""),
            "" if process.uptime_s is None else human_duration(process.uptime_s),
            str(process.restarts or ""),
            "" if process.memory_bytes is None else human_bytes(process.memory_bytes),
            process.detail,
        )
        for process in found.processes
    ]
    columns = ("PROCESS", "STATE", "ADDRESS", "PID", "UP", "RESTARTS", "MEMORY", "LAST END")
    renderable: RenderableType = Group(
        _summary(found), "", table(*columns, rows=rows, right=("PID", "UP", "RESTARTS", "MEMORY"))
    )
    out.answer(_json(found, already_running=found.running), renderable if found.running else "")
    if not found.running:
        raise Unreachable(f"no stack runs in {folder}; `loupe up --detach` starts it")


def _json(found: stack.StackStatus, *, already_running: bool) -> dict[str, Any]:
    return {
        "dataDir": str(found.data_dir),
        "running": found.running,
        "alreadyRunning": already_running,
        "state": str(found.state),
        "supervisorPid": found.supervisor_pid,
        "uptimeS": found.uptime_s,
        "addresses": found.addresses,
        "childrenNotKeptFrom": found.not_kept_from,
        "lastBackup": found.last_backup,
        "lastDump": None if found.last_dump is None else str(found.last_dump),
        "processes": [
            {
                _camel(name): str(value) if isinstance(value, Path) else value
                for name, value in asdict(process).items()
            }
            for process in found.processes
        ],
    }


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _last_backup(found: stack.StackStatus) -> str:
    noted = found.last_backup
    if noted is None:
        return translated("none was made; `loupe backup` makes one")
    created = datetime.fromisoformat(noted["created"]).astimezone()
    return f"{created:%Y-%m-%d %H:%M}, {noted['place']}"


def _tell_dump(out: Output, found: stack.StackStatus) -> None:
    """A dump of this start: tables were changed."""
    dump = found.last_dump
    if (
        dump is not None
        and found.uptime_s is not None
        and time.time() - dump.stat().st_mtime <= found.uptime_s
    ):
        out.say(translated("tables were changed; {dump} is the database from before", dump=dump))


def _tell_ready(out: Output, folder: Path, found: stack.StackStatus, *, already_running: bool) -> None:
    _tell_dump(out, found)
    # The synchronous client has its own loop: in the foreground, the supervisor's loop is running.
    with Loupe.connect(folder) as client:
        access = client.call(first_log_in, client.async_client)
    out.answer(
        {**_json(found, already_running=already_running), "consoleAccess": access}, _summary(found, access)
    )


def _summary(found: stack.StackStatus, console_access: str = "") -> RenderableType:
    memory = sum(process.memory_bytes or 0 for process in found.processes)
    pairs: dict[str, RenderableType] = {
        "stack": str(found.state) + (f", {human_bytes(memory)} of memory" if memory else ""),
        "data": str(found.data_dir),
    }
    for service, address in found.addresses.items():
        pairs[service] = f"http://{address}" if service == "gateway" else f"{address} (gRPC)"
    if console_access:
        pairs["console"] = f"http://{found.addresses['gateway']}  ({console_access})"
    if found.not_kept_from:
        pairs["children"] = (
            f"not kept from {', '.join(found.not_kept_from)} by this kernel (docs/security.md)"
        )
    pairs["backup"] = _last_backup(found)
    pairs["token"] = f"in {found.data_dir / 'client.json'}"
    return facts(pairs)
