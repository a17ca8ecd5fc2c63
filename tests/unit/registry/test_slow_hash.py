"""Whose password is hashed next (A5)."""

import asyncio
import threading

import pytest
from loupe.errors import ResourceExhausted

from services.kit.limits import called_from
from services.registry.application.sessions import SlowHash

HONEST, STRANGER = "10.0.0.1", "10.0.0.2"


async def test_addresses_take_turns() -> None:
    """A log-in behind thirty guesses from elsewhere is not the thirty-first."""
    slow, finished = SlowHash(1024), []

    async def log_in(address: str) -> None:
        with called_from(address):
            await slow.matches("wrong password", None)
        finished.append(address)

    await asyncio.gather(*(log_in(STRANGER) for _ in range(30)), log_in(HONEST))
    assert finished.index(HONEST) < 15


async def test_an_address_has_a_part_of_the_queue() -> None:
    """What is full is its own: the refusal says when to come again."""
    slow = SlowHash(1024, max_waiting=8)

    async def log_in(address: str) -> bool:
        with called_from(address):
            return await slow.matches("wrong password", None)

    guesses = [asyncio.ensure_future(log_in(STRANGER)) for _ in range(3)]
    elsewhere = asyncio.ensure_future(log_in(HONEST))
    outcomes = await asyncio.gather(*guesses, elsewhere, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [bool, bool, ResourceExhausted, bool]
    with pytest.raises(ResourceExhausted) as refused:
        raise outcomes[2]  # type: ignore[misc]  # an exception, as the line before says
    assert refused.value.reason == "TOO_MANY_LOG_INS"
    assert int(refused.value.facts["retry_after_s"]) > 0


async def test_a_caller_that_goes_away_keeps_its_place_until_its_hash_is_done() -> None:
    """Else whoever cancels again and again fills both threads with work for nobody."""
    slow, done = SlowHash(1024, max_waiting=4), threading.Event()
    with called_from(STRANGER):
        guess = asyncio.ensure_future(slow.run(done.wait))
        await asyncio.sleep(0)  # it has begun
        guess.cancel()
        with pytest.raises(asyncio.CancelledError):
            await guess
        with pytest.raises(ResourceExhausted):
            await slow.matches("wrong password", None)
        done.set()
