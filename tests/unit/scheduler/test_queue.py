"""The order of the queue, decision by decision (rule T8)."""

from datetime import UTC, datetime, timedelta

import pytest

from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import JobKind
from services.scheduler.domain.queue import MOST_URGENT, Lane, Queue, QueuePosition, WaitingJob, Worker
from services.scheduler.domain.task import TaskHead, TaskKind, TaskState
from services.scheduler.wire.wait_reason import wait_reason

GPU, CPU = "computeResources/gpu", "computeResources/cpu"
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
ONE = Amounts(gpus=1)


def queue(*waiting: tuple[str, int, str], running: dict[str, int] | None = None) -> Queue:
    """A queue with jobs of (user, priority, name), oldest first; their urgency is their priority."""
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
    """T8: a decision counts for the next one, although it is not stored yet."""
    waiting = queue(
        ("a", 0, "a1"), ("a", 0, "a2"), ("b", 0, "b1"), ("c", 0, "c1"), ("a", 5, "urgent"), running={"c": 2}
    )
    assert given(waiting, trainer(9)) == ["urgent", "b1", "a1", "a2", "c1"]


def test_t8_ageing_of_a_served_lane_starts_anew() -> None:
    """T8: ageing starts anew: the second job of a lane that waited for hours has only its priority."""
    waiting = queue(("old", 0, "o1"), ("old", 0, "o2"), ("new", 3, "n1"))
    lane = Lane(GPU, JobKind.TRAIN, "old", 0)
    waiting.lanes[lane] = {name: job._replace(urgency=7) for name, job in waiting.lanes[lane].items()}
    assert given(waiting, trainer(9)) == ["o1", "n1", "o2"]


def test_t8_a_job_that_was_leased_before_goes_first() -> None:
    """T5, T8: a job of a lost worker goes first, even if it is not the first of its lane."""
    waiting = queue(("a", 0, "a1"), ("a", 0, "back"), ("b", 9, "b1"))
    lane = Lane(GPU, JobKind.TRAIN, "a", 0)
    waiting.lanes[lane]["a1"] = waiting.lanes[lane]["a1"]._replace(urgency=MOST_URGENT + 1)
    waiting.lanes[lane]["back"] = waiting.lanes[lane]["back"]._replace(urgency=MOST_URGENT + 1)
    assert given(waiting, trainer(9)) == ["a1", "back", "b1"]


def test_t8_the_next_job_is_not_overtaken() -> None:
    """T8: smaller jobs do not overtake, unless the worker is too small for the next job."""
    waiting = queue(("a", 0, "a1"), ("b", 0, "large"), ("c", 0, "c1"))
    lane = Lane(GPU, JobKind.TRAIN, "b", 0)
    waiting.lanes[lane]["large"] = waiting.lanes[lane]["large"]._replace(takes=Amounts(gpus=4))
    assert given(waiting, trainer(4)) == ["a1"]
    assert given(waiting, trainer(2)) == ["c1"]
    assert waiting.held == {"workers/t": Amounts(gpus=2)}


def test_t8_a_worker_gets_only_jobs_of_its_resources() -> None:
    assert given(queue(("a", 0, "a1")), trainer(9, CPU)) == []


@pytest.mark.parametrize(
    ("kind", "worker", "work"),
    [
        (JobKind.TRAIN, ("trainer", "训练节点"), ("training", "训练")),
        (JobKind.EVALUATE, ("evaluator worker", "评估计算节点"), ("evaluation", "评估")),
        (JobKind.PREDICT, ("evaluator worker", "评估计算节点"), ("prediction", "题库预测")),
        (JobKind.PACKAGE, ("evaluator worker", "评估计算节点"), ("packaging", "打包")),
    ],
)
def test_t4_a_wait_reason_says_which_workers_and_for_what(
    kind: JobKind, worker: tuple[str, str], work: tuple[str, str]
) -> None:
    """T4: a training waits twice, for trainers and then for evaluator workers."""
    task = TaskHead(
        id="1",
        kind=TaskKind.TRAINING,
        state=TaskState.TRAINING,
        creator="a",
        create_time=MONDAY,
        recoveries=1,
    )
    for served, fits, recovering, reason in (
        (False, False, False, "NO_WORKER_WITH_RESOURCE"),
        (True, False, False, "WORKERS_TOO_SMALL"),
        (True, True, True, "RECOVERING"),
        (True, True, False, "ALL_WORKERS_BUSY"),
    ):
        told = wait_reason(task, QueuePosition(2, MONDAY, kind, recovering, served, fits), GPU)
        assert told is not None
        assert told.reason == reason
        assert worker[0] in told.message
        assert worker[1] in told.message_zh
    held_back = wait_reason(task, QueuePosition(2, MONDAY, kind, True, False, False, held_back=True), GPU)
    assert held_back is not None
    assert held_back.reason == "DISK_ALMOST_FULL"
    assert work[0] in told.message
    assert work[1] in told.message_zh
