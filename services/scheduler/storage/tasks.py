"""Tasks and their history."""

import functools
import hashlib
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database import notify
from services.kit.errors import AlreadyExists
from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.listing import ListedSpec, ListedTask, TaskFilter
from services.scheduler.domain.progress import Phase
from services.scheduler.domain.spec import PredictionSpec, TrainingSpec
from services.scheduler.domain.task import (
    Task,
    TaskChanged,
    TaskKind,
    TaskState,
    TaskTransition,
    task_not_found,
)
from services.scheduler.storage import codec
from services.scheduler.storage.tables import tasks, transitions

_HELD_NAME = "tasks_model_name_held"
_REQUEST = "tasks_request"
_LONGEST_GRAM = 3
# So many names are read in the order of the list before the index of names is asked for a frequent part.
_RECENT = 20_000
# Ids are digits and small letters.
_AFTER_ALL = "~"
# The grams are for the index: reading them costs more than reading the task.
_COLUMNS = tuple(column for column in tasks.c if column.name != "name_grams")
_HEAD = (
    *("id", "kind", "state", "creator", "create_time", "priority", "gpus", "cpus", "memory_bytes"),
    *("revision", "state_revision", "attempt", "terminating", "start_time", "end_time", "phase", "progress"),
    *("recoveries", "report", "model_version"),
)
_HAS_PART = "strpos(lower(model_name), :part) > 0"
# What ANALYZE found of the most frequent grams. The array of shares is longer: it ends with their extremes.
_FREQUENT = sa.text(
    """
    SELECT gram, share FROM pg_stats,
        LATERAL unnest(most_common_elems::text::text[], most_common_elem_freqs) AS found (gram, share)
    WHERE schemaname = current_schema() AND tablename = 'tasks' AND attname = 'name_grams'
        AND gram = ANY(:grams)
    """
).bindparams(sa.bindparam("grams", type_=sa.ARRAY(sa.Text)))
# Of all names.
_RARE = 0.02
# How rare the grams are decides whether their index is the shorter way, or a walk from the newest task on.
_PLAN_ANEW = sa.text("SET LOCAL plan_cache_mode = force_custom_plan")
# Written out, so that the index of predictions is known to hold them.
_KIND: dict[TaskKind | None, str] = {None: "true", **{kind: f"kind = '{kind}'" for kind in TaskKind}}


class ModelNameTaken(AlreadyExists):
    """Another task holds the name (W1)."""

    reason = "MODEL_NAME_TAKEN"


class RequestRepeated(AlreadyExists):
    """The same request is being carried out by somebody else at this moment."""

    reason = "REQUEST_REPEATED"


def task_channel(task_id: str) -> str:
    """Woken by every change of a task, its curves and logs."""
    return f"scheduler:task:{task_id}"


class Tasks:
    """The tasks of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, task: Task, *, request_id: str = "", request_digest: bytes = b"") -> None:
        """Store a new task; ModelNameTaken or RequestRepeated if another was faster."""
        spec = task.spec
        values = {
            "id": task.id,
            "kind": task.kind.value,
            "creator": task.creator,
            "model_name": spec.model_name,
            "name_grams": _grams(spec.model_name, 1, 2, _LONGEST_GRAM),
            "retraining": isinstance(spec, TrainingSpec) and bool(spec.parent_version),
            "production_environment": spec.production_environment,
            "tried_version": spec.model_version if isinstance(spec, PredictionSpec) else "",
            "priority": task.priority,
            **asdict(task.takes),
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
        """The task, or TaskNotFound; its lock guards its jobs and curves too, until the transaction ends."""
        return _task(await self._row(task_id, sa.select(*_COLUMNS).with_for_update(key_share=True)))

    async def these(self, task_ids: Collection[str]) -> dict[str, Task]:
        """Those of them that exist still, by id."""
        wanted = tasks.c.id == sa.any_(sa.cast(list(task_ids), sa.ARRAY(sa.Text)))
        rows = await self._session.execute(sa.select(*_COLUMNS).where(wanted))
        return {row.id: _task(row) for row in rows}

    async def _row(self, task_id: str, select: sa.Select[Any]) -> Any:  # noqa: ANN401 -- a row
        row = (await self._session.execute(select.where(tasks.c.id == task_id))).one_or_none()
        if row is None:
            raise task_not_found(task_id)
        return row

    async def save(self, before: Task, after: Task) -> None:
        """Replace `before` by `after`, and wake who watches; TaskChanged if it is no longer `before`."""
        changed = await self._session.scalar(
            sa.update(tasks)
            .where(tasks.c.id == before.id, tasks.c.revision == before.revision)
            .values(_changing(after))
            .returning(tasks.c.id, sa.func.pg_notify(task_channel(before.id), ""))
        )
        if changed is None:
            raise TaskChanged(f"{before.name} changed meanwhile; try again", task=before.name)

    async def remove(self, task: Task) -> None:
        """Delete the task with everything that belongs to it, and wake who watches."""
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
        """Every state that the task entered, oldest first."""
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
        """The task that a request made, and the digest of what it asked for (W12)."""
        row = (
            await self._session.execute(
                sa.select(*_COLUMNS).where(tasks.c.creator == creator, tasks.c.request_id == request_id)
            )
        ).one_or_none()
        return None if row is None else (_task(row), bytes(row.request_digest))

    async def is_name_held(self, model_name: str) -> bool:
        """Whether a training task holds the name (W1)."""
        held = await self._session.scalar(
            sa.select(sa.literal(1))
            .select_from(tasks)
            .where(tasks.c.model_name == model_name, tasks.c.kind == "TRAINING", ~tasks.c.retraining)
        )
        return held is not None

    async def page(self, wanted: TaskFilter, *, before: str, limit: int) -> list[ListedTask]:
        """The newest `limit` tasks, of those older than `before` if it is not empty (T3)."""
        part = wanted.model_name_contains.lower()
        states = [state.value for state in wanted.states or TaskState]
        values = {
            "creator": wanted.creator,
            "environment": wanted.production_environment,
            "version": wanted.tried_version,
            "states": list(dict.fromkeys(states)),
            "part": part,
            "before": before or _AFTER_ALL,
            "depth": _RECENT if part else limit,
            "limit": limit,
        }
        if not part:
            return await self._listed(_newest(wanted), values)
        grams = _grams_of_part(part)
        shares = await self._shares(grams)
        # What is frequent is found soon among the newest. Else, or if it is not, the index of names knows.
        found = await self._listed(_newest(wanted), values) if len(shares) == len(grams) else []
        if len(found) < limit:
            await self._session.execute(_PLAN_ANEW)
            candidates = _in_order(wanted, f"name_grams @> :grams AND {_HAS_PART}", "limit")
            found = await self._listed(candidates, values | {"grams": _telling(grams, shares)})
        return found

    async def _listed(self, source: str, values: dict[str, Any]) -> list[ListedTask]:
        return [_listed(row) for row in await self._session.execute(_page(source), values)]

    async def _shares(self, grams: list[str]) -> dict[str, float]:
        """Of the names, as they were at the last ANALYZE; without the grams that were rare then."""
        return {row.gram: row.share for row in await self._session.execute(_FREQUENT, {"grams": grams})}


@functools.cache
def _page(source: str) -> sa.sql.selectable.TextualSelect:
    """The tasks of a page, of ids in the order of the list."""
    statement = sa.text(
        f"""
        SELECT {", ".join(_HEAD)}, failure - 'log_tail' AS failure,
            model_name, production_environment, tried_version, asked.*
        FROM tasks CROSS JOIN LATERAL jsonb_to_record(spec) AS asked (
            compute_resource text, algorithm_image_version text, parent_version text,
            train_segmentation boolean, target_major int
        )
        WHERE id = ANY(ARRAY(SELECT one.id FROM {source} ORDER BY one.id DESC LIMIT :limit))
        ORDER BY id DESC
        """  # noqa: S608 -- of constants
    )
    arrays = [name for name in ("states", "grams") if f":{name}" in source]
    binds = (sa.bindparam(name, type_=sa.ARRAY(sa.Text)) for name in arrays)
    return statement.bindparams(*binds).columns(progress=tasks.c.progress.type, failure=tasks.c.failure.type)


def _newest(wanted: TaskFilter) -> str:
    """The newest of every state.

    Each is a range of an index, which begins with creator, environment or both, then the state. Its bounds
    are rows, so that nothing else is taken for a shorter way: a walk from the newest task on is one only if
    what is looked for is among the newest.
    """
    key = {"creator": wanted.creator, "production_environment": wanted.production_environment}
    columns = [*(column for column, value in key.items() if value), "state"]
    is_all = len(columns) == 1 and not wanted.states and wanted.kind is not TaskKind.PREDICTION
    if is_all or wanted.tried_version:
        return f"({_with_part(wanted, _in_order(wanted, 'true', 'depth'), 'id DESC')}) one"
    bounds = ", ".join(
        {"production_environment": ":environment", "state": "s.state"}.get(c, f":{c}") for c in columns
    )
    order = ", ".join(f"{column} DESC" for column in (*columns, "id"))
    newest = f"""
        (
            SELECT {", ".join(columns)}, id, model_name FROM tasks
            WHERE ({", ".join(columns)}, id) < ({bounds}, :before) AND ({", ".join(columns)}) >= ({bounds})
                AND {_KIND[wanted.kind]}
            ORDER BY {order} LIMIT :depth
        ) one
        """  # noqa: S608 -- of constants
    return f"unnest(:states) AS s (state) CROSS JOIN LATERAL ({_with_part(wanted, newest, order)}) one"


def _with_part(wanted: TaskFilter, newest: str, order: str) -> str:
    """Of the newest, those with the part in their names; no further than to as many as are wanted."""
    condition = f"WHERE {_HAS_PART} ORDER BY {order} LIMIT :limit" if wanted.model_name_contains else ""
    return f"SELECT id FROM {newest} {condition}"  # noqa: S608 -- of constants


def _in_order(wanted: TaskFilter, condition: str, limit: str) -> str:
    """What fulfils the filter and the condition, newest first, up to a limit."""
    conditions = {
        "creator = :creator": wanted.creator,
        "production_environment = :environment": wanted.production_environment,
        "tried_version = :version AND tried_version <> ''": wanted.tried_version,
        "state = ANY(:states)": wanted.states,
    }
    given = " AND ".join(text for text, value in conditions.items() if value)
    return f"""
        (
            SELECT id, model_name FROM tasks
            WHERE id < :before AND {condition} AND {_KIND[wanted.kind]} {given and f"AND {given}"}
            ORDER BY id DESC LIMIT :{limit}
        ) one
        """  # noqa: S608 -- of constants


def digest(content: str) -> bytes:
    """What tells one request's content from another's."""
    return hashlib.sha256(content.encode()).digest()


def _grams_of_part(part: str) -> list[str]:
    """Enough grams to find what contains the part: side by side, and the last."""
    size = max(1, min(len(part), _LONGEST_GRAM))
    return sorted({part[i : i + size] for i in (*range(0, len(part) - size, size), len(part) - size)})


def _telling(grams: list[str], shares: dict[str, float]) -> list[str]:
    """The rarest, and all that are rare: to look up what most names have costs more than it excludes."""
    most = max(_RARE, min(shares.get(gram, 0.0) for gram in grams))
    return [gram for gram in grams if shares.get(gram, 0.0) <= most]


def _grams(text: str, *sizes: int) -> list[str]:
    lowered = text.lower()
    return sorted({lowered[i : i + size] for size in sizes for i in range(len(lowered) - size + 1)})


def _changing(task: Task) -> dict[str, Any]:
    return {
        "state": task.state.value,
        "revision": task.revision,
        "state_revision": task.state_revision,
        "attempt": task.attempt,
        "terminating": task.terminating,
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
        "model_version": task.model_version,
    }


def _task(row: Any) -> Task:  # noqa: ANN401 -- a row
    of = _by_name(row)
    return Task(
        **_head(of),
        spec=codec.spec_from_json(TaskKind(of["kind"]), of["spec"]),
        stages=codec.stages_from_json(of["stages"]),
        weights_sha256=of["weights_sha256"],
        split_sha256=of["split_sha256"],
    )


def _listed(row: Any) -> ListedTask:  # noqa: ANN401 -- a row
    of = _by_name(row)
    return ListedTask(
        **_head(of),
        spec=ListedSpec(
            model_name=of["model_name"],
            production_environment=of["production_environment"],
            compute_resource=of["compute_resource"],
            algorithm_image_version=of["algorithm_image_version"] or "",
            parent_version=of["parent_version"] or "",
            train_segmentation=bool(of["train_segmentation"]),
            target_major=of["target_major"] or 0,
            tried_version=of["tried_version"],
        ),
    )


def _by_name(row: Any) -> dict[str, Any]:  # noqa: ANN401 -- a row
    # Thirty attributes of a row, one by one, take several times as long.
    return dict(zip(row._fields, row, strict=True))


def _head(of: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": of["id"],
        "kind": TaskKind(of["kind"]),
        "state": TaskState(of["state"]),
        "creator": of["creator"],
        "create_time": of["create_time"],
        "priority": of["priority"],
        "takes": Amounts(of["gpus"], of["cpus"], of["memory_bytes"]),
        "revision": of["revision"],
        "state_revision": of["state_revision"],
        "attempt": of["attempt"],
        "terminating": of["terminating"],
        "start_time": of["start_time"],
        "end_time": of["end_time"],
        "phase": Phase(of["phase"]) if of["phase"] else None,
        "progress": codec.progress_from_json(of["progress"]),
        "recoveries": of["recoveries"],
        "failure": codec.failure_from_json(of["failure"]),
        "report": of["report"],
        "model_version": of["model_version"],
    }
