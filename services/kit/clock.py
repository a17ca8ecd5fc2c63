"""Times within a process.

What is dated, ages or expires goes by PostgreSQL's clock, which is one for all servers (`database_time`).
Durations within a process go by the monotonic clock. A machine's wall clock only labels lines and points.
"""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of the current time."""

    def now(self) -> datetime:
        """The time, in UTC."""
        ...


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as log lines begin."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class SystemClock:
    """The machine's clock, for workers, which have no database."""

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)
