"""The queue: who asks for work, whose turn it is, and what a waiting task is told (rules T4, T8)."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from loupe.errors import FailedPrecondition

from services.scheduler.domain.amounts import NOTHING, Amounts
from services.scheduler.domain.job import JobKind

# A line that waits gains priority up to that of the most urgent job, not beyond (T8).
MOST_URGENT = 9


class WorkerReplaced(FailedPrecondition):
    """Another process took this worker's name after this one had started."""

    reason = "WORKER_REPLACED"


@dataclass(frozen=True, slots=True)
class Build:
    """What a worker runs, and computes with: for operators, nothing is decided by it."""

    version: str = ""
    torch_version: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker announces when it asks for a job."""

    name: str
    kinds: tuple[JobKind, ...]
    compute_resources: tuple[str, ...]
    # In all. The parts that its leases take never add up to more.
    capacity: Amounts
    # Tells a process from an earlier one of the same name.
    start_time: datetime
    build: Build = Build()


class WaitCause(StrEnum):
    """Why a job waits (T4, T5)."""

    NO_WORKER_WITH_RESOURCE = "NO_WORKER_WITH_RESOURCE"
    WORKERS_TOO_SMALL = "WORKERS_TOO_SMALL"
    RECOVERING = "RECOVERING"
    ALL_WORKERS_BUSY = "ALL_WORKERS_BUSY"


def wait_cause(*, served: bool, fits: bool, recovering: bool) -> WaitCause:
    """Of a job that waits: what would have to change first.

    `served`: some worker does tasks of its resource; `fits`: and one of those is large enough; `recovering`:
    its task had begun.
    """
    if not served:
        return WaitCause.NO_WORKER_WITH_RESOURCE
    if not fits:
        return WaitCause.WORKERS_TOO_SMALL
    return WaitCause.RECOVERING if recovering else WaitCause.ALL_WORKERS_BUSY


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Where a task's job stands (T4). Position 1 is next."""

    position: int
    since: datetime
    # Some worker does tasks of that resource; and one of those is large enough.
    served: bool
    fits: bool


class Line(NamedTuple):
    """What one user has waiting of one priority for one resource. Only its first can be next."""

    compute_resource: str
    kind: JobKind
    creator: str
    priority: int


class Waiting(NamedTuple):
    """A job that waits in a line."""

    queue_time: datetime
    job: str
    task: str
    takes: Amounts
    # As the first of its line, which gains priority while none of its jobs is given out.
    urgency: int


@dataclass
class Queue:
    """The front of the queue: what decisions build on, and what those so far have made of it."""

    # What the leases of each worker take.
    held: dict[str, Amounts]
    # By id.
    lines: dict[Line, dict[str, Waiting]] = field(default_factory=dict)
    # How many jobs of each user run.
    running: Counter[str] = field(default_factory=Counter)
    served: set[Line] = field(default_factory=set)

    def give_next(self, worker: Worker) -> Waiting | None:
        """The job whose turn it is (T8): priority, then the user with the least running, then age.

        Who is next but does not fit into what the worker has left is waited for: if smaller jobs went first,
        a large one might never find room.
        """
        competing = [
            (-self._urgency(line, first), self.running[line.creator], first, line)
            for line, jobs in self.lines.items()
            if line.compute_resource in worker.compute_resources and line.kind in worker.kinds
            for first in sorted(job for job in jobs.values() if job.takes.within(worker.capacity))[:1]
        ]
        if not competing:
            return None
        _, _, first, line = min(competing)
        held = self.held.get(worker.name, NOTHING) + first.takes
        if not held.within(worker.capacity):
            return None
        del self.lines[line][first.job]
        self.served.add(line)
        self.running[line.creator] += 1
        self.held[worker.name] = held
        return first

    def _urgency(self, line: Line, first: Waiting) -> int:
        # A line that was just served has gained nothing; but who was given out before stays the most urgent.
        was_given_out = first.urgency > MOST_URGENT
        return line.priority if line in self.served and not was_given_out else first.urgency
