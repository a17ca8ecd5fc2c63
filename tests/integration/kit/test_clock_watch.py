"""Servers compare their machine's clock with PostgreSQL's."""

import logging
import time

import pytest

from services.kit.clock_watch import ClockSettings, ClockSkewed, ClockWatch
from services.kit.database import Database, database_time


async def test_the_time_is_postgresqls_and_goes_on_within_a_transaction(database: Database) -> None:
    """A transaction may wait for a lock; what it then grants must not be over already."""
    before = await database.sessions.time()
    async with database.sessions.begin() as session:
        first, second = [await database_time(session) for _ in range(2)]
    assert before < first < second
    assert first.utcoffset() is not None


@pytest.mark.parametrize(
    ("ahead_s", "refused"), [(0, False), (59, False), (-59, False), (120, True), (-120, True)]
)
async def test_a_clock_that_is_too_far_off_is_refused(
    database: Database, ahead_s: float, *, refused: bool
) -> None:
    watch = ClockWatch(database.sessions, ClockSettings(), lambda: time.time() + ahead_s)
    if refused:
        with pytest.raises(ClockSkewed, match=r"120 s (ahead of|behind) PostgreSQL's"):
            await watch.require()
    else:
        await watch.require()


async def test_a_clock_that_drifts_is_told_once_and_again_when_it_is_right(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """A running server goes on: no lease depends on its clock."""
    ahead_s = 0.0
    watch = ClockWatch(database.sessions, ClockSettings(max_skew_s=60), lambda: time.time() + ahead_s)
    with caplog.at_level(logging.INFO, "services.kit.clock_watch"):
        for ahead_s in (0.0, 90.0, 91.0, 0.0, -90.0):  # noqa: B007 -- the clock reads it
            await watch.look()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]
    assert "90 s ahead of" in caplog.messages[0]
    assert "90 s behind" in caplog.messages[2]


async def test_an_answer_that_takes_long_is_no_skew(database: Database) -> None:
    """A busy machine: between question and answer lie minutes, and PostgreSQL's time is one of them."""
    readings = iter((time.time() - 300, time.time() + 300))
    await ClockWatch(database.sessions, ClockSettings(), lambda: next(readings)).require()


def test_the_bound_must_be_positive() -> None:
    with pytest.raises(ValueError, match="LOUPE_MAX_CLOCK_SKEW_S"):
        ClockSettings(max_skew_s=0)
