"""What a process needs, asked again and again."""

import asyncio

import pytest
from loupe.errors import Unavailable
from loupe.rpc.tls import TlsSettings

from services.kit import tasks
from services.kit.operations import Operations, OperationsSettings
from services.kit.readiness import Readiness
from tests.support.waiting import eventually


class Needed:
    """Something that may be away, hang, or fail as nobody foresaw."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def check(self) -> None:
        """As it is now."""
        await self.answers.wait()
        if self.error is not None:
            raise self.error


async def test_ready_from_its_beginning_to_its_end_while_everything_answers() -> None:
    needed, told = Needed(), Needed()
    readiness = Readiness(pause_s=0)
    readiness.require("database", needed.check)
    readiness.tell("registry", told.check)
    assert not readiness.ready
    await readiness.begin()
    assert readiness.ready
    looking = asyncio.create_task(readiness.run())
    try:
        needed.error = Unavailable("away", reason="DATABASE_UNAVAILABLE")
        await eventually(lambda: not readiness.ready)
        assert readiness.states == {
            "process": "READY",
            "database": "DATABASE_UNAVAILABLE",
            "registry": "READY",
        }
        needed.error = ZeroDivisionError()
        await eventually(lambda: readiness.states["database"] == "UNEXPECTED")
        needed.error, told.error = None, Unavailable("away", reason="UNAVAILABLE")
        await eventually(lambda: readiness.states["registry"] == "UNAVAILABLE")
        await eventually(lambda: readiness.ready)
    finally:
        await tasks.end(looking)
    readiness.end()
    assert (readiness.ready, readiness.states["process"]) == (False, "STOPPING")


async def test_who_follows_is_told_every_change_once() -> None:
    readiness = Readiness()
    seen: list[bool] = []

    async def follow() -> None:
        async for ready in readiness.follow():
            seen.append(ready)  # noqa: PERF401 -- looked at meanwhile

    following = asyncio.create_task(follow())
    try:
        await eventually(lambda: seen == [False])
        await readiness.begin()
        await eventually(lambda: seen == [False, True])
        readiness.end()
        await eventually(lambda: seen == [False, True, False])
    finally:
        await tasks.end(following)


@pytest.mark.parametrize("listen", ["8080", "localhost:", "localhost:http", "localhost:65536"])
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(ValueError, match="LOUPE_OPERATIONS_LISTEN must be host:port"):
        OperationsSettings(listen=listen)


async def test_without_an_address_nothing_listens() -> None:
    """Nobody gets an open port who did not ask for one."""
    async with Operations(OperationsSettings(), "test", TlsSettings()) as operations:
        assert operations.port == 0
