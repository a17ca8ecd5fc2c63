"""Loss curves, validation points, logs and nonconforming samples of an attempt."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database import DatabaseSessions
from services.scheduler.curves import IterationsN, LossesN
from services.scheduler.domain.job import Network
from services.scheduler.domain.loss import POINT_BYTES, POINTS_PER_CHUNK, LossCursor, LossNews
from services.scheduler.domain.task import FINAL, TaskState, task_not_found
from services.scheduler.domain.work import CurvePosition, NonconformingSample
from services.scheduler.storage import sql
from services.scheduler.storage.codec import NETWORK_NUMBERS, NETWORKS
from services.scheduler.storage.tables import (
    curves,
    log_chunks,
    loss_chunks,
    nonconforming_samples,
    tasks,
    thinned_curves,
    validation_points,
)

_LOSS_SINCE = sa.text(sql.load("loss_since")).bindparams(
    sa.bindparam("network", type_=sa.SmallInteger()),
    sa.bindparam("attempt", type_=sa.Integer()),
    sa.bindparam("chunks", type_=sa.BigInteger()),
    sa.bindparam("chunk_size", type_=sa.BigInteger()),
    sa.bindparam("iteration", type_=sa.BigInteger()),
    sa.bindparam("validation", type_=sa.BigInteger()),
)


@dataclass(frozen=True, slots=True)
class CurveKey:
    """A network's curve and log of an attempt."""

    task: str
    attempt: int
    network: Network


@dataclass(frozen=True, slots=True)
class ThinnedCurve:
    """What is left of a curve (M4): indices (N,) int64, ascending, and losses (N,) float32."""

    length: int
    """How many points it had."""
    iterations: IterationsN
    losses: LossesN


@dataclass(frozen=True, slots=True)
class LossSince:
    """Points that a watch has not sent yet, and the task's state, all read in one statement.

    `news` are in the order of their iterations, without gaps inside of one; `cursor` is after the last.
    `is_all`: there are no more stored points now.
    """

    news: Sequence[LossNews]
    cursor: LossCursor
    is_all: bool
    present_attempt: int
    state: TaskState


async def loss_since(
    sessions: DatabaseSessions, task_id: str, network: Network, at: LossCursor, *, chunks: int
) -> LossSince:
    """Points and validations after the cursor, from at most `chunks` chunks; TaskNotFound."""
    row = await sessions.one(
        _LOSS_SINCE,
        {
            "task": task_id,
            "network": NETWORK_NUMBERS[network],
            "attempt": at.attempt,
            "iteration": at.iteration,
            "validation": at.validation,
            "chunks": chunks,
            "chunk_size": POINTS_PER_CHUNK,
        },
    )
    if row is None:
        raise task_not_found(task_id)
    validation = [(int(iteration), accuracy) for iteration, accuracy in row.validations or ()]
    validated = validation[-1][0] + 1 if validation else row.validation
    if row.thinned_length is not None:
        runs, end = [*_runs(row)], max(row.iteration, row.thinned_length)
        is_all = True
    else:
        packed = (row.packed or b"")[row.iteration % POINTS_PER_CHUNK * POINT_BYTES :]
        end = row.iteration + len(packed) // POINT_BYTES
        runs, is_all = [(row.iteration, packed)] if packed else [], end >= row.length
    cursor = LossCursor(row.attempt, end, validated)
    news = [
        LossNews(
            first,
            packed,
            [],
            None,
            LossCursor(row.attempt, first + len(packed) // POINT_BYTES, row.validation),
        )
        for first, packed in runs[:-1]
    ]
    if runs or validation:
        first, packed = runs[-1] if runs else (row.iteration, b"")
        step_time = row.step_time if packed and is_all else None
        news.append(LossNews(first, packed, validation, step_time, cursor))
    return LossSince(news, cursor, is_all, row.present, TaskState(row.state))


def _runs(row: Any) -> Iterator[tuple[int, bytes]]:  # noqa: ANN401 -- a row
    """Iterations that follow each other, of those that a thinned curve still has after the cursor."""
    iterations = np.frombuffer(row.thinned_iterations, dtype="<i8")
    kept = iterations >= row.iteration
    iterations, losses = iterations[kept], np.frombuffer(row.thinned_losses, dtype="<f4")[kept]
    if len(iterations):
        begins = [0, *(np.flatnonzero(np.diff(iterations) > 1) + 1).tolist(), len(iterations)]
        for begin, end in itertools.pairwise(begins):
            yield int(iterations[begin]), losses[begin:end].tobytes()


async def curves_to_cut(
    session: AsyncSession, column: str, most: int, age: timedelta, *, limit: int
) -> list[CurveKey]:
    """Curves or logs that have more than `most` of `points` or `lines`, of tasks that ended before `age`."""
    of = curves.c
    rows = await session.execute(
        sa.select(of.task, of.attempt, of.network)
        .join(tasks, tasks.c.id == of.task)
        .where(of[column] > most, *_ended(age))
        .limit(limit)
    )
    return [CurveKey(row.task, row.attempt, NETWORKS[row.network]) for row in rows]


async def lock_ended(session: AsyncSession, task: str, age: timedelta) -> bool:
    """Lock the task if it is still one that ended before `age` and is not released."""
    locked = sa.select(tasks.c.id).where(tasks.c.id == task, *_ended(age)).with_for_update(key_share=True)
    return (await session.execute(locked)).one_or_none() is not None


def _ended(age: timedelta) -> tuple[sa.ColumnElement[bool], ...]:
    before = sa.func.clock_timestamp() - sa.bindparam("age", age, type_=sa.Interval)
    return tasks.c.state.in_([state.value for state in _CUT]), tasks.c.end_time < before


_CUT = FINAL - {TaskState.RELEASED}
"""What a release needs stays, and so does what shows how it was made (R3)."""


class Curves:
    """Curves, logs and nonconforming samples of one attempt, in one transaction."""

    def __init__(self, session: AsyncSession, task: str, attempt: int) -> None:
        self._session = session
        self._key = {"task": task, "attempt": attempt}

    def _of(self, table: sa.Table, network: Network) -> tuple[sa.ColumnElement[bool], ...]:
        return (
            table.c.task == self._key["task"],
            table.c.attempt == self._key["attempt"],
            table.c.network == NETWORK_NUMBERS[network],
        )

    async def open(self) -> None:
        """Create the empty curves of a new attempt."""
        await self._session.execute(
            sa.insert(curves),
            [{**self._key, "network": n, "points": 0, "lines": 0} for n in NETWORKS],
        )

    async def positions(self) -> dict[Network, CurvePosition]:
        """The next iteration and log line of each network."""
        rows = await self._session.execute(
            sa.select(curves.c.network, curves.c.points, curves.c.lines, curves.c.step_time).where(
                curves.c.task == self._key["task"], curves.c.attempt == self._key["attempt"]
            )
        )
        return {NETWORKS[row.network]: CurvePosition(row.points, row.lines, row.step_time) for row in rows}

    async def truncate(self, network: Network, points: int) -> None:
        """Delete every point from iteration `points` on, and the validations after it. The log stays."""
        last, inside = divmod(points, POINTS_PER_CHUNK)
        await self._session.execute(
            sa.delete(loss_chunks).where(
                *self._of(loss_chunks, network), loss_chunks.c.chunk >= last + (inside > 0)
            )
        )
        if inside:
            await self._session.execute(
                sa.update(loss_chunks)
                .where(*self._of(loss_chunks, network), loss_chunks.c.chunk == last)
                .values(points=sa.func.substr(loss_chunks.c.points, 1, inside * POINT_BYTES))
            )
        await self._session.execute(
            sa.delete(validation_points).where(
                *self._of(validation_points, network), validation_points.c.iteration > points
            )
        )
        await self._session.execute(
            sa.update(curves)
            .where(*self._of(curves, network))
            .values(points=sa.func.least(curves.c.points, points))
        )

    async def points(self, network: Network, first: int, end: int) -> bytes:
        """Packed points of iterations `first` to before `end`; fewer if the curve is shorter."""
        rows = (
            await self._session.execute(
                sa.select(loss_chunks.c.chunk, loss_chunks.c.points)
                .where(
                    *self._of(loss_chunks, network),
                    loss_chunks.c.chunk >= first // POINTS_PER_CHUNK,
                    loss_chunks.c.chunk <= max(first, end - 1) // POINTS_PER_CHUNK,
                )
                .order_by(loss_chunks.c.chunk)
            )
        ).all()
        if not rows:
            return b""
        whole = b"".join(row.points for row in rows)
        begin = rows[0].chunk * POINTS_PER_CHUNK
        return whole[(first - begin) * POINT_BYTES : (end - begin) * POINT_BYTES]

    async def thinned(self, network: Network) -> ThinnedCurve | None:
        """What is left of a curve; None of one that is whole."""
        found = (
            await self._session.execute(sa.select(thinned_curves).where(*self._of(thinned_curves, network)))
        ).one_or_none()
        if found is None:
            return None
        return ThinnedCurve(
            found.length,
            np.frombuffer(found.iterations, dtype="<i8"),
            np.frombuffer(found.losses, dtype="<f4"),
        )

    async def thin(self, network: Network, left: ThinnedCurve) -> None:
        """Replace a curve by what is left of it; its validations stay."""
        await self._session.execute(
            sa.insert(thinned_curves).values(
                **self._key,
                network=NETWORK_NUMBERS[network],
                length=left.length,
                iterations=left.iterations.astype("<i8").tobytes(),
                losses=left.losses.astype("<f4").tobytes(),
            )
        )
        await self._session.execute(sa.delete(loss_chunks).where(*self._of(loss_chunks, network)))
        await self._session.execute(sa.update(curves).where(*self._of(curves, network)).values(points=0))

    async def validations(
        self, network: Network, first: int, end: int | None = None
    ) -> list[tuple[int, float]]:
        """Validation points from iteration `first` to before `end`, ascending."""
        v = validation_points
        conditions = [*self._of(v, network), v.c.iteration >= first]
        if end is not None:
            conditions.append(v.c.iteration < end)
        rows = await self._session.execute(
            sa.select(v.c.iteration, v.c.accuracy).where(*conditions).order_by(v.c.iteration)
        )
        return [(row.iteration, row.accuracy) for row in rows]

    async def lines(self, network: Network, first_line: int, *, chunks: int) -> list[str]:
        """Log lines from `first_line` on, from at most `chunks` rows."""
        log = log_chunks
        rows = (
            await self._session.execute(
                sa.select(log.c.first_line, log.c.lines)
                .where(
                    *self._of(log, network),
                    log.c.first_line
                    >= sa.select(sa.func.coalesce(sa.func.max(log.c.first_line), 0))
                    .where(*self._of(log, network), log.c.first_line <= first_line)
                    .scalar_subquery(),
                )
                .order_by(log.c.first_line)
                .limit(chunks)
            )
        ).all()
        return [
            line
            for row in rows
            for number, line in enumerate(row.lines, start=row.first_line)
            if number >= first_line
        ]

    async def append_lines(self, network: Network, lines: Sequence[str]) -> None:
        """Append lines of the scheduler itself to a log.

        The caller changes the job's row in the same transaction, so that a concurrent heartbeat is computed
        again and its lines follow these.
        """
        before = (
            sa.update(curves)
            .where(*self._of(curves, network))
            .values(lines=curves.c.lines + len(lines))
            .returning(curves.c.lines - len(lines))
        )
        first_line = (await self._session.execute(before)).scalar_one()
        await self._session.execute(
            sa.insert(log_chunks).values(
                **self._key, network=NETWORK_NUMBERS[network], first_line=first_line, lines=list(lines)
            )
        )

    async def replace_log(self, network: Network, lines: Sequence[str]) -> None:
        """Have these lines, from the first on, instead of the log."""
        await self._session.execute(sa.delete(log_chunks).where(*self._of(log_chunks, network)))
        await self._session.execute(sa.update(curves).where(*self._of(curves, network)).values(lines=0))
        await self.append_lines(network, lines)

    async def nonconforming(self, after: tuple[str, ...] | None, limit: int) -> list[NonconformingSample]:
        """Nonconforming samples, by data path and file."""
        table = nonconforming_samples
        conditions = [table.c.task == self._key["task"], table.c.attempt == self._key["attempt"]]
        if after is not None:
            conditions.append(sa.tuple_(table.c.data_path, table.c.file) > sa.tuple_(*after))
        rows = await self._session.execute(
            sa.select(table).where(*conditions).order_by(table.c.data_path, table.c.file).limit(limit)
        )
        return [_sample(row) for row in rows]


def _sample(row: Any) -> NonconformingSample:  # noqa: ANN401 -- a row
    names = ("data_path", "file", "sha256", "reason", "message", "width", "height", "message_zh")
    return NonconformingSample(**{name: getattr(row, name) for name in names})
