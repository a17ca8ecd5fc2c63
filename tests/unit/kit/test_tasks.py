"""A task that is to end ends, even if its first cancellation was lost."""

import asyncio

import pytest

from services.kit import tasks
from tests.support.waiting import DEADLINE_S


async def test_a_lost_cancellation_is_repeated() -> None:
    """A consumer's `wait_for` lost one, and a service that could not start could not end either."""
    lost = 0

    async def consume() -> None:
        nonlocal lost
        while lost < 2:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                lost += 1
        await asyncio.sleep(3600)

    loop = asyncio.create_task(consume())
    await asyncio.sleep(0)
    async with asyncio.timeout(DEADLINE_S):
        await tasks.end(loop, patience_s=0.05)
    assert lost == 2
    assert loop.cancelled()


async def test_a_task_that_is_cancelled_completes_its_cleanup() -> None:
    """A worker that is told to stop has a checkpoint to store."""
    stored = []

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.1)
            stored.append(1)

    loop = asyncio.create_task(work())
    await asyncio.sleep(0)
    await tasks.end(loop)
    assert stored == [1]


async def test_tasks_that_failed_or_are_done_can_be_ended_too() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    failed = asyncio.create_task(fail())
    done = asyncio.create_task(asyncio.sleep(0))
    await asyncio.sleep(0.01)
    await tasks.end(failed, done)
    await tasks.end()
    with pytest.raises(ZeroDivisionError):
        failed.result()
