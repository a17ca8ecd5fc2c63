"""One child process: how it is described, started so that it never outlives its supervisor, and measured."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded.logs import Log

_PR_SET_PDEATHSIG = 1
_LISTEN = "0A"
"""Of a socket, in /proc/net/tcp."""
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, kw_only=True)
class Account:
    """The user and group of a program; by default the supervisor's own."""

    prefix: tuple[str, ...] = ()
    """A command that changes identity and then becomes the program (`unshare …`)."""
    uid: int | None = None
    gid: int | None = None


OWN_ACCOUNT = Account()


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What to execute; made anew by `ProcessSpec.prepare` before every start."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    """The whole environment of the child."""
    working_directory: Path
    account: Account = OWN_ACCOUNT


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """A state that a process does not leave by itself; it is restarted once the cause is gone."""

    says: bytes
    """What it then writes to its log, again and again."""
    is_over: Callable[[], bool]
    """Whether the cause is gone."""
    reason: str
    """Of the restart."""


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """A process the supervisor keeps running."""

    name: str
    prepare: Callable[[], Launch]
    """Runs in a thread before every start: makes folders, removes files of a killed process. Idempotent."""
    before_start: Callable[[], None] | None = None
    """Runs in a thread before `prepare`: work on what other processes keep, such as a dump of their rows."""
    clear: Callable[[], None] | None = None
    """Runs in a thread after every end of the process: removes its files outside of its folder."""
    probe: Callable[[], Awaitable[bool]] | None = None
    """True once the process does its work; without one, having lived for `settle_s` counts.

    Where there is an `address`, this process must be the one that answers on it."""
    stuck: Stuck | None = None
    settle_s: float = 1.0
    """Long enough for an error of a missing module or setting to occur."""
    address: str | None = None
    """host:port where it listens, if other processes need it."""
    monitoring: str | None = None
    """host:port where it answers probes and tells its metrics."""
    after: tuple[str, ...] = ()
    """Names of the processes that must have been ready once before this one starts the first time."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    """How long the stop signal may take before SIGKILL."""
    orphan_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends the process when its supervisor dies."""


async def start(launch: Launch, *, log: Log, orphan_signal: signal.Signals) -> asyncio.subprocess.Process:
    """Start the process in its own session, its output in `log`; it ends when this process ends."""
    if threading.current_thread() is not threading.main_thread():
        # PR_SET_PDEATHSIG fires when the *thread* that forked ends; only the main one lives as long as we do.
        raise RuntimeError("processes of the stack must be started from the main thread")
    parent_pid = os.getpid()

    def bind_life_to_parent() -> None:
        if sys.platform == "linux":
            # After Popen changed user: a change of credentials clears the setting.
            _libc.prctl(_PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0)
            if os.getppid() != parent_pid:
                os._exit(1)

    account = launch.account
    descriptor = log.open_pipe()
    try:
        return await asyncio.create_subprocess_exec(
            *account.prefix,
            *launch.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=launch.working_directory,
            env=dict(launch.environment),
            # Ctrl-C in a terminal must reach the supervisor alone; it stops the others in order.
            start_new_session=True,
            preexec_fn=bind_life_to_parent,
            user=account.uid,
            group=account.gid,
            extra_groups=None if account.uid is None else [],
        )
    finally:
        os.close(descriptor)


def is_alive(pid: int) -> bool:
    """Whether a process of this id exists and is not merely waiting to be reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def command_line(pid: int) -> list[str]:
    """The arguments a process was started with; empty if there is none."""
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


def process_tree() -> dict[int, list[int]]:
    """Children of every process of the machine, by parent."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    return children


def listens(pid: int, port: int) -> bool:
    """Whether the process, or one that it started, listens on the port.

    True where the kernel does not say: of programs under another account, say.
    """
    try:
        wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
        return any(wanted & _open_files(member) for member in family(pid, process_tree()))
    except PermissionError:
        return True


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == _LISTEN and int(local.rpartition(":")[2], 16) == port:
                found.add(inode)
    return found


def _open_files(pid: int) -> set[str]:
    found = set()
    # A process may end, and a file be closed, meanwhile.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found.add(str(descriptor.readlink()))
    return found


def family(pid: int, tree: Mapping[int, list[int]]) -> Iterator[int]:
    """The process and its descendants."""
    waiting = [pid]
    while waiting:
        yield (current := waiting.pop())
        waiting.extend(tree.get(current, ()))


def memory_bytes(pid: int, tree: Mapping[int, list[int]]) -> int:
    """Resident memory of a process and its descendants; pages they share are counted once (PSS)."""
    return sum(_proportional_set_bytes(member) for member in family(pid, tree))


def _proportional_set_bytes(pid: int) -> int:
    for source, key in ((f"/proc/{pid}/smaps_rollup", "Pss:"), (f"/proc/{pid}/status", "VmRSS:")):
        with contextlib.suppress(OSError):
            for line in Path(source).read_text().splitlines():
                if line.startswith(key):
                    return int(line.split()[1]) * 1024
    return 0
