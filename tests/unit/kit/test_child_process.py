"""Children: told what to do, heard, and never left behind."""

# ruff: noqa: ASYNC110, PT012, PERF401 -- conditions are awaited with a deadline; appending tells how far

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from services.kit.child_process import ChildProcess, ParentLink
from services.kit.errors import FailedPrecondition
from tests.support.interruption import try_every_point
from tests.support.waiting import DEADLINE_S


@asynccontextmanager
async def child(program: str) -> AsyncIterator[tuple[ChildProcess, list[tuple[str, str]]]]:
    output: list[tuple[str, str]] = []
    spawned = await ChildProcess.spawn(
        [sys.executable, "-u", "-c", textwrap.dedent(program)],
        on_output=lambda stream, line: output.append((stream, line)),
    )
    async with spawned:
        yield spawned, output


ECHO = """
    import sys
    from services.kit.child_process import ParentLink
    link = ParentLink.from_environ()
    link.emit({"event": "ready"})
    for order in link.orders():
        print("doing", order["n"])
        print("careful", file=sys.stderr)
        link.emit({"event": "done", "n": order["n"], "points": [0.5] * order["n"]})
"""


async def test_orders_in_events_out_and_prints_apart() -> None:
    """Libraries print what they like: an event is never mixed with it, however large it is."""
    async with child(ECHO) as (process, output):
        events = aiter(process.events())
        assert await anext(events) == {"event": "ready"}
        for n in (1, 50_000):
            await process.send({"n": n})
            assert len((await anext(events))["points"]) == n
        process._process.stdin.close()
        assert await process.wait() == 0
        assert [event async for event in events] == []
    assert output.count(("stderr", "careful")) == 2
    assert ("stdout", "doing 50000") in output


async def test_the_last_words_of_a_child_that_crashes_are_heard() -> None:
    """What it said before it died is why it died."""
    async with child("""
        import os, sys
        from services.kit.child_process import ParentLink
        ParentLink.from_environ().emit({"event": "loss", "value": 1.5})
        sys.stdout.write("no newline at the end"); sys.stdout.flush()
        os.kill(os.getpid(), 9)
    """) as (process, output):
        assert [event async for event in process.events()] == [{"event": "loss", "value": 1.5}]
        assert await process.wait() == -signal.SIGKILL
        assert output == [("stdout", "no newline at the end")]
        with pytest.raises(FailedPrecondition):
            for _ in range(100):
                await process.send({"n": 1})
                await asyncio.sleep(0.01)


async def test_a_line_without_end_does_not_fill_the_memory() -> None:
    async with child("print('x' * 300_000)") as (process, output):
        await process.wait()
    assert sum(len(line) for _, line in output) == 300_000
    assert max(len(line) for _, line in output) < 200_000


async def test_progress_bars_are_lines() -> None:
    async with child("import sys; sys.stderr.write('10%\\r20%\\r\\n')") as (process, output):
        await process.wait()
    assert [line for _, line in output if line] == ["10%", "20%"]


async def test_a_child_is_asked_first() -> None:
    """SIGTERM is the moment to write a checkpoint; a handler that interrupts an emit must not wait for it."""
    async with child("""
        import signal, sys
        from services.kit.child_process import ParentLink
        link, stop = ParentLink.from_environ(), []
        signal.signal(signal.SIGTERM, lambda *_: (link.emit({"event": "checkpoint"}), stop.append(1)))
        while not stop:
            link.emit({"event": "loss"})
        sys.exit(3)
    """) as (process, _):
        told = []

        async def listen() -> None:
            async for event in process.events():
                told.append(event["event"])

        listening = asyncio.create_task(listen())
        while not told:
            await asyncio.sleep(0.01)
        assert await process.terminate(DEADLINE_S) == 3
        await listening
    assert told.count("checkpoint") == 1


def test_a_signal_at_any_bytecode_of_an_emit_loses_and_waits_for_nothing() -> None:
    """A handler that waits for its own thread waits for ever: the child is killed without its checkpoint."""
    try_every_point("emit")


async def test_a_child_that_dies_as_it_is_asked_to_is_told_by_its_own_exit_code() -> None:
    """Why it died decides whether its job is tried again: nobody else may reap it."""
    for turn in range(40):
        process = await ChildProcess.spawn(["/bin/sleep", "600"], on_output=lambda *_: None)
        async with process:
            os.kill(process.pid, signal.SIGKILL)
            for _ in range(turn * 200):
                pass  # a little later each time: the kernel is not done at once
            assert await process.terminate(DEADLINE_S) == -signal.SIGKILL


async def test_a_child_that_does_not_listen_is_killed_with_all_it_started() -> None:
    """A data loader left behind keeps the GPU's memory."""
    async with child("""
        import signal, subprocess, sys, time
        from services.kit.child_process import ParentLink
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        ParentLink.from_environ().emit({"pid": grandchild.pid})
        time.sleep(600)
    """) as (process, _):
        grandchild = psutil.Process((await anext(aiter(process.events())))["pid"])
        assert await process.terminate(0.2) == -signal.SIGKILL
    await gone(grandchild)


async def test_a_child_dies_with_its_parent_however_that_dies(tmp_path: Path) -> None:
    """A worker that is killed and restarted must not find its GPU held by the child of its former life."""
    parent = tmp_path / "parent.py"
    parent.write_text(
        textwrap.dedent("""
        import asyncio, sys
        from services.kit.child_process import ChildProcess
        async def main():
            child = await ChildProcess.spawn(
                [sys.executable, "-c", "import time; time.sleep(600)"], on_output=lambda *_: None)
            print(child.pid, flush=True)
            await child.wait()
        asyncio.run(main())
    """)
    )
    running = subprocess.Popen(  # noqa: ASYNC220 -- nothing else runs on the loop
        [sys.executable, str(parent)], stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    orphan = psutil.Process(int(running.stdout.readline()))
    running.kill()
    running.wait()
    running.stdout.close()
    await gone(orphan)


def test_started_by_hand_a_child_says_so() -> None:
    with pytest.raises(FailedPrecondition, match="started by its worker"):
        ParentLink.from_environ({})


def test_a_number_that_is_none_is_not_told() -> None:
    """NaN is no JSON: readers in other languages would fail far from its cause."""
    read_fd, write_fd = os.pipe()
    try:
        with pytest.raises(ValueError, match="JSON"):
            ParentLink(write_fd).emit({"loss": float("nan")})
    finally:
        os.close(read_fd)
        os.close(write_fd)


async def gone(process: psutil.Process) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)
