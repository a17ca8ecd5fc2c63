"""Pages of the task list. Each page reads a range of an index, however many tasks there are (T3)."""

import functools
from typing import Any

import sqlalchemy as sa

from services.kit.database import DatabaseSessions
from services.scheduler.domain.listing import ListedSpec, ListedTask, TaskFilter
from services.scheduler.domain.spec import PackageFormat
from services.scheduler.domain.task import TaskKind, TaskState
from services.scheduler.storage import codec
from services.scheduler.storage.name_search import Grams, selective_grams
from services.scheduler.storage.tables import tasks
from services.scheduler.storage.tasks import by_name, head

# How many of the newest names are read before the index of grams is used for a frequent part.
_RECENT = 20_000
# Greater than every id: ids are digits and lower-case letters.
_AFTER_ALL = "~"
_HEAD = (
    *("id", "kind", "state", "creator", "create_time", "priority", "gpus", "cpus", "memory_bytes"),
    *("revision", "state_revision", "attempt", "terminating", "start_time", "end_time", "phase", "progress"),
    *("nodes", "terminator", "recoveries", "report", "model_version"),
)
_HAS_PART = "strpos(lower(model_name), :part) > 0"
# Plan for the values: the best index depends on how rare the grams are.
_FORCE_CUSTOM_PLAN = sa.text("SET LOCAL plan_cache_mode = force_custom_plan")
# Literals, so that the planner can use the partial indexes of predictions and exports.
_KIND: dict[TaskKind | None, str] = {None: "true", **{kind: f"kind = '{kind}'" for kind in TaskKind}}


class TaskList:
    """All tasks, newest first."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions
        self._grams = Grams(sessions)

    async def page(self, wanted: TaskFilter, *, before: str, limit: int) -> list[ListedTask]:
        """The newest `limit` tasks; only those older than `before` if it is not empty."""
        part = wanted.model_name_contains.lower()
        states = [state.value for state in wanted.states or TaskState]
        values = {
            "creator": wanted.creator,
            "environment": wanted.production_environment,
            "version": wanted.tried_version,
            "data_paths": list(wanted.data_paths),
            "states": list(dict.fromkeys(states)),
            "part": part,
            "before": before or _AFTER_ALL,
            "depth": _RECENT if part else limit,
            "limit": limit,
        }
        grams = await self._grams.of(part) if part else {}
        # A frequent part is probably found among the newest names. Otherwise the index of grams is used.
        if not part or min(grams.values()) * _RECENT > 2 * limit:
            async with self._sessions.reading() as session:
                found = [_listed(row) for row in await session.execute(_page(_newest(wanted)), values)]
            if not part or len(found) == limit:
                return found
        statement = _page(_in_order(wanted, f"name_grams @> :grams AND {_HAS_PART}", "limit"))
        async with self._sessions.begin() as session:
            await session.execute(_FORCE_CUSTOM_PLAN)
            rows = await session.execute(statement, values | {"grams": selective_grams(grams)})
            return [_listed(row) for row in rows]


@functools.cache
def _page(source: str) -> sa.sql.selectable.TextualSelect:
    """The statement of a page. `source` selects ids and is ordered as the list is."""
    statement = sa.text(
        f"""
        SELECT {", ".join(_HEAD)}, failure - 'log_tail' AS failure,
            model_name, production_environment, tried_version, spec_fields.*
        FROM tasks CROSS JOIN LATERAL jsonb_to_record(spec) AS spec_fields (
            compute_resource text, algorithm_image_version text, parent_version text,
            train_segmentation boolean, target_major int, format text, training_overlap jsonb,
            question_bank text, excluded_sample_count bigint
        )
        WHERE id = ANY(ARRAY(SELECT one.id FROM {source} ORDER BY one.id DESC LIMIT :limit))
        ORDER BY id DESC
        """  # noqa: S608 -- of constants
    )
    arrays = [name for name in ("states", "grams", "data_paths") if f":{name}" in source]
    binds = (sa.bindparam(name, type_=sa.ARRAY(sa.Text)) for name in arrays)
    json = tasks.c.spec.type
    return statement.bindparams(*binds).columns(
        progress=tasks.c.progress.type, failure=tasks.c.failure.type, training_overlap=json
    )


def _newest(wanted: TaskFilter) -> str:
    """The newest tasks of every state.

    Each state is a range of an index on creator, environment or both, and state. The bounds are row values,
    so that the planner uses this index: a scan from the newest task on would be slow if the wanted tasks are
    old.
    """
    key = {"creator": wanted.creator, "production_environment": wanted.production_environment}
    columns = [*(column for column, value in key.items() if value), "state"]
    has_index_of_its_own = wanted.kind not in (None, TaskKind.TRAINING)
    is_all = len(columns) == 1 and not wanted.states and not has_index_of_its_own
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
                AND {_kept(wanted)}
            ORDER BY {order} LIMIT :depth
        ) one
        """  # noqa: S608 -- of constants
    return f"unnest(:states) AS s (state) CROSS JOIN LATERAL ({_with_part(wanted, newest, order)}) one"


def _kept(wanted: TaskFilter) -> str:
    """A condition that no index orders."""
    with_data = " AND spec -> 'data_paths' ?| :data_paths" if wanted.data_paths else ""
    return _KIND[wanted.kind] + with_data


def _with_part(wanted: TaskFilter, newest: str, order: str) -> str:
    """The newest tasks with the part in their names, up to the limit of the page."""
    condition = f"WHERE {_HAS_PART} ORDER BY {order} LIMIT :limit" if wanted.model_name_contains else ""
    return f"SELECT id FROM {newest} {condition}"  # noqa: S608 -- of constants


def _in_order(wanted: TaskFilter, condition: str, limit: str) -> str:
    """Tasks that match the filter and the condition, newest first, up to a limit."""
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
            WHERE id < :before AND {condition} AND {_kept(wanted)} {given and f"AND {given}"}
            ORDER BY id DESC LIMIT :{limit}
        ) one
        """  # noqa: S608 -- of constants


def _listed(row: Any) -> ListedTask:  # noqa: ANN401 -- a row
    of = by_name(row)
    return ListedTask(
        **head(of),
        spec=ListedSpec(
            model_name=of["model_name"],
            production_environment=of["production_environment"],
            compute_resource=of["compute_resource"],
            algorithm_image_version=of["algorithm_image_version"] or "",
            parent_version=of["parent_version"] or "",
            train_segmentation=bool(of["train_segmentation"]),
            target_major=of["target_major"] or 0,
            tried_version=of["tried_version"],
            format=PackageFormat(of["format"]) if of["format"] else None,
            training_overlap=codec.overlap_from_json(of["training_overlap"]),
            question_bank=of["question_bank"] or "",
            excluded_sample_count=of["excluded_sample_count"] or 0,
        ),
    )
