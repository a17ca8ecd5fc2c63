"""A follower's side of a training on several hosts: it enlists with the leader, waits, and trains along."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from loupe.errors import FailedPrecondition, LoupeError, Unavailable
from loupe.translation import sentence
from loupe.worker.v1 import event_pb2, meeting_pb2, order_pb2

from services.failure_codes import FailureCode
from services.kit import machine, tasks
from services.kit.retry import Backoff
from services.kit.shared_secret import SharedSecret
from services.trainer.place import Place, interface_environ
from services.trainer.settings import FollowerSettings
from services.trainer.talk import HostLost, Talk, splice
from services.worker import outcomes
from services.worker.object_share import ObjectShare
from services.worker.warm_child import Child, WarmChild

_log = logging.getLogger(__name__)

_EXIT_GRACE_S = 2.0
_LEAVE_S = 20.0
"""As long as a leader that is stopped takes for its last checkpoint."""

_Formed: TypeAlias = tuple[Talk, AsyncIterator[meeting_pb2.MeetingMessage], meeting_pb2.Formation]


class FollowedFormation:
    """The formation, as a follower's child sees it."""

    def __init__(self, told: meeting_pb2.Formation, store_port: int, own_address: str) -> None:
        self._place = Place(node=told.node, nodes=told.nodes, processes=told.processes, store_port=store_port)
        self._interface = interface_environ(own_address)
        self.over = asyncio.Event()

    @property
    def environ(self) -> Mapping[str, str]:
        """What tells the child of its place."""
        return {**self._place.environ(), **self._interface}

    @property
    def descriptors(self) -> Sequence[int]:
        """None."""
        return ()

    async def grant(self, order: order_pb2.Order) -> None:
        """Nothing: orders come from the leader."""

    async def broken(self) -> None:
        """Return when the leader has ended the formation, or is lost."""
        await self.over.wait()


class Following:
    """The leader, as a follower sees it."""

    def __init__(self, settings: FollowerSettings, own: meeting_pb2.Enlistment, share: ObjectShare) -> None:
        """`own` is what this follower is; `share` gives its child the objects of the leader's orders."""
        self._leader = settings.leader
        self._own = own
        self._share = share
        self._secret = SharedSecret(settings.secret)
        self._talk: Talk | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._why_not: LoupeError | None = Unavailable("no leader was met yet", reason="LEADER_NOT_MET")

    async def require(self) -> None:
        """The error that keeps it from its leader, if there is one."""
        if self._why_not is not None:
            raise self._why_not

    @contextlib.asynccontextmanager
    async def formed(self) -> AsyncIterator[FollowedFormation]:
        """Enlist, and wait until all hosts are there. The formation is over when the leader ends it."""
        talk, messages, told = await self._until_formed()
        async with contextlib.AsyncExitStack() as resources:
            resources.push_async_exit(talk)
            tunnel = await asyncio.start_server(partial(self._link, told.number), "127.0.0.1", 0)
            resources.callback(tunnel.close)
            formation = FollowedFormation(told, tunnel.sockets[0].getsockname()[1], talk.own_address)
            hearing = asyncio.create_task(self._hear(talk, messages, formation), name="leader")
            resources.push_async_callback(tasks.end, hearing)
            _log.info("all hosts are there", extra={"leader": talk.peer, "node": told.node})
            self._talk = talk
            try:
                yield formation
            finally:
                self._talk = None
                self._share.revoke()

    async def leave(self) -> None:
        """Return when no training goes on, or after a while.

        Who stops all hosts stops the leader too: it needs the others for the iteration that it is in.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                await self._idle.wait()

    async def relay(self, warm: WarmChild) -> None:
        """Tell the leader how each child ends; for `background`."""
        while True:
            child = await warm.take()
            try:
                failed = await _failure(child)
            finally:
                await warm.give_back(child, keep=False)
            if self._talk is not None:
                with contextlib.suppress(HostLost):
                    await self._talk.send(meeting_pb2.MeetingMessage(loss=failed))

    async def _until_formed(self) -> _Formed:
        failures = 0
        backoff = Backoff(first_s=0.2, ceiling_s=5.0)
        while True:
            try:
                talk = Talk(*await self._secret.connect(*self._leader))
                async with contextlib.AsyncExitStack() as resources:
                    await resources.enter_async_context(talk)
                    messages = talk.messages()
                    told = await self._enlisted(talk, messages)
                    resources.pop_all()
                    return talk, messages, told
            except LoupeError as error:
                failures += 1
                if self._why_not is None or self._why_not.reason != error.reason:
                    log = _log.info if error.transient else _log.error
                    log("the leader is not there", extra={"reason": error.reason, "why": error.message})
                self._why_not = error
            await asyncio.sleep(backoff.delay_s(failures))

    async def _enlisted(
        self, talk: Talk, messages: AsyncIterator[meeting_pb2.MeetingMessage]
    ) -> meeting_pb2.Formation:
        """The formation, when all hosts are there. Raises HostLost, FailedPrecondition."""
        await talk.send(meeting_pb2.MeetingMessage(enlistment=self._own))
        self._why_not = None
        told = await anext(messages)
        if told.HasField("refusal"):
            raise FailedPrecondition(told.refusal.message, reason=told.refusal.reason)
        if not told.HasField("formation"):
            raise HostLost(sentence("it sent what was not expected"))
        return told.formation

    async def _hear(
        self,
        talk: Talk,
        messages: AsyncIterator[meeting_pb2.MeetingMessage],
        formation: FollowedFormation,
    ) -> None:
        try:
            async for message in messages:
                if not message.HasField("order"):
                    continue
                if message.order.WhichOneof("work"):
                    self._idle.clear()
                    self._share.grant(message.order)
                    await talk.send(meeting_pb2.MeetingMessage(order_taken=meeting_pb2.OrderTaken()))
                else:
                    self._idle.set()
                    self._share.revoke()
        except HostLost as lost:
            _log.info("the formation is over", extra={"leader": talk.peer, "why": lost.did.english})
        finally:
            formation.over.set()
            self._idle.set()

    async def _link(self, formation: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect one of the child's processes to the store."""
        try:
            leader = await self._secret.connect(*self._leader)
            link = meeting_pb2.MeetingMessage(store_link=meeting_pb2.StoreLink(formation=formation))
            await Talk(*leader).send(link)
            await splice((reader, writer), leader)
        except LoupeError as error:
            _log.warning("a process cannot reach the store", extra={"why": error.message})
        finally:
            writer.close()


async def _failure(child: Child) -> event_pb2.Event:
    """How the child ended, as an event with `failed`."""
    kills = machine.out_of_memory_kills()
    try:
        async for event in child.events:
            if event.HasField("failed"):
                return event
    except (LoupeError, ValueError) as error:
        return event_pb2.Event(failed=outcomes.child_protocol(error, "").failed)
    returncode = await child.process.terminate(_EXIT_GRACE_S)
    out_of_memory = machine.out_of_memory_kills() > kills
    lost = outcomes.child_died(returncode, "", out_of_memory=out_of_memory).failed
    if lost.retryable:
        lost.failure.code = FailureCode.PROCESS_LOST
    return event_pb2.Event(failed=lost)
