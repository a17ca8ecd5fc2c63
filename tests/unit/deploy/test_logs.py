"""Logs of processes that run for months: bounded, whole, and no burden for who writes them."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.embedded.process import Launch, ProcessSpec
from deploy.embedded.state import State
from deploy.embedded.supervisor import Supervisor

FOREVER = "import time; time.sleep(600)"
LIMIT = 10 * 1024 * 1024


def python(name: str, program: str, folder: Path) -> ProcessSpec:
    launch = Launch(
        command=(sys.executable, "-c", program),
        environment={"PATH": os.defpath, "PYTHONUNBUFFERED": "1"},
        working_directory=folder,
    )
    return ProcessSpec(name=name, prepare=lambda: launch, settle_s=0.0)


async def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.01)


def ends_with(log: Path, words: bytes) -> bool:
    try:
        return log.read_bytes().endswith(words)
    except FileNotFoundError:  # between two files
        return False


def logs(folder: Path, name: str) -> list[Path]:
    """All of a process's logs, the oldest first."""
    return sorted(folder.glob(f"{name}.log*"), reverse=True)


async def test_the_log_of_a_running_process_is_bounded_and_no_line_is_lost_or_cut(tmp_path: Path) -> None:
    """A process that runs for months must not fill the disk; the lines around a change of files are whole."""
    count, length = 320_000, 100
    program = (
        "import os\n"
        f"lines = b''.join(b'%0{length - 1}d\\n' % number for number in range({count}))\n"
        # In pieces that end anywhere, as long lines of several threads do.
        "for start in range(0, len(lines), 7_777):\n"
        "    os.write(1, lines[start:start + 7_777])\n"
        "os.write(1, b'done\\n')\n" + FOREVER
    )
    log = tmp_path / "talker.log"
    supervisor = Supervisor([python("talker", program, tmp_path)], log_dir=tmp_path)
    supervisor.start()
    try:
        await eventually(lambda: ends_with(log, b"done\n"))
    finally:
        await supervisor.stop(kill=True)
    files = logs(tmp_path, "talker")
    assert [file.name for file in files] == ["talker.log.1", "talker.log"]
    assert sum(file.stat().st_size for file in files) <= 2 * LIMIT + 2**20
    lines = b"".join(file.read_bytes() for file in files).splitlines()
    assert lines.pop() == b"done"
    numbers = [int(line) for line in lines]
    assert numbers == list(range(count - len(numbers), count))
    assert {len(line) for line in lines} == {length - 1}
    assert len(numbers) * length > LIMIT


async def test_a_line_that_never_ends_is_bounded_too(tmp_path: Path) -> None:
    """A progress bar, or a binary that somebody printed."""
    program = (
        f"import os\nfor _ in range(500): os.write(1, b'x' * 65_536)\nos.write(1, b'done\\n')\n{FOREVER}"
    )
    supervisor = Supervisor([python("talker", program, tmp_path)], log_dir=tmp_path)
    supervisor.start()
    try:
        await eventually(lambda: ends_with(tmp_path / "talker.log", b"done\n"))
    finally:
        await supervisor.stop(kill=True)
    sizes = [file.stat().st_size for file in logs(tmp_path, "talker")]
    assert len(sizes) == 2
    assert sum(sizes) <= 2 * (LIMIT + 2**21)


async def test_a_log_that_an_earlier_run_left_is_bounded_too(tmp_path: Path) -> None:
    """A stack that is started every morning must not add up."""
    log = tmp_path / "talker.log"
    log.write_bytes(b"x" * (LIMIT + 1))
    supervisor = Supervisor([python("talker", f"print('new'); {FOREVER}", tmp_path)], log_dir=tmp_path)
    supervisor.start()
    try:
        await eventually(lambda: ends_with(log, b"new\n"))
    finally:
        await supervisor.stop(kill=True)
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "talker.log.1").stat().st_size == LIMIT + 1


async def test_a_log_that_cannot_be_written_does_not_stop_the_process(tmp_path: Path) -> None:
    """On a full disk the services must go on answering; they heal when there is space again."""
    (tmp_path / "talker.log").symlink_to("/dev/full")
    program = (
        "import os, pathlib\n"
        "for _ in range(100): os.write(1, b'x' * 65_536)\n"
        f"pathlib.Path('through').touch()\n{FOREVER}"
    )
    supervisor = Supervisor([python("talker", program, tmp_path)], log_dir=tmp_path)
    supervisor.start()
    try:
        await eventually((tmp_path / "through").exists)
    finally:
        await supervisor.stop(kill=True)


async def test_what_a_process_left_running_still_writes_and_holds_nobody_up(tmp_path: Path) -> None:
    """A child that outlives its parent keeps the pipe open; the parent starts again all the same."""
    child = (
        "import os, pathlib, time\n"
        "while not pathlib.Path('told').exists(): time.sleep(0.01)\n"
        "os.write(1, b'the child was here\\n')\n"
    )
    program = (
        "import pathlib, subprocess, sys\n"
        "if not pathlib.Path('first').exists():\n"
        "    pathlib.Path('first').touch()\n"
        f"    subprocess.Popen([sys.executable, '-c', {child!r}], start_new_session=True)\n"
        "    raise SystemExit(3)\n"
        f"print('again')\n{FOREVER}"
    )
    log = tmp_path / "parent.log"
    supervisor = Supervisor([python("parent", program, tmp_path)], log_dir=tmp_path)
    supervisor.start()
    try:
        await eventually(lambda: ends_with(log, b"again\n"))
        assert supervisor.process("parent").state in {State.STARTING, State.READY}
        (tmp_path / "told").touch()
        await eventually(lambda: ends_with(log, b"again\nthe child was here\n"))
    finally:
        (tmp_path / "told").touch()
        await supervisor.stop(kill=True)


@pytest.mark.parametrize("to_the_log", [True, False])
def test_the_supervisor_bounds_its_own_log(tmp_path: Path, *, to_the_log: bool) -> None:
    """It tells of every restart: a process that never comes up makes it talk for months."""
    log, other = tmp_path / "supervisor.log", tmp_path / "terminal"
    program = (
        "import os, pathlib, sys\n"
        "from deploy.embedded.logs import bound_own_log\n"
        "log = pathlib.Path(sys.argv[1])\n"
        f"os.write(1, b'x' * {LIMIT} + b'\\n')\n"
        "bound_own_log(log)\n"
        "os.write(1, b'out\\n')\n"
        "os.write(2, b'err\\n')\n"
        "bound_own_log(log)\n"
    )
    log.touch()
    with (log if to_the_log else other).open("ab") as output:
        subprocess.run([sys.executable, "-c", program, str(log)], stdout=output, stderr=output, check=True)
    if to_the_log:
        assert log.read_text() == "out\nerr\n"
        assert (tmp_path / "supervisor.log.1").stat().st_size == LIMIT + 1
    else:
        assert other.read_bytes().endswith(b"x\nout\nerr\n")
        assert sorted(file.name for file in tmp_path.iterdir()) == ["supervisor.log", "terminal"]
