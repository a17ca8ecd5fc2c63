"""Start, stop and look at a whole stack: what `loupe up`, `down` and `status` call.

`up` in the foreground runs the supervisor in the calling process; detached, it starts
`python -m deploy.embedded` and follows its `stack.json`.
"""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from loupe.settings import SettingsError, load

from deploy.embedded import network, workers
from deploy.embedded.data_folder import DataFolder
from deploy.embedded.errors import AlreadyRunning, StackError, StartFailed
from deploy.embedded.files import write_atomically
from deploy.embedded.logs import bound_own_log, failure, open_log
from deploy.embedded.loupe_processes import import_path, loupe_processes, monitoring_ports, worker_names
from deploy.embedded.network import Network, NetworkChoice
from deploy.embedded.ports import HOST, SERVICE_PORTS
from deploy.embedded.process import is_alive, memory_bytes, process_tree
from deploy.embedded.programs import require_programs
from deploy.embedded.servers import EmbeddedServers, nothing_more
from deploy.embedded.settings import StackSettings
from deploy.embedded.state import ProcessState, StackState, State, read_state
from deploy.embedded.workers import Workers
from services.kit import child_confinement
from services.kit.disk import is_almost_full

MAX_FIRST_RESTARTS = 4
"""A process that ended more often than this before it was ever ready makes a detached `up` give up."""

SUPERVISOR = "supervisor"
"""Its name among the logs."""

_POLL_INTERVAL_S = 0.05
_LOOK_INTERVAL_S = 2.0
_SCALE_INTERVAL_S = 0.2
_DOWN_TIMEOUT_S = 60.0
_DYING_PATIENCE_S = 0.15

_log = logging.getLogger(__name__)

OnEvent = Callable[[ProcessState], None]


@dataclass(frozen=True, kw_only=True)
class ProcessStatus:
    """One process as `status` reports it."""

    name: str
    state: State
    pid: int | None
    address: str | None
    monitoring: str | None
    """Where it answers /livez, /readyz and /metrics; None for a server that is not Loupe's."""
    uptime_s: float | None
    """Since its last start; None if it does not run."""
    restarts: int
    memory_bytes: int | None
    """Resident memory with that of its children, shared pages counted once; None if it does not run."""
    detail: str
    """Why it ended the last time, if it did."""
    log: Path


@dataclass(frozen=True, kw_only=True)
class StackStatus:
    """A stack as `status` reports it."""

    data_dir: Path
    running: bool
    """Whether a supervisor holds the data folder now."""
    state: State
    supervisor_pid: int | None
    uptime_s: float | None
    addresses: dict[str, str]
    """registry, scheduler, evaluator, gateway: host:port on this machine; empty if it does not run."""
    network: Network
    """Where other machines reach it, now or at the next start."""
    disk_free_bytes: int | None
    disk_total_bytes: int | None
    """Of the disk of the data folder; None if that is not there."""
    workers: Workers
    """How many there shall be, now and at the next start."""
    public: dict[str, str]
    """The same services for other machines; empty if it does not run or is not open to them."""
    processes: tuple[ProcessStatus, ...]
    last_backup: Mapping[str, Any] | None = None
    """What the newest backup of the folder noted: created, place, encrypted, objects, bytes, lost."""
    last_dump: Path | None = None
    """The newest dump of the database from before its tables changed."""
    not_kept_from: tuple[str, ...] = ()
    """What this kernel cannot keep children of workers from, of `child_confinement.MEASURES`."""

    @property
    def disk_is_almost_full(self) -> bool:
        """Whether no training begins for lack of room."""
        return self.disk_total_bytes is not None and is_almost_full(self.data_dir)


@dataclass(frozen=True, kw_only=True)
class UpResult:
    """What `up` found or did."""

    status: StackStatus
    already_running: bool


def _settings() -> StackSettings:
    try:
        return load(StackSettings, os.environ)
    except SettingsError as error:
        raise StackError(str(error)) from error


def ignore(_: ProcessState) -> None:
    """Do nothing about an event."""


def up(  # noqa: PLR0913 - what the command line offers, each by name
    data_dir: Path,
    *,
    detach: bool = False,
    trainers: int | None = None,
    evaluators: int | None = None,
    services: bool = True,
    choice: NetworkChoice = NetworkChoice(),  # noqa: B008 -- frozen
    on_event: OnEvent = ignore,
    on_ready: Callable[[StackStatus], None] = lambda _: None,
    timeout_s: float = 180.0,
) -> UpResult:
    """Start the stack of a data folder, or say that it already runs.

    Detached: returns when every process is ready; StartFailed with the tail of the failing process's log
    otherwise, and nothing is left running. In the foreground: calls `on_ready`, supervises until SIGINT or
    SIGTERM, stops everything and returns; must be called from the main thread. `on_event` gets every change.
    What `choice` says about the network, and the numbers of workers, are kept for later starts.
    """
    folder = DataFolder(data_dir)
    chosen = choice.network(folder.root) if choice.is_made else None
    if _is_held(folder):
        _refuse_another(folder, chosen)
        return UpResult(status=_wait_for_other(folder, timeout_s, on_event), already_running=True)
    if folder.half_restored.exists():
        raise StackError(
            f"a restore into {folder.root} did not end; remove the folder, and restore the backup again"
        )
    # A wrong setting or program is refused here, not in the log of a process that is detached.
    require_programs(_settings().programs)
    folder.create()
    wanted = workers.read(folder.workers_file).with_given(trainers, evaluators)
    workers.keep(folder.workers_file, wanted)
    if chosen is not None:
        network.prepare(chosen)
        network.keep(folder.network_file, chosen)
    else:
        network.prepare(network.read(folder.network_file))
    if detach:
        daemon = _start_daemon(folder, services=services)
        try:
            return UpResult(status=_follow(folder, timeout_s, on_event, daemon), already_running=False)
        except BaseException:
            # Nothing half-started stays behind, Ctrl-C included.
            _end(daemon)
            raise
    try:
        asyncio.run(
            run_until_signalled(
                folder.root,
                services=services,
                on_event=on_event,
                on_ready=on_ready,
            )
        )
    except AlreadyRunning:
        # Another process locked the folder after we had looked.
        return UpResult(status=_wait_for_other(folder, timeout_s, on_event), already_running=True)
    return UpResult(status=status(folder.root), already_running=False)


async def run_until_signalled(
    data_dir: Path,
    *,
    services: bool = True,
    on_event: OnEvent = ignore,
    on_ready: Callable[[StackStatus], None] = lambda _: None,
) -> None:
    """Supervise the stack in this process until SIGINT or SIGTERM, then stop it in order.

    It also ends when somebody deleted the data folder: servers without their files answer nobody.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stop.set)
    settings = _settings()
    kept = workers.read(DataFolder(data_dir).workers_file)
    stack = EmbeddedServers(
        data_dir,
        more=partial(loupe_processes, workers=kept) if services else nothing_more,
        port_names=(*SERVICE_PORTS, *monitoring_ports(kept)) if services else (),
        on_change=on_event,
        durability=settings.durability,
        programs=settings.programs,
    )
    await stack.begin()
    try:
        if services:
            _write_client_file(stack)
        ready = asyncio.create_task(stack.wait_ready())
        stopped = asyncio.create_task(stop.wait())
        watching = asyncio.create_task(_watch(stack.folder, stop))
        scaling = asyncio.create_task(_scale(stack)) if services else None
        await asyncio.wait({ready, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            await ready
            on_ready(status(data_dir))
            await stopped
        ready.cancel()
        watching.cancel()
        if scaling is not None:
            scaling.cancel()
    finally:
        await stack.stop(kill=not stack.folder.is_there)


async def _watch(folder: DataFolder, stop: asyncio.Event) -> None:
    """Stop if the folder is deleted, and keep the supervisor's own log bounded."""
    while folder.is_there:
        with contextlib.suppress(OSError):
            bound_own_log(folder.log(SUPERVISOR))
        await asyncio.sleep(_LOOK_INTERVAL_S)
    stop.set()


async def _scale(stack: EmbeddedServers) -> None:
    """Start and stop workers whenever `workers.json` says so."""
    read_s = 0.0
    while True:
        await asyncio.sleep(_SCALE_INTERVAL_S)
        with contextlib.suppress(OSError):
            changed_s = stack.folder.workers_file.stat().st_mtime
            if changed_s == read_s:
                continue
            read_s = changed_s
            try:
                kept = workers.read(stack.folder.workers_file)
                stack.reserve(monitoring_ports(kept))
                wanted = loupe_processes(stack.plan, workers=kept)
            except StackError as error:
                _log.warning("the numbers of workers stay: %s", error)
                continue
            await stack.have(wanted)


def scale(
    data_dir: Path,
    *,
    trainers: int | None = None,
    evaluators: int | None = None,
    on_event: OnEvent = ignore,
    timeout_s: float = 180.0,
) -> StackStatus:
    """Change the numbers of workers, now and for later starts; returns when they are so.

    A worker that goes writes a checkpoint and gives its job back, and another one goes on with it. StackError
    if the workers do not come up in time; the numbers stay as they were told.
    """
    folder = DataFolder(data_dir)
    if not folder.is_there:
        raise StackError(f"{folder.root} is no data folder of a stack; `loupe up` makes one")
    wanted = workers.read(folder.workers_file).with_given(trainers, evaluators)
    workers.keep(folder.workers_file, wanted)
    started_s = time.time()
    deadline = time.monotonic() + timeout_s
    seen: dict[str, ProcessState] = {}
    while (pid := folder.supervisor_pid()) is not None:
        stored = read_state(folder.state_file)
        if stored is not None and stored.supervisor_pid == pid:
            _tell_new(stored.processes, seen, on_event)
            present = {process.name: process for process in stored.processes if _is_worker(process.name)}
            missing = set(worker_names(wanted)) - {n for n, p in present.items() if p.state is State.READY}
            if not missing and len(present) == wanted.trainers + wanted.evaluators:
                break
            if time.monotonic() > deadline:
                late = min(missing or present.keys() - set(worker_names(wanted)))
                raise _failure(folder, late, f"is not {'ready' if missing else 'gone'} in time", started_s)
        time.sleep(_POLL_INTERVAL_S)
    return status(folder.root)


def down(data_dir: Path, *, timeout_s: float = _DOWN_TIMEOUT_S) -> bool:
    """Stop the stack of a data folder and wait until it is gone; False if none ran.

    A supervisor that does not end in time is killed; the kernel then ends what it started.
    """
    folder = DataFolder(data_dir)
    pid = folder.supervisor_pid()
    if pid is None:
        return False
    deadline = time.monotonic() + timeout_s
    _signal(pid, signal.SIGTERM)
    while folder.supervisor_pid() is not None:
        if time.monotonic() > deadline:
            _signal(pid, signal.SIGKILL)
            deadline += timeout_s
        time.sleep(_POLL_INTERVAL_S)
    # The supervisor has released the folder and ends a moment later.
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(_POLL_INTERVAL_S)
    with contextlib.suppress(ChildProcessError):
        # Our own child if the same process called `up`: leave no zombie.
        os.waitpid(pid, os.WNOHANG)
    return True


def status(data_dir: Path) -> StackStatus:
    """How the stack of a data folder is now."""
    folder = DataFolder(data_dir)
    supervisor_pid = folder.supervisor_pid()
    stored = read_state(folder.state_file)
    if stored is None or supervisor_pid != stored.supervisor_pid:
        # Not written yet, or left by a supervisor that was killed: its process states are not valid.
        beginning = supervisor_pid is not None
        stored = StackState(
            state=State.STARTING if beginning else State.STOPPED,
            supervisor_pid=supervisor_pid or 0,
            started_at=time.time(),
            processes=() if beginning or stored is None else tuple(_stopped(p) for p in stored.processes),
        )
    tree = process_tree() if supervisor_pid is not None else {}
    usage = shutil.disk_usage(folder.root) if folder.is_there else None
    return StackStatus(
        data_dir=folder.root,
        running=supervisor_pid is not None,
        state=stored.state,
        supervisor_pid=supervisor_pid,
        uptime_s=None if supervisor_pid is None else time.time() - stored.started_at,
        addresses=dict(stored.addresses) if supervisor_pid is not None else {},
        network=network.read(folder.network_file),
        disk_free_bytes=None if usage is None else usage.free,
        disk_total_bytes=None if usage is None else usage.total,
        workers=workers.read(folder.workers_file),
        public=dict(stored.public) if supervisor_pid is not None else {},
        processes=tuple(_process_status(folder, process, tree) for process in stored.processes),
        last_backup=_last_backup(folder),
        last_dump=max(folder.dumps.glob("*.dump"), default=None),
        not_kept_from=tuple(sorted(child_confinement.MEASURES - child_confinement.measures())),
    )


def _last_backup(folder: DataFolder) -> Mapping[str, Any] | None:
    try:
        noted: Mapping[str, Any] = json.loads(folder.last_backup.read_text())
    except (OSError, ValueError):
        return None
    return noted


def _stopped(process: ProcessState) -> ProcessState:
    return ProcessState(
        name=process.name,
        address=process.address,
        monitoring=process.monitoring,
        state=State.STOPPED,
    )


def _process_status(folder: DataFolder, process: ProcessState, tree: dict[int, list[int]]) -> ProcessStatus:
    runs = process.pid is not None
    return ProcessStatus(
        name=process.name,
        state=process.state,
        pid=process.pid,
        address=process.address,
        monitoring=process.monitoring,
        uptime_s=time.time() - process.started_at if runs and process.started_at is not None else None,
        restarts=process.restarts,
        memory_bytes=None if process.pid is None else memory_bytes(process.pid, tree),
        detail=process.detail,
        log=folder.log(process.name),
    )


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _write_client_file(stack: EmbeddedServers) -> None:
    """Write the addresses and the token for the command line; only the owner can read the file."""
    ports, chosen = stack.plan.ports, stack.plan.network
    profile = {
        **{name: f"{HOST}:{ports[name]}" for name in SERVICE_PORTS},
        **({"gateway": stack.plan.public_addresses["gateway"]} if chosen.is_open else {}),
        "gateway_url": chosen.url(ports["gateway"]),
        # With which the links to objects are checked.
        **({"https_authority": chosen.certificate} if chosen.self_signed else {}),
        "nats_url": stack.nats.reader_url,
        "token": stack.credentials.admin_token,
    }
    write_atomically(stack.folder.client_file, json.dumps(profile, indent=2) + "\n", mode=0o600)


def _start_daemon(folder: DataFolder, *, services: bool) -> subprocess.Popen[bytes]:
    folder.create()
    descriptor = open_log(folder.log(SUPERVISOR))
    try:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "deploy.embedded",
                f"--data-dir={folder.root}",
                *(() if services else ("--servers-only",)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=folder.root,
            env={**os.environ, **import_path()},
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


def _refuse_another(folder: DataFolder, chosen: Network | None) -> None:
    """StackError if the stack that runs is opened otherwise than is asked now."""
    if chosen is not None and chosen != network.read(folder.network_file):
        raise StackError(
            f"the stack of {folder.root} runs, and listens where it was told to when it started; "
            "`loupe down`, then start it so"
        )


def _is_held(folder: DataFolder) -> bool:
    pid = folder.supervisor_pid()
    if pid is None:
        return False
    # A supervisor that was killed a moment ago may still hold the lock.
    time.sleep(_DYING_PATIENCE_S)
    return folder.supervisor_pid() is not None


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(_DOWN_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _follow(
    folder: DataFolder, timeout_s: float, on_event: OnEvent, daemon: subprocess.Popen[bytes] | None = None
) -> StackStatus:
    """Wait until the supervisor of the folder reports that everything is ready."""
    deadline = time.monotonic() + timeout_s
    seen: dict[str, ProcessState] = {}
    started_s = time.time()
    while True:
        # In this order: a daemon that has ended here has released the folder before the next line looks.
        daemon_ended = daemon is None or daemon.poll() is not None
        pid = folder.supervisor_pid()
        stored = read_state(folder.state_file)
        if stored is not None and stored.supervisor_pid == pid:
            started_s = stored.started_at
            _tell_new(stored.processes, seen, on_event)
            for process in stored.processes:
                if process.ready_at is None and process.restarts > MAX_FIRST_RESTARTS:
                    raise _failure(folder, process.name, f"does not come up ({process.detail})", started_s)
            if stored.state is State.READY:
                return status(folder.root)
        if daemon_ended and pid is None:
            raise _failure(folder, SUPERVISOR, "ended while starting", started_s)
        if time.monotonic() > deadline:
            late = next((p.name for p in seen.values() if p.ready_at is None), SUPERVISOR)
            raise _failure(folder, late, f"is not ready after {timeout_s:g} s", started_s)
        time.sleep(_POLL_INTERVAL_S)


def _tell_new(processes: tuple[ProcessState, ...], seen: dict[str, ProcessState], on_event: OnEvent) -> None:
    for process in processes:
        if seen.get(process.name) != process:
            seen[process.name] = process
            on_event(process)


def _is_worker(name: str) -> bool:
    return name.startswith(("trainer-", "evaluator-worker-"))


def _wait_for_other(folder: DataFolder, timeout_s: float, on_event: OnEvent) -> StackStatus:
    """Another process runs the stack: wait until it is ready, so that "already running" means usable."""
    stored = read_state(folder.state_file)
    if stored is not None and stored.state is State.STOPPING:
        raise StackError(f"the stack of {folder.root} is being stopped; try again in a moment")
    return _follow(folder, timeout_s, on_event)


def _failure(folder: DataFolder, process: str, reason: str, since_s: float) -> StartFailed:
    return failure(process, reason, folder.log(process), since_s=since_s)
