"""Heartbeats that are concurrent with other changes, in one scheduler and in two (T6, M5)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from loupe.errors import Aborted, OutOfRange
from loupe.rpc.channel import connect
from loupe.scheduler.v1 import job_pb2, job_service_pb2_grpc, task_pb2, task_service_pb2
from loupe.settings import load

from services.scheduler.__main__ import compose
from services.scheduler.settings import Settings
from tests.integration.scheduler.conftest import Held, living
from tests.support.tokens import token_of
from tests.support.waiting import eventually


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def replica(stack: Any) -> AsyncIterator[Any]:
    """JobService of a second scheduler on the same database."""
    settings = load(Settings, stack.environment)
    async with living(lambda process: compose(process, settings)) as address:
        token = token_of("scheduler", stack.environment["LOUPE_SERVICE_TOKENS_DIR"])
        async with connect(address, lambda: token, deadline_s=60) as channel:
            yield job_service_pb2_grpc.JobServiceStub(channel)


async def _curve(bench: Any, task: task_pb2.Task) -> list[float]:
    request = task_service_pb2.GetLossCurveRequest(
        name=task.name, network=task_pb2.NETWORK_CLASSIFICATION, max_points=0
    )
    return list((await bench.engineer.tasks.GetLossCurve(request)).losses)


async def _while_the_task_is_locked(bench: Any, held: Held, report: Any, *statements: str) -> None:
    """Let `report` wait for the task's lock, and commit these statements before it gets the lock."""
    ids = {"task": held.lease.task.removeprefix("tasks/"), "job": held.lease.job.removeprefix("jobs/")}
    async with bench.stack.database.sessions.begin() as session:
        await session.execute(sa.text("SELECT FROM tasks WHERE id = :task FOR UPDATE"), ids)
        waiting = asyncio.ensure_future(report)

        async def waits() -> bool:
            return bool(
                await bench.stack.scalar(
                    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    " AND datname = current_database() AND query LIKE '%locked AS MATERIALIZED%')"
                )
            )

        await eventually(waits)
        for statement in statements:
            await session.execute(sa.text(statement), ids)
    await waiting


@pytest.mark.parametrize("is_remembered", [True, False])
async def test_t6_a_report_that_waited_while_its_lease_was_taken_changes_nothing(
    bench: Any, replica: Any, *, is_remembered: bool
) -> None:
    """The lock is granted only after another worker got the job: data read before must not be used."""
    task = await bench.submit()
    held = await bench.worker.acquire()
    await held.points(0, [1.0, 0.9])
    late = held if is_remembered else Held(replica, held.lease)
    with pytest.raises(Aborted) as lost:
        await _while_the_task_is_locked(
            bench,
            held,
            late.points(2, [666.0]),
            "UPDATE jobs SET fencing_token = fencing_token + 1 WHERE id = :job",
        )
    assert lost.value.reason == "LEASE_LOST"
    assert await _curve(bench, task) == pytest.approx([1.0, 0.9])


async def test_t2_a_report_that_waited_for_the_wish_to_terminate_carries_it_home(bench: Any) -> None:
    """Neither the points nor the request to terminate is lost."""
    task = await bench.submit()
    held = await bench.worker.acquire()
    await held.points(0, [1.0])
    answers = []

    async def report() -> None:
        points = job_pb2.LossPoints(network=task_pb2.NETWORK_CLASSIFICATION, first_iteration=1, losses=[0.5])
        progress = task_pb2.Progress(iteration=2, max_iteration=1000)
        answers.append(await held.report(loss_points=[points], progress=progress))

    before = await bench.get(task)
    await _while_the_task_is_locked(
        bench, held, report(), "UPDATE tasks SET terminating = true, revision = revision + 1 WHERE id = :task"
    )
    assert [answer.cancel_requested for answer in answers] == [True]
    assert await _curve(bench, task) == [1.0, 0.5]
    after = await bench.get(task)
    assert after.terminating
    assert after.progress.iteration == 2
    assert before.progress.iteration == 0


async def test_m5_one_report_said_by_many_at_once_counts_once(bench: Any, replica: Any) -> None:
    """A worker repeats a call that was not answered in time, while the first may still be running."""
    task = await bench.submit()
    held = await bench.worker.acquire()
    again = Held(replica, held.lease)
    for first in range(0, 60, 3):
        losses = [float(first + n) for n in range(3)]
        await asyncio.gather(*(one.points(first, losses) for one in (held, again, held, again)))
    assert await _curve(bench, task) == [float(n) for n in range(60)]


async def test_m5_reports_may_go_through_one_scheduler_or_another(bench: Any, replica: Any) -> None:
    """A scheduler's cache of a job may be stale; it must neither refuse a heartbeat nor accept a gap."""
    task = await bench.submit()
    held = await bench.worker.acquire()
    ways = (held, Held(replica, held.lease))
    for first in range(40):
        await ways[first // 3 % 2].points(first, [float(first)])
    with pytest.raises(OutOfRange) as gap:
        await ways[0].points(41, [41.0])
    assert gap.value.reason == "LOSS_GAP"
    answer = await ways[1].points(38, [38.0, 39.0, 40.0])
    assert {p.next_iteration for p in answer.positions if p.network == task_pb2.NETWORK_CLASSIFICATION} == {
        41
    }
    assert await _curve(bench, task) == [float(n) for n in range(41)]
