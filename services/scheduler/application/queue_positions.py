"""Positions of waiting tasks in their queues (T4).

The position of one task requires a ranking of the whole queue, so one ranking is shared by all calls.
"""

import asyncio
import time
from collections.abc import Sequence

from services.scheduler.application.dependencies import Dependencies
from services.scheduler.domain.queue import QueuePosition
from services.scheduler.storage.admissions import Admissions
from services.scheduler.storage.jobs import Jobs

# Ranking takes at most this share of the time.
_MAX_SHARE_OF_TIME = 0.05
# A ranking is used until it is this old.
_MAX_AGE_S = 5.0
# Calls wait for a new ranking if the last one took less than this.
_FAST_S = 0.005


class QueuePositions:
    """Positions from the last ranking. The longer a ranking takes, the less often it is computed."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._ranking: dict[str, int] = {}
        self._ranked_at_s = -_MAX_AGE_S
        self._took_s = 0.0
        self._ranked: asyncio.Task[None] | None = None

    async def of(self, task_ids: Sequence[str]) -> dict[str, QueuePosition]:
        """The positions of the tasks that are queued."""
        if not task_ids:
            return {}
        age_s = time.monotonic() - self._ranked_at_s
        known = all(task_id in self._ranking for task_id in task_ids)
        if age_s >= self._took_s / _MAX_SHARE_OF_TIME or not known:
            ranked = self._rank_again()
            # Otherwise the call answers from the last ranking.
            if not known or age_s >= _MAX_AGE_S or self._took_s < _FAST_S:
                await asyncio.shield(ranked)
        async with self._dependencies.sessions.reading() as session:
            return await Jobs(session).positions(task_ids, self._ranking, self._dependencies.held_back)

    def _rank_again(self) -> "asyncio.Task[None]":
        if self._ranked is None or self._ranked.done():
            self._ranked = asyncio.create_task(self._rank())
        return self._ranked

    async def _rank(self) -> None:
        started_s = time.monotonic()
        async with self._dependencies.sessions.begin() as session:
            ranking = await Admissions(session).ranking(self._dependencies.scheduling.ageing_s)
        self._ranking, self._ranked_at_s = ranking, time.monotonic()
        self._took_s = self._ranked_at_s - started_s
