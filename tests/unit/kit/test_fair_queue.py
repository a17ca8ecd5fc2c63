"""Whose work comes next: no caller holds up the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.fair_queue import FairQueue


class Work:
    """Pieces of work in a queue, which end when the test says so."""

    def __init__(self, slots: int) -> None:
        self.queue = FairQueue(slots)
        self.begun: list[str] = []
        self.running: list[asyncio.Event] = []
        self.tasks: list[asyncio.Task[None]] = []

    def offer(self, caller: str) -> asyncio.Task[None]:
        """A caller wants a slot."""
        task = asyncio.create_task(self._do(caller))
        self.tasks.append(task)
        return task

    async def _do(self, caller: str) -> None:
        async with self.queue.slot(caller):
            self.begun.append(caller)
            ended = asyncio.Event()
            self.running.append(ended)
            try:
                await ended.wait()
            finally:
                self.running.remove(ended)

    async def end_one(self) -> None:
        """The work that runs longest ends."""
        self.running[0].set()
        await settle()


async def settle() -> None:
    """Let all that can run do so."""
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def working(slots: int) -> AsyncIterator[Work]:
    work = Work(slots)
    yield work
    for task in work.tasks:
        task.cancel()
    await asyncio.gather(*work.tasks, return_exceptions=True)


@pytest.mark.parametrize("slots", [2, 4, 8])
async def test_one_callers_endless_work_does_not_hold_up_another(slots: int) -> None:
    """Four files that took minutes held all inspectors, and another's import for 158 s."""
    async with working(slots) as work:
        for _ in range(100):
            work.offer("bomber")
        await settle()
        work.offer("honest")
        await settle()
        assert "honest" in work.begun
        assert work.begun.count("bomber") == slots - 1


async def test_callers_take_turns() -> None:
    """A caller with a thousand files and one with three both get on."""
    async with working(2) as work:
        for caller in ("a", "a", "a", "a", "a", "a", "b", "b", "c"):
            work.offer(caller)
        await settle()
        while work.running:
            await work.end_one()
        assert len(work.begun) == 9
        assert {"a", "b", "c"} <= set(work.begun[:5])
        assert work.begun[-1] == "a"


async def test_a_lone_slot_is_used_and_passed_on() -> None:
    async with working(1) as work:
        for caller in ("a", "a", "b"):
            work.offer(caller)
        await settle()
        assert work.begun == ["a"]
        await work.end_one()
        assert work.begun == ["a", "b"]


async def test_who_gives_up_leaves_no_gap() -> None:
    """A client that hangs up while it waits, and one that hangs up while it works."""
    async with working(2) as work:
        first = work.offer("a")
        second, third = work.offer("a"), work.offer("a")
        await settle()
        second.cancel()
        await settle()
        first.cancel()
        await settle()
        assert len(work.begun) == 2
        third.cancel()
        await settle()
        work.offer("b")
        work.offer("c")
        await settle()
        assert work.begun[2:] == ["b", "c"]


@given(
    slots=st.integers(1, 4),
    steps=st.lists(st.sampled_from(["a", "b", "c", "end", "cancel"]), max_size=40),
)
def test_all_that_is_offered_is_done_once(slots: int, steps: list[str]) -> None:
    """Whatever comes, ends and is called off in whichever order: no slot is lost or given twice."""

    async def scenario() -> None:
        async with working(slots) as work:
            for step in steps:
                if step == "end" and work.running:
                    work.running[0].set()
                elif step == "cancel" and work.tasks:
                    work.tasks[len(work.begun) % len(work.tasks)].cancel()
                elif step in "abc":
                    work.offer(step)
                await settle()
                assert len(work.running) <= slots
            while work.running:
                await work.end_one()
            assert all(task.done() for task in work.tasks)
            assert work.queue._free == slots

    asyncio.run(scenario())
