"""Measures pages of the task list over gRPC with 1,000,000 tasks: `python -m tests.bench listing`."""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa
from loupe.rpc.channel import connect
from loupe.scheduler.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc

from deploy.embedded.servers import EmbeddedServers
from services.kit.database import Database
from services.kit.signals import Signals
from services.scheduler.__main__ import MIGRATIONS
from tests.support.services import service_process
from tests.support.simulation import a_task, dependencies_of, put
from tests.support.tokens import token_of

TASKS = 1_000_000
_WAITING = 10_000
# Of each filter. A p99 of fewer is their maximum.
_PAGES = 300
_REFERENCE = "one task by its key (the reference)"
_USERS = 500
_ENVIRONMENTS = 40
# Of a hundred tasks that ended; the waiting ones come on top.
_STATES = ("COMPLETED",) * 70 + ("RELEASED",) * 20 + ("TERMINATED",) * 6 + ("FAILED",) * 4

_NAME = "'line-' || (n % 97) || '-model-' || n"


def _chosen(seed: int, choices: int) -> str:
    """Of the task's number, as if by chance, and independent of what another seed chooses."""
    return f"(abs(hashint8extended(n, {seed}) % {choices}))"


def measure(tasks: int = TASKS) -> dict[str, Any]:
    """A scheduler of its own on embedded servers; no registry is asked for a list."""
    return asyncio.run(_measure(tasks))


async def _measure(tasks: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as folder:
        async with EmbeddedServers(Path(folder)) as servers:
            url = await servers.postgres.create_database("listing")
            environment = {
                "LOUPE_DATABASE_URL": url,
                "LOUPE_NATS_URL": servers.nats.url,
                "LOUPE_SERVICE_TOKENS_DIR": str(servers.folder.service_tokens),
                "LOUPE_REGISTRY_ADDRESS": "127.0.0.1:1",
                **servers.object_store.environment(),
            }
            async with (
                Database(url, "scheduler", statement_timeout_s=3600) as database,
                Signals(url) as signals,
            ):
                await database.migrate(MIGRATIONS)
                await fill(database, signals, tasks)
            log = Path(folder) / "scheduler.log"
            async with (
                service_process("services.scheduler", environment, log) as (pid, address),
                connect(address, lambda: token_of("scheduler", servers.folder.service_tokens)) as channel,
            ):
                stub = task_service_pb2_grpc.TaskServiceStub(channel)
                return await _pages(stub, tasks, psutil.Process(pid), log)


async def fill(database: Database, signals: Signals, tasks: int) -> None:
    """Ended tasks from one that the scheduler wrote, and waiting ones with their jobs."""
    chosen = random.Random(1)
    dependencies = dependencies_of(database, signals)
    resource = "computeResources/gpu"
    waiting = min(_WAITING, tasks // 10)
    now = await dependencies.sessions.time()
    await put(
        dependencies,
        [
            replace(
                a_task(number, f"users/u{chosen.randrange(_USERS)}", resource),
                create_time=now,
            )
            for number in range(waiting)
        ],
    )
    async with database.sessions.begin() as session:
        # A million rows into a dozen indexes takes many minutes; built afterwards, they take one.
        indexes = (
            await session.execute(
                sa.text(
                    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
                    " AND tablename = 'tasks' AND indexname <> 'tasks_pkey'"
                )
            )
        ).all()
        for index in indexes:
            await session.execute(sa.text(f"DROP INDEX {index.indexname}"))
        columns = await session.scalars(
            sa.text(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_schema = current_schema() AND table_name = 'tasks'"
            )
        )
        changed = {
            # Older than all that wait, and in order.
            "id": "'00' || to_char(n, 'FM00000000000000000000')",
            "state": f"(CAST(:states AS text[]))[1 + {_chosen(1, 100)}]",
            "creator": f"'users/u' || {_chosen(2, _USERS)}",
            "production_environment": f"'productionEnvironments/e' || {_chosen(3, _ENVIRONMENTS)}",
            "model_name": _NAME,
            "name_grams": (
                f"(SELECT array_agg(DISTINCT substr(name, at, size)) FROM (SELECT {_NAME} AS name) named, "  # noqa: S608 -- names of our own columns
                "generate_series(1, 3) size, generate_series(1, length(name) - size + 1) at)"
            ),
            "request_id": "NULL",
        }
        names = list(columns)
        await session.execute(
            sa.text(
                f"INSERT INTO tasks ({', '.join(names)}) "  # noqa: S608 -- names of our own columns
                f"SELECT {', '.join(changed.get(name, 'o.' + name) for name in names)} "
                "FROM generate_series(1, :count) n, (SELECT * FROM tasks LIMIT 1) o"
            ),
            {"count": tasks - waiting, "states": list(_STATES)},
        )
        await session.execute(sa.text("SET LOCAL maintenance_work_mem = '1GB'"))
        for index in indexes:
            await session.execute(sa.text(index.indexdef))
    async with database.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(sa.text("VACUUM ANALYZE"))


async def _pages(
    stub: Any,  # noqa: ANN401 -- a generated stub
    tasks: int,
    service: psutil.Process,
    log: Path,
) -> dict[str, Any]:
    filters = _filters(tasks)
    newest = await stub.ListTasks(task_service_pb2.ListTasksRequest(page_size=1))
    ended = task_service_pb2.GetTaskRequest(name=await _oldest(stub))
    waiting_one = task_service_pb2.GetTaskRequest(name=newest.tasks[0].name)
    calls: list[str] = []
    at_client_ms: list[float] = []
    before = len(_calls_ms(log))

    async def call(what: str, answer: Awaitable[Any]) -> Any:  # noqa: ANN401 -- an answer of the stub's
        started_s = time.monotonic()
        message = await answer
        at_client_ms.append((time.monotonic() - started_s) * 1e3)
        calls.append(what)
        return message

    cpu_s = _cpu_s(service)
    # In turns, so that what else the machine does hits all alike.
    for _ in range(_PAGES // 3):
        for what, make in filters.items():
            request = task_service_pb2.ListTasksRequest(page_size=50, **make())
            # A page somewhere behind the first, as whoever scrolls asks for it; or another first page.
            for _ in range(3):
                answer = await call(what, stub.ListTasks(request))
                request.page_token = answer.next_page_token
                if not request.page_token:
                    request = task_service_pb2.ListTasksRequest(page_size=50, **make())
            await call(_REFERENCE, stub.GetTask(ended))
            await call("one waiting task with its place", stub.GetTask(waiting_one))
    cpu_s = _cpu_s(service) - cpu_s
    # Calls one after another: the log has them in their order.
    at_service_ms = _calls_ms(log)[before:]
    figures: dict[str, Any] = {"tasks": tasks}
    for what in dict.fromkeys(calls):
        for where, taken in (("service", at_service_ms), ("client", at_client_ms)):
            of = sorted(ms for name, ms in zip(calls, taken, strict=True) if name == what)
            figures[f"{what}: p50, p99 ms at the {where}"] = [
                round(of[len(of) // 2], 1),
                round(of[int(len(of) * 0.99)], 1),
            ]
    # The same on a busy machine: what a call costs besides the database.
    figures["CPU of the scheduler, ms a call"] = round(cpu_s / len(calls) * 1e3, 1)
    return figures


def _filters(tasks: int) -> dict[str, Callable[[], dict[str, Any]]]:
    chosen = random.Random(2)

    def user() -> str:
        return f"users/u{chosen.randrange(_USERS)}"

    def environment() -> str:
        return f"productionEnvironments/e{chosen.randrange(_ENVIRONMENTS)}"

    failed, completed, waiting = (
        [task_pb2.TaskState.Value(f"TASK_STATE_{state}")] for state in ("FAILED", "COMPLETED", "WAITING")
    )

    def name(choices: range) -> str:
        return f"line-{chosen.choice(choices)}-"

    return {
        "all": dict,
        "state, frequent": lambda: {"states": completed},
        "state, rare": lambda: {"states": failed},
        "waiting, with reasons": lambda: {"states": waiting},
        "creator": lambda: {"creator": user()},
        "creator and state": lambda: {"creator": user(), "states": failed},
        "environment": lambda: {"production_environment": environment()},
        "environment and state": lambda: {"production_environment": environment(), "states": failed},
        "creator and environment": lambda: {"creator": user(), "production_environment": environment()},
        "creator, environment and state": lambda: {
            "creator": user(),
            "production_environment": environment(),
            "states": completed,
        },
        "creator of nothing": lambda: {"creator": "users/nobody"},
        "predictions, of which there are none": lambda: {"kind": task_service_pb2.TASK_KIND_PREDICTION},
        "name, one task": lambda: {"model_name_contains": f"model-{chosen.randrange(tasks // 2, tasks)}"},
        "name, a hundredth": lambda: {"model_name_contains": name(range(10, 97))},
        "name, a hundredth, and a rare state": lambda: {
            "model_name_contains": name(range(10, 97)),
            "states": failed,
        },
        "name, nearly all": lambda: {"model_name_contains": "model"},
        "name, none": lambda: {"model_name_contains": "line-model"},
    }


def _calls_ms(log: Path) -> list[float]:
    """What the service says of its calls."""
    lines = (json.loads(line) for line in log.read_text().splitlines())
    return [float(line["duration_ms"]) for line in lines if line["message"] == "call"]


def _cpu_s(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return spent.user + spent.system


async def _oldest(stub: Any) -> str:  # noqa: ANN401 -- a generated stub
    """A task that ended: to read it is one row by its key."""
    request = task_service_pb2.ListTasksRequest(page_size=1, states=[task_pb2.TASK_STATE_COMPLETED])
    return str((await stub.ListTasks(request)).tasks[0].name)
