"""The queue: grants, wait reasons, lists, and garbage collection (rules T3, T4, T7, T8)."""

import asyncio
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from loupe.access.v1 import access_pb2
from loupe.errors import InvalidArgument, NotFound
from loupe.scheduler.v1 import job_pb2, queue_pb2, queue_service_pb2, task_pb2, task_service_pb2
from loupe.server.v1 import server_service_pb2
from loupe.settings import load

from services.kit.database import Database
from services.kit.object_store import ObjectStore
from services.kit.signals import Signals
from services.scheduler.__main__ import MIGRATIONS
from services.scheduler.application import leases
from services.scheduler.application.admission import Admission
from services.scheduler.application.collecting import CandidateCollector
from services.scheduler.application.queue_positions import QueuePositions
from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import JobKind
from services.scheduler.domain.listing import TaskFilter
from services.scheduler.domain.queue import Worker
from services.scheduler.settings import SchedulingSettings, Settings
from services.scheduler.storage.task_list import TaskList
from tests.support.full_disk import filled
from tests.support.simulation import dependencies_of

TRAIN = job_pb2.JOB_KIND_TRAIN
# Of a training.
_LISTED = {
    *("model_name", "algorithm_image_version", "production_environment", "compute_resource"),
    *("train_segmentation", "parent_version", "target_major"),
}


async def test_no_job_is_given_twice(bench: Any, new_worker: Any) -> None:
    """Twenty workers ask for twelve jobs: each job is leased once, eight workers get none."""
    names = {(await bench.submit()).name for _ in range(12)}
    workers = [new_worker(bench.stack, bench.resource, f"workers/w{i}") for i in range(20)]
    held = await asyncio.gather(*(worker.ask(wait_s=1) for worker in workers))
    got = [one.lease.task for one in held if one is not None]
    assert sorted(got) == sorted(names)


async def test_a_waiting_worker_is_woken(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long poll must be woken by a new job, not only by its timer."""
    monkeypatch.setattr(leases, "_POLL_S", 3600.0)
    waiting = asyncio.create_task(bench.worker.ask(wait_s=30))
    await asyncio.sleep(0.2)
    task = await bench.submit()
    held = await waiting
    assert held is not None
    assert held.lease.task == task.name


async def test_a_worker_gets_only_what_it_can_do(bench: Any, new_worker: Any) -> None:
    await bench.submit()
    assert await bench.worker.ask(job_pb2.JOB_KIND_EVALUATE, job_pb2.JOB_KIND_PREDICT) is None
    other = new_worker(bench.stack, await bench.stack.new_resource(), "workers/other")
    assert await other.ask() is None
    assert await bench.worker.ask(TRAIN) is not None


async def test_t8_priority_then_fair_share_then_age(bench: Any) -> None:
    """T8: a user with many jobs waits behind a user without running jobs."""
    colleague = await bench.stack.with_role(access_pb2.ROLE_ENGINEER)
    flood = [(await bench.submit()).name for _ in range(3)]
    modest = (await bench.submit(colleague)).name
    urgent = (await bench.submit(priority=5)).name
    listed = {task.name: task async for task in _all(bench, creator="")}
    expected = [urgent, modest, flood[0], flood[1], flood[2]]
    told = sorted(expected, key=lambda name: listed[name].wait.queue_position)
    got = [(await bench.worker.acquire()).lease.task for _ in range(5)]
    assert got == expected
    # What a task says of its place is what happens (T4).
    assert told[0] == urgent
    assert set(told) == set(got)


async def test_t8_nobody_starves(bench: Any) -> None:
    """T8: a job that waited long enough overtakes younger ones of higher priority."""
    old = await bench.submit(priority=0)
    await bench.stack.execute(
        "UPDATE jobs SET queue_time = queue_time - interval '6 hours' WHERE task = :id",
        id=old.name.removeprefix("tasks/"),
    )
    await bench.submit(priority=9)
    assert (await bench.worker.acquire()).lease.task == old.name


async def _all(bench: Any, **fields: Any) -> Any:
    token = ""
    while True:
        answer = await bench.engineer.tasks.ListTasks(
            task_service_pb2.ListTasksRequest(page_size=3, page_token=token, **fields)
        )
        for task in answer.tasks:
            yield task
        token = answer.next_page_token
        if not token:
            return


async def test_t4_a_waiting_task_says_why(bench: Any) -> None:
    """T4: no worker with the resource; all busy, with the position; no wait reason once it runs."""
    first = await bench.submit()
    waiting = (await bench.get(first)).wait
    assert (waiting.reason, waiting.queue_position) == ("NO_WORKER_WITH_RESOURCE", 1)
    assert waiting.message
    assert waiting.message_zh
    assert waiting.HasField("since")
    await bench.worker.acquire()
    assert not (await bench.get(first)).HasField("wait")
    second, third = await bench.submit(), await bench.submit()
    for task, position in ((second, 1), (third, 2)):
        waiting = (await bench.get(task)).wait
        assert (waiting.reason, waiting.queue_position) == ("ALL_WORKERS_BUSY", position)


async def test_t4_nobody_is_told_to_start_a_worker_that_is_there(bench: Any, new_worker: Any) -> None:
    """A worker asks for no jobs while it has one, nor while its process restarts: it is there, not free."""
    # By a name of its own: the usual one holds leases of other tests.
    worker = new_worker(bench.stack, bench.resource, f"workers/{bench.resource[-8:]}")

    async def long_ago() -> None:
        await bench.stack.execute(
            "UPDATE workers SET last_seen = now() - interval '1 hour' WHERE name = :name", name=worker.name
        )

    await bench.submit()
    waiting = await bench.submit()
    for ended in ("terminated", "given back"):
        held = await worker.acquire()
        await long_ago()
        if ended == "terminated":
            await held.terminated()
        else:
            await held.give_back()
        assert (await bench.get(waiting)).wait.reason == "ALL_WORKERS_BUSY"
    await long_ago()
    assert (await bench.get(waiting)).wait.reason == "NO_WORKER_WITH_RESOURCE"
    worker.build["starting"] = True
    assert await worker.ask() is None
    assert (await bench.get(waiting)).wait.reason == "ALL_WORKERS_BUSY"
    worker.build["starting"] = False
    assert (await worker.ask()).lease.task == waiting.name


async def test_t3_lists_are_filtered_and_paged(bench: Any) -> None:
    """T3: newest first, pages without gaps or repetitions, every filter."""
    mark = secrets.token_hex(4)
    colleague = await bench.stack.with_role(access_pb2.ROLE_ENGINEER)
    names = [(await bench.submit(colleague, model_name=f"Panel-{mark}-{i}")).name for i in range(7)]
    newest_first = names[::-1]
    assert [task.name async for task in _all(bench, creator=colleague.name)] == newest_first
    found = [task.name async for task in _all(bench, model_name_contains=f"panel-{mark}")]
    assert found == newest_first
    held = await bench.worker.acquire()
    await held.failed("NAN_LOSS")
    states = [task_pb2.TASK_STATE_FAILED, task_pb2.TASK_STATE_WAITING]
    assert [task.name async for task in _all(bench, creator=colleague.name, states=states)] == newest_first
    failed = [task.name async for task in _all(bench, creator=colleague.name, states=states[:1])]
    assert failed == [names[0]]
    assert [
        t async for t in _all(bench, creator=colleague.name, kind=task_service_pb2.TASK_KIND_PREDICTION)
    ] == []
    assert [t async for t in _all(bench, creator=colleague.name, production_environment="x")] == []
    parts = {"P": newest_first, "l-": newest_first, f"{mark}-6": newest_first[:1], f"{mark}-7": []}
    for part, expected in parts.items():
        ours = {"creator": colleague.name, "model_name_contains": part}
        assert [task.name async for task in _all(bench, **ours)] == expected
    # Also once the database knows which parts of names are frequent.
    await bench.stack.execute("ANALYZE tasks")
    async with Database(bench.stack.environment["LOUPE_DATABASE_URL"], "scheduler") as database:
        tasks = TaskList(database.sessions)
        for part, expected in parts.items():
            wanted = TaskFilter(creator=colleague.name, model_name_contains=part)
            page = await tasks.page(wanted, before="", limit=10)
            assert [f"tasks/{task.id}" for task in page] == expected
    # Characters of the filter, whatever they mean to a database.
    for part in ("%", "_", "'", "''--", "\\", ":part", "%(part)s", "{}", "?", "E'\\''", '"'):
        assert [t async for t in _all(bench, creator=colleague.name, model_name_contains=part)] == []


async def test_t3_a_list_shows_what_tells_tasks_from_each_other(bench: Any) -> None:
    """T3: a list of tasks leaves out parameters, stages and logs."""
    completed = await bench.completed()
    failing = await bench.submit()
    await (await bench.worker.acquire()).failed("NAN_LOSS")
    waiting = await bench.submit()
    for task in (completed, failing, waiting):
        whole = await bench.get(task)
        (listed,) = [one async for one in _all(bench, model_name_contains=whole.training.model_name)]
        expected = task_pb2.Task()
        expected.CopyFrom(whole)
        for field in ("stages", "weights_sha256"):
            expected.ClearField(field)
        expected.failure.ClearField("log_tail")
        if not whole.HasField("failure"):
            expected.ClearField("failure")
        for field in whole.training.DESCRIPTOR.fields_by_name:
            if field not in _LISTED:
                expected.training.ClearField(field)
        assert listed == expected
    assert (await bench.get(failing)).failure.log_tail


async def test_t7_objects_that_nothing_needs_are_deleted(bench: Any, eventually: Any) -> None:
    """T7: superseded checkpoints and objects of deleted tasks are deleted; shared objects stay."""
    settings = load(Settings, bench.stack.environment)
    shared, own, old, new, picture, own_picture = (secrets.token_hex(32) for _ in range(6))
    async with ObjectStore(settings.objects) as store:
        keys = {
            name: f"{folder}/{name}{'.jpg' if folder == 'contact-sheets' else '.safetensors'}"
            for folder, name in (
                ("weights", shared),
                ("weights", own),
                ("checkpoints", old),
                ("checkpoints", new),
                ("contact-sheets", picture),
                ("contact-sheets", own_picture),
            )
        }
        for key in keys.values():
            await store.put_bytes(key, b"x")

        async def train(weights: str) -> task_pb2.Task:
            task = await bench.submit()
            held = await bench.worker.acquire()
            sheet = own_picture if weights == own else picture
            await held.report(
                stages=[
                    task_pb2.Stage(
                        name=task_pb2.STAGE_NAME_AUGMENTATION,
                        state=task_pb2.STAGE_STATE_DONE,
                        contact_sheet_sha256=sheet,
                    )
                ]
            )
            await held.points(0, [1.0] * 20)
            if weights == own:
                await held.checkpoint(5, old)
                await held.checkpoint(10, new)
            await held.trained(weights)
            await (await bench.worker.acquire()).reported()
            return task

        kept, shares, alone = await train(shared), await train(shared), await train(own)
        for task in (shares, alone):
            await bench.engineer.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name))
        # The grace is over.
        await bench.stack.execute("UPDATE garbage SET not_before = now() - interval '1 second'")

        async def collected() -> bool:
            return await bench.stack.scalar("SELECT count(*) FROM garbage") == 0

        await eventually(collected)
        assert [name for name, key in keys.items() if await store.exists(key)] == [shared, picture]
    assert (await bench.get(kept)).state == task_pb2.TASK_STATE_COMPLETED


async def test_t7_orphans_are_collected_and_young_objects_are_not(bench: Any) -> None:
    """T7: a worker that dies between upload and commit leaves an object that no row will ever name."""
    settings = load(Settings, bench.stack.environment)
    named, orphan = secrets.token_hex(32), secrets.token_hex(32)
    task = await bench.submit()
    held = await bench.worker.acquire()
    shown = task_pb2.Stage(
        name=task_pb2.STAGE_NAME_AUGMENTATION,
        state=task_pb2.STAGE_STATE_DONE,
        contact_sheet_sha256=named,
    )
    await held.report(stages=[shown])
    await held.points(0, [1.0])
    await held.trained(named)
    async with ObjectStore(settings.objects) as store, Signals(settings.database.url) as signals:
        keys = [
            key
            for name in (named, orphan)
            for key in (f"weights/{name}.safetensors", f"contact-sheets/{name}.jpg")
        ]
        for key in keys:
            await store.put_bytes(key, b"x")
        dependencies = dependencies_of(bench.stack.database, signals)
        assert await CandidateCollector(dependencies, store).find_orphans() == 0
        later = replace(dependencies, scheduling=SchedulingSettings(orphan_grace_s=-60))
        collector = CandidateCollector(later, store)
        assert await collector.find_orphans() >= 2
        while await collector.collect_one():
            pass
        assert [await store.exists(key) for key in keys] == [True, True, False, False]
    assert (await bench.get(task)).weights_sha256 == named


async def test_a_report_costs_few_statements(bench: Any) -> None:
    """M5: each running training sends ten heartbeats a second, so each statement counts tenfold."""
    await bench.submit()
    held = await bench.worker.acquire()
    await held.points(0, [1.0] * 10)
    counted: list[str] = []

    def count(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        counted.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        await held.report(
            phase=task_pb2.PHASE_TRAINING,
            progress=task_pb2.Progress(fraction=0.1, iteration=20, max_iteration=1000),
            loss_points=[job_pb2.LossPoints(network=1, first_iteration=10, losses=[1.0] * 10)],
        )
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", count)
    mine = [one for one in counted if "loss_chunks" in one or "FROM jobs j" in one or "WITH held" in one]
    assert len(mine) == 1, mine


@pytest.mark.parametrize("token", ["x", "WyJhIiwgImIiXQ=="])
async def test_a_foreign_page_token_is_refused(bench: Any, token: str) -> None:
    with pytest.raises(InvalidArgument):
        await bench.engineer.tasks.ListTasks(task_service_pb2.ListTasksRequest(page_token=token))


# --- the view of operators ---------------------------------------------------------------


async def _listed_workers(caller: Any, prefix: str, page_size: int = 0) -> list[queue_pb2.Worker]:
    found: list[queue_pb2.Worker] = []
    request = queue_service_pb2.ListWorkersRequest(page_size=page_size)
    while True:
        answer = await caller.queue.ListWorkers(request)
        found.extend(worker for worker in answer.workers if worker.name.startswith(prefix))
        request.page_token = answer.next_page_token
        if not request.page_token:
            return found


async def _figures(bench: Any, caller: Any) -> queue_pb2.ResourceQueue:
    """The figures of the test's own resource; empty if the queue has none."""
    queue = await caller.queue.GetQueue(queue_service_pb2.GetQueueRequest())
    assert [one.compute_resource for one in queue.resources] == sorted(
        one.compute_resource for one in queue.resources
    )
    own = [one for one in queue.resources if one.compute_resource == bench.resource]
    return own[0] if own else queue_pb2.ResourceQueue()


async def test_w7_a_training_takes_all_hosts_of_its_resource_and_its_evaluation_one(
    bench: Any, stack: Any, viewer: Any, new_worker: Any
) -> None:
    """One host would train too slowly, or not at all; several evaluate nothing together."""
    resource = await stack.new_resource(cpus=2, nodes=3)
    task = await bench.submit(compute_resource=resource)
    host = job_pb2.Amounts(cpus=2, memory_bytes=2**30)
    hosts = job_pb2.Amounts(cpus=6, memory_bytes=3 * 2**30)
    prefix = f"workers/{secrets.token_hex(4)}"
    one = new_worker(stack, resource, f"{prefix}-1", host)
    group = new_worker(stack, resource, f"{prefix}-3", hosts)
    assert await one.ask(TRAIN) is None
    waiting = await viewer.tasks.GetTask(task_service_pb2.GetTaskRequest(name=task.name))
    assert waiting.wait.reason == "WORKERS_TOO_SMALL"
    assert "6 CPUs and 3 GiB" in waiting.wait.message
    held = await group.acquire(TRAIN)
    assert [lease.takes for of in await _listed_workers(viewer, prefix) for lease in of.leases] == [hosts]
    await held.trained()
    await one.acquire(job_pb2.JOB_KIND_EVALUATE)
    assert [lease.takes for of in await _listed_workers(viewer, prefix) for lease in of.leases] == [host]


async def test_t4_workers_are_listed_as_they_announced_themselves(
    bench: Any, viewer: Any, new_worker: Any
) -> None:
    """Operators see the leases, the free amounts and the presence of every worker."""
    prefix = f"workers/{secrets.token_hex(4)}"
    room = job_pb2.Amounts(gpus=2, cpus=8, memory_bytes=2**34)
    busy = new_worker(
        *(bench.stack, bench.resource, f"{prefix}-a", room),
        version="0.1.0",
        torch_version="2.13.0+cu128",
        device="2 × NVIDIA H100",
    )
    task = await bench.submit()
    held = await busy.acquire()
    assert await new_worker(bench.stack, bench.resource, f"{prefix}-b").ask() is None
    first, second = await _listed_workers(viewer, prefix, page_size=1)
    assert first == (await _listed_workers(viewer, prefix))[0]
    assert (first.name, first.presence) == (f"{prefix}-a", queue_pb2.WORKER_PRESENCE_BUSY)
    assert (first.version, first.torch_version, first.device) == (
        "0.1.0",
        "2.13.0+cu128",
        "2 × NVIDIA H100",
    )
    assert (list(first.compute_resources), first.capacity) == ([bench.resource], room)
    (lease,) = first.leases
    assert (lease.job, lease.task, lease.kind, lease.attempt) == (held.lease.job, task.name, TRAIN, 1)
    assert (first.free.gpus, first.free.cpus) == (2, 8 - lease.takes.cpus)
    assert first.free.memory_bytes == 2**34 - lease.takes.memory_bytes
    assert first.heard_time.seconds > 0 < lease.start_time.seconds < lease.expire_time.seconds
    assert (second.presence, list(second.leases)) == (queue_pb2.WORKER_PRESENCE_IDLE, [])
    # Both fall silent; a busy one is asked about by its lease, which the sweeper takes away.
    await bench.stack.execute(
        "UPDATE workers SET last_seen = last_seen - interval '1 minute' WHERE starts_with(name, :prefix)",
        prefix=prefix,
    )
    busy_still, gone = await _listed_workers(viewer, prefix)
    assert busy_still.presence == queue_pb2.WORKER_PRESENCE_BUSY
    assert busy_still.heard_time.seconds >= second.heard_time.seconds - 1, "its lease says when it reported"
    assert gone.presence == queue_pb2.WORKER_PRESENCE_GONE


async def test_t4_the_queue_tells_how_many_wait_why_and_how_long(
    bench: Any, viewer: Any, new_worker: Any
) -> None:
    """The queue shows whether workers are missing, too small or busy."""
    assert await _figures(bench, viewer) == queue_pb2.ResourceQueue()
    for _ in range(3):
        await bench.submit()
    alone = await _figures(bench, viewer)
    assert [(one.reason, one.count) for one in alone.wait_reasons] == [("NO_WORKER_WITH_RESOURCE", 3)]
    assert (alone.waiting_count, alone.running_count, alone.worker_count) == (3, 0, 0)
    small = new_worker(
        bench.stack, bench.resource, f"workers/{bench.resource[-8:]}-s", job_pb2.Amounts(cpus=1)
    )
    assert await small.ask() is None
    assert [(one.reason, one.count) for one in (await _figures(bench, viewer)).wait_reasons] == [
        ("WORKERS_TOO_SMALL", 3)
    ]
    room = job_pb2.Amounts(cpus=1, memory_bytes=2**30)
    large = new_worker(bench.stack, bench.resource, f"workers/{bench.resource[-8:]}-l", room)
    held = await large.acquire()
    both = await _figures(bench, viewer)
    assert [(one.reason, one.count) for one in both.wait_reasons] == [("ALL_WORKERS_BUSY", 2)]
    assert (both.running_count, both.worker_count, both.taken) == (1, 2, room)
    assert both.capacity == job_pb2.Amounts(cpus=2, memory_bytes=2**30)
    assert both.wait_reasons[0].oldest_wait_time == both.oldest_wait_time
    since = await bench.stack.scalar(
        "SELECT min(queue_time) FROM jobs WHERE compute_resource = :resource AND state = 'QUEUED'",
        resource=bench.resource,
    )
    assert both.oldest_wait_time.ToDatetime(UTC) == since
    # A task that had begun is told apart.
    await large.lose_lease(held)
    assert {one.reason: one.count for one in (await _figures(bench, viewer)).wait_reasons} == {
        "ALL_WORKERS_BUSY": 2,
        "RECOVERING": 1,
    }


async def test_a_server_says_which_version_and_tables_it_has(viewer: Any) -> None:
    """After an upgrade an operator must see that it took place."""
    server = await viewer.server.GetServer(server_service_pb2.GetServerRequest(name="servers/scheduler"))
    newest = max(path.name[:4] for path in (MIGRATIONS / "versions").glob("0*.py"))
    assert (server.name, server.schema_revision) == ("servers/scheduler", newest)
    assert server.version == version("loupe")
    assert server.start_time.seconds > 0
    with pytest.raises(NotFound):
        await viewer.server.GetServer(server_service_pb2.GetServerRequest(name="servers/registry"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of a megabyte."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "loupe-test", str(tmp_path)]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {getattr(error, 'stderr', '') or error}")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)  # noqa: S607 -- found as a shell would


async def test_t4_no_training_begins_while_the_disk_is_almost_full(bench: Any, small_disk: Path) -> None:
    """It waits and says why, where it would fill the disk and fail; it goes on when there is room again."""
    task = await bench.submit()
    task_id = task.name.removeprefix("tasks/")

    async def nobody(_job: str, _token: int) -> None:
        raise AssertionError("no job is given back here")

    settings = load(Settings, bench.stack.environment)
    async with Signals(settings.database.url) as signals:
        scheduling = SchedulingSettings(watched_folder=small_disk)
        dependencies = replace(dependencies_of(bench.stack.database, signals), scheduling=scheduling)
        worker = Worker(
            name=f"workers/{bench.resource[-8:]}-disk",
            kinds=(JobKind.TRAIN,),
            compute_resources=(bench.resource,),
            capacity=Amounts(8, 64, 2**40),
            start_time=datetime.now(UTC),
        )
        admission, positions = Admission(dependencies, nobody), QueuePositions(dependencies)
        with filled(small_disk):
            assert (await positions.of([task_id]))[task_id].held_back
            assert await admission.ask(worker) is None
        assert not (await positions.of([task_id]))[task_id].held_back
        lease = await admission.ask(worker)
    assert lease is not None
    assert lease.task.id == task_id
