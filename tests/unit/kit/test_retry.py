"""Retries."""

import asyncio

import pytest
from loupe.errors import NotFound, Unavailable

from services.kit import retry
from services.kit.retry import Backoff, retry_transient

QUICK = Backoff(first_s=0.001, ceiling_s=0.002)


def test_delays_grow_to_the_ceiling_and_stay_there() -> None:
    """However long the other side is away, the next try is never far."""
    backoff = Backoff(first_s=0.1, factor=2, ceiling_s=1.0)
    for failures, full_s in [(1, 0.1), (2, 0.2), (4, 0.8), (5, 1.0), (10_000, 1.0)]:
        assert all(full_s / 2 <= backoff.delay_s(failures) <= full_s for _ in range(50))


async def test_a_start_that_is_retried_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """A dependency that refuses for ever is not cured by waiting: the log must hold what it said."""
    failures = iter([Unavailable("stream LOSS: insufficient storage")])

    async def start() -> str:
        for failure in failures:
            raise failure
        return "started"

    assert await retry_transient(start, what="making streams", backoff=QUICK) == "started"
    (record,) = [one for one in caplog.records if one.levelname == "WARNING"]
    assert record.__dict__["what"] == "making streams"
    assert record.__dict__["error"] == "stream LOSS: insufficient storage"


async def test_a_failure_is_logged_again_when_its_reason_changes(caplog: pytest.LogCaptureFixture) -> None:
    """A dependency that is away for hours fills no log, and a second fault is not hidden behind the first."""
    failures = iter([Unavailable("away")] * 50 + [Unavailable("full", reason="STORAGE_FULL")])

    async def action() -> None:
        for failure in failures:
            raise failure

    await retry_transient(action, what="test", backoff=Backoff(first_s=0, ceiling_s=0))
    warnings = [one.__dict__["reason"] for one in caplog.records if one.levelname == "WARNING"]
    assert warnings == ["UNAVAILABLE", "STORAGE_FULL"]


async def test_a_failure_that_goes_on_is_logged_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks at the log of a worker that stands still sees that it still tries, and why it cannot."""
    now_s = 0.0
    monkeypatch.setattr(retry.time, "monotonic", lambda: now_s)
    failures = iter([Unavailable("away")] * 100)

    async def action() -> None:
        nonlocal now_s
        for failure in failures:
            now_s += 2
            raise failure

    await retry_transient(action, what="test", backoff=Backoff(first_s=0, ceiling_s=0))
    told = [one.__dict__["failures"] for one in caplog.records if one.levelname == "WARNING"]
    assert told == [1, 31, 61, 91]


async def test_what_is_not_retriable_is_raised_at_once() -> None:
    """Waiting does not mend it."""
    attempts = 0

    async def action() -> None:
        nonlocal attempts
        attempts += 1
        raise NotFound("nothing there")

    with pytest.raises(NotFound):
        await retry_transient(action, what="test", backoff=QUICK)
    assert attempts == 1


async def test_a_deadline_of_the_caller_ends_the_retries() -> None:
    """There is no limit of its own: `asyncio.timeout` and cancellation must both work."""

    async def action() -> None:
        raise Unavailable("away")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await retry_transient(action, what="test", backoff=QUICK)
