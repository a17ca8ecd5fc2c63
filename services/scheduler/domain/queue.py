"""The queue: who asks for work, whose turn it is, and what a waiting task is told (rules T4, T8)."""

from dataclasses import dataclass
from datetime import datetime

from services.kit.errors import FailedPrecondition
from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import JobKind

# A line that waits gains priority up to that of the most urgent job, not beyond (T8).
MOST_URGENT = 9


class WorkerReplaced(FailedPrecondition):
    """Another process took this worker's name after this one had started."""

    reason = "WORKER_REPLACED"


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


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Where a task's job stands (T4). Position 1 is next."""

    position: int
    since: datetime
    # Some worker does tasks of that resource; and one of those is large enough.
    served: bool
    fits: bool
