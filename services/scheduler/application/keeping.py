"""What ended tasks keep after a time that the operator sets: the end of a log, the shape of a curve.

Validations, stages, samples that were set aside, weights, split and report stay, and so does everything of a
released training.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

import numpy as np
from loupe.translation import sentence
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.clock import timestamp
from services.kit.database import DatabaseSessions, database_time
from services.scheduler.curves import LossesN, extremes_kept
from services.scheduler.storage.curves import CurveKey, Curves, ThinnedCurve, curves_to_cut, lock_ended

KEPT_LINES = 200
"""Of a log: its end, which tells the cause (M6)."""
KEPT_POINTS = 2000
"""Of a curve: as many as a plot shows, with the extremes (M4)."""
_LOG_LINES = KEPT_LINES + 2
"""Of a log that was cut: the notice comes first, in English and Chinese."""
_AT_ONCE = 1000

_log = logging.getLogger(__name__)


class Keeping:
    """Cuts what is due, one attempt's network in a transaction."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions

    async def cut_logs(self, days: int) -> int:
        """Leave the last lines of the logs of tasks that ended so many days ago; how many. 0 days: none."""
        return await self._each("logs cut", days, "lines", _LOG_LINES, _cut_log)

    async def thin_curves(self, days: int) -> int:
        """Leave the points that a plot shows of such curves; how many."""
        return await self._each("curves thinned", days, "points", KEPT_POINTS, _thin_curve)

    async def _each(
        self,
        what: str,
        days: int,
        column: str,
        most: int,
        cut: Callable[[AsyncSession, CurveKey, int], Awaitable[bool]],
    ) -> int:
        if not days:
            return 0
        age, done = timedelta(days=days), 0
        while True:
            async with self._sessions.begin() as session:
                due = await curves_to_cut(session, column, most, age, limit=_AT_ONCE)
            for one in due:
                async with self._sessions.begin() as session:
                    # Released, started again or deleted since, or cut by another replica, it stays.
                    if await lock_ended(session, one.task, age):
                        done += await cut(session, one, days)
            if len(due) < _AT_ONCE:
                break
        if done:
            _log.info(what, extra={"count": done, "days": days})
        return done


async def _cut_log(session: AsyncSession, of: CurveKey, days: int) -> bool:
    curves = Curves(session, of.task, of.attempt)
    length = (await curves.positions())[of.network].next_line
    if length <= _LOG_LINES:
        return False
    end = await curves.lines(of.network, length - KEPT_LINES, chunks=KEPT_LINES)
    told = sentence(
        "{count} earlier lines were deleted, {days} days after the end of the task (LOUPE_LOGS_KEEP_DAYS)",
        count=length - len(end),
        days=days,
    )
    now = timestamp(await database_time(session))
    await curves.replace_log(of.network, [*(f"{now} {line}" for line in told), *end])
    return True


async def _thin_curve(session: AsyncSession, of: CurveKey, _: int) -> bool:
    curves = Curves(session, of.task, of.attempt)
    length = (await curves.positions())[of.network].next_iteration
    if length <= KEPT_POINTS:
        return False
    losses: LossesN = np.frombuffer(await curves.points(of.network, 0, length), dtype="<f4")
    chosen = extremes_kept(losses, KEPT_POINTS)
    await curves.thin(of.network, ThinnedCurve(len(losses), chosen, losses[chosen]))
    return True
