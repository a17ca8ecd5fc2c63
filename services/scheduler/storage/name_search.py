"""Search for a part of a model name with an index of grams (T3).

A gram is a run of one to three characters of the name, in lower case.
"""

import time

import sqlalchemy as sa

from services.kit.database import DatabaseSessions

_LONGEST = 3
# A gram is rare if at most this share of all names has it.
_RARE = 0.02
_CACHED_FOR_S = 60.0
# The most frequent grams as ANALYZE found them. The array of shares is longer: it ends with its extremes.
_FREQUENT = sa.text(
    """
    SELECT gram, share FROM pg_stats,
        LATERAL unnest(most_common_elems::text::text[], most_common_elem_freqs) AS found (gram, share)
    WHERE schemaname = current_schema() AND tablename = 'tasks' AND attname = 'name_grams'
        AND gram IS NOT NULL
    """
)


def grams_of(name: str) -> list[str]:
    """All grams of a name, as the index stores them."""
    return _runs(name, range(1, _LONGEST + 1))


class Grams:
    """Frequencies of grams, from the statistics of the database's planner."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions
        self._shares: dict[str, float] = {}
        self._cached_until_s = -1.0

    async def of(self, part: str) -> dict[str, float]:
        """Grams that every name with this part has, each with its share of all names; 0 if it is not listed.

        Adjacent grams without overlap and the last one: together they cover the part.
        """
        if self._cached_until_s < time.monotonic():
            async with self._sessions.reading() as session:
                self._shares = {row.gram: row.share for row in await session.execute(_FREQUENT)}
            self._cached_until_s = time.monotonic() + _CACHED_FOR_S
        part = part.lower()
        size = min(len(part), _LONGEST)
        starts = (*range(0, len(part) - size, size), len(part) - size)
        return {gram: self._shares.get(gram, 0.0) for gram in sorted(part[i : i + size] for i in starts)}


def selective_grams(grams: dict[str, float]) -> list[str]:
    """The rarest gram and all rare ones. Looking up a frequent gram costs more than it excludes."""
    limit = max(_RARE, min(grams.values()))
    return [gram for gram, share in grams.items() if share <= limit]


def _runs(text: str, sizes: range) -> list[str]:
    lowered = text.lower()
    return sorted({lowered[i : i + size] for size in sizes for i in range(len(lowered) - size + 1)})
