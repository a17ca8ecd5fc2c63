"""What ended tasks keep after the time that the operator sets (M4, M6, R3)."""

import asyncio
from typing import Any

import numpy as np
import pytest
from loupe.scheduler.v1 import job_pb2, task_pb2, task_service_pb2

from services.scheduler.application.keeping import KEPT_LINES, KEPT_POINTS, Keeping

LENGTH = 5000
LOSSES = np.cos(np.arange(LENGTH, dtype=np.float32))
LOSSES[1234], LOSSES[4321] = 50.0, -50.0
DAYS = 30


@pytest.fixture
def keeping(stack: Any) -> Keeping:
    """The sweep, as the scheduler runs it once an hour."""
    return Keeping(stack.database.sessions)


async def trained(bench: Any, **changes: Any) -> Any:
    """A running training with a long curve, validations and a long log."""
    task = await bench.submit(**changes)
    held = await bench.worker.acquire()
    await held.points(0, LOSSES.tolist())
    for first in range(0, 1000, 100):
        lines = [f"line {number}" for number in range(first, first + 100)]
        await held.report(logs=[job_pb2.LogLines(network=1, first_line=first, lines=lines)])
        point = task_pb2.ValidationPoint(iteration=first * 5 + 1, accuracy=0.5)
        await held.report(validations=[job_pb2.ValidationReport(network=1, point=point)])
    return task, held


async def ended_days_ago(bench: Any, task: Any, days: int) -> None:
    await bench.stack.execute(
        "UPDATE tasks SET end_time = now() - make_interval(days => :days) WHERE id = :id",
        days=days,
        id=task.name.removeprefix("tasks/"),
    )


async def curve(bench: Any, task: Any, **fields: Any) -> task_service_pb2.LossCurve:
    return await bench.engineer.tasks.GetLossCurve(
        task_service_pb2.GetLossCurveRequest(name=task.name, **fields)
    )


async def log(bench: Any, task: Any) -> list[str]:
    request = task_service_pb2.ReadLogRequest(name=task.name)
    return [line async for news in bench.engineer.tasks.ReadLog(request) for line in news.lines]


async def watched(bench: Any, task: Any, cursor: str = "") -> tuple[dict[int, float], list[int]]:
    losses: dict[int, float] = {}
    validations: list[int] = []
    request = task_service_pb2.WatchLossRequest(name=task.name, cursor=cursor)
    async for news in bench.engineer.tasks.WatchLoss(request):
        assert not losses or max(losses) < news.first_iteration
        losses |= dict(enumerate(news.losses, news.first_iteration))
        validations += [point.iteration for point in news.validation]
    return losses, validations


async def test_a_curve_keeps_the_points_that_a_plot_shows(bench: Any, keeping: Keeping) -> None:
    """M4: the same plot as before, with ends, extremes and validations; the answer says what is gone."""
    task, held = await trained(bench)
    await held.failed("NAN_LOSS")
    await ended_days_ago(bench, task, DAYS + 1)
    before = await curve(bench, task, max_points=KEPT_POINTS)
    assert await keeping.thin_curves(0) == 0
    # Two replicas sweep at the same moment.
    assert sum(await asyncio.gather(*(keeping.thin_curves(DAYS) for _ in range(2)))) == 1
    assert await keeping.thin_curves(DAYS) == 0
    for most in (0, KEPT_POINTS):
        after = await curve(bench, task, max_points=most)
        assert (after.thinned, after.total_points, before.thinned) == (True, LENGTH, False)
        assert after.iterations == before.iterations
        assert after.losses == before.losses
        assert after.validation == before.validation
    few = await curve(bench, task, max_points=100)
    assert len(few.iterations) <= 100
    assert {50.0, -50.0} <= {*few.losses}
    part = await curve(bench, task, first_iteration=1000, end_iteration=2000)
    assert all(1000 <= iteration < 2000 for iteration in part.iterations)
    assert (1234 in part.iterations, part.total_points) == (True, 1000)
    losses, validations = await watched(bench, task)
    assert [*losses] == list(after.iterations)
    assert validations == [point.iteration for point in after.validation]
    losses, _ = await watched(bench, task, cursor="1:4000")
    assert [*losses] == [iteration for iteration in after.iterations if iteration >= 4000]
    assert await bench.stack.scalar(
        "SELECT count(*) = 0 FROM loss_chunks WHERE task = :id", id=task.name.removeprefix("tasks/")
    )


async def test_a_log_keeps_its_end_with_the_cause(bench: Any, keeping: Keeping) -> None:
    """M6: how many lines are gone, and why; then the last ones."""
    task, held = await trained(bench)
    await held.failed("NAN_LOSS")
    before = await log(bench, task)
    await ended_days_ago(bench, task, DAYS + 1)
    await asyncio.gather(*(keeping.cut_logs(DAYS) for _ in range(2)))
    assert await keeping.cut_logs(DAYS) == 0
    english, chinese, *kept = await log(bench, task)
    assert f"{len(before) - KEPT_LINES} earlier lines were deleted, {DAYS} days after" in english
    assert f"{DAYS} 天" in chinese
    assert kept == before[-KEPT_LINES:]
    assert "it went wrong" in "".join(kept)


async def test_what_runs_is_young_or_is_released_stays_whole(bench: Any, keeping: Keeping) -> None:
    """R3: a version shows how it was made, for ever."""
    running, _ = await trained(bench)
    young, held = await trained(bench)
    await held.failed("NAN_LOSS")
    await ended_days_ago(bench, young, DAYS - 1)
    released, held = await trained(bench)
    await held.trained()
    await (await bench.worker.acquire()).reported()
    await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=released.name))
    again, held = await trained(bench)
    await held.failed("NAN_LOSS")
    await ended_days_ago(bench, again, DAYS + 1)
    await bench.engineer.tasks.StartTask(task_service_pb2.StartTaskRequest(name=again.name))
    for task in (running, released):
        await ended_days_ago(bench, task, DAYS + 1)
    await keeping.cut_logs(DAYS)
    await keeping.thin_curves(DAYS)
    for task in (running, young, released):
        assert len((await curve(bench, task)).iterations) == LENGTH
        assert len(await log(bench, task)) >= 1000
    assert len((await curve(bench, again, attempt=1)).iterations) == LENGTH
