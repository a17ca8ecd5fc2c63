"""Workers and queue as operators see them (T4)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.scheduler.domain.amounts import NOTHING, Amounts
from services.scheduler.domain.job import JobKind
from services.scheduler.domain.queue import WaitCause, Worker


class Presence(StrEnum):
    """Whether a worker is present. A busy worker does not ask for jobs, but sends heartbeats."""

    IDLE = "IDLE"
    BUSY = "BUSY"
    GONE = "GONE"


@dataclass(frozen=True, slots=True)
class WorkerLease:
    """A lease that a worker holds."""

    job: str
    task: str
    attempt: int
    kind: JobKind
    compute_resource: str
    takes: Amounts
    # When the task's attempt started.
    start_time: datetime | None
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Drain:
    """Since when a worker gets no jobs, and who wanted that."""

    time: datetime
    drainer: str


@dataclass(frozen=True, slots=True)
class KnownWorker:
    """A worker as it announced itself, with its leases."""

    announced: Worker
    # When it last asked for a job or sent a heartbeat.
    last_contact: datetime
    leases: tuple[WorkerLease, ...]
    drain: Drain | None = None

    def presence(self, now: datetime, silence_limit_s: float) -> Presence:
        """An idle worker asks for a job more often than every `silence_limit_s`."""
        if self.leases:
            return Presence.BUSY
        silence_s = (now - self.last_contact).total_seconds()
        return Presence.IDLE if silence_s < silence_limit_s else Presence.GONE

    @property
    def free(self) -> Amounts:
        """Its capacity less what its leases take."""
        return self.announced.capacity.without(total(lease.takes for lease in self.leases))


@dataclass(frozen=True, slots=True)
class WaitingCount:
    """How many jobs wait for one compute resource for one cause, and since when the oldest does."""

    compute_resource: str
    cause: WaitCause
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class ResourceFigures:
    """Waiting jobs, running jobs and workers of one compute resource."""

    compute_resource: str
    waiting: tuple[WaitingCount, ...]
    running: int
    taken: Amounts
    workers: int
    capacity: Amounts

    @property
    def waiting_count(self) -> int:
        """Over all causes."""
        return sum(one.count for one in self.waiting)

    @property
    def oldest(self) -> datetime | None:
        """Since when the longest waiting job has waited."""
        return min((one.oldest for one in self.waiting), default=None)


def total(amounts: Iterable[Amounts]) -> Amounts:
    """The sum."""
    return sum(amounts, start=NOTHING)


def figures(
    workers: Iterable[KnownWorker], waiting: Iterable[WaitingCount], now: datetime, silence_limit_s: float
) -> list[ResourceFigures]:
    """Figures by compute resource; a worker that serves several counts for each, a drained one for none."""
    present = [worker for worker in workers if worker.presence(now, silence_limit_s) is not Presence.GONE]
    serving: defaultdict[str, list[Amounts]] = defaultdict(list)
    running: defaultdict[str, list[Amounts]] = defaultdict(list)
    queued: defaultdict[str, list[WaitingCount]] = defaultdict(list)
    for worker in present:
        for resource in worker.announced.compute_resources if worker.drain is None else ():
            serving[resource].append(worker.announced.capacity)
        for lease in worker.leases:
            running[lease.compute_resource].append(lease.takes)
    for one in waiting:
        queued[one.compute_resource].append(one)
    return [
        ResourceFigures(
            compute_resource=resource,
            waiting=tuple(queued[resource]),
            running=len(running[resource]),
            taken=total(running[resource]),
            workers=len(serving[resource]),
            capacity=total(serving[resource]),
        )
        for resource in sorted({*serving, *running, *queued})
    ]
