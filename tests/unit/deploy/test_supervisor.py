"""The supervisor's promises, on small real processes."""

import asyncio
import errno
import itertools
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from deploy.embedded.errors import StartFailed
from deploy.embedded.ports import HOST, assign
from deploy.embedded.process import Launch, ProcessSpec, is_alive
from deploy.embedded.readiness import answers_http, speaks
from deploy.embedded.state import ProcessState, State
from deploy.embedded.supervisor import Supervisor
from tests.support.waiting import DEADLINE_S, eventually

FOREVER = "import time; time.sleep(600)"


def python(name: str, program: str, folder: Path, **options: object) -> ProcessSpec:
    launch = Launch(
        command=(sys.executable, "-c", program),
        environment={"PATH": os.defpath, "PYTHONUNBUFFERED": "1"},
        working_directory=folder,
    )
    return ProcessSpec(name=name, prepare=lambda: launch, **{"settle_s": 0.2, **options})  # type: ignore[arg-type]


async def test_a_process_starts_only_after_those_it_needs_are_ready(tmp_path: Path) -> None:
    """A service that meets no database at its first start would fail for a reason that is nobody's fault."""
    changes: list[ProcessState] = []
    gate = asyncio.Event()

    async def opened() -> bool:
        return gate.is_set()

    supervisor = Supervisor(
        [
            python("service", FOREVER, tmp_path, after=("server",)),
            python("server", FOREVER, tmp_path, probe=opened),
        ],
        log_dir=tmp_path,
        on_change=changes.append,
    )
    supervisor.start()
    try:
        await eventually(lambda: supervisor.process("server").pid is not None)
        assert supervisor.process("service").state is State.PENDING
        gate.set()
        await supervisor.wait_ready(timeout_s=DEADLINE_S)
    finally:
        await supervisor.stop()
    order = [(c.name, c.state) for c in changes if c.state in {State.READY, State.STOPPED}]
    assert order == [
        ("server", State.READY),
        ("service", State.READY),
        ("service", State.STOPPED),
        ("server", State.STOPPED),
    ]


async def test_what_ends_is_started_again_after_a_growing_pause(tmp_path: Path) -> None:
    """A process that cannot run must not burn the machine, and one that died once must not be missed long."""
    moments: list[float] = []
    supervisor = Supervisor(
        [python("broken", "raise SystemExit(3)", tmp_path)],
        log_dir=tmp_path,
        on_change=lambda c: moments.append(time.monotonic()) if c.state is State.BACKOFF else None,
    )
    supervisor.start()
    try:
        await eventually(lambda: len(moments) >= 4)
        assert supervisor.process("broken").detail == "exited with status 3"
    finally:
        await supervisor.stop()
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert pauses[0] >= 0.2
    assert pauses[1] >= 0.4
    assert pauses[2] >= 0.8


async def test_a_killed_process_comes_back(tmp_path: Path) -> None:
    """Kill -9 is what the out-of-memory killer does."""
    supervisor = Supervisor([python("victim", FOREVER, tmp_path)], log_dir=tmp_path)
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=DEADLINE_S)
        first = supervisor.process("victim").pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: supervisor.process("victim").restarts == 1)
        await eventually(lambda: supervisor.process("victim").state is State.READY)
        assert supervisor.process("victim").pid != first
        assert supervisor.process("victim").detail == "was ended by SIGKILL"
    finally:
        await supervisor.stop()


async def test_a_killed_process_comes_back_where_nobody_can_write_it_down(tmp_path: Path) -> None:
    """A full disk ended the supervision of each process that ended meanwhile, for good."""

    def full(_: ProcessState) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    supervisor = Supervisor([python("victim", FOREVER, tmp_path)], log_dir=tmp_path, on_change=full)
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=DEADLINE_S)
        first = supervisor.process("victim").pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: supervisor.process("victim").pid not in (None, first))
    finally:
        await supervisor.stop()


async def test_a_process_that_does_not_come_up_is_reported_with_its_last_words(tmp_path: Path) -> None:
    """Whoever starts the stack must see the reason, not only that there is one."""
    program = "import sys; sys.exit('the disk is full')"
    supervisor = Supervisor([python("broken", program, tmp_path)], log_dir=tmp_path)
    supervisor.start()
    try:
        with pytest.raises(StartFailed) as failure:
            await supervisor.wait_ready(timeout_s=DEADLINE_S, max_restarts=1)
    finally:
        await supervisor.stop()
    assert failure.value.process == "broken"
    assert "the disk is full" in failure.value.log_tail


async def test_a_process_that_is_not_ready_is_reported_with_its_last_complaint(tmp_path: Path) -> None:
    """Nobody looks at a disk that is full because of "not ready after 180 s"."""

    def line(level: str, **fields: str) -> str:
        return json.dumps({"ts": "2999-01-01T00:00:00+00:00", "level": level, **fields})

    words = [
        line("WARNING", message="retrying", what="making streams", error="NATS refuses: no storage left"),
        line("INFO", message="still here"),
        "no JSON",
    ]
    # Of an earlier life: it may be cured since.
    past = {"ts": "2020-01-01T00:00:00+00:00", "level": "ERROR", "message": "the database is away"}
    (tmp_path / "scheduler.log").write_text(json.dumps(past) + "\n")

    async def never() -> bool:
        return False

    supervisor = Supervisor(
        [python("scheduler", f"print({chr(10).join(words)!r}); {FOREVER}", tmp_path, probe=never)],
        log_dir=tmp_path,
    )
    supervisor.start()
    try:
        with pytest.raises(StartFailed) as early:
            await supervisor.wait_ready(timeout_s=0)
        await eventually(lambda: "no JSON" in (tmp_path / "scheduler.log").read_text())
        with pytest.raises(StartFailed) as failure:
            await supervisor.wait_ready(timeout_s=0)
    finally:
        await supervisor.stop()
    assert "away" not in str(early.value)
    assert "not ready after 0 s: making streams: NATS refuses: no storage left" in str(failure.value)


async def test_a_program_that_cannot_be_prepared_is_retried_too(tmp_path: Path) -> None:
    """A full disk during initdb is as temporary as any other failure."""
    attempts: list[int] = []

    def prepare() -> Launch:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("no space left")
        return Launch(
            command=(sys.executable, "-c", FOREVER),
            environment={"PATH": os.defpath},
            working_directory=tmp_path,
        )

    supervisor = Supervisor([ProcessSpec(name="late", prepare=prepare)], log_dir=tmp_path)
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=DEADLINE_S)
        assert "no space left" in supervisor.process("late").detail
    finally:
        await supervisor.stop()


async def test_a_process_that_ignores_the_stop_signal_is_killed_with_its_children(tmp_path: Path) -> None:
    """`loupe down` must end, and leave nothing behind that holds a port or a GPU."""
    program = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"child = subprocess.Popen([sys.executable, '-c', {FOREVER!r}])\n"
        "print(child.pid)\n"
        "time.sleep(600)\n"
    )
    supervisor = Supervisor([python("deaf", program, tmp_path, stop_timeout_s=0.3)], log_dir=tmp_path)
    supervisor.start()
    await supervisor.wait_ready(timeout_s=DEADLINE_S)
    log = tmp_path / "deaf.log"
    await eventually(lambda: log.exists() and log.read_text().endswith("\n"))
    await supervisor.stop()
    child = int(log.read_text())
    await eventually(lambda: not is_alive(child))


async def test_stop_before_everything_started_ends_too(tmp_path: Path) -> None:
    """Ctrl-C comes at any moment."""

    async def never() -> bool:
        return False

    supervisor = Supervisor(
        [
            python("first", FOREVER, tmp_path, probe=never),
            python("second", FOREVER, tmp_path, after=("first",)),
        ],
        log_dir=tmp_path,
    )
    supervisor.start()
    await eventually(lambda: supervisor.process("first").pid is not None)
    await supervisor.stop()
    assert {p.state for p in supervisor.processes} == {State.STOPPED}


async def test_the_http_probe_waits_for_a_real_answer(tmp_path: Path) -> None:
    """An open port is not yet a server that answers."""
    port_file = tmp_path / "port"
    program = (
        "import http.server, pathlib\n"
        "server = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)\n"
        f"pathlib.Path({str(port_file)!r}).write_text(str(server.server_port))\n"
        "server.serve_forever()\n"
    )

    async def probe() -> bool:
        return port_file.exists() and await answers_http(
            "127.0.0.1", int(port_file.read_text() or 0), "/port"
        )

    supervisor = Supervisor([python("web", program, tmp_path, probe=probe)], log_dir=tmp_path)
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=DEADLINE_S)
        assert not await answers_http("127.0.0.1", int(port_file.read_text()), "/nothing-here")
    finally:
        await supervisor.stop()


@pytest.mark.parametrize(
    ("after", "message"),
    [({"a": ("b",), "b": ("a",)}, "wait for each other"), ({"a": ("c",), "b": ()}, "no process is named c")],
)
def test_an_order_that_cannot_be_kept_is_refused(
    tmp_path: Path, after: dict[str, tuple[str, ...]], message: str
) -> None:
    """Otherwise the stack would wait for ever without a word."""
    with pytest.raises(ValueError, match=message):
        Supervisor(
            [python(name, FOREVER, tmp_path, after=needs) for name, needs in after.items()], log_dir=tmp_path
        )


async def test_a_strangers_answer_makes_nothing_ready(tmp_path: Path) -> None:
    """Two stacks once shared a port: one gateway answered for both, and the other never came up unnoticed."""
    with socket.create_server((HOST, 0)) as stranger:
        address = f"{HOST}:{stranger.getsockname()[1]}"
        host, port = stranger.getsockname()

        async def probe() -> bool:
            return await speaks(host, port)

        assert await probe()
        supervisor = Supervisor(
            [python("gateway", FOREVER, tmp_path, probe=probe, address=address)], log_dir=tmp_path
        )
        supervisor.start()
        try:
            with pytest.raises(StartFailed, match="not ready"):
                await supervisor.wait_ready(timeout_s=1.0)
        finally:
            await supervisor.stop()


async def test_a_process_is_ready_when_its_child_listens_on_its_port(tmp_path: Path) -> None:
    """A server may have workers of its own that listen."""
    port = assign(["web"], {})["web"]
    server = f"import socket, time; s = socket.create_server(({HOST!r}, {port})); time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {server!r}])"

    async def probe() -> bool:
        return await speaks(HOST, port)

    supervisor = Supervisor(
        [python("web", parent, tmp_path, probe=probe, address=f"{HOST}:{port}")], log_dir=tmp_path
    )
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=DEADLINE_S)
    finally:
        await supervisor.stop(kill=True)


async def test_processes_are_added_and_removed_while_the_others_run(tmp_path: Path) -> None:
    """`loupe scale`: the others keep their processes, and what was removed is gone and not started again."""
    supervisor = Supervisor([python("server", FOREVER, tmp_path)], log_dir=tmp_path)
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=DEADLINE_S)
        server = supervisor.process("server").pid
        supervisor.add(python("worker", FOREVER, tmp_path, after=("server",)))
        with pytest.raises(ValueError, match="same name"):
            supervisor.add(python("worker", FOREVER, tmp_path))
        await supervisor.wait_ready(timeout_s=DEADLINE_S)
        worker = supervisor.process("worker").pid
        assert worker is not None
        with pytest.raises(ValueError, match="server"):
            await supervisor.remove("server")
        await supervisor.remove("worker")
        assert not is_alive(worker)
        assert [process.name for process in supervisor.processes] == ["server"]
        assert supervisor.process("server").pid == server
        supervisor.add(python("worker", FOREVER, tmp_path, after=("server",)))
        await supervisor.wait_ready(timeout_s=DEADLINE_S)
    finally:
        await supervisor.stop()
