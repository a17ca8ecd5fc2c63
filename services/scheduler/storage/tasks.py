"""Tasks and their history."""

import hashlib
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from loupe.errors import AlreadyExists
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.signals import notify
from services.looks import TrainingLooks
from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.progress import Phase
from services.scheduler.domain.spec import ExportSpec, PackageFormat, PredictionSpec, TrainingSpec
from services.scheduler.domain.task import (
    Task,
    TaskChanged,
    TaskKind,
    TaskState,
    TaskTransition,
    task_not_found,
)
from services.scheduler.storage import codec
from services.scheduler.storage.name_search import grams_of
from services.scheduler.storage.tables import tasks, transitions

_HELD_NAME = "tasks_model_name_held"
_REQUEST = "tasks_request"
# Without the grams, which only the index needs: reading them costs more than reading the rest.
_COLUMNS = tuple(column for column in tasks.c if column.name != "name_grams")


class ModelNameTaken(AlreadyExists):
    """Another task has the model name (W1)."""

    reason = "MODEL_NAME_TAKEN"


class RequestRepeated(AlreadyExists):
    """The same request is being processed by another call at this moment."""

    reason = "REQUEST_REPEATED"


def task_channel(task_id: str) -> str:
    """The channel that is notified of every change of a task, its curves and its logs."""
    return f"scheduler:task:{task_id}"


class Tasks:
    """The tasks of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, task: Task, *, request_id: str = "", request_digest: bytes = b"") -> None:
        """Store a new task. ModelNameTaken or RequestRepeated if a concurrent call was faster."""
        spec = task.spec
        values = {
            "id": task.id,
            "kind": task.kind.value,
            "creator": task.creator,
            "model_name": spec.model_name,
            "name_grams": grams_of(spec.model_name),
            "retraining": isinstance(spec, TrainingSpec) and bool(spec.parent_version),
            "production_environment": spec.production_environment,
            "tried_version": "" if isinstance(spec, TrainingSpec) else _judged(spec),
            "priority": task.priority,
            **asdict(task.takes),
            "nodes": task.nodes,
            "request_id": request_id or None,
            "request_digest": request_digest or None,
            "spec": codec.spec_to_json(spec),
            "create_time": task.create_time,
            **_changing(task),
        }
        try:
            await self._session.execute(sa.insert(tasks).values(values))
        except IntegrityError as error:
            if _HELD_NAME in str(error.orig):
                raise ModelNameTaken(
                    f"another model or training task has the name {spec.model_name}", model=spec.model_name
                ) from error
            if _REQUEST in str(error.orig):
                raise RequestRepeated("the request is being carried out; ask again") from error
            raise

    async def get(self, task_id: str) -> Task:
        """The task, or TaskNotFound."""
        return _task(await self._row(task_id, sa.select(*_COLUMNS)))

    async def lock(self, task_id: str) -> Task:
        """The task, or TaskNotFound. Locks the task, and by that its jobs and curves, in this transaction."""
        return _task(await self._row(task_id, sa.select(*_COLUMNS).with_for_update(key_share=True)))

    async def get_many(self, task_ids: Collection[str]) -> dict[str, Task]:
        """The tasks by id, without those that were deleted."""
        wanted = tasks.c.id == sa.any_(sa.cast(list(task_ids), sa.ARRAY(sa.Text)))
        rows = await self._session.execute(sa.select(*_COLUMNS).where(wanted))
        return {row.id: _task(row) for row in rows}

    async def _row(self, task_id: str, select: sa.Select[Any]) -> Any:  # noqa: ANN401 -- a row
        row = (await self._session.execute(select.where(tasks.c.id == task_id))).one_or_none()
        if row is None:
            raise task_not_found(task_id)
        return row

    async def save(self, before: Task, after: Task) -> None:
        """Replace `before` by `after`, and wake the watchers. TaskChanged if the row is not `before`."""
        changed = await self._session.scalar(
            sa.update(tasks)
            .where(tasks.c.id == before.id, tasks.c.revision == before.revision)
            .values(_changing(after))
            .returning(tasks.c.id, sa.func.pg_notify(task_channel(before.id), ""))
        )
        if changed is None:
            raise TaskChanged(f"{before.name} changed meanwhile; try again", task=before.name)

    async def remove(self, task: Task) -> None:
        """Delete the task with everything that belongs to it, and wake the watchers."""
        await self._session.execute(sa.delete(tasks).where(tasks.c.id == task.id))
        await notify(self._session, task_channel(task.id))

    async def record(self, transition: TaskTransition) -> None:
        """Append to the task's history."""
        await self._session.execute(
            sa.insert(transitions).values(
                task=transition.task,
                revision=transition.revision,
                from_state=transition.from_state,
                to_state=transition.to_state,
                time=transition.time,
                cause=transition.cause,
                attempt=transition.attempt,
            )
        )

    async def history(self, task_id: str) -> list[TaskTransition]:
        """Every state that the task entered, and requests to terminate it, oldest first."""
        rows = await self._session.execute(
            sa.select(transitions).where(transitions.c.task == task_id).order_by(transitions.c.revision)
        )
        return [
            TaskTransition(
                task=row.task,
                revision=row.revision,
                from_state=TaskState(row.from_state) if row.from_state else None,
                to_state=TaskState(row.to_state),
                time=row.time,
                cause=row.cause,
                attempt=row.attempt,
            )
            for row in rows
        ]

    async def of_request(self, creator: str, request_id: str) -> tuple[Task, bytes] | None:
        """The task that a request created, and the digest of the request's content (W12)."""
        row = (
            await self._session.execute(
                sa.select(*_COLUMNS).where(tasks.c.creator == creator, tasks.c.request_id == request_id)
            )
        ).one_or_none()
        return None if row is None else (_task(row), bytes(row.request_digest))

    async def export_of(self, version: str, wanted: PackageFormat) -> Task | None:
        """The export task of the version and format, locked; None if there is none."""
        is_it = (tasks.c.kind == TaskKind.EXPORT.value, tasks.c.spec["format"].astext == wanted.value)
        row = (
            await self._session.execute(
                sa.select(*_COLUMNS)
                .where(tasks.c.tried_version == version, *is_it)
                .with_for_update(key_share=True)
            )
        ).one_or_none()
        return None if row is None else _task(row)

    async def is_name_held(self, model_name: str) -> bool:
        """Whether a training task has the model name (W1)."""
        held = await self._session.scalar(
            sa.select(sa.literal(1))
            .select_from(tasks)
            .where(tasks.c.model_name == model_name, tasks.c.kind == "TRAINING", ~tasks.c.retraining)
        )
        return held is not None


def digest(content: str) -> bytes:
    """The digest that identifies a request's content."""
    return hashlib.sha256(content.encode()).digest()


def _judged(spec: PredictionSpec | ExportSpec) -> str:
    """The version, or the training that had none yet."""
    return spec.model_version or (spec.training_task if isinstance(spec, PredictionSpec) else "")


def _changing(task: Task) -> dict[str, Any]:
    return {
        "state": task.state.value,
        "revision": task.revision,
        "state_revision": task.state_revision,
        "attempt": task.attempt,
        "terminating": task.terminating,
        "terminator": task.terminator,
        "start_time": task.start_time,
        "end_time": task.end_time,
        "phase": task.phase.value if task.phase else None,
        "progress": codec.progress_to_json(task.progress),
        "stages": codec.stages_to_json(task.stages),
        "recoveries": task.recoveries,
        "failure": codec.failure_to_json(task.failure),
        "report": task.report,
        "weights_sha256": task.weights_sha256,
        "split_sha256": task.split_sha256,
        "looks": task.looks.to_json() if task.looks else None,
        "model_version": task.model_version,
    }


def _task(row: Any) -> Task:  # noqa: ANN401 -- a row
    of = by_name(row)
    return Task(
        **head(of),
        spec=codec.spec_from_json(TaskKind(of["kind"]), of["spec"]),
        stages=codec.stages_from_json(of["stages"]),
        weights_sha256=of["weights_sha256"],
        split_sha256=of["split_sha256"],
        looks=TrainingLooks.from_json(of["looks"]),
    )


def by_name(row: Any) -> dict[str, Any]:  # noqa: ANN401 -- a row
    """The row's values by column."""
    # Reading thirty attributes of a row one by one takes several times as long.
    return dict(zip(row._fields, row, strict=True))


def head(of: dict[str, Any]) -> dict[str, Any]:
    """The fields of TaskHead, from a row of `tasks`."""
    return {
        "id": of["id"],
        "kind": TaskKind(of["kind"]),
        "state": TaskState(of["state"]),
        "creator": of["creator"],
        "create_time": of["create_time"],
        "priority": of["priority"],
        "takes": Amounts(of["gpus"], of["cpus"], of["memory_bytes"]),
        "nodes": of["nodes"],
        "revision": of["revision"],
        "state_revision": of["state_revision"],
        "attempt": of["attempt"],
        "terminating": of["terminating"],
        "terminator": of["terminator"],
        "start_time": of["start_time"],
        "end_time": of["end_time"],
        "phase": Phase(of["phase"]) if of["phase"] else None,
        "progress": codec.progress_from_json(of["progress"]),
        "recoveries": of["recoveries"],
        "failure": codec.failure_from_json(of["failure"]),
        "report": of["report"],
        "model_version": of["model_version"],
    }
