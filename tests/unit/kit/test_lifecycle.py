"""Start in order, stop in reverse, and never limp along."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta, timezone

import pytest
from loupe.errors import Unavailable

from services.kit.clock import timestamp
from services.kit.lifecycle import Process
from services.kit.retry import Backoff
from tests.support.waiting import DEADLINE_S

QUICK = Backoff(first_s=0.001, ceiling_s=0.002)


@contextlib.asynccontextmanager
async def resource(name: str, diary: list[str]) -> AsyncIterator[str]:
    diary.append(f"open {name}")
    try:
        yield name
    finally:
        diary.append(f"close {name}")


async def test_resources_close_in_reverse_and_loops_end_between_them() -> None:
    """No loop may run on a closed database, no call meet one."""
    diary: list[str] = []

    async def loop() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            diary.append("loop ends")

    async def main(process: Process) -> None:
        assert await process.enter(resource("database", diary)) == "database"
        process.background("relay", loop)
        await process.enter(resource("server", diary))
        await asyncio.sleep(0)
        process.stop()

    assert await Process().live(main) == 0
    assert diary == ["open database", "open server", "close server", "loop ends", "close database"]


async def test_what_was_opened_is_closed_when_the_start_fails() -> None:
    diary: list[str] = []

    async def main(process: Process) -> None:
        await process.enter(resource("database", diary))
        raise RuntimeError("port taken")

    with pytest.raises(RuntimeError, match="port taken"):
        await Process().live(main)
    assert diary == ["open database", "close database"]


async def test_a_process_that_is_told_to_stop_while_it_starts_stops() -> None:
    """A dependency that is away must not make a process deaf."""
    diary: list[str] = []

    async def main(process: Process) -> None:
        await process.enter(resource("database", diary))
        process.stop()
        await asyncio.Event().wait()

    async with asyncio.timeout(DEADLINE_S):
        assert await Process().live(main) == 0
    assert diary == ["open database", "close database"]


async def test_a_loop_waits_out_what_passes() -> None:
    """The database may be away for an hour: the loop is there when it is back."""
    failures = 0

    async def main(process: Process) -> None:
        async def loop() -> None:
            nonlocal failures
            failures += 1
            if failures < 50:
                raise Unavailable("away")
            process.stop()

        process.background("sweeper", loop, backoff=QUICK)

    assert await Process().live(main) == 0
    assert failures == 50


async def test_a_loop_that_waits_says_for_what(caplog: pytest.LogCaptureFixture) -> None:
    """A line that names only a class of failures sends the operator looking in the wrong place."""
    failed = False

    async def main(process: Process) -> None:
        async def loop() -> None:
            nonlocal failed
            if not failed:
                failed = True
                raise Unavailable("stream LOSS: insufficient storage")
            process.stop()

        process.background("sweeper", loop, backoff=QUICK)

    assert await Process().live(main) == 0
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert told.__dict__["error"] == "stream LOSS: insufficient storage"


async def test_a_loop_that_keeps_failing_ends_the_process() -> None:
    """A process whose relay is dead looks healthy and publishes nothing: better that it restarts."""
    failures = 0

    async def main(process: Process) -> None:
        async def loop() -> None:
            nonlocal failures
            failures += 1
            raise KeyError("bug")

        process.background("relay", loop, backoff=QUICK)

    assert await Process().live(main) == 1
    assert failures == 5


PROGRAM = """
    import asyncio, contextlib, sys
    from services.kit.lifecycle import run
    @contextlib.asynccontextmanager
    async def resource():
        yield
        {closing}
        print("closed", flush=True)
    async def main(process):
        await process.enter(resource())
        print("ready", flush=True)
    run(main)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_in_order(number: signal.Signals) -> None:
    with started(PROGRAM.format(closing="pass")) as running:
        running.send_signal(number)
        assert running.communicate(timeout=DEADLINE_S)[0] == "closed\n"
        assert running.returncode == 0


def test_a_second_signal_ends_it_at_once() -> None:
    """An operator who presses twice means it."""
    with started(PROGRAM.format(closing="print('closing', flush=True); await asyncio.sleep(60)")) as running:
        running.send_signal(signal.SIGINT)
        assert running.stdout is not None
        assert running.stdout.readline() == "closing\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=DEADLINE_S) == 128 + signal.SIGINT


def test_unusable_settings_are_told_plainly() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent("""
            from services.kit.lifecycle import run
            from loupe.settings import SettingsError
            async def main(process): raise SettingsError(("LOUPE_X is not set",))
            run(main)
        """),
        ],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 2
    assert "LOUPE_X is not set" in done.stderr
    assert "Traceback" not in done.stderr


@contextlib.contextmanager
def started(program: str) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    )
    with running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            yield running
        finally:
            running.kill()


def test_a_timestamp_is_in_utc_whatever_the_zone() -> None:
    """Lines of one log come from several machines."""
    at = datetime(2026, 1, 1, 1, 2, 3, 45_678, tzinfo=timezone(timedelta(hours=8)))
    assert timestamp(at) == "2025-12-31T17:02:03.045Z"
