"""What operators see of replicas and streams, and how they take a worker out of service (T9)."""

import asyncio
import secrets
from typing import Any

import pytest
from loupe.errors import NotFound, PermissionDenied
from loupe.rpc.channel import connect
from loupe.scheduler.v1 import queue_pb2, queue_service_pb2, queue_service_pb2_grpc
from loupe.server.v1 import server_pb2, server_service_pb2, server_service_pb2_grpc
from loupe.settings import load

from services.kit.about import VERSION
from services.scheduler.__main__ import compose
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.application.task_commands import TaskCommands
from services.scheduler.settings import Settings
from tests.integration.scheduler.conftest import living
from tests.support.waiting import eventually

_ABOUT = server_service_pb2.GetServerRequest(name="servers/scheduler")


async def _versions(stub: Any) -> dict[str, str]:
    return {one.address: one.version for one in (await stub.GetServer(_ABOUT)).replicas}


async def test_any_replica_tells_of_all_of_them(bench: Any, viewer: Any) -> None:
    """Calls go to all replicas in turn: whichever answers, an operator must see all, and their versions."""
    first = bench.stack.address

    async def has(stub: Any, expected: dict[str, str]) -> None:
        async def seen() -> bool:
            return await _versions(stub) == expected

        await eventually(seen)

    await has(viewer.server, {first: VERSION})
    environment = bench.stack.environment
    async with living(lambda process: compose(process, load(Settings, environment))) as second:
        await has(viewer.server, {first: VERSION, second: VERSION})
        admin = connect(second, lambda: environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"], deadline_s=60)
        other: Any = server_service_pb2_grpc.ServerServiceStub(admin)
        await has(other, {first: VERSION, second: VERSION})
        # As a process of an older release tells it, whose next words are ten seconds away.
        older = server_pb2.Replica(address="10.0.0.9:7102", version="0.0.9", ready=True)
        await bench.stack.execute(
            "INSERT INTO replicas (id, description, heard_time) "
            "VALUES (gen_random_uuid(), :description, now() + interval '1 hour')",
            description=older.SerializeToString(),
        )
        assert await _versions(viewer.server) == {first: VERSION, second: VERSION, older.address: "0.0.9"}
        # A crash leaves a row that nobody renews.
        await bench.stack.execute(
            "UPDATE replicas SET heard_time = now() - interval '2 minutes' WHERE description = :description",
            description=older.SerializeToString(),
        )
        await has(other, {first: VERSION, second: VERSION})
        await admin.close()
    # One that stops says so itself.
    await has(viewer.server, {first: VERSION})


async def test_a_server_tells_its_needs_backlog_streams_and_consumers(bench: Any, viewer: Any) -> None:
    """What stands still must be seen before a user tells of it."""
    await bench.completed()

    async def published() -> bool:
        server = await viewer.server.GetServer(_ABOUT)
        return server.backlog.outbox_count == 0 and {one.name for one in server.streams} == {"TASKS", "LOSS"}

    await eventually(published)
    server = await viewer.server.GetServer(_ABOUT)
    (replica,) = server.replicas
    assert {need.name: need.state for need in replica.needs} == dict.fromkeys(
        ("database", "messaging", "process"), "READY"
    )
    assert replica.ready
    assert replica.heard_time.seconds >= replica.start_time.seconds > 0
    assert server.backlog.dead_letter_count == 0
    assert [(one.stream, one.name) for one in server.consumers] == [("MODELS", "scheduler-releases")]
    await bench.stack.execute(
        "INSERT INTO dead_letter (id, consumer, message_id, subject, headers, payload, reason, detail) "
        "VALUES (gen_random_uuid(), 'c', 'm', 's', '{}', '', 'R', 'd')"
    )
    assert (await viewer.server.GetServer(_ABOUT)).backlog.dead_letter_count == 1


async def _worker(queue: Any, name: str) -> queue_pb2.Worker | None:
    answer = await queue.ListWorkers(queue_service_pb2.ListWorkersRequest(page_size=1000))
    return next((one for one in answer.workers if one.name == name), None)


async def test_t9_a_drained_worker_gives_back_its_job_and_gets_none(
    bench: Any, viewer: Any, new_worker: Any
) -> None:
    """T9: the machine can be switched off without loss, and comes back when an administrator says so."""
    name = f"workers/{secrets.token_hex(4)}"
    worker = new_worker(bench.stack, bench.resource, name)
    first, second = await bench.submit(), await bench.submit()
    held = await worker.acquire()
    assert held.lease.task == first.name
    admin = bench.stack.admin
    assert not (await held.report()).release_requested
    drained = await admin.queue.DrainWorker(queue_service_pb2.DrainWorkerRequest(name=name))
    assert drained.presence == queue_pb2.WORKER_PRESENCE_BUSY
    assert drained.drainer == "users/admin"
    assert (await held.report()).release_requested
    await held.give_back()
    # The name has the drain, so a new process of it gets no job either.
    for process in (worker, new_worker(bench.stack, bench.resource, name)):
        assert await process.ask() is None
    seen = await _worker(viewer.queue, name)
    assert seen is not None
    assert (seen.drain_time, seen.presence) == (drained.drain_time, queue_pb2.WORKER_PRESENCE_IDLE)
    assert (await bench.get(second)).wait.reason == "WORKERS_DRAINED"
    waiting = asyncio.create_task(process.ask(wait_s=30))
    undrained = await admin.queue.UndrainWorker(queue_service_pb2.UndrainWorkerRequest(name=name))
    assert not undrained.HasField("drain_time")
    again = await waiting
    # Given back, not lost: it is no recovery, and keeps its place.
    assert again is not None
    assert again.lease.task == first.name
    await again.terminated()


async def test_t9_a_drain_outlives_the_scheduler_and_a_day_of_silence(bench: Any, new_worker: Any) -> None:
    """T9: a machine that is repaired for a week comes back drained."""
    name = f"workers/{secrets.token_hex(4)}"
    worker = new_worker(bench.stack, bench.resource, name)
    assert await worker.ask() is None
    admin = bench.stack.admin
    await admin.queue.DrainWorker(queue_service_pb2.DrainWorkerRequest(name=name))
    await bench.stack.execute(
        "UPDATE workers SET last_seen = now() - interval '3 days' WHERE name = :name", name=name
    )
    dependencies: Any = Dependencies(
        sessions=bench.stack.database.sessions,
        signals=None,  # type: ignore[arg-type]
        registry=None,  # type: ignore[arg-type]
        links=None,  # type: ignore[arg-type]
        scheduling=load(Settings, bench.stack.environment).scheduling,
    )
    await TaskCommands(dependencies).delete_gone_workers()
    environment = bench.stack.environment
    async with (
        living(lambda process: compose(process, load(Settings, environment))) as second,
        connect(second, lambda: environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"], deadline_s=60) as channel,
    ):
        seen = await _worker(queue_service_pb2_grpc.QueueServiceStub(channel), name)
    assert seen is not None
    assert seen.HasField("drain_time")
    await bench.submit()
    assert await worker.ask() is None


async def test_t9_draining_is_for_administrators_and_for_workers_that_there_are(
    bench: Any, engineer: Any, releaser: Any
) -> None:
    """T9, A2: nobody else takes machines away from others."""
    for caller in (engineer, releaser):
        for call, request in (
            (caller.queue.DrainWorker, queue_service_pb2.DrainWorkerRequest),
            (caller.queue.UndrainWorker, queue_service_pb2.UndrainWorkerRequest),
        ):
            with pytest.raises(PermissionDenied):
                await call(request(name="workers/nobody"))
    with pytest.raises(NotFound) as refused:
        await bench.stack.admin.queue.DrainWorker(queue_service_pb2.DrainWorkerRequest(name="workers/nobody"))
    assert refused.value.reason == "WORKER_NOT_FOUND"
    assert "loupe system" in refused.value.facts["message_zh"]
