"""Loss curves, validation points, logs and nonconforming samples of an attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.database import DatabaseSessions
from services.scheduler.domain.job import Network
from services.scheduler.domain.loss import POINT_BYTES, POINTS_PER_CHUNK, LossCursor, LossNews
from services.scheduler.domain.task import TaskState, task_not_found
from services.scheduler.domain.work import CurvePosition, NonconformingSample
from services.scheduler.storage import sql
from services.scheduler.storage.codec import NETWORK_NUMBERS, NETWORKS
from services.scheduler.storage.tables import (
    curves,
    log_chunks,
    loss_chunks,
    nonconforming_samples,
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
class LossSince:
    """Points that a watch has not sent yet, and the task's state, all read in one statement.

    `is_all`: there are no more stored points now.
    """

    news: LossNews
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
    packed = (row.packed or b"")[row.iteration % POINTS_PER_CHUNK * POINT_BYTES :]
    validation = [(int(iteration), accuracy) for iteration, accuracy in row.validations or ()]
    end = row.iteration + len(packed) // POINT_BYTES
    is_all = end >= row.length
    cursor = LossCursor(row.attempt, end, validation[-1][0] + 1 if validation else row.validation)
    step_time = row.step_time if packed and is_all else None
    news = LossNews(row.iteration, packed, validation, step_time, cursor)
    return LossSince(news, is_all, row.present, TaskState(row.state))


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
