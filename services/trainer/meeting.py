"""Where the trainer that leads meets the followers with which it trains on several hosts.

It listens on the network between the hosts, for those alone who prove the group's secret (kit.shared_secret).
A follower enlists and waits. When as many are there as the group has, they and the trainer are a formation:
each starts its processes, which meet at a store of torch's. That listens on the leader's loopback interface,
since it knows nothing of secrets; followers reach it through further proven connections.

A formation lasts until one of it is lost. Then all processes end, and the hosts meet again. It outlives a
training that ends well, so that the processes stay warm.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Self

from google.protobuf import json_format
from loupe.errors import Unavailable
from loupe.translation import Sentence, sentence
from loupe.worker.v1 import event_pb2, meeting_pb2, order_pb2

from services.failure_codes import FailureCode
from services.kit import tasks
from services.kit.shared_secret import SharedSecret
from services.trainer.place import Place, interface_environ
from services.trainer.settings import MeetingSettings
from services.trainer.talk import HostLost, Talk, splice
from services.worker import outcomes

_log = logging.getLogger(__name__)

_GRANTED_S = 10.0
_CHILD_GRACE_S = 15.0
"""How long the child may take to tell of a loss and end."""


class _Member:
    """A follower that enlisted."""

    def __init__(self, host: str, talk: Talk) -> None:
        self.host = f"{host} ({talk.peer})"
        self.talk = talk
        self.formation: LedFormation | None = None
        self._taken = asyncio.Event()

    async def grant(self, order: order_pb2.Order) -> None:
        """Let it read what the order names; returns when it does. HostLost."""
        self._taken.clear()
        await self.talk.send(meeting_pb2.MeetingMessage(order=order))
        if order.WhichOneof("work"):
            try:
                async with asyncio.timeout(_GRANTED_S):
                    await self._taken.wait()
            except TimeoutError as error:
                raise HostLost(sentence("it did not take the order")) from error

    def hear(self, message: meeting_pb2.MeetingMessage) -> None:
        """Handle a message of it."""
        if message.HasField("order_taken"):
            self._taken.set()
        elif message.HasField("loss") and self.formation is not None:
            failure = message.loss.failed.failure
            self.formation.lose(self.host, Sentence(failure.message, failure.message_zh), message.loss)

    def lost(self, did: Sentence) -> None:
        """It is gone."""
        if self.formation is not None:
            self.formation.lose(self.host, did)


class LedFormation:
    """The leader and its followers, as the leader's worker and child see them."""

    def __init__(
        self,
        number: int,
        place: Place,
        members: Sequence[_Member],
        loss_fd: int,
        interface: Mapping[str, str],
    ) -> None:
        """`loss_fd` is written to once, when a member is lost."""
        self.number = number
        self._place = place
        self._members = members
        self._loss_fd = loss_fd
        self._interface = interface
        self._broken = asyncio.Event()

    @property
    def environ(self) -> Mapping[str, str]:
        """What tells the child of its place."""
        return {**self._place.environ(), **self._interface}

    @property
    def descriptors(self) -> Sequence[int]:
        """Those of the child's place."""
        return [number for number in (self._place.store_fd, self._place.loss_fd) if number is not None]

    async def grant(self, order: order_pb2.Order) -> None:
        """Let the followers read the objects of the order, and no others. One that fails to is lost."""
        answers = await asyncio.gather(
            *(member.grant(order) for member in self._members), return_exceptions=True
        )
        for member, answer in zip(self._members, answers, strict=True):
            if isinstance(answer, HostLost):
                member.lost(answer.did)
            elif isinstance(answer, BaseException):
                raise answer

    async def broken(self) -> None:
        """Return when the child had its time to tell of a loss."""
        await self._broken.wait()
        await asyncio.sleep(_CHILD_GRACE_S)

    def lose(self, host: str, how: Sentence, event: event_pb2.Event | None = None) -> None:
        """A host is lost, or told that it failed: the child tells of the first such loss, and ends."""
        if self._broken.is_set():
            return
        self._broken.set()
        message = sentence("host {host} of this training: {how}", host=host, how=how)
        code, retryable = FailureCode.PROCESS_LOST, True
        if event is not None:
            code, retryable = FailureCode(event.failed.failure.code), event.failed.retryable
        _log.warning("a host is lost", extra={"host": host, "how": how.english})
        failed = outcomes.failed(code, *message, retryable=retryable).failed
        line = json_format.MessageToJson(event_pb2.Event(failed=failed), indent=None).encode() + b"\n"
        with contextlib.suppress(OSError):  # the child is gone already
            os.write(self._loss_fd, line)


class Meeting:
    """Listens while it is entered."""

    def __init__(self, settings: MeetingSettings, *, processes: int, own: meeting_pb2.Enlistment) -> None:
        """`processes` train on each host; `own` is what the leader is, and its followers have to be."""
        self._settings = settings
        self._processes = processes
        self._own = own
        self._secret = SharedSecret(settings.secret)
        self._server: asyncio.Server | None = None
        self._waiting: list[_Member] = []
        self._arrived = asyncio.Event()
        self._count = 0
        self._formation: LedFormation | None = None
        self._store: tuple[str, int] = ("", 0)
        self._interface: Mapping[str, str] = {}
        self._links: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """At which it listens."""
        return 0 if self._server is None else int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        host, port = self._settings.address
        self._interface = interface_environ(host)
        self._server = await self._secret.serve(host, port, self._meet)
        _log.info("meeting followers", extra={"address": host, "port": self.port})
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def require(self) -> None:
        """Unavailable unless all hosts are there."""
        if self._formation is None:
            there, wanted = len(self._waiting) + 1, self._settings.nodes
            raise Unavailable(f"{there} of {wanted} hosts are there", reason="HOSTS_MISSING")

    @contextlib.asynccontextmanager
    async def formed(self) -> AsyncIterator[LedFormation]:
        """Wait for the followers; at the end they end their processes."""
        wanted = self._settings.nodes - 1
        while len(self._waiting) < wanted:
            self._arrived.clear()
            await self._arrived.wait()
        members, self._waiting = self._waiting[:wanted], self._waiting[wanted:]
        self._count += 1
        read_fd, write_fd = os.pipe()
        try:
            with socket.create_server(("127.0.0.1", 0)) as store:
                self._store = store.getsockname()
                place = Place(
                    nodes=self._settings.nodes,
                    processes=self._processes,
                    store_fd=store.fileno(),
                    loss_fd=read_fd,
                )
                self._formation = LedFormation(self._count, place, members, write_fd, self._interface)
                await self._announce(members, self._formation)
                yield self._formation
        finally:
            self._formation = None
            for member in members:
                member.formation = None
                member.talk.close()
            await tasks.end(*self._links)
            os.close(read_fd)
            os.close(write_fd)

    async def _announce(self, members: Sequence[_Member], formation: LedFormation) -> None:
        for member in members:
            member.formation = formation
        _log.info("all hosts are there", extra={"followers": [member.host for member in members]})
        for node, member in enumerate(members, 1):
            told = meeting_pb2.Formation(
                number=formation.number, node=node, nodes=self._settings.nodes, processes=self._processes
            )
            try:
                await member.talk.send(meeting_pb2.MeetingMessage(formation=told))
            except HostLost as lost:
                member.lost(lost.did)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Talk(reader, writer)
        try:
            first = await talk.first()
            if first.HasField("store_link"):
                await self._link(first.store_link, reader, writer)
            elif first.HasField("enlistment"):
                await self._enlist(first.enlistment, talk)
        except HostLost as lost:
            _log.info("a connection of a follower ends", extra={"peer": talk.peer, "how": lost.did.english})

    async def _enlist(self, enlistment: meeting_pb2.Enlistment, talk: Talk) -> None:
        if refusal := _refusal(self._own, enlistment):
            _log.error("a follower is refused", extra={"peer": talk.peer, "why": refusal.message})
            await talk.send(meeting_pb2.MeetingMessage(refusal=refusal))
            return
        member = _Member(enlistment.host, talk)
        self._waiting.append(member)
        self._arrived.set()
        try:
            async with talk:
                async for message in talk.messages():
                    member.hear(message)
        except HostLost as lost:
            member.lost(lost.did)
            raise
        finally:
            if member in self._waiting:
                self._waiting.remove(member)

    async def _link(
        self, link: meeting_pb2.StoreLink, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._formation is None or link.formation != self._formation.number:
            return
        store = await asyncio.open_connection(*self._store)
        linked = asyncio.create_task(splice((reader, writer), store))
        self._links.add(linked)
        linked.add_done_callback(self._links.discard)
        await asyncio.wait({linked})


def _refusal(own: meeting_pb2.Enlistment, follower: meeting_pb2.Enlistment) -> meeting_pb2.Refusal | None:
    """Why the leader does not train with this follower; None if it does."""
    for reason, what, ours, theirs in (
        ("OTHER_VERSION", "Loupe", own.version, follower.version),
        ("OTHER_TORCH", "torch", own.torch_version, follower.torch_version),
        ("OTHER_GPUS", "GPUs:", own.gpus, follower.gpus),
    ):
        if ours != theirs:
            return meeting_pb2.Refusal(
                reason=reason,
                message=f"{follower.host} has {what} {theirs}, its leader {what} {ours}; make them alike",
            )
    return None
