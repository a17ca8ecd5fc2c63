"""Simulation of the queue: many users, many tasks, a few trainers that compute nothing, on a real PostgreSQL.

The trainers ask concurrently until none gets a job; then some running jobs end, and so on. No job ends while
they ask, so the order of the grants, which the outbox has, can be compared with T8 exactly.
"""

import asyncio
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from loupe.events.v1 import events_pb2
from loupe.scheduler.v1 import task_pb2

from services.input_specification import InputSpecification
from services.kit.database import Database
from services.kit.signals import Signals
from services.scheduler.application.dependencies import Dependencies, Links, queue_first_job
from services.scheduler.application.ids import new_id
from services.scheduler.application.leases import Leases
from services.scheduler.application.registry_port import RegistryPort
from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import JobKind
from services.scheduler.domain.queue import Worker
from services.scheduler.domain.task import Failure, Task, TaskKind, TaskState
from services.scheduler.domain.work import Failed, Lease
from services.scheduler.settings import SchedulingSettings
from services.scheduler.storage.tasks import Tasks
from tests.support.specs import training_spec

# Amounts of a task and of a trainer of each resource: room for two tasks, and a rest that fits none.
TAKES = {
    "computeResources/gpu": Amounts(gpus=1, cpus=4, memory_bytes=16 << 30),
    "computeResources/cpu": Amounts(gpus=0, cpus=8, memory_bytes=8 << 30),
}
HAS = {
    "computeResources/gpu": Amounts(gpus=3, cpus=10, memory_bytes=64 << 30),
    "computeResources/cpu": Amounts(gpus=0, cpus=64, memory_bytes=20 << 30),
}
_ENDED = Failed(Failure("SIMULATED", "nothing was computed"), retryable=False)


def dependencies_of(
    database: Database, signals: Signals, scheduling: SchedulingSettings | None = None
) -> Dependencies:
    """Dependencies without a registry: tasks are written to the queue directly."""
    return Dependencies(
        sessions=database.sessions,
        signals=signals,
        registry=cast(RegistryPort, None),
        links=cast(Links, None),
        scheduling=scheduling or SchedulingSettings(),
    )


def a_task(
    number: int, creator: str, resource: str, *, priority: int = 0, takes: Amounts | None = None
) -> Task:
    """A waiting task; a larger number means a younger task."""
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    spec = training_spec(
        model_name=f"simulated-{number}",
        compute_resource=resource,
        input=InputSpecification(64, 64),
        training_params={"classification": {"batch_size": 4, "max_iter": 10}},
    )
    return Task(
        id=new_id(now),
        kind=TaskKind.TRAINING,
        state=TaskState.WAITING,
        spec=spec,
        creator=creator,
        create_time=now,
        priority=priority,
        takes=takes or TAKES[resource],
    )


# The rows of the first task, copied with these changes for each other task.
_TASK = {
    "id": "v.id",
    "model_name": "v.name",
    "creator": "v.creator",
    "priority": "v.priority",
    "gpus": "v.gpus",
    "cpus": "v.cpus",
    "memory_bytes": "v.memory_bytes",
    "create_time": "v.create_time",
    "spec": "o.spec || jsonb_build_object('model_name', v.name, 'compute_resource', v.compute_resource)",
}
_JOB = {
    **{
        name: f"v.{name}"
        for name in ("creator", "priority", "compute_resource", "gpus", "cpus", "memory_bytes")
    },
    "id": "'j' || v.id",
    "task": "v.id",
    "queue_time": "v.create_time",
    "available_time": "v.create_time",
}
_CURVE = {"task": "v.id"}


async def put(dependencies: Dependencies, tasks: list[Task]) -> None:
    """Submit the tasks without the wizard."""
    first, *others = tasks
    async with dependencies.sessions.begin() as session:
        await Tasks(session).add(first)
        await queue_first_job(session, first, first.create_time)
        if not others:
            return
        values = {
            "id": [task.id for task in others],
            "name": [task.spec.model_name for task in others],
            "creator": [task.creator for task in others],
            "compute_resource": [task.spec.compute_resource for task in others],
            "priority": [task.priority for task in others],
            "gpus": [task.takes.gpus for task in others],
            "cpus": [task.takes.cpus for task in others],
            "memory_bytes": [task.takes.memory_bytes for task in others],
            "create_time": [task.create_time for task in others],
        }
        arrays = ", ".join(
            f"CAST(:{name} AS {kind}[])"
            for name, kind in zip(
                values,
                ("text", "text", "text", "text", "int", "int", "int", "bigint", "timestamptz"),
                strict=True,
            )
        )
        for table, key, changed in (
            ("tasks", "id", _TASK),
            ("jobs", "task", _JOB),
            ("curves", "task", _CURVE),
        ):
            columns = list(
                await session.scalars(
                    sa.text(
                        "SELECT column_name FROM information_schema.columns"
                        " WHERE table_schema = current_schema() AND table_name = :table"
                    ),
                    {"table": table},
                )
            )
            await session.execute(
                sa.text(
                    f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 -- names of our own tables
                    f"SELECT {', '.join(changed.get(column, 'o.' + column) for column in columns)} "
                    f"FROM unnest({arrays}) AS v ({', '.join(values)}), {table} o WHERE o.{key} = :first"
                ),
                {**values, "first": first.id},
            )


@dataclass
class Outcome:
    """Result of a simulation. `violations` is empty unless the queue is wrong."""

    admissions: int = 0
    asking_s: float = 0.0
    rounds: int = 0
    violations: list[str] = field(default_factory=list)
    # While a user had waiting jobs for a resource: how many jobs of others were granted in a row.
    longest_starvation: int = 0
    longest_starvation_s: float = 0.0


class Simulation:
    """Eight trainers, four of each resource, schedulers that share a queue, and the tasks of some users."""

    def __init__(self, database: Database, signals: Signals, *, seed: int = 1, schedulers: int = 1) -> None:
        # No ageing, which takes hours and has its own test.
        self.dependencies = dependencies_of(database, signals, SchedulingSettings(lease_s=3600, ageing_s=1e9))
        self.outcome = Outcome()
        self._schedulers = [Leases(self.dependencies) for _ in range(schedulers)]
        self._random = random.Random(seed)
        kinds = tuple(TAKES)
        self._trainers = [
            Worker(
                name=f"workers/t{number}",
                kinds=(JobKind.TRAIN,),
                compute_resources=(kinds[number % 2],),
                capacity=HAS[kinds[number % 2]],
                start_time=datetime(2026, 1, 1, tzinfo=UTC),
            )
            for number in range(8)
        ]
        self._tasks: dict[str, Task] = {}
        # Lanes by resource: waiting tasks of a user and priority, oldest first.
        self._lanes: dict[str, dict[tuple[str, int], list[Task]]] = {
            kind: defaultdict(list) for kind in kinds
        }
        self._held: dict[str, tuple[Lease, Worker]] = {}
        self._running: Counter[str] = Counter()
        self._granted: set[str] = set()
        self._unserved: dict[tuple[str, str], tuple[int, float]] = {}
        self._served: Counter[str] = Counter()
        self._last_message = 0

    async def submit(self, tasks: int, users: int) -> None:
        """Submit tasks of many users: some submit far more than others, few are urgent."""
        kinds = tuple(TAKES)
        # Each user has at least one.
        owners = [*range(users), *self._random.choices(range(users), range(users), k=tasks - users)]
        made = [
            a_task(
                number,
                f"users/u{owner}",
                self._random.choice(kinds),
                priority=self._random.choices((0, 5, 9), (7, 1, 1))[0],
            )
            for number, owner in enumerate(owners)
        ]
        await put(self.dependencies, made)
        for task in made:
            self._tasks[task.id] = task
            self._lanes[task.spec.compute_resource][task.creator, task.priority].append(task)
        async with self.dependencies.sessions.begin() as session:
            await session.execute(sa.text("ANALYZE jobs, tasks"))

    async def run(self) -> Outcome:
        """Run until all tasks ended."""
        started_s = time.monotonic()
        self._unserved = {
            (resource, creator): (0, started_s)
            for resource, lanes in self._lanes.items()
            for creator, _ in lanes
        }
        while len(self._granted) < len(self._tasks) or self._held:
            asked_s = time.monotonic()
            got = await asyncio.gather(
                *(
                    self._ask(trainer, self._schedulers[number // 2 % len(self._schedulers)])
                    for number, trainer in enumerate(self._trainers)
                )
            )
            self.outcome.asking_s += time.monotonic() - asked_s
            self.outcome.rounds += 1
            leases = {lease.task.name: (lease, trainer) for one in got for lease, trainer in one}
            await self._judge(leases)
            if not self._held:
                self._wrong(f"{len(self._tasks) - len(self._granted)} tasks were never given out")
                break
            await self._end_some()
        async with self.dependencies.sessions.begin() as session:
            left = await session.scalar(sa.text("SELECT count(*) FROM tasks WHERE state <> 'FAILED'"))
        if left:
            self._wrong(f"{left} tasks did not end")
        return self.outcome

    async def _ask(self, trainer: Worker, scheduler: Leases) -> list[tuple[Lease, Worker]]:
        got = []
        while (lease := await scheduler.acquire(trainer, 0)) is not None:
            got.append((lease, trainer))
        return got

    async def _judge(self, leases: dict[str, tuple[Lease, Worker]]) -> None:
        """Compare every grant with the rules."""
        async with self.dependencies.sessions.begin() as session:
            rows = await session.execute(
                sa.text("SELECT id, payload FROM outbox WHERE id > :last ORDER BY id"),
                {"last": self._last_message},
            )
        for row in rows:
            self._last_message = row.id
            fact = events_pb2.TaskStateChanged.FromString(row.payload).transition
            if fact.to != task_pb2.TASK_STATE_TRAINING:
                continue
            lease, trainer = leases.pop(fact.task)
            if fact.cause != trainer.name:
                self._wrong(f"{fact.task} was given to {fact.cause} and came to {trainer.name}")
            task = self._tasks[lease.task.id]
            if task.id in self._granted:
                self._wrong(f"{task.name} was given out twice")
            lanes = self._lanes[task.spec.compute_resource]
            due = min((lane[0] for lane in lanes.values() if lane), key=self._rank)
            if due.id != task.id:
                self._wrong(f"{task.name} {self._rank(task)} went before {due.name} {self._rank(due)}")
            lanes[task.creator, task.priority].remove(task)
            self._held[lease.job.id] = (lease, trainer)
            self._granted.add(task.id)
            self._running[task.creator] += 1
            self._count(task)
        for lease, trainer in leases.values():
            self._wrong(f"{trainer.name} holds {lease.task.name}, of which there is no decision")
        for trainer in self._trainers:
            self._fits(trainer)
        self.outcome.admissions = len(self._granted)

    def _rank(self, task: Task) -> tuple[int, int, datetime, str]:
        """T8: priority, then the user with the least running, then age."""
        return (-task.priority, self._running[task.creator], task.create_time, task.id)

    def _count(self, task: Task) -> None:
        """Record how long its user waited, in grants to others and in seconds."""
        resource, now_s = task.spec.compute_resource, time.monotonic()
        since, since_s = self._unserved[resource, task.creator]
        self.outcome.longest_starvation = max(self.outcome.longest_starvation, self._served[resource] - since)
        self.outcome.longest_starvation_s = max(self.outcome.longest_starvation_s, now_s - since_s)
        self._served[resource] += 1
        self._unserved[resource, task.creator] = (self._served[resource], now_s)

    def _fits(self, trainer: Worker) -> None:
        held = [lease.task.takes for lease, holder in self._held.values() if holder is trainer]
        for amount in ("gpus", "cpus", "memory_bytes"):
            given = sum(getattr(takes, amount) for takes in held)
            if given > getattr(trainer.capacity, amount):
                self._wrong(f"{trainer.name} has {trainer.capacity} and gave {given} {amount}")

    async def _end_some(self) -> None:
        jobs = list(self._held)
        ending = self._random.sample(jobs, self._random.randint(1, len(jobs)))
        await asyncio.gather(*(self._end(job) for job in ending))

    async def _end(self, job: str) -> None:
        lease, _ = self._held.pop(job)
        await self._schedulers[0].finish(job, lease.job.fencing_token, _ENDED)
        self._running[lease.task.creator] -= 1

    def _wrong(self, what: str) -> None:
        if len(self.outcome.violations) < 20:
            self.outcome.violations.append(what)


def figures(outcome: Outcome) -> dict[str, Any]:
    """The result as a row of a table."""
    return {
        "admissions": outcome.admissions,
        "admissions/s": round(outcome.admissions / outcome.asking_s, 1),
        "rounds": outcome.rounds,
        "longest starvation of a user, admissions to others on the resource": outcome.longest_starvation,
        "longest starvation of a user, s": round(outcome.longest_starvation_s, 2),
        "violations": outcome.violations,
    }
