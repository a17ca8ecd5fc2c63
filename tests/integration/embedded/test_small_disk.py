"""The stack on a disk that is small, or has become so."""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from loupe.errors import LoupeError, Unavailable

from deploy.embedded.credentials import load_or_create
from deploy.embedded.loupe_processes import Workers, loupe_processes
from deploy.embedded.nats import MAX_FILE_STORE_BYTES, Nats
from deploy.embedded.ports import SERVICE_PORTS, assign
from deploy.embedded.process import ProcessSpec
from deploy.embedded.servers import EmbeddedServers, Plan
from deploy.embedded.state import State
from deploy.embedded.supervisor import Supervisor
from services.kit.messaging import Messaging
from services.kit.streams import StreamSettings, ensure_stream
from services.registry import consumers as registry_streams
from services.scheduler import consumers as scheduler_streams
from tests.support.full_disk import filled
from tests.support.small_disk import mounted
from tests.support.waiting import DEADLINE_S

GIB = 2**30
HOUR_S = 3600.0
DISK_GIB = 5


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of five gigabytes."""
    with mounted(tmp_path, gibibytes=DISK_GIB) as place:
        yield place


async def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.05)


def registry_and_scheduler(plan: Plan) -> list[ProcessSpec]:
    """Who makes streams."""
    processes = loupe_processes(plan, workers=Workers(trainers=0, evaluators=0))
    return [process for process in processes if process.name in {"registry", "scheduler"}]


class EmbeddedNats:
    """The NATS server of an embedded stack, without the rest."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._server = Nats(
            folder, port=assign(["nats"], {})["nats"], credentials=load_or_create(folder / "credentials.json")
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Messaging]:
        """Start it, connect, and stop it."""
        supervisor = Supervisor([self._server.spec()], log_dir=self._folder)
        supervisor.start()
        try:
            await supervisor.wait_ready(timeout_s=DEADLINE_S, max_restarts=3)
            async with await Messaging.connect(self._server.url) as messaging:
                yield messaging
        finally:
            await supervisor.stop()


async def make_streams(messaging: Messaging) -> None:
    """What registry and scheduler do when they start."""
    async with asyncio.timeout(DEADLINE_S):
        await registry_streams.ensure_streams(messaging, StreamSettings())
        await scheduler_streams.ensure_streams(messaging, StreamSettings(), loss_bytes=GIB)


async def reserved(messaging: Messaging, stream: str) -> int:
    return int((await messaging.jetstream.stream_info(stream)).config.max_bytes)


async def test_what_jetstream_may_reserve_does_not_depend_on_the_disk(tmp_path: Path) -> None:
    """What is free when NATS starts is chance: the same streams must fit at every start."""
    async with EmbeddedNats(tmp_path / "nats").running() as messaging:
        await ensure_stream(messaging, "ALL", ("all",), max_age_s=HOUR_S, max_bytes=MAX_FILE_STORE_BYTES)
        with pytest.raises(Unavailable, match="insufficient storage"):
            await ensure_stream(messaging, "MORE", ("more",), max_age_s=HOUR_S, max_bytes=1)


async def test_streams_of_an_earlier_build_are_taken_over(tmp_path: Path) -> None:
    """It reserved 4 GiB for LOSS. An update must come up, and must not shrink what somebody may want."""
    nats = EmbeddedNats(tmp_path / "nats")
    async with nats.running() as messaging:
        await ensure_stream(
            messaging, "LOSS", ("loupe.tasks.*.loss.*",), max_age_s=7 * 86_400, max_bytes=4 * GIB
        )
    for _ in range(2):
        async with nats.running() as messaging:
            await make_streams(messaging)
            assert await reserved(messaging, "LOSS") == 4 * GIB


async def test_streams_are_found_again_on_a_disk_that_has_filled(small_disk: Path) -> None:
    """The first start has the whole disk, every later one what pictures and weights have left."""
    nats = EmbeddedNats(small_disk / "nats")
    async with nats.running() as messaging:
        await make_streams(messaging)
        await messaging.publish("loupe.tasks.a.state", b"kept", message_id="m")
        assert await reserved(messaging, "LOSS") == GIB
    with (small_disk / "pictures").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(small_disk).free - GIB // 2)
    async with nats.running() as messaging:
        await make_streams(messaging)
        assert (await messaging.jetstream.stream_info("TASKS")).state.messages == 1


async def test_events_go_on_when_a_full_disk_has_room_again(small_disk: Path) -> None:
    """JetStream never again writes to a stream that met a full disk, until it is started anew."""
    nats = EmbeddedNats(small_disk / "nats")

    async def publish(number: int) -> bool:
        try:
            await messaging.publish("loupe.tasks.a.state", b"x" * 100_000, message_id=str(number))
        except LoupeError:
            return False
        return True

    async with nats.running() as messaging:
        await make_streams(messaging)
        numbers = itertools.count()
        with filled(small_disk):
            while await publish(next(numbers)):
                pass
        async with asyncio.timeout(DEADLINE_S):
            for number in numbers:
                if await publish(number):
                    break
                await asyncio.sleep(0.05)


async def test_a_stack_on_a_small_disk_comes_back(small_disk: Path) -> None:
    """After an orderly stop, and after kill -9 of the scheduler alone."""
    for _ in range(2):
        servers = EmbeddedServers(
            small_disk / "loupe", more=registry_and_scheduler, port_names=SERVICE_PORTS, durable=False
        )
        await servers.start(timeout_s=60)
        try:
            killed = servers.supervisor.process("scheduler").pid
            assert killed is not None
            os.kill(killed, signal.SIGKILL)
            await eventually(lambda: servers.supervisor.process("scheduler").pid not in {None, killed})  # noqa: B023 -- awaited here
            await eventually(lambda: servers.supervisor.process("scheduler").state is State.READY)  # noqa: B023 -- as above
        finally:
            await servers.stop()
