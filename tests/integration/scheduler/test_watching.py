"""Watches, logs and events miss nothing and repeat nothing (rules M3, M4, M5, I2)."""

import asyncio
import random
from typing import Any

import pytest
from loupe.events.v1 import events_pb2
from loupe.scheduler.v1 import job_pb2, task_pb2, task_service_pb2

from services.kit.errors import InvalidArgument, NotFound
from services.kit.messaging import Messaging
from tests.support.waiting import DEADLINE_S

LENGTH = 1500


async def _write_curve(held: Any, *, seed: int) -> None:
    chance = random.Random(seed)
    written = 0
    while written < LENGTH:
        count = min(chance.randint(1, 60), LENGTH - written)
        await held.points(written, [float(i) for i in range(written, written + count)])
        written += count
        if chance.random() < 0.2:
            point = task_pb2.ValidationPoint(iteration=written, accuracy=written / LENGTH)
            await held.report(validations=[job_pb2.ValidationReport(network=1, point=point)])


async def _watch_with_reconnects(
    bench: Any, name: str, *, seed: int
) -> tuple[list[int], list[float], list[int]]:
    """Every point that a viewer gets who disconnects at random and resumes with the cursor."""
    chance = random.Random(seed)
    iterations, losses, validations, cursor = [], [], [], ""
    while True:
        call = bench.engineer.tasks.WatchLoss(task_service_pb2.WatchLossRequest(name=name, cursor=cursor))
        left_early = False
        async for news in call:
            iterations += range(news.first_iteration, news.first_iteration + len(news.losses))
            losses += news.losses
            validations += [point.iteration for point in news.validation]
            cursor = news.cursor
            if chance.random() < 0.3:
                left_early = True
                break
        if not left_early:
            return iterations, losses, validations


async def test_m5_a_viewer_that_reconnects_sees_every_point_once(bench: Any) -> None:
    """M5: during a training, with cursors at any point; the stream ends with the task."""
    task = await bench.submit()
    held = await bench.worker.acquire()
    viewers = [asyncio.create_task(_watch_with_reconnects(bench, task.name, seed=seed)) for seed in range(4)]
    await _write_curve(held, seed=7)
    await held.failed("NAN_LOSS")
    stored = await bench.engineer.tasks.GetLossCurve(task_service_pb2.GetLossCurveRequest(name=task.name))
    async with asyncio.timeout(DEADLINE_S):
        for iterations, losses, validations in await asyncio.gather(*viewers):
            assert iterations == list(range(LENGTH))
            assert losses == [float(i) for i in range(LENGTH)]
            assert validations == [point.iteration for point in stored.validation]


async def test_m5_a_watch_goes_on_through_a_recovery(bench: Any) -> None:
    """T5, M5: points between checkpoint and fault are computed again, and shown once."""
    task = await bench.submit()
    first = await bench.worker.acquire()
    viewer = asyncio.create_task(_watch_with_reconnects(bench, task.name, seed=3))
    await first.points(0, [float(i) for i in range(600)])
    await first.checkpoint(500, "d" * 64)
    await bench.worker.lose_lease(first)
    second = await bench.worker.acquire()
    await second.points(500, [float(i) for i in range(500, 900)])
    await second.failed("NAN_LOSS")
    async with asyncio.timeout(DEADLINE_S):
        iterations, losses, _ = await viewer
    assert iterations == list(range(900))
    assert losses == [float(i) for i in range(900)]


async def test_m4_a_curve_is_downsampled_with_its_extremes(bench: Any) -> None:
    """M4: a range in few points still shows the spike."""
    task = await bench.submit()
    held = await bench.worker.acquire()
    losses = [1.0] * 5000
    losses[1234], losses[4321] = 50.0, -50.0
    await held.points(0, losses)

    async def curve(**fields: Any) -> task_service_pb2.LossCurve:
        return await bench.engineer.tasks.GetLossCurve(
            task_service_pb2.GetLossCurveRequest(name=task.name, **fields)
        )

    few = await curve(max_points=100)
    assert len(few.iterations) <= 100
    assert few.total_points == 5000
    at = dict(zip(few.iterations, few.losses, strict=True))
    assert (at[1234], at[4321]) == (50.0, -50.0)
    part = await curve(first_iteration=1200, end_iteration=1300)
    assert list(part.iterations) == list(range(1200, 1300))
    assert list((await curve(network=task_pb2.NETWORK_SEGMENTATION)).losses) == []
    with pytest.raises(InvalidArgument):
        await curve(max_points=3)
    with pytest.raises(InvalidArgument):
        await curve(attempt=2)


async def test_m3_a_log_is_read_and_followed(bench: Any) -> None:
    """M3: from any line, live, to the end; a repeated heartbeat does not double a line."""
    task = await bench.submit()
    held = await bench.worker.acquire()

    async def say(first: int, *lines: str) -> None:
        await held.report(logs=[job_pb2.LogLines(network=1, first_line=first, lines=lines)])

    async def read(cursor: str, *, follow: bool) -> list[str]:
        request = task_service_pb2.ReadLogRequest(name=task.name, cursor=cursor, follow=follow)
        return [line async for news in bench.engineer.tasks.ReadLog(request) for line in news.lines]

    await say(0, "line 0", "line 1")
    following = asyncio.create_task(read("", follow=True))
    await say(1, "line 1", "line 2")
    await say(3, *(f"line {i}" for i in range(3, 200)))
    assert await read("1", follow=False) == [f"line {i}" for i in range(1, 200)]
    await held.failed("NAN_LOSS")
    async with asyncio.timeout(DEADLINE_S):
        log = await following
    assert log[:200] == [f"line {i}" for i in range(200)]
    assert "NAN_LOSS" in log[-1]


async def test_a_watched_task_tells_every_state_and_ends(bench: Any) -> None:
    """First the current task, then every change; the final state is sent before the stream ends."""
    task = await bench.submit()
    seen: list[int] = []
    waiting = asyncio.Event()

    async def watch() -> None:
        async for news in bench.engineer.tasks.WatchTask(task_service_pb2.WatchTaskRequest(name=task.name)):
            assert news.cursor == str(news.task.revision)
            seen.append(news.task.state)
            waiting.set()

    watching = asyncio.create_task(watch())
    async with asyncio.timeout(DEADLINE_S):
        await waiting.wait()
        held = await bench.worker.acquire()
        await held.points(0, [1.0])
        await held.failed("NAN_LOSS")
        await watching
    assert seen[0] == task_pb2.TASK_STATE_WAITING
    assert seen[-1] == task_pb2.TASK_STATE_FAILED
    final = await bench.get(task)
    again = task_service_pb2.WatchTaskRequest(name=task.name, cursor=str(final.revision))
    assert [news async for news in bench.engineer.tasks.WatchTask(again)] == []


async def test_a_watch_of_a_deleted_task_ends_as_not_found(bench: Any) -> None:
    task = await bench.submit()
    call = bench.engineer.tasks.WatchTask(task_service_pb2.WatchTaskRequest(name=task.name, follow=True))
    assert (await call.read()).task.name == task.name
    await bench.engineer.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name))
    with pytest.raises(NotFound):
        await call.read()


@pytest.mark.parametrize("cursor", ["x", "1", "0:5", "1:x", "1:2:3:4", "-1:2"])
async def test_a_foreign_cursor_is_refused(bench: Any, cursor: str) -> None:
    task = await bench.submit()
    with pytest.raises(InvalidArgument):
        async for _ in bench.engineer.tasks.WatchLoss(
            task_service_pb2.WatchLossRequest(name=task.name, cursor=cursor)
        ):
            pass
    await bench.engineer.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name))


async def test_i2_anyone_in_the_fab_hears_every_transition_in_order(bench: Any) -> None:
    """I2: transitions, stages and points have stable subjects, are in order, and can be replayed."""
    task = await bench.submit()
    held = await bench.worker.acquire()
    await held.report(
        stages=[task_pb2.Stage(name=task_pb2.STAGE_NAME_SPLIT, state=task_pb2.STAGE_STATE_DONE)]
    )
    await held.points(0, [0.5, 0.25])
    await held.failed("NAN_LOSS")
    await bench.engineer.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name))
    messaging = await Messaging.connect(bench.stack.environment["LOUPE_NATS_URL"])
    try:
        for _ in range(2):
            states = []
            async with asyncio.timeout(DEADLINE_S):
                async for message in messaging.follow(
                    f"loupe.{task.name.replace('/', '.')}.state", replay=True
                ):
                    event = message.parse(events_pb2.TaskStateChanged)
                    states.append((event.transition.to, event.deleted))
                    if event.deleted:
                        break
            assert states == [(1, False), (2, False), (5, False), (0, True)]
        async with asyncio.timeout(DEADLINE_S):
            subject = f"loupe.{task.name.replace('/', '.')}.loss.classification"
            async for message in messaging.follow(subject, replay=True):
                points = message.parse(events_pb2.LossPointsRecorded)
                assert list(points.losses) == [0.5, 0.25]
                break
            async for message in messaging.follow(f"loupe.{task.name.replace('/', '.')}.stage", replay=True):
                stage = message.parse(events_pb2.TaskStageChanged)
                assert stage.stage.name == task_pb2.STAGE_NAME_SPLIT
                break
    finally:
        await messaging.close()
