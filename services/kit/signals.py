"""Wake-ups over PostgreSQL's LISTEN and NOTIFY."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from typing import Any, Self

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit import tasks
from services.kit.metrics import Counter, Gauge
from services.kit.postgresql import CONNECT_TIMEOUT_S, KEEPALIVES, PostgresqlServers
from services.kit.retry import Backoff

_log = logging.getLogger(__name__)

_NOTIFIED = Counter(
    "loupe_notifications_total",
    "notifications",
    "Wake-ups by PostgreSQL's NOTIFY, by the kind of their channel",
    "channel",
)
_LISTENING = Gauge(
    "loupe_notifications_connected",
    "0 or 1",
    "Whether PostgreSQL's notifications arrive; without them, readers see changes later",
)


async def notify(session: AsyncSession, channel: str, payload: str = "") -> None:
    """Wake the subscriptions of `channel` if and when this transaction commits."""
    await session.execute(
        sa.text("SELECT pg_notify(:channel, :payload)"), {"channel": channel, "payload": payload}
    )


class Subscription:
    """Wake-ups of some channels since the last `wait`. To miss none: subscribe, read rows, then wait."""

    def __init__(self, channels: frozenset[str]) -> None:
        self.channels = channels
        self._woken = asyncio.Event()

    async def wait(self, timeout_s: float | None = None) -> bool:
        """True after a notification since the last call; False if none arrives within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    def wake(self) -> None:
        """Make the pending or next `wait` return."""
        self._woken.set()


class Signals:
    """LISTEN on one connection for a whole process, which reconnects by itself.

    A wake-up is only a hint to read the rows again. Notifications are lost while the connection is down, so
    every subscription is woken when it is back. The name of a channel has at most 63 bytes.
    """

    _PING_S = 10.0

    def __init__(self, url: str, *, backoff: Backoff = Backoff(ceiling_s=1.0)) -> None:  # noqa: B008 -- frozen
        # A connection of asyncpg: SQLAlchemy does not support LISTEN.
        self._servers = PostgresqlServers(url)
        self._backoff = backoff
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._listening: set[str] = set()
        self._connection: Any = None
        self._changed = asyncio.Event()
        self._synced = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._watched = contextlib.ExitStack()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="signals")
        self._watched.enter_context(_LISTENING.read_by(lambda: [(float(self.connected), {})]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watched.close()
        if self._task is not None:
            await tasks.end(self._task)
            self._task = None

    @property
    def connected(self) -> bool:
        """Whether notifications arrive now."""
        return self._connection is not None

    @contextlib.asynccontextmanager
    async def subscribe(self, *channels: str) -> AsyncIterator[Subscription]:
        """Collect wake-ups within the block, also while the server is unavailable: its return wakes them."""
        for channel in channels:
            if not 0 < len(channel.encode()) <= 63:
                raise ValueError(f"channel {channel!r} is not 1 to 63 bytes")
        subscription = Subscription(frozenset(channels))
        for channel in subscription.channels:
            self._subscriptions.setdefault(channel, set()).add(subscription)
        try:
            await self._until_listening(subscription.channels)
            yield subscription
        finally:
            for channel in subscription.channels:
                remaining = self._subscriptions[channel]
                remaining.discard(subscription)
                if not remaining:
                    del self._subscriptions[channel]
            self._changed.set()

    async def wait(self, channels: Iterable[str], timeout_s: float | None = None) -> bool:
        """Wait once, ignoring earlier notifications. To read and wait alternately, use `subscribe`."""
        async with self.subscribe(*channels) as subscription:
            return await subscription.wait(timeout_s)

    async def _until_listening(self, channels: frozenset[str]) -> None:
        while self._connection is not None and not channels <= self._listening:
            self._synced.clear()
            self._changed.set()
            await self._synced.wait()

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                connection = await self._servers.connect(
                    server_settings={**KEEPALIVES, "application_name": "loupe-signals"}
                )
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                failures += 1
                if failures == 1:
                    _log.warning("signals cannot connect; retrying", extra={"error": repr(error)})
                await asyncio.sleep(self._backoff.delay_s(failures))
                continue
            try:
                await self._serve(connection)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                failures += 1
                _log.warning("signals lost the connection; reconnecting", extra={"error": repr(error)})
                await asyncio.sleep(self._backoff.delay_s(1))
            finally:
                self._connection = None
                self._listening.clear()
                self._synced.set()
                connection.terminate()

    async def _serve(self, connection: Any) -> None:  # noqa: ANN401 -- asyncpg has no types
        lost = asyncio.Event()

        def on_lost(_: object) -> None:
            lost.set()
            self._changed.set()

        connection.add_termination_listener(on_lost)
        self._listening.clear()
        await self._sync(connection)
        self._connection = connection
        self._synced.set()
        for subscription in {s for subscribers in self._subscriptions.values() for s in subscribers}:
            subscription.wake()
        while not lost.is_set():
            try:
                async with asyncio.timeout(self._PING_S):
                    await self._changed.wait()
            except TimeoutError:
                # A host that disappears does not close the connection, so test it.
                await connection.execute("SELECT 1", timeout=CONNECT_TIMEOUT_S)
                continue
            self._changed.clear()
            if not lost.is_set():
                await self._sync(connection)
                self._synced.set()
        raise ConnectionResetError("the server closed the connection")

    async def _sync(self, connection: Any) -> None:  # noqa: ANN401 -- asyncpg has no types
        wanted = set(self._subscriptions)
        for channel in wanted - self._listening:
            await connection.add_listener(channel, self._on_notify)
            self._listening.add(channel)
        for channel in self._listening - set(self._subscriptions):
            if channel in self._subscriptions:
                continue  # it was subscribed again in the meantime
            self._listening.discard(channel)
            await connection.remove_listener(channel, self._on_notify)

    def _on_notify(self, _connection: object, _pid: int, channel: str, _payload: object) -> None:
        # Without what follows the second colon: an id, of which there are many.
        _NOTIFIED.add(channel=":".join(channel.split(":")[:2]))
        for subscription in self._subscriptions.get(channel, ()):
            subscription.wake()
