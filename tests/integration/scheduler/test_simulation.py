"""Eight trainers with two resources, and many users (rules T4, T8). The full size is a bench."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from services.kit.database import Database
from services.kit.signals import Signals
from services.scheduler.__main__ import MIGRATIONS
from services.scheduler.application.leases import Leases
from services.scheduler.application.task_commands import TaskCommands
from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import JobKind
from services.scheduler.domain.queue import Worker, WorkerReplaced
from services.scheduler.domain.work import Lease
from tests.support.simulation import TAKES, Simulation, a_task, dependencies_of, put
from tests.support.waiting import DEADLINE_S

GPU = "computeResources/gpu"


@pytest_asyncio.fixture(loop_scope="session")
async def database(postgres_url: str) -> AsyncIterator[Database]:
    async with Database(postgres_url, "scheduler") as database:
        await database.migrate(MIGRATIONS)
        yield database


@pytest_asyncio.fixture(loop_scope="session")
async def signals(postgres_url: str) -> AsyncIterator[Signals]:
    async with Signals(postgres_url) as signals:
        yield signals


def worker(name: str, capacity: Amounts, *resources: str) -> Worker:
    return Worker(
        name=f"workers/{name}",
        kinds=(JobKind.TRAIN,),
        compute_resources=resources or (GPU,),
        capacity=capacity,
        start_time=datetime(2026, 1, 1, tzinfo=UTC),
    )


def names(*leases: Lease | None) -> list[str]:
    return [lease.task.spec.model_name if lease else "" for lease in leases]


async def test_t8_every_decision_of_a_busy_queue(database: Database, signals: Signals) -> None:
    """T8: no amount and no task is granted twice, none is lost, the order is right, with two schedulers."""
    simulation = Simulation(database, signals, schedulers=2)
    await simulation.submit(tasks=200, users=50)
    outcome = await simulation.run()
    assert outcome.violations == []
    assert outcome.admissions == 200


async def test_t8_a_large_task_is_not_overtaken_by_small_ones(database: Database, signals: Signals) -> None:
    """T8: otherwise a task that needs the whole machine would starve behind small ones."""
    dependencies = dependencies_of(database, signals)
    one, four = Amounts(gpus=1, cpus=1), Amounts(gpus=4, cpus=1)
    sizes = (one, four, one)
    tasks = [a_task(number, f"users/u{number}", GPU, takes=takes) for number, takes in enumerate(sizes)]
    await put(dependencies, tasks)
    leases = Leases(dependencies)
    trainer, small = worker("t", Amounts(gpus=4, cpus=8)), worker("s", Amounts(gpus=1, cpus=8))
    first = await leases.acquire(trainer, 0)
    assert names(first, await leases.acquire(trainer, 0)) == ["simulated-0", ""]
    # A worker that is too small for it does not wait for it.
    assert names(await leases.acquire(small, 0)) == ["simulated-2"]
    assert first is not None
    await leases.give_back(first.job.id, first.job.fencing_token)
    await put(dependencies, [a_task(9, "users/u9", GPU, takes=one)])
    assert names(await leases.acquire(trainer, 0)) == ["simulated-0"]


async def test_t8_a_lane_that_waits_gains_priority_and_a_served_one_does_not(
    database: Database, signals: Signals
) -> None:
    """T8: urgent jobs do not starve others, and a lane that is being served does not age."""
    dependencies = dependencies_of(database, signals)
    leases, trainer = Leases(dependencies), worker("t", Amounts(gpus=100, cpus=1000, memory_bytes=2**50))
    flood = [a_task(number, "users/flood", GPU) for number in range(3)]
    # All have waited since January: ageing gives them the highest priority.
    await put(dependencies, [*flood, a_task(10, "users/urgent", GPU, priority=9)])
    assert names(await leases.acquire(trainer, 0)) == ["simulated-0"]
    # Its lane was just served: a new user without running jobs goes first.
    newcomer = replace(a_task(20, "users/new", GPU), create_time=await dependencies.sessions.time())
    await put(dependencies, [newcomer])
    got = names(*[await leases.acquire(trainer, 0) for _ in range(4)])
    assert got == ["simulated-10", "simulated-20", "simulated-1", "simulated-2"]
    # After ten hours without a granted job the lane is urgent again.
    await put(
        dependencies,
        [replace(a_task(30, "users/flood", GPU), create_time=await dependencies.sessions.time())],
    )
    async with dependencies.sessions.begin() as session:
        await session.execute(sa.text("UPDATE lines SET served_time = served_time - interval '10 hours'"))
        await session.execute(
            sa.text("UPDATE jobs SET queue_time = now() - interval '10 hours' WHERE state = 'QUEUED'")
        )
    await put(dependencies, [a_task(40, "users/other", GPU, priority=8)])
    async with dependencies.sessions.begin() as session:
        await session.execute(sa.text("UPDATE jobs SET queue_time = now() WHERE priority = 8"))
    assert names(await leases.acquire(trainer, 0)) == ["simulated-30"]


@pytest.mark.parametrize(
    ("capacity", "resource", "reason"),
    [
        (Amounts(gpus=8, cpus=8, memory_bytes=2**40), "computeResources/cpu", (False, False)),
        (Amounts(gpus=0, cpus=64, memory_bytes=2**40), GPU, (True, False)),
        (TAKES[GPU], GPU, (True, True)),
    ],
    ids=["of another resource", "too small", "busy"],
)
async def test_t4_why_it_waits(
    database: Database, signals: Signals, capacity: Amounts, resource: str, reason: tuple[bool, bool]
) -> None:
    """T4: no worker with the resource, none large enough, or all busy; position and start of waiting."""
    dependencies = dependencies_of(database, signals)
    tasks = [a_task(number, "users/u", GPU) for number in range(2)]
    await put(dependencies, tasks)
    await Leases(dependencies).acquire(worker("t", capacity, resource), 0)
    position = (await TaskCommands(dependencies).get(tasks[1].id)).position
    assert position is not None
    assert (position.served, position.fits) == reason
    assert position.number == (1 if reason == (True, True) else 2)
    assert position.since == tasks[1].create_time


async def test_t5_a_worker_that_comes_back_frees_what_it_held(database: Database, signals: Signals) -> None:
    """T5, T6: a restarted worker does not wait for its old lease; an older process gets nothing."""
    dependencies = dependencies_of(database, signals)
    await put(dependencies, [a_task(0, "users/u", GPU)])
    leases = Leases(dependencies)
    killed = worker("t", TAKES[GPU])
    successor = replace(killed, start_time=await dependencies.sessions.time())
    lease = await leases.acquire(killed, 0)
    assert lease is not None
    assert await leases.acquire(successor, 0) is None
    assert await leases.sweep() == 1
    again = await leases.acquire(successor, 0)
    assert again is not None
    assert again.job.recoveries == 1
    with pytest.raises(WorkerReplaced):
        await leases.acquire(killed, 0)


async def test_t5_a_job_that_is_granted_to_a_caller_that_left_is_given_back(
    database: Database, signals: Signals, eventually: Any
) -> None:
    """T5: requests are decided in batches; a worker that leaves meanwhile costs no task a recovery."""
    dependencies = dependencies_of(database, signals)
    leases, gone = Leases(dependencies), worker("gone", TAKES[GPU])
    assert await leases.acquire(gone, 0) is None
    await put(dependencies, [a_task(0, "users/u", GPU)])
    waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
    async with asyncio.timeout(DEADLINE_S), dependencies.sessions.begin() as other:
        await other.execute(sa.text("SELECT FROM turns FOR UPDATE"))
        leaving = asyncio.create_task(leases.acquire(gone, 0))

        async def decides() -> bool:
            return bool(await other.scalar(waits))

        await eventually(decides)
        leaving.cancel()
    async with asyncio.timeout(DEADLINE_S):
        while (lease := await leases.acquire(worker("t", TAKES[GPU]), 0)) is None:
            pass
    assert lease.job.recoveries == 0
    assert lease.task.recoveries == 0
