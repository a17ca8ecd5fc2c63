"""`loupe events --follow` over a NATS server that is killed."""

# ruff: noqa: ASYNC110 -- conditions are awaited with a deadline

import asyncio
import contextlib
import itertools
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest_asyncio
from loupe.commands.events import Event, events_of
from loupe.commands.session import Output
from nats.aio.client import Client

from deploy.embedded.credentials import load_or_create
from deploy.embedded.nats import Nats
from deploy.embedded.ports import assign
from deploy.embedded.state import State
from deploy.embedded.supervisor import Supervisor
from services.kit.messaging import Messaging
from services.kit.nats_names import MIRRORS_INBOX
from services.kit.streams import StreamSettings
from services.scheduler.consumers import ensure_streams

SUBJECT = "loupe.tasks.*.state"
DEADLINE_S = 60


class Bus:
    """A NATS server that may be killed, and somebody who publishes."""

    def __init__(self, server: Nats, supervisor: Supervisor, client: Client) -> None:
        self.server = server
        self.supervisor = supervisor
        self.client = client
        self.jetstream = client.jetstream(timeout=1)

    async def publish(self, task: str) -> None:
        """A state of a task; tried until the server has taken it, once."""
        while True:
            with contextlib.suppress(nats.errors.Error):
                subject = f"loupe.tasks.{task}.state"
                await self.jetstream.publish(subject, b"", headers={"Nats-Msg-Id": task})
                return
            await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """Kill -9; its supervisor starts it again."""
        before = self.supervisor.process("nats")
        assert before.pid is not None
        os.kill(before.pid, signal.SIGKILL)
        now = before
        while now.restarts == before.restarts or now.state is not State.READY:
            await asyncio.sleep(0.02)
            now = self.supervisor.process("nats")

    async def make_stream(self) -> None:
        """The stream and its copy for readers, as a scheduler makes them when it starts."""
        settings = StreamSettings(mirrors_url=self.server.mirrors_url_of("scheduler"))
        async with await Messaging.connect(self.server.url_of("scheduler"), name="scheduler") as messaging:
            await ensure_streams(messaging, settings, loss_bytes=2**20)

    async def copy_has(self, fact: str) -> None:
        """Wait until the copy of the stream, which readers read, has messages, or a consumer_count."""
        url = self.server.mirrors_url_of("scheduler")
        async with await Messaging.connect(url, name="mirrors", inbox=MIRRORS_INBOX) as mirrors:
            while not (await mirrors.ask_jetstream("STREAM.INFO.TASKS"))["state"][fact]:
                await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[AsyncIterator[Event]]:
        """The events from now on, as the command has them."""
        out = Output(as_json=False)
        stream = events_of(out, self.server.reader_url, (SUBJECT,), None, follow=True)
        async with contextlib.aclosing(stream) as events:
            yield events


@pytest_asyncio.fixture(loop_scope="session")
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    credentials = load_or_create(tmp_path / "credentials.json")
    server = Nats(tmp_path, port=assign(["nats"], {})["nats"], credentials=credentials)
    supervisor = Supervisor([server.spec()], log_dir=tmp_path)
    supervisor.start()
    try:
        await supervisor.wait_ready(timeout_s=20, max_restarts=3)
        client = await nats.connect(server.url, reconnect_time_wait=0.05, max_reconnect_attempts=-1)
        yield Bus(server, supervisor, client)
        await client.close()
    finally:
        await supervisor.stop(kill=True)


async def test_a_follower_goes_on_where_it_was_when_nats_was_killed(bus: Bus) -> None:
    """A subscriber misses nothing and sees nothing twice; what was before it followed is not shown either."""
    await bus.make_stream()
    await bus.publish("before")
    await bus.copy_has("messages")
    async with asyncio.timeout(DEADLINE_S), bus.followed() as events:
        following = asyncio.ensure_future(anext(events))
        await bus.copy_has("consumer_count")
        await bus.kill()
        await bus.publish("first")
        assert (await following).subject == "loupe.tasks.first.state"
        await bus.kill()
        await bus.publish("second")
        assert (await anext(events)).subject == "loupe.tasks.second.state"


async def test_a_follower_waits_for_the_first_event_of_all(bus: Bus) -> None:
    """A stream is made with its first event: on a new installation there is none yet."""
    async with asyncio.timeout(DEADLINE_S), bus.followed() as events:
        following = asyncio.ensure_future(anext(events))
        await bus.make_stream()
        # The follower looks for the stream now and then: what comes before it has found it is not for it.
        for number in itertools.count():
            await bus.publish(str(number))
            if (await asyncio.wait({following}, timeout=0.1))[0]:
                break
        assert re.fullmatch(r"loupe\.tasks\.\d+\.state", following.result().subject)
