"""Machines whose clocks are wrong: leases, workers and tasks go by PostgreSQL's clock (rules T5, T6)."""

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from loupe.errors import Aborted, FailedPrecondition
from loupe.rpc.channel import connect

from services.scheduler.application.leases import Leases
from services.scheduler.domain.amounts import Amounts
from services.scheduler.storage.jobs import Jobs
from tests.support.simulation import a_task, dependencies_of, put
from tests.support.tokens import token_of
from tests.support.waiting import DEADLINE_S
from tests.support.wall_clock import WallClock, service_under

from .conftest import Caller, Held, Stack, Worker
from .test_simulation import GPU, database, signals, worker

__all__ = ["database", "signals"]

_LEASE_S = 3.0


@contextlib.asynccontextmanager
async def scheduler_under(clock: WallClock, stack: Stack, log: Path, **settings: str) -> AsyncIterator[Stack]:
    """The stack as the callers of one more scheduler see it, whose machine has that clock."""
    environment = {**stack.environment, "LOUPE_LEASE_S": str(_LEASE_S), **settings}
    async with service_under(clock, "services.scheduler", environment, log) as address:
        token = token_of("scheduler", stack.environment["LOUPE_SERVICE_TOKENS_DIR"])
        async with (
            connect(stack.registry_address, lambda: token, deadline_s=60) as registry,
            connect(address, lambda: token, deadline_s=60) as scheduler,
        ):
            yield replace(stack, address=address, service=Caller("services/scheduler", registry, scheduler))


@contextlib.asynccontextmanager
async def living(held: Held, schedulers: Sequence[Stack]) -> AsyncIterator[None]:
    """Its worker lives: it reports twice a second, to each scheduler in turn. Raises what it is answered."""

    async def report() -> None:
        for scheduler in itertools.cycle(schedulers):
            held.stub = scheduler.service.jobs
            await held.report()
            await asyncio.sleep(0.5)

    reporting = asyncio.create_task(report())
    try:
        yield
    finally:
        reporting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reporting


async def time_of(stack: Stack) -> datetime:
    """PostgreSQL's."""
    found: datetime = await stack.scalar("SELECT clock_timestamp()")
    return found


async def lasts_a_lease(stack: Stack, held: Held, asked: datetime) -> bool:
    """Whether the lease ends as long after the call as a lease lasts; `asked` is just before that call.

    No later call may have prolonged it. However long all this takes on a busy machine, a clock that is far
    off is seen.
    """
    return bool(
        await stack.scalar(
            "SELECT lease_expire_time - :lease * interval '1 second' BETWEEN :asked AND clock_timestamp()"
            " FROM jobs WHERE id = :job",
            lease=_LEASE_S,
            asked=asked,
            job=held.lease.job.removeprefix("jobs/"),
        )
    )


async def lost(stack: Stack, held: Held) -> bool:
    """Whether the job is not leased under this token any more."""
    return not await stack.scalar(
        "SELECT state = 'LEASED' AND fencing_token = :token FROM jobs WHERE id = :job",
        token=held.lease.fencing_token,
        job=held.lease.job.removeprefix("jobs/"),
    )


@pytest.mark.parametrize("steps", [(30,), (-30,), (0, 60, -60)], ids=["ahead", "behind", "stepping"])
async def test_a_wrong_clock_takes_no_lease_from_a_living_worker(
    bench: Any, tmp_path: Path, eventually: Any, steps: tuple[float, ...]
) -> None:
    """T5, T6: whichever scheduler's clock is wrong, a living worker keeps its job and a dead one loses it."""
    right, wrong = WallClock(tmp_path / "right"), WallClock(tmp_path / "wrong", steps[0])
    anything = {"LOUPE_MAX_CLOCK_SKEW_S": "3600"}
    async with (
        scheduler_under(right, bench.stack, tmp_path / "right.log") as first,
        scheduler_under(wrong, bench.stack, tmp_path / "wrong.log", **anything) as second,
    ):
        task = await bench.submit()
        healthy = await Worker(first, bench.resource, "workers/living").acquire()
        dying = await bench.submit()
        async with living(healthy, (first, second)):
            for number, step in enumerate(steps):
                wrong.set_ahead(step)
                asked = await time_of(bench.stack)
                dead = await Worker(second, bench.resource, f"workers/dead-{number}").acquire()
                assert await lasts_a_lease(bench.stack, dead, asked), "as it was granted"
                asked = await time_of(bench.stack)
                await dead.report()
                assert await lasts_a_lease(bench.stack, dead, asked), "as it was prolonged"
                await eventually(lambda dead=dead: lost(bench.stack, dead))
                with pytest.raises(Aborted) as refused:
                    await dead.points(0, [9.0])
                assert refused.value.reason == "LEASE_LOST"
                assert (await bench.get(dying)).recoveries == number + 1
            assert not await lost(bench.stack, healthy)
        assert (await bench.get(task)).recoveries == 0


async def test_leases_that_are_over_all_at_once_are_taken_from_the_dead_only(
    database: Any, signals: Any, eventually: Any
) -> None:
    """T5: PostgreSQL's own clock steps, or it was away longer than a lease: living workers report soon."""
    dependencies = dependencies_of(database, signals)
    await put(dependencies, [a_task(number, "users/u", GPU) for number in range(2)])
    leases = Leases(dependencies)
    room = Amounts(gpus=2, cpus=8, memory_bytes=64 << 30)
    alive, dead = [await leases.acquire(worker(name, room), 0) for name in ("alive", "dead")]
    assert alive is not None
    assert dead is not None
    for recoveries, step in enumerate((-timedelta(hours=1), timedelta(days=1)), start=1):
        async with dependencies.sessions.begin() as session:
            await session.execute(
                sa.text("UPDATE jobs SET lease_expire_time = now() + :step"), {"step": step}
            )
        assert await leases.sweep() == 0
        async with dependencies.sessions.begin() as session:
            await session.execute(
                sa.text("UPDATE jobs SET lease_expire_time = now() + interval '5 seconds' WHERE id = :alive"),
                {"alive": alive.job.id},
            )
        await eventually(leases.sweep)
        async with dependencies.sessions.begin() as session:
            found = await Jobs(session).get_many([alive.job.id, dead.job.id])
        assert [found[one.job.id].recoveries for one in (alive, dead)] == [0, recoveries]
        dead = await leases.acquire(worker("dead", room), 0)
        assert dead is not None


async def test_a_worker_restarted_where_the_clock_is_behind_gets_its_name(bench: Any) -> None:
    """T5: which process of a name is the later one does not depend on the clocks of their machines."""
    name = f"workers/{bench.resource[-8:]}"
    before, after = (Worker(bench.stack, bench.resource, name) for _ in range(2))
    assert await before.ask() is None
    await bench.stack.execute(
        "UPDATE workers SET start_time = now() + interval '1 hour' WHERE name = :name", name=name
    )
    before.start_time = None
    assert await before.ask() is None
    assert await after.ask() is None
    assert await after.ask() is None
    with pytest.raises(FailedPrecondition) as refused:
        await before.ask()
    assert refused.value.reason == "WORKER_REPLACED"


@pytest.mark.parametrize(("ahead_s", "word"), [(90, "ahead of"), (-90, "behind")])
async def test_a_server_whose_clock_is_far_off_does_not_start(
    stack: Stack, tmp_path: Path, ahead_s: float, word: str
) -> None:
    """It says why, in both languages: links and certificates would fail with causes that lead nowhere."""
    clock = WallClock(tmp_path / "clock", ahead_s)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.wall_clock"),
        env={**stack.environment, **clock.environment("services.scheduler"), "LOUPE_LISTEN": "127.0.0.1:0"},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    finally:
        if process.returncode is None:
            process.kill()
    last = json.loads(said.splitlines()[-1])
    assert process.returncode == 1
    assert (last["level"], last["reason"]) == ("CRITICAL", "CLOCK_SKEWED")
    assert f" s {word} PostgreSQL's, more than the 60 s of LOUPE_MAX_CLOCK_SKEW_S" in last["error"]
    assert "请用 NTP 同步两者的时钟" in last["error_zh"]
    assert "exception" not in last
