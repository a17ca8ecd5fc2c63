"""`loupe up`, `down` and `status`: the embedded stack."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click
from loupe.client import Loupe
from loupe.commands.access import first_log_in
from loupe.commands.session import Output, local
from loupe.failures import Refused, Unreachable
from loupe.language import pick, translated
from loupe.profile import default_data_dir
from loupe.rendering import facts, human_duration, table
from loupe.text import human_bytes
from rich.console import Group, RenderableType
from rich.text import Text

from deploy.embedded import stack, workers
from deploy.embedded.errors import StackError, StartFailed
from deploy.embedded.network import NetworkChoice
from deploy.embedded.state import ProcessState, State


@contextmanager
def refuse_on_stack_error() -> Iterator[None]:
    """Refused for everything that the embedded stack refuses or fails to do."""
    try:
        yield
    except StartFailed as error:
        raise Refused(f"{error}\n{error.log_tail}".rstrip()) from error
    except StackError as error:
        raise Refused(pick(str(error), error.chinese)) from error


def network_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that open the stack to other machines, as one argument `choice`."""

    @wraps(command)
    def chosen(
        *arguments: Any,  # noqa: ANN401 -- the command's own
        bind: str | None,
        public_host: str | None,
        https_certificate: Path | None,
        https_key: Path | None,
        https_self_signed: bool,
        **options: Any,  # noqa: ANN401 -- the command's own
    ) -> None:
        choice = NetworkChoice(
            bind=bind,
            public_host=public_host,
            certificate=https_certificate,
            key=https_key,
            self_signed=https_self_signed,
        )
        command(*arguments, choice=choice, **options)

    file = click.Path(path_type=Path, dir_okay=False, exists=True)
    for option in (
        click.option(
            "--https-self-signed", is_flag=True, help="Make a certificate, and print its fingerprint."
        ),
        click.option("--https-key", type=file, metavar="FILE", help="Its key (PEM)."),
        click.option("--https-certificate", type=file, metavar="FILE", help="Certificate and chain (PEM)."),
        click.option("--public-host", metavar="NAME", help="Name of this machine for others; as --bind."),
        click.option("--bind", metavar="ADDRESS", help="Let other machines in, at this address of this one."),
    ):
        chosen = option(chosen)
    return chosen


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
@click.option(
    "--trainers", type=click.IntRange(0, workers.MOST), help="Trainer workers; as the last time, else 1."
)
@click.option(
    "--evaluators", type=click.IntRange(0, workers.MOST), help="Evaluator workers; as the last time, else 1."
)
@network_options
@local
@refuse_on_stack_error()
def up(  # noqa: PLR0913 -- its options
    out: Output,
    data_dir: Path | None,
    *,
    choice: NetworkChoice,
    detach: bool,
    trainers: int | None,
    evaluators: int | None,
) -> None:
    """Start PostgreSQL, NATS, S3 and all services on 127.0.0.1, with everything they keep in one folder.

    Without --detach it stays in the foreground and stops everything on Ctrl-C. Starting twice is harmless.
    With --bind other machines reach console, gRPC and links; the choice is kept for later starts, and
    --bind 127.0.0.1 ends it.

    \b
    Examples:
      loupe up --detach
      loupe up --detach --trainers 2 --data-dir ./loupe-data
      loupe up --detach --bind 10.1.2.3 --public-host loupe.fab.example --https-self-signed
    """
    folder = data_dir or default_data_dir()
    tell = _teller(out)

    def ready(status: stack.StackStatus) -> None:
        _tell_ready(out, folder, status, already_running=False)

    if detach:
        result = stack.up(
            folder, detach=True, trainers=trainers, evaluators=evaluators, choice=choice, on_event=tell
        )
    else:
        result = stack.up(
            folder,
            trainers=trainers,
            evaluators=evaluators,
            choice=choice,
            on_event=tell,
            on_ready=ready,
        )
        if not result.already_running:
            return
    if result.already_running:
        out.say("the stack runs already")
    _tell_ready(out, folder, result.status, already_running=result.already_running)
    out.hint("next: loupe demo, or loupe sample /tmp/panels; `loupe down` stops it")


def _teller(out: Output) -> Callable[[ProcessState], None]:
    """Says what becomes of the processes; in the foreground also later, when one is started again."""

    def tell(process: ProcessState) -> None:
        if process.state in (State.READY, State.BACKOFF, State.STOPPED):
            why = f" ({process.detail})" if process.detail and process.state is State.BACKOFF else ""
            where = f" at {process.address}" if process.address and process.state is State.READY else ""
            out.say(f"{process.name}: {process.state}{where}{why}")

    return tell


@click.command(short_help="Change the number of workers of a stack, while it runs.")
@click.argument("numbers", metavar="KIND=N...", nargs=-1, required=True)
@local
@refuse_on_stack_error()
def scale(out: Output, data_dir: Path | None, numbers: tuple[str, ...]) -> None:
    """Have so many trainers and evaluators, now and after each `loupe up`.

    A worker that goes writes a checkpoint first; another one goes on with its job, or it waits for one.

    \b
    Examples:
      loupe scale trainers=3
      loupe scale trainers=0 evaluators=2
    """
    wanted = _numbers(numbers)
    folder = data_dir or default_data_dir()
    found = stack.scale(folder, **wanted, on_event=_teller(out))
    kept = found.workers
    text = f"trainers: {kept.trainers}, evaluators: {kept.evaluators}"
    if not found.running:
        text += f"; no stack runs in {folder}, `loupe up --detach` starts so many"
    out.answer(_json(found, already_running=found.running), text)


def _numbers(numbers: tuple[str, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in numbers:
        kind, _, number = one.partition("=")
        if kind not in ("trainers", "evaluators") or not number.isdecimal() or int(number) > workers.MOST:
            raise click.UsageError(
                f"{one!r} is no number of workers; write trainers=N or evaluators=N, "
                f"with N from 0 to {workers.MOST}"
            )
        if kind in found:
            raise click.UsageError(f"{kind} is said twice; say it once")
        found[kind] = int(number)
    return found


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


def _opened(found: stack.StackStatus) -> dict[str, RenderableType]:
    """Where other machines find the services, and whether the network can read along."""
    if not found.public:
        return {}
    told = [f"{service} {address}" for service, address in found.public.items() if service != "gateway"]
    pairs: dict[str, RenderableType] = {"gRPC for others": ", ".join(told)}
    if found.network.certificate:
        pairs["encryption"] = f"TLS with {found.network.certificate}"
        pairs["fingerprint"] = f"SHA-256 {found.network.fingerprint}"
    else:
        pairs["encryption"] = Text(
            "none: whoever is on the network can read passwords, tokens and pictures; "
            "`loupe up --https-self-signed` or `--https-certificate` encrypts",
            style="yellow",
        )
    return pairs


def _json(found: stack.StackStatus, *, already_running: bool) -> dict[str, Any]:
    return {
        "dataDir": str(found.data_dir),
        "running": found.running,
        "alreadyRunning": already_running,
        "state": str(found.state),
        "supervisorPid": found.supervisor_pid,
        "uptimeS": found.uptime_s,
        "addresses": found.addresses,
        "workers": asdict(found.workers),
        "disk": {
            "freeBytes": found.disk_free_bytes,
            "totalBytes": found.disk_total_bytes,
            "almostFull": found.disk_is_almost_full,
        },
        "network": {
            "bind": found.network.bind,
            "publicHost": found.network.public_host,
            "https": bool(found.network.certificate),
            "selfSigned": found.network.self_signed,
            "certificate": found.network.certificate,
            "fingerprint": found.network.fingerprint,
            "addresses": found.public,
        },
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
    scheme = "https" if found.network.certificate else "http"
    addresses = {**found.addresses, **{k: v for k, v in found.public.items() if k == "gateway"}}
    for service, address in addresses.items():
        pairs[service] = f"{scheme}://{address}" if service == "gateway" else f"{address} (gRPC)"
    if console_access:
        pairs["console"] = f"{scheme}://{addresses['gateway']}  ({console_access})"
    pairs |= _opened(found)
    if found.disk_is_almost_full:
        pairs["disk"] = Text(
            translated(
                "almost full: {free} of {size} are free, and with less than 5 % no training begins; "
                "free some",
                free=human_bytes(found.disk_free_bytes or 0),
                size=human_bytes(found.disk_total_bytes or 0),
            ),
            style="red",
        )
    if found.not_kept_from:
        pairs["children"] = translated(
            "not kept from {measures} by this kernel (docs/security.md)",
            measures=", ".join(found.not_kept_from),
        )
    pairs["backup"] = _last_backup(found)
    pairs["token"] = f"in {found.data_dir / 'client.json'}"
    return facts(pairs)
