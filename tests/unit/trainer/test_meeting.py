"""Hosts that train together meet, and lose each other, without any service around them."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf import json_format
from loupe.errors import LoupeError, Unavailable
from loupe.settings import SettingsError, load
from loupe.worker.v1 import event_pb2, meeting_pb2, order_pb2

from services.kit.shared_secret import SecretRefused, SharedSecret, server_context
from services.trainer.following import Following
from services.trainer.meeting import Meeting
from services.trainer.settings import MeetingSettings
from services.trainer.talk import Talk
from services.trainer.training.session import run
from services.vision.pack import PackCache
from services.worker.warm_child import WarmChild
from tests.support.children import environment, until
from tests.support.training import RecordingChannel, in_float64, small_data_set, train_order
from tests.support.waiting import DEADLINE_S, eventually

SECRET = "of the hosts that train together in a test"  # noqa: S105
OWN = meeting_pb2.Enlistment(host="a", version="1", torch_version="2")


class Share:
    """Whom the follower's child may read for: no child of these tests asks, for it reads a folder."""

    def __init__(self) -> None:
        self.granted: order_pb2.Order | None = None

    def grant(self, order: order_pb2.Order) -> None:
        self.granted = order

    def revoke(self) -> None:
        self.granted = None


class Leader:
    """Address and secret, as a follower's settings have them."""

    def __init__(self, port: int, secret: str = SECRET) -> None:
        self.leader = ("127.0.0.1", port)
        self.secret = secret


@contextlib.asynccontextmanager
async def meeting(nodes: int = 2) -> AsyncIterator[Meeting]:
    settings = MeetingSettings(nodes=nodes, listen="127.0.0.1:0", secret=SECRET)
    async with Meeting(settings, processes=1, own=OWN) as found:
        yield found


@contextlib.asynccontextmanager
async def running(*loops: object) -> AsyncIterator[None]:
    """Loops of a process, until the end."""
    tasks = [asyncio.ensure_future(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def child(folder: Path, hosts: object, *arguments: str) -> WarmChild:
    program = [sys.executable, "-m", "tests.support.float64_child", *arguments]
    return WarmChild(program, environment(folder), scratch=folder / f"children-{id(hosts)}", hosts=hosts)


async def test_two_hosts_give_the_curve_of_one_and_a_lost_one_is_reported(tmp_path):
    """The leader's child gets one order after another; the follower's trains along until one is lost."""
    data_set = small_data_set(tmp_path / "objects")
    order = train_order(data_set.manifest(), classification={"max_iter": 8, "base_lr": 0.0001})
    alone, told = RecordingChannel(), RecordingChannel()
    with in_float64():
        run(order, data_set.objects, PackCache(tmp_path / "cache" / "packs"), tmp_path / "alone", alone)
    share = Share()
    async with asyncio.timeout(DEADLINE_S), meeting() as leader:
        following = Following(Leader(leader.port), OWN, share)
        first, second = child(tmp_path, leader), child(tmp_path, following)
        async with running(first.run(), second.run(), following.relay(second)):
            for _ in range(2):  # the processes stay warm
                warm = await first.take()
                await leader.require()
                await warm.send(order)
                told.events = await until(warm.events, "trained", "failed")
                assert told.events[-1].HasField("trained"), told.events[-1]
                assert share.granted == order
                await first.give_back(warm, keep=True)
                assert list(told.losses.values()) == pytest.approx(list(alone.losses.values()), rel=1e-6)
                await eventually(lambda: share.granted is None)

            manifest = order.train.work.manifests[0].sha256
            endless = train_order(manifest, classification={"max_iter": 10_000})
            warm = await first.take()
            await warm.send(endless)
            await until(warm.events, "loss_points")
            os.kill(second.pid, signal.SIGKILL)
            failed = (await until(warm.events, "failed"))[-1].failed
            assert (failed.failure.code, failed.retryable) == ("PROCESS_LOST", True)
            assert "host a (127.0.0.1) of this training: the process ended" in failed.failure.message
            assert await warm.process.wait() == 1
            await first.give_back(warm, keep=False)

            # They meet again, and the next loss is the leader's: the follower's child ends with it.
            warm = await first.take()
            lost = second.pid
            await first.give_back(warm, keep=False)
            await eventually(lambda: second.pid not in (lost, None) and first.is_ready)


@pytest.mark.parametrize("secret", ["of somebody who listens on the network of the hosts", None])
async def test_who_does_not_know_the_secret_is_refused(secret):
    """The meeting tells a stranger nothing; a follower is told that its secret is wrong."""
    async with meeting() as leader:
        if secret:
            with pytest.raises(SecretRefused):
                await SharedSecret(secret).connect("127.0.0.1", leader.port)
        else:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            reader, writer = await asyncio.open_connection("127.0.0.1", leader.port, ssl=context)
            writer.write(bytes(64))
            assert len(await reader.read()) == 32  # its challenge
            writer.close()
        with pytest.raises(Unavailable) as error:
            await leader.require()
        assert "1 of 2 hosts are there" in str(error.value)


async def test_somebody_in_between_is_refused_by_both():
    """Each proof holds for the certificate of one connection: passed on, it proves nothing."""
    outcomes: list[BaseException | None] = []
    async with meeting() as leader:

        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            there, back = await asyncio.open_connection("127.0.0.1", leader.port, ssl=context)
            writer.write(await there.readexactly(32))
            back.write(await reader.readexactly(64))
            outcomes.append(None if await there.read() else EOFError())
            writer.close()
            back.close()

        certificate, _ = server_context()
        server = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=certificate)
        with pytest.raises(SecretRefused):
            await SharedSecret(SECRET).connect("127.0.0.1", server.sockets[0].getsockname()[1])
        await eventually(lambda: outcomes)
        assert isinstance(outcomes[0], EOFError)
        server.close()


@contextlib.asynccontextmanager
async def enlisted(port: int, host: str = "b", **changes: str) -> AsyncIterator[Talk]:
    """A follower without processes."""
    own = meeting_pb2.Enlistment(host=host, version=OWN.version, torch_version=OWN.torch_version)
    own.MergeFrom(meeting_pb2.Enlistment(**changes))
    async with Talk(*await SharedSecret(SECRET).connect("127.0.0.1", port)) as talk:
        await talk.send(meeting_pb2.MeetingMessage(enlistment=own))
        yield talk


async def test_who_comes_too_late_takes_the_place_of_one_that_is_lost():
    """The lost one is told of by name, and the others meet again without it."""
    async with (
        asyncio.timeout(DEADLINE_S),
        meeting() as leader,
        enlisted(leader.port, "first") as first,
        leader.formed() as formation,
        enlisted(leader.port, "second") as second,
    ):
        told = (await anext(first.messages())).formation
        assert (told.node, told.nodes, told.processes) == (1, 2, 1)
        first.close()
        _, loss_fd = formation.descriptors
        event = json_format.Parse(await asyncio.to_thread(os.read, loss_fd, 65_536), event_pb2.Event())
        assert event.failed.failure.code == "PROCESS_LOST"
        assert "host first (127.0.0.1) of this training: it closed" in event.failed.failure.message
        async with contextlib.AsyncExitStack() as later:
            again = asyncio.create_task(later.enter_async_context(leader.formed()))
            assert (await anext(second.messages())).formation.number == told.number + 1
            await again


async def test_a_host_that_is_not_alike_is_refused_by_name(tmp_path):
    """Other software would draw another curve, or fail in the middle of one."""
    async with asyncio.timeout(DEADLINE_S), meeting() as leader:
        async with enlisted(leader.port, version="0") as talk:
            refusal = (await talk.first()).refusal
        assert (refusal.reason, refusal.message) == (
            "OTHER_VERSION",
            "b has Loupe 0, its leader Loupe 1; make them alike",
        )
        other = meeting_pb2.Enlistment(host="b", version="1", torch_version="2", gpus=1)
        following = Following(Leader(leader.port), other, Share())

        async def reason() -> str:
            try:
                await following.require()
            except LoupeError as error:
                return error.reason
            return ""

        async def refused() -> bool:
            return await reason() == "OTHER_GPUS"

        async with running(child(tmp_path, following).run()):
            await eventually(refused)


async def test_only_processes_of_the_present_formation_reach_the_store():
    """A process of a formation that is over must not disturb the next one."""
    async with (
        asyncio.timeout(DEADLINE_S),
        meeting() as leader,
        enlisted(leader.port),
        leader.formed() as formation,
    ):
        reached = []
        for number in (formation.number + 1, formation.number):
            reader, writer = await SharedSecret(SECRET).connect("127.0.0.1", leader.port)
            link = meeting_pb2.StoreLink(formation=number)
            await Talk(reader, writer).send(meeting_pb2.MeetingMessage(store_link=link))
            store = socket.socket(fileno=os.dup(formation.descriptors[0]))
            store.settimeout(0 if number != formation.number else DEADLINE_S)
            if number != formation.number:
                assert await reader.read() == b""
            with store, contextlib.suppress(BlockingIOError):
                (await asyncio.to_thread(store.accept))[0].close()
                reached.append(number)
            writer.close()
        assert reached == [formation.number]


async def test_a_follower_that_is_stopped_lets_its_leader_store_a_checkpoint():
    """Hosts are stopped together; the leader needs the others for the iteration that it is in."""
    order = order_pb2.Order(train=order_pb2.Train())
    async with asyncio.timeout(DEADLINE_S), meeting() as leader:
        following = Following(Leader(leader.port), OWN, Share())
        async with contextlib.AsyncExitStack() as followed:
            enlisting = asyncio.create_task(followed.enter_async_context(following.formed()))
            async with leader.formed() as formation:
                await enlisting
                await following.leave()  # nothing goes on
                await formation.grant(order)
                leaving = asyncio.create_task(following.leave())
                await asyncio.wait({leaving}, timeout=0.1)
                assert not leaving.done()
            await leaving


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"LOUPE_MEETING_LISTEN": "0.0.0.0:7105"}, "the address of one network"),
        ({"LOUPE_MEETING_LISTEN": "gpu-1:7105"}, "an IPv4 address"),
        ({"LOUPE_MEETING_SECRET": "short"}, "32 random characters or more, not of 5"),
        ({"LOUPE_NODES": "0"}, "1 or more"),
    ],
)
def test_a_meeting_that_is_open_to_many_is_refused(settings, named):
    """All networks, or a secret that can be guessed, are never meant."""
    given = {"LOUPE_NODES": "2", "LOUPE_MEETING_LISTEN": "10.0.0.1:7105", "LOUPE_MEETING_SECRET": SECRET}
    assert load(MeetingSettings, given).nodes == 2
    with pytest.raises(SettingsError, match=re.escape(named)):
        load(MeetingSettings, given | settings)
