"""The queue: which waiting job a worker gets, and why a job waits (rules T4, T8)."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from loupe.errors import FailedPrecondition

from services.scheduler.domain.amounts import NOTHING, Amounts
from services.scheduler.domain.job import JobKind

# Ageing raises the priority of a waiting lane to this value at most (T8).
MOST_URGENT = 9


class WorkerReplaced(FailedPrecondition):
    """Another process took this worker's name after this one had started."""

    reason = "WORKER_REPLACED"


@dataclass(frozen=True, slots=True)
class Build:
    """Software versions and device of a worker. Shown to operators; no decision depends on them."""

    version: str = ""
    torch_version: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker announces when it asks for a job."""

    name: str
    kinds: tuple[JobKind, ...]
    compute_resources: tuple[str, ...]
    # Total amounts of the worker. The sum over its leases never exceeds them.
    capacity: Amounts
    # When the scheduler first heard of the process. Distinguishes it from an earlier one of the same name.
    start_time: datetime
    build: Build = Build()


class WaitCause(StrEnum):
    """Why a job waits (T4, T5)."""

    DISK_ALMOST_FULL = "DISK_ALMOST_FULL"
    NO_WORKER_WITH_RESOURCE = "NO_WORKER_WITH_RESOURCE"
    WORKERS_DRAINED = "WORKERS_DRAINED"
    WORKERS_TOO_SMALL = "WORKERS_TOO_SMALL"
    RECOVERING = "RECOVERING"
    ALL_WORKERS_BUSY = "ALL_WORKERS_BUSY"


def wait_cause(
    *, served: bool, fits: bool, recovering: bool, drained: bool = False, held_back: bool = False
) -> WaitCause:
    """The condition that keeps a job waiting; if there are several, the one to mend first.

    `served`: a worker with the job's compute resource is present and not drained. `fits`: such a worker is
    large enough. `recovering`: the task had started before its worker was lost. `drained`: a worker with the
    resource is drained. `held_back`: none of its kind is granted.
    """
    if held_back:
        return WaitCause.DISK_ALMOST_FULL
    if not served:
        return WaitCause.WORKERS_DRAINED if drained else WaitCause.NO_WORKER_WITH_RESOURCE
    if not fits:
        return WaitCause.WORKERS_TOO_SMALL
    return WaitCause.RECOVERING if recovering else WaitCause.ALL_WORKERS_BUSY


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """The position of a task's waiting job in its queue (T4)."""

    # From 1, which is next.
    number: int
    since: datetime
    kind: JobKind
    # An earlier lease of the job was lost.
    recovering: bool
    # A worker with the job's compute resource is present and takes jobs; such a worker is large enough.
    served: bool
    fits: bool
    # A worker with the resource is drained.
    drained: bool = False
    # No job of the kind is granted while the disk is almost full.
    held_back: bool = False


class Lane(NamedTuple):
    """The waiting jobs of one creator, priority, kind and compute resource. Only the oldest can be next."""

    compute_resource: str
    kind: JobKind
    creator: str
    priority: int


class WaitingJob(NamedTuple):
    """A job that waits in a lane."""

    queue_time: datetime
    job: str
    task: str
    takes: Amounts
    # Priority including ageing, computed as if the job were the first of its lane (T8).
    urgency: int


@dataclass
class Queue:
    """The front of the queue during one admission; `grant_next` updates it in memory."""

    # Amounts that the leases of each worker take.
    held: dict[str, Amounts]
    # Waiting jobs by id.
    lanes: dict[Lane, dict[str, WaitingJob]] = field(default_factory=dict)
    # Number of running jobs of each user.
    running: Counter[str] = field(default_factory=Counter)
    # Lanes that got a job during this admission.
    served: set[Lane] = field(default_factory=set)

    def grant_next(self, worker: Worker) -> WaitingJob | None:
        """The next job for the worker (T8): priority, then the user with the fewest running jobs, then age.

        None if the next job needs more than the worker has free now. Smaller jobs do not overtake it: a large
        job might otherwise never start.
        """
        competing = [
            (-self._urgency(lane, first), self.running[lane.creator], first, lane)
            for lane, jobs in self.lanes.items()
            if lane.compute_resource in worker.compute_resources and lane.kind in worker.kinds
            for first in sorted(job for job in jobs.values() if job.takes.within(worker.capacity))[:1]
        ]
        if not competing:
            return None
        _, _, first, lane = min(competing)
        held = self.held.get(worker.name, NOTHING) + first.takes
        if not held.within(worker.capacity):
            return None
        del self.lanes[lane][first.job]
        self.served.add(lane)
        self.running[lane.creator] += 1
        self.held[worker.name] = held
        return first

    def hold_back(self, kind: JobKind) -> None:
        """Grant no job of the kind."""
        for lane in [lane for lane in self.lanes if lane.kind is kind]:
            del self.lanes[lane]

    def _urgency(self, lane: Lane, first: WaitingJob) -> int:
        # Ageing of a lane starts anew when it is served. A job that was leased before keeps its urgency.
        leased_before = first.urgency > MOST_URGENT
        return lane.priority if lane in self.served and not leased_before else first.urgency
