"""What `stack.json` says: ports, addresses and the state of every process. No secrets."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from deploy.embedded.files import write_atomically


class State(StrEnum):
    """Of a process, or of the stack as a whole."""

    PENDING = "pending"
    """Waits for the processes it needs."""
    STARTING = "starting"
    READY = "ready"
    BACKOFF = "backoff"
    """Ended by itself; will be started again in a moment."""
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class ProcessState:
    """One process as its supervisor sees it."""

    name: str
    state: State = State.PENDING
    address: str | None = None
    monitoring: str | None = None
    """host:port of /livez, /readyz and /metrics."""
    pid: int | None = None
    restarts: int = 0
    """Starts after the first one, since the supervisor began."""
    started_at: float | None = None
    """Unix time of the current start."""
    ready_at: float | None = None
    """Unix time at which it was first ready since the supervisor began."""
    detail: str = ""
    """Why it ended or could not be started the last time; empty if it never did."""


@dataclass(frozen=True, kw_only=True)
class StackState:
    """Everything `stack.json` holds."""

    state: State
    supervisor_pid: int
    started_at: float
    ports: Mapping[str, int] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Where clients on this machine find registry, scheduler, evaluator and gateway (host:port)."""
    public: Mapping[str, str] = field(default_factory=dict)
    """Where those on other machines find them; empty if none does."""
    processes: tuple[ProcessState, ...] = ()


def write_state(path: Path, state: StackState) -> None:
    """Replace the file; a reader never sees half of it."""
    write_atomically(path, json.dumps(asdict(state), indent=2) + "\n", durable=False)


def read_state(path: Path) -> StackState | None:
    """The state last written; None if there is none that can be read."""
    try:
        stored = json.loads(path.read_text())
        processes = tuple(
            ProcessState(**{**process, "state": State(process["state"])})
            for process in stored.pop("processes")
        )
        return StackState(**{**stored, "state": State(stored["state"])}, processes=processes)
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError):
        # Nothing in it is needed: a start without it picks new ports.
        return None
