"""Workers and queue as those see them who run the installation (T4)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.scheduler.domain.amounts import NOTHING, Amounts
from services.scheduler.domain.job import JobKind
from services.scheduler.domain.queue import WaitCause, Worker


class Presence(StrEnum):
    """Whether a worker is there. Who is busy does not ask for work, but reports on it."""

    IDLE = "IDLE"
    BUSY = "BUSY"
    GONE = "GONE"


@dataclass(frozen=True, slots=True)
class HeldLease:
    """What a worker holds."""

    job: str
    task: str
    attempt: int
    kind: JobKind
    compute_resource: str
    takes: Amounts
    # Of the task's attempt.
    start_time: datetime | None
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class KnownWorker:
    """A worker as it announced itself, and what it holds."""

    announced: Worker
    # When it last asked for a job, or reported on one.
    heard: datetime
    leases: tuple[HeldLease, ...]

    def presence(self, now: datetime, silent_s: float) -> Presence:
        """An idle worker is never silent for longer than `silent_s`."""
        if self.leases:
            return Presence.BUSY
        return Presence.IDLE if (now - self.heard).total_seconds() < silent_s else Presence.GONE

    @property
    def free(self) -> Amounts:
        """What its leases leave of what it has."""
        return self.announced.capacity.without(total(lease.takes for lease in self.leases))


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs that wait for one resource for one reason."""

    compute_resource: str
    cause: WaitCause
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class ResourceFigures:
    """What waits for a resource and what runs on it."""

    compute_resource: str
    waiting: tuple[Waiting, ...]
    running: int
    taken: Amounts
    workers: int
    capacity: Amounts

    @property
    def waiting_count(self) -> int:
        """Whatever the reason."""
        return sum(one.count for one in self.waiting)

    @property
    def oldest(self) -> datetime | None:
        """Since when the job that waits longest has waited."""
        return min((one.oldest for one in self.waiting), default=None)


def total(amounts: Iterable[Amounts]) -> Amounts:
    """All of them together."""
    return sum(amounts, start=NOTHING)


def figures(
    workers: Iterable[KnownWorker], waiting: Iterable[Waiting], now: datetime, silent_s: float
) -> list[ResourceFigures]:
    """By resource; a worker that serves several counts for each."""
    there = [worker for worker in workers if worker.presence(now, silent_s) is not Presence.GONE]
    serving: defaultdict[str, list[Amounts]] = defaultdict(list)
    running: defaultdict[str, list[Amounts]] = defaultdict(list)
    queued: defaultdict[str, list[Waiting]] = defaultdict(list)
    for worker in there:
        for resource in worker.announced.compute_resources:
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
