"""Compares the clock of this machine with PostgreSQL's: at the start of a server, and while it runs.

No lease depends on the wall clock. Links to objects are signed with it, and certificates are checked with it:
a server whose clock is far off would fail there, with causes that lead nowhere.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from loupe.errors import FailedPrecondition
from loupe.settings import setting
from loupe.translation import Sentence, sentence

from services.kit.database import DatabaseSessions
from services.kit.lifecycle import Process, every

_PAUSE_S = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ClockSettings:
    """How far the clock of a server's machine may be from PostgreSQL's."""

    max_skew_s: float = setting(
        "LOUPE_MAX_CLOCK_SKEW_S",
        default=60.0,
        doc="A server whose clock is further from PostgreSQL's does not start; one that runs warns.",
    )

    def __post_init__(self) -> None:
        if self.max_skew_s <= 0:
            raise ValueError("LOUPE_MAX_CLOCK_SKEW_S must be above 0")


class ClockSkewed(FailedPrecondition):
    """The clock of this machine is too far from PostgreSQL's."""

    reason = "CLOCK_SKEWED"


class ClockWatch:
    """The comparison, for one server."""

    def __init__(
        self,
        sessions: DatabaseSessions,
        settings: ClockSettings,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._sessions = sessions
        self._max_skew_s = settings.max_skew_s
        self._wall_clock = wall_clock
        self._is_skewed = False

    async def require(self) -> None:
        """ClockSkewed if the clocks differ by more than the setting allows."""
        skew_s = await self._skew_s()
        if abs(skew_s) > self._max_skew_s:
            message = _described(skew_s, self._max_skew_s)
            raise ClockSkewed(message.english, message_zh=message.chinese)

    async def look(self) -> None:
        """Log when the clocks begin to differ too much, and when they agree again."""
        skew_s = await self._skew_s()
        was_skewed, self._is_skewed = self._is_skewed, abs(skew_s) > self._max_skew_s
        if self._is_skewed and not was_skewed:
            message = _described(skew_s, self._max_skew_s)
            _log.warning(message.english, extra={"reason": ClockSkewed.reason, "message_zh": message.chinese})
        elif was_skewed and not self._is_skewed:
            _log.info("the clock agrees with PostgreSQL's again")

    async def _skew_s(self) -> float:
        """How far this clock is ahead of PostgreSQL's, at least: the answer may have taken long."""
        before_s = self._wall_clock()
        database_s = (await self._sessions.time()).timestamp()
        earliest_s, latest_s = sorted((before_s, self._wall_clock()))
        return max(0.0, earliest_s - database_s) + min(0.0, latest_s - database_s)


def _described(skew_s: float, max_skew_s: float) -> Sentence:
    seconds, allowed = round(abs(skew_s)), f"{max_skew_s:g}"
    if skew_s > 0:
        return sentence(
            "the clock of this machine is {seconds} s ahead of PostgreSQL's, more than the {allowed} s of "
            "LOUPE_MAX_CLOCK_SKEW_S; synchronise both by NTP",
            seconds=seconds,
            allowed=allowed,
        )
    return sentence(
        "the clock of this machine is {seconds} s behind PostgreSQL's, more than the {allowed} s of "
        "LOUPE_MAX_CLOCK_SKEW_S; synchronise both by NTP",
        seconds=seconds,
        allowed=allowed,
    )


async def watch_clock(process: Process, sessions: DatabaseSessions, settings: ClockSettings) -> None:
    """ClockSkewed if the clock is too far off now; compares it again as long as the server runs."""
    watch = ClockWatch(sessions, settings)
    await watch.require()
    process.background("clock", every(_PAUSE_S, watch.look))
