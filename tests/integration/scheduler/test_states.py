"""Rule T through the public API: every state, every operation, and twenty concurrent callers."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from loupe.errors import FailedPrecondition, NotFound, Unavailable
from loupe.scheduler.v1 import task_pb2, task_service_pb2

from services.scheduler.application.task_commands import TaskCommands

START, TERMINATE, DELETE, RELEASE = OPERATIONS = ("start", "terminate", "delete", "release")
REASONS = {
    START: "NOT_STARTABLE",
    TERMINATE: "NOT_TERMINABLE",
    DELETE: "NOT_DELETABLE",
    RELEASE: "NOT_RELEASABLE",
}
# The table as the rules have it; a prediction is PREDICTING where a training is TRAINING, and never released.
TRAINING = {
    "WAITING": {DELETE},
    "TRAINING": {TERMINATE},
    "TERMINATED": {START, DELETE},
    "COMPLETED": {RELEASE, DELETE},
    "FAILED": {START, DELETE},
    "RELEASED": set[str](),
}
PREDICTION = {
    "WAITING": {DELETE},
    "PREDICTING": {TERMINATE},
    "TERMINATED": {START, DELETE},
    "COMPLETED": {DELETE},
    "FAILED": {START, DELETE},
}
TABLE = [
    *(pytest.param("training", state, may, id=f"training-{state}") for state, may in TRAINING.items()),
    *(pytest.param("prediction", state, may, id=f"prediction-{state}") for state, may in PREDICTION.items()),
]


_EACH_OPERATION = pytest.mark.parametrize(
    ("state", "operation", "after"),
    [
        ("COMPLETED", RELEASE, "RELEASED"),
        ("TRAINING", TERMINATE, "TRAINING"),
        ("FAILED", START, "WAITING"),
        ("TERMINATED", DELETE, None),
    ],
)


class Life:
    """Brings tasks into a state as users and workers do, and applies operations to them."""

    def __init__(self, bench: Any, kind: str, version: str) -> None:
        self.bench = bench
        self.kind = kind
        self.version = version

    async def task_in(self, state: str) -> task_pb2.Task:
        """A new task in this state."""
        task = await self._submit()
        if state == "WAITING":
            return task
        held = await self.bench.worker.acquire()
        if state == "FAILED":
            await held.failed("NAN_LOSS")
        elif state == "TERMINATED":
            await self.apply(TERMINATE, task.name)
            await held.terminated()
        elif state in {"COMPLETED", "RELEASED"}:
            if self.kind == "training":
                await held.trained()
                held = await self.bench.worker.acquire()
            await held.reported(f"reports/{secrets.token_hex(4)}")
        if state == "RELEASED":
            await self.apply(RELEASE, task.name)
        return await self.bench.get(task)

    async def _submit(self) -> task_pb2.Task:
        if self.kind == "training":
            return await self.bench.submit()
        spec = task_pb2.PredictionSpec(
            model_version=self.version,
            data_paths=[self.bench.data_path],
            compute_resource=self.bench.resource,
            acknowledge_training_overlap=True,
        )
        return await self.bench.engineer.tasks.CreateTask(
            task_service_pb2.CreateTaskRequest(task=task_pb2.Task(prediction=spec))
        )

    async def apply(self, operation: str, name: str) -> Any:
        """As its creator; a release as a releaser."""
        stub = (self.bench.releaser if operation == RELEASE else self.bench.engineer).tasks
        request = getattr(task_service_pb2, f"{operation.capitalize()}TaskRequest")(name=name)
        return await getattr(stub, f"{operation.capitalize()}Task")(request)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def versions() -> dict[str, str]:
    """The version that all predictions use."""
    return {}


@pytest_asyncio.fixture(loop_scope="session")
async def life(bench: Any, versions: dict[str, str]) -> Callable[[str], Awaitable[Life]]:
    async def of(kind: str) -> Life:
        if kind == "prediction" and not versions:
            versions["of"] = (await bench.released()).model_version
        return Life(bench, kind, versions.get("of", ""))

    return of


@pytest.mark.parametrize(("kind", "state", "may"), TABLE)
async def test_t1_every_operation_in_every_state(
    life: Any, bench: Any, kind: str, state: str, may: set[str]
) -> None:
    """T1: the table decides; other operations are refused with the state and the allowed operations."""
    one = await life(kind)
    task = await one.task_in(state)
    assert task.state == task_pb2.TaskState.Value(f"TASK_STATE_{state}")
    for operation in [one for one in OPERATIONS if one not in may]:
        with pytest.raises(FailedPrecondition) as refused:
            await one.apply(operation, task.name)
        assert refused.value.reason == REASONS[operation]
        assert refused.value.facts["state"] == state
        assert set(filter(None, refused.value.facts["allowed"].split(","))) == may
        assert state in refused.value.message
        for allowed in may or {"nothing"}:
            assert allowed in refused.value.message
    # A refused operation changed nothing.
    assert await bench.get(task) == task
    # Who may look at the monitor and the log may do so in every state.
    await bench.engineer.tasks.GetLossCurve(task_service_pb2.GetLossCurveRequest(name=task.name))
    async for _ in bench.engineer.tasks.ReadLog(task_service_pb2.ReadLogRequest(name=task.name)):
        pass
    for operation in sorted(may):
        # The last on the task itself, the others on one like it.
        on = task if operation == max(may) else await one.task_in(state)
        answer = await one.apply(operation, on.name)
        if operation == DELETE:
            with pytest.raises(NotFound):
                await bench.get(on)
        elif operation == TERMINATE:
            assert (answer.state, answer.terminating) == (task.state, True)
        else:
            follows = {START: "WAITING", RELEASE: "RELEASED"}[operation]
            assert answer.state == task_pb2.TaskState.Value(f"TASK_STATE_{follows}")


@_EACH_OPERATION
async def test_t1_twenty_at_once_have_one_winner(
    life: Any, bench: Any, state: str, operation: str, after: str | None
) -> None:
    """T1, R1: of concurrent callers one succeeds, the others get the reason."""
    one = await life("training")
    task = await one.task_in(state)
    answers = await asyncio.gather(
        *(one.apply(operation, task.name) for _ in range(20)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(refused) == 19
    for answer in refused:
        if after is None:
            assert isinstance(answer, NotFound)
            continue
        assert isinstance(answer, FailedPrecondition)
        assert (answer.reason, answer.facts["state"]) == (REASONS[operation], after)
        assert "allowed" in answer.facts
    if after is not None:
        ended = await bench.get(task)
        assert ended.attempt == (2 if operation == START else 1)
        history = await bench.engineer.tasks.ListTaskTransitions(
            task_service_pb2.ListTaskTransitionsRequest(name=task.name)
        )
        reached = [one for one in history.transitions if one.to == ended.state]
        asked = [one for one in reached if one.termination_requested]
        assert len(reached) - len(asked) == (2 if operation == START else 1)
        assert len(asked) == (operation == TERMINATE and state == "TRAINING")


@_EACH_OPERATION
async def test_t1_an_operation_whose_answer_was_lost_is_repeated_and_answered(
    life: Any, monkeypatch: pytest.MonkeyPatch, state: str, operation: str, after: str | None
) -> None:
    """T1: the client makes a call again that ended UNAVAILABLE; the first one may have been carried out."""
    one = await life("training")
    task = await one.task_in(state)
    calls = 0
    command = getattr(TaskCommands, operation)

    async def without_the_first_answer(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        answer = await command(*arguments)
        if calls == 1:
            raise Unavailable("the answer is lost", reason="LOST")
        return answer

    monkeypatch.setattr(TaskCommands, operation, without_the_first_answer)
    answer = await one.apply(operation, task.name)
    assert calls == 2
    if after is not None:
        assert answer == await one.bench.get(task)
        assert answer.state == task_pb2.TaskState.Value(f"TASK_STATE_{after}")
        assert answer.attempt == (2 if operation == START else 1)
    # Made anew, it is refused.
    with pytest.raises(NotFound if after is None else FailedPrecondition):
        await one.apply(operation, task.name)


async def test_t1_of_different_operations_at_once_one_succeeds(life: Any, bench: Any) -> None:
    """T1: a task is started or deleted, released or deleted, never both."""
    for state, operations in (("FAILED", (START, DELETE)), ("COMPLETED", (RELEASE, DELETE))):
        one = await life("training")
        task = await one.task_in(state)
        answers = await asyncio.gather(
            *(one.apply(operation, task.name) for operation in operations * 5), return_exceptions=True
        )
        won = [
            operation
            for operation, answer in zip(operations * 5, answers, strict=True)
            if not isinstance(answer, Exception)
        ]
        # A started task waits, and may be deleted then, by whichever call came next; a released one never.
        assert sorted(won) in ([operations[0]], [DELETE], sorted((START, DELETE)))
        for answer in answers:
            if isinstance(answer, BaseException):
                assert isinstance(answer, FailedPrecondition | NotFound)
        if DELETE in won:
            with pytest.raises(NotFound):
                await bench.get(task)
        else:
            assert (await bench.get(task)).state != task.state


async def test_t2_the_end_of_a_dead_workers_task_is_confirmed_in_time(life: Any, bench: Any) -> None:
    """T2: within 10 s, of which the sweeper takes one, however long the lease is."""
    one = await life("training")
    task = await one.task_in("TRAINING")
    left = "SELECT extract(epoch FROM lease_expire_time - now()) FROM jobs WHERE task = :task"
    task_id = task.name.removeprefix("tasks/")
    assert await bench.stack.scalar(left, task=task_id) > 60
    await one.apply(TERMINATE, task.name)
    assert await bench.stack.scalar(left, task=task_id) <= 7
