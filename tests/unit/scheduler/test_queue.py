"""Whose turn it is, decision by decision (rule T8)."""

from datetime import UTC, datetime, timedelta

from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import JobKind
from services.scheduler.domain.queue import MOST_URGENT, Lane, Queue, WaitingJob, Worker

GPU, CPU = "computeResources/gpu", "computeResources/cpu"
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
ONE = Amounts(gpus=1)


def queue(*waiting: tuple[str, int, str], running: dict[str, int] | None = None) -> Queue:
    """Jobs of (user, priority, name) in the order in which they were queued; urgent as their priority."""
    made = Queue(held={})
    for number, (creator, priority, name) in enumerate(waiting):
        job = WaitingJob(MONDAY + timedelta(seconds=number), name, name, ONE, priority)
        made.lanes.setdefault(Lane(GPU, JobKind.TRAIN, creator, priority), {})[name] = job
    made.running.update(running or {})
    return made


def trainer(gpus: int, resource: str = GPU) -> Worker:
    return Worker("workers/t", (JobKind.TRAIN,), (resource,), Amounts(gpus=gpus), MONDAY)


def given(waiting: Queue, worker: Worker) -> list[str]:
    names = []
    while (job := waiting.grant_next(worker)) is not None:
        names.append(job.job)
    return names


def test_t8_priority_then_the_least_running_then_age() -> None:
    """T8: what one decision gives counts for the next, although nothing of it is stored yet."""
    waiting = queue(
        ("a", 0, "a1"), ("a", 0, "a2"), ("b", 0, "b1"), ("c", 0, "c1"), ("a", 5, "urgent"), running={"c": 2}
    )
    assert given(waiting, trainer(9)) == ["urgent", "b1", "a1", "a2", "c1"]


def test_t8_a_line_that_was_served_has_gained_nothing() -> None:
    """T8: the second of a lane that waited for hours is no more urgent than its priority."""
    waiting = queue(("old", 0, "o1"), ("old", 0, "o2"), ("new", 3, "n1"))
    lane = Lane(GPU, JobKind.TRAIN, "old", 0)
    waiting.lanes[lane] = {name: job._replace(urgency=7) for name, job in waiting.lanes[lane].items()}
    assert given(waiting, trainer(9)) == ["o1", "n1", "o2"]


def test_t8_who_had_a_turn_keeps_it() -> None:
    """T5, T8: what comes back from a lost worker goes before all else, also behind its lane's first."""
    waiting = queue(("a", 0, "a1"), ("a", 0, "back"), ("b", 9, "b1"))
    lane = Lane(GPU, JobKind.TRAIN, "a", 0)
    waiting.lanes[lane]["a1"] = waiting.lanes[lane]["a1"]._replace(urgency=MOST_URGENT + 1)
    waiting.lanes[lane]["back"] = waiting.lanes[lane]["back"]._replace(urgency=MOST_URGENT + 1)
    assert given(waiting, trainer(9)) == ["a1", "back", "b1"]


def test_t8_who_is_next_is_waited_for() -> None:
    """T8: smaller ones do not pass, unless the worker could never take who is next; no amount is exceeded."""
    waiting = queue(("a", 0, "a1"), ("b", 0, "large"), ("c", 0, "c1"))
    lane = Lane(GPU, JobKind.TRAIN, "b", 0)
    waiting.lanes[lane]["large"] = waiting.lanes[lane]["large"]._replace(takes=Amounts(gpus=4))
    assert given(waiting, trainer(4)) == ["a1"]
    assert given(waiting, trainer(2)) == ["c1"]
    assert waiting.held == {"workers/t": Amounts(gpus=2)}


def test_t8_only_what_the_worker_does() -> None:
    assert given(queue(("a", 0, "a1")), trainer(9, CPU)) == []
