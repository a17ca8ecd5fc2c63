"""The embedded stack after kill -9 of its parts, and of its supervisor."""

import errno
import io
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import nats
import pytest
import pytest_asyncio
from minio import Minio

from deploy.embedded import stack
from deploy.embedded.credentials import load_or_create
from deploy.embedded.errors import StartFailed
from deploy.embedded.ports import SEAWEED_GRPC_OFFSET
from deploy.embedded.postgres import outside_folder
from deploy.embedded.process import Launch, ProcessSpec, command_line, is_alive
from deploy.embedded.servers import EmbeddedServers, Plan
from deploy.embedded.state import ProcessState, State, read_state
from tests.support.waiting import DEADLINE_S, eventually


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def victims(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServers]:
    """Servers of this module's own: everybody else's must not be killed."""
    # A path longer than a socket's name may be, and with a space: nobody chooses folders for our sake.
    root = tmp_path_factory.mktemp("victims") / ("a long folder name " * 6).strip()
    async with EmbeddedServers(root, durable=False) as servers:
        yield servers
        await servers.stop(kill=True)


def owner(path: Path) -> int:
    return path.stat().st_uid


def target(link: Path) -> Path:
    return link.readlink()


async def kill_and_wait(servers: EmbeddedServers, name: str) -> None:
    before = servers.supervisor.process(name)
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    await eventually(lambda: servers.supervisor.process(name).restarts > before.restarts)
    await eventually(lambda: servers.supervisor.process(name).state is State.READY)


async def test_postgres_comes_back_with_what_was_committed(victims: EmbeddedServers) -> None:
    """PostgreSQL holds the truth (architecture, invariant 1)."""
    url = victims.postgres.url.replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE task (name text)")
    await connection.execute("INSERT INTO task VALUES ('kept')")
    await kill_and_wait(victims, "postgres")
    connection.terminate()
    again = await asyncpg.connect(url)
    assert await again.fetchval("SELECT name FROM task") == "kept"
    await again.close()


async def test_a_state_that_could_not_be_written_is_written_when_there_is_room(
    victims: EmbeddedServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: the file goes on saying what was before, and says what is as soon as it can."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("deploy.embedded.servers.write_state", full)
        await kill_and_wait(victims, "nats")
    now = victims.supervisor.processes

    def is_told() -> bool:
        told = read_state(victims.folder.state_file)
        return told is not None and told.processes == now

    await eventually(is_told)


async def test_nats_comes_back_with_what_was_acknowledged(victims: EmbeddedServers) -> None:
    """An event that the relay marked as published must still reach its consumers."""
    client = await nats.connect(victims.nats.url, reconnect_time_wait=0.05, max_reconnect_attempts=-1)
    await client.jetstream().add_stream(name="TASKS", subjects=["loupe.tasks.>"])
    await client.jetstream().publish("loupe.tasks.a.state", b"kept")
    await kill_and_wait(victims, "nats")
    await eventually(lambda: client.is_connected)
    message = await client.jetstream().get_msg("TASKS", seq=1)
    assert message.data == b"kept"
    await client.close()


async def test_seaweed_comes_back_with_what_was_stored(victims: EmbeddedServers) -> None:
    """Bytes are written before they are named (architecture, invariant 5): a name must find them."""
    store = victims.object_store
    client = Minio(store.endpoint, access_key=store.access_key, secret_key=store.secret_key, secure=False)
    client.put_object(store.bucket, "weights/kept", io.BytesIO(b"kept"), 4)
    await kill_and_wait(victims, "seaweed")
    assert client.get_object(store.bucket, "weights/kept").data == b"kept"


async def test_seaweed_takes_writes_at_once_after_many_kills(victims: EmbeddedServers) -> None:
    """With what it remembers, its master may hold back every write for 15 s: 5 of 40 times."""
    took_s = []
    for _ in range(3):
        started_s = time.monotonic()
        await kill_and_wait(victims, "seaweed")
        took_s.append(time.monotonic() - started_s)
    # One beside another: how fast the machine is, is the same for all.
    assert max(took_s) - min(took_s) < 14


async def test_a_stopped_store_leaves_no_sockets(tmp_path: Path) -> None:
    """It opens them in /tmp, where nobody looks for what is ours."""

    def sockets(servers: EmbeddedServers) -> list[Path]:
        numbers = [port + SEAWEED_GRPC_OFFSET for port in servers.plan.ports.values()]
        return [path for n in numbers for path in Path("/tmp").glob(f"seaweedfs-*-grpc-{n}.sock")]  # noqa: S108

    servers = EmbeddedServers(tmp_path / ("long " * 20).strip(), durable=False)
    async with servers:
        assert sockets(servers)
        assert (folder := Path(tempfile.gettempdir()) / f"loupe-{servers.credentials.stack_id}").is_dir()
        await servers.stop(kill=True)
    assert not sockets(servers)
    assert not folder.exists()


async def test_a_stale_pid_file_that_names_a_living_stranger_does_not_stop_postgres(
    victims: EmbeddedServers,
) -> None:
    """After a reboot the recorded id is somebody else's; PostgreSQL itself would refuse to start for ever."""
    pid_file = victims.folder.root / "postgres" / "data" / "postmaster.pid"
    killed = victims.supervisor.process("postgres").pid
    assert killed is not None
    stopped = pid_file.read_text().splitlines()
    os.kill(killed, signal.SIGKILL)
    # Before the next start: the supervisor runs on this loop.
    pid_file.write_text("\n".join([str(os.getppid()), *stopped[1:]]) + "\n")
    await eventually(lambda: victims.supervisor.process("postgres").pid not in {None, killed})
    await eventually(lambda: victims.supervisor.process("postgres").state is State.READY)


def test_up_twice_kill_the_supervisor_and_up_again(tmp_path: Path) -> None:
    """The whole life of a stack on one machine, as `loupe up --detach` and `loupe down` see it."""
    root = tmp_path / "data"
    events: list[ProcessState] = []
    try:
        first = stack.up(root, detach=True, services=False, on_event=events.append)
        assert not first.already_running
        assert {p.state for p in first.status.processes} == {State.READY}
        assert {e.name for e in events if e.state is State.READY} == {"postgres", "nats", "seaweed"}
        assert (root / "credentials.json").stat().st_mode & 0o777 == 0o600
        secrets_kept = (root / "credentials.json").read_text()

        again = stack.up(root, detach=True, services=False)
        assert again.already_running
        assert again.status.supervisor_pid == first.status.supervisor_pid

        now = stack.status(root)
        assert now.running
        assert all(
            p.pid and p.uptime_s is not None and (p.memory_bytes or 0) > 1_000_000 for p in now.processes
        )

        assert first.status.supervisor_pid is not None
        os.kill(first.status.supervisor_pid, signal.SIGKILL)
        # At once: it and its orphans may still be ending.
        third = stack.up(root, detach=True, services=False)
        assert not third.already_running
        addresses = {p.name: p.address for p in first.status.processes}
        assert {p.name: p.address for p in third.status.processes} == addresses
        assert (root / "credentials.json").read_text() == secrets_kept
        orphans = {p.pid for p in first.status.processes if p.pid is not None and is_alive(p.pid)}
        assert not {pid for pid in orphans if str(root) in " ".join(command_line(pid))}
    finally:
        last = stack.status(root).supervisor_pid
        stopped = stack.down(root)
    assert stopped
    assert last is not None
    assert not is_alive(last)
    assert not stack.down(root)
    assert stack.status(root).state is State.STOPPED


async def test_a_stack_whose_folder_was_deleted_ends(tmp_path: Path) -> None:
    """Whoever removes a folder to be rid of it must not have to hunt for its servers."""
    root = tmp_path / "data"
    running = stack.up(root, detach=True, services=False).status
    pids = [running.supervisor_pid, *(process.pid for process in running.processes)]
    shutil.rmtree(root, ignore_errors=True)
    await eventually(lambda: not any(pid and is_alive(pid) for pid in pids))


async def test_a_process_on_top_that_fails_is_named_and_nothing_stays(tmp_path: Path) -> None:
    """A half-started stack would hold the folder and the ports, and nobody would know why."""

    def broken(plan: Plan) -> list[ProcessSpec]:
        launch = Launch(
            command=(sys.executable, "-c", "raise SystemExit('no such setting')"),
            environment={"PATH": os.defpath},
            working_directory=plan.folder.root,
        )
        return [ProcessSpec(name="registry", prepare=lambda: launch, after=("postgres", "nats"))]

    servers = EmbeddedServers(tmp_path / "data", more=broken, durable=False)
    with pytest.raises(StartFailed, match="registry does not come up") as failure:
        await servers.start(timeout_s=DEADLINE_S)
    assert "no such setting" in failure.value.log_tail
    assert {p.state for p in servers.supervisor.processes} == {State.STOPPED}
    with servers.folder.lock():
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs the other account")
async def test_root_without_user_namespaces_runs_postgres_as_somebody_else(tmp_path: Path) -> None:
    """Some containers forbid namespaces; the folder may be one that no other user can reach."""
    servers = EmbeddedServers(tmp_path / "data", durable=False, user_namespace_allowed=False)
    servers.folder.create()
    credentials = load_or_create(servers.folder.credentials_file)
    outside = outside_folder(credentials.stack_id)
    try:
        async with servers:
            pid = servers.supervisor.process("postgres").pid
            assert pid is not None
            assert owner(Path(f"/proc/{pid}")) != 0
            assert target(servers.folder.root / "postgres") == outside
            connection = await asyncpg.connect(servers.postgres.url.replace("+asyncpg", ""))
            await connection.close()
            await servers.stop(kill=True)
    finally:
        shutil.rmtree(outside.parent, ignore_errors=True)


def test_a_detached_start_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    """The daemon has no terminal; what it met must reach the one who started it."""
    root = tmp_path / "data"
    root.mkdir()
    (root / "postgres").write_text("in the way")
    with pytest.raises(StartFailed, match=r"postgres does not come up .*could not be started"):
        stack.up(root, detach=True, services=False)
    assert stack.status(root).state is State.STOPPED
    assert not stack.down(root)
