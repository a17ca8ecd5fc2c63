"""How a part of a model's name is found among a million: by its grams, which an index knows (T3).

A gram is a run of one to three characters, in small letters.
"""

import time

import sqlalchemy as sa

from services.kit.database import DatabaseSessions

_LONGEST = 3
# Of all names.
_RARE = 0.02
_KNOWN_FOR_S = 60.0
# What ANALYZE found of the most frequent grams. The array of shares is longer: it ends with their extremes.
_FREQUENT = sa.text(
    """
    SELECT gram, share FROM pg_stats,
        LATERAL unnest(most_common_elems::text::text[], most_common_elem_freqs) AS found (gram, share)
    WHERE schemaname = current_schema() AND tablename = 'tasks' AND attname = 'name_grams'
        AND gram IS NOT NULL
    """
)


def grams_of(name: str) -> list[str]:
    """All of them, as the index wants them."""
    return _runs(name, range(1, _LONGEST + 1))


class Grams:
    """How frequent each is, as the database knows it for its own planning."""

    def __init__(self, sessions: DatabaseSessions) -> None:
        self._sessions = sessions
        self._shares: dict[str, float] = {}
        self._known_until_s = -1.0

    async def of(self, part: str) -> dict[str, float]:
        """Those that a name must have to contain the part, each with its share of all names; 0 if rare.

        Enough of them to find the name: side by side, and the last.
        """
        if self._known_until_s < time.monotonic():
            async with self._sessions.reading() as session:
                self._shares = {row.gram: row.share for row in await session.execute(_FREQUENT)}
            self._known_until_s = time.monotonic() + _KNOWN_FOR_S
        part = part.lower()
        size = min(len(part), _LONGEST)
        starts = (*range(0, len(part) - size, size), len(part) - size)
        return {gram: self._shares.get(gram, 0.0) for gram in sorted(part[i : i + size] for i in starts)}


def telling(grams: dict[str, float]) -> list[str]:
    """The rarest, and all that are rare: to look up what most names have costs more than it excludes."""
    most = max(_RARE, min(grams.values()))
    return [gram for gram, share in grams.items() if share <= most]


def _runs(text: str, sizes: range) -> list[str]:
    lowered = text.lower()
    return sorted({lowered[i : i + size] for size in sizes for i in range(len(lowered) - size + 1)})
