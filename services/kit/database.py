"""PostgreSQL: sessions of one schema, migrations, transient failures, and wake-ups by LISTEN/NOTIFY.

A service uses one schema, named after it; `search_path` puts every statement there, so tables carry no
schema of their own.

Failures of the connection leave `sessions.begin()` as Unavailable, lost races (serialisation, deadlock) as
Aborted; so a handler answers UNAVAILABLE and a consumer retries, without knowing what asyncpg raises when a
server is killed.
"""

import asyncio
import contextlib
import logging
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import asyncpg
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from loupe.errors import Aborted, DeadlineExceeded, InvalidArgument, LoupeError, Unavailable
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.ext.asyncio import async_sessionmaker as session_factory
from sqlalchemy.pool import NullPool

from services.kit import tasks
from services.kit.backoff import Backoff

_log = logging.getLogger(__name__)

T = TypeVar("T")

_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,40}")
_CONNECT_TIMEOUT_S = 5.0
_TRUSTED_IDLE_S = 1.0

# `alembic.op` belongs to the process: two migrations at once would write into each other's schema.
_migrating = asyncio.Lock()

# connection exceptions; too many connections; admin shutdown, crash shutdown, cannot connect now, idle
# session
_AWAY = re.compile(r"08...|53300|57P0[1235]")
# serialisation failure, deadlock, lock not available
_LOST_RACE = frozenset({"40001", "40P01", "55P03"})
# U+0000, which neither text nor jsonb can hold
_UNSTORABLE = frozenset({"22021", "22P05"})
_TOO_SLOW = "57014"


def translated(error: BaseException) -> LoupeError | None:  # noqa: PLR0911 -- one a kind of failure
    """The named error for a failure of the database that is no bug of ours; None for all others."""
    if isinstance(error, sa.exc.DBAPIError):
        state = str(getattr(error.orig, "sqlstate", None) or "")
        if state in _LOST_RACE:
            return Aborted("somebody else changed the same rows; try again", reason="CONCURRENT_CHANGE")
        if state in _UNSTORABLE:
            return InvalidArgument("a text holds the character U+0000; remove it", reason="TEXT_UNSTORABLE")
        if state == _TOO_SLOW:
            return DeadlineExceeded("the database took too long; try again", reason="DATABASE_TOO_SLOW")
        away = error.connection_invalidated or _AWAY.fullmatch(state) or "connection is closed" in str(error)
        return _away(error) if away else None
    if isinstance(error, asyncpg.PostgresError):
        return _away(error) if _AWAY.fullmatch(error.sqlstate or "") else None
    if isinstance(error, asyncpg.InterfaceError):
        return _away(error) if "closed" in str(error) else None
    network = (ConnectionError, TimeoutError, socket.gaierror, sa.exc.TimeoutError)
    return _away(error) if isinstance(error, network) else None


def _away(error: BaseException) -> Unavailable:
    return Unavailable(
        f"the database is away ({type(error).__name__}); try again",
        reason="DATABASE_UNAVAILABLE",
    )


class Sessions:
    """Transactions: commit at the end of the block, rollback on an exception.

    All ways in: Unavailable when the database went away, Aborted when it lost a race.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._factory = session_factory(engine, expire_on_commit=False)
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reading = session_factory(self._autocommit, expire_on_commit=False)

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """One transaction of as many statements as are wanted."""
        with _translating():
            async with self._factory.begin() as session:
                yield session

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Statements that only read, each by itself: two round trips less than a transaction."""
        with _translating():
            async with self._reading() as session:
                yield session

    async def one(self, statement: sa.Executable, values: Mapping[str, object]) -> sa.Row[Any] | None:
        """The row, if there is one, of a statement that is a transaction by itself: one round trip."""
        with _translating():
            async with self._autocommit.connect() as connection:
                return (await connection.execute(statement, values)).one_or_none()


@contextlib.contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except (sa.exc.SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        named = translated(error)
        if named is None:
            raise
        raise named from error


class Database:
    """One service's schema in PostgreSQL: a pool that survives restarts of the server, and migrations."""

    def __init__(
        self, url: str, schema: str, *, pool_size: int = 10, statement_timeout_s: float = 60.0
    ) -> None:
        if not _SCHEMA.fullmatch(schema):
            raise ValueError(f"{schema!r} is not a name for a schema")
        self.url = url
        self.schema = schema
        self._settings = {
            "search_path": schema,
            "application_name": f"loupe-{schema}",
            # The compiler costs more than our short statements.
            "jit": "off",
            "statement_timeout": str(int(statement_timeout_s * 1000)),
            # A process that hangs inside a transaction must not hold its locks for ever.
            "idle_in_transaction_session_timeout": "60000",
        }
        self.engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=10,
            connect_args={
                "server_settings": self._settings,
                "timeout": _CONNECT_TIMEOUT_S,
                # The server ends what takes too long; this ends what waits for a server that vanished.
                "command_timeout": statement_timeout_s + 5,
            },
        )
        _ping_what_was_idle(self.engine)
        self.sessions = Sessions(self.engine)

    async def migrate(self, directory: Path) -> str:
        """Bring the schema to the newest revision under `directory/versions`, in one transaction; return it.

        `directory` is `services/<name>/migrations`; a revision is a module with `revision`, `down_revision`
        and `upgrade()`. Replicas that start together wait for each other.
        """
        # Its own engine without statement timeout; and not the pool's, whose first connection must already
        # see the schema.
        engine = create_async_engine(
            self.url,
            poolclass=NullPool,
            connect_args={
                "server_settings": {**self._settings, "statement_timeout": "0"},
                "timeout": _CONNECT_TIMEOUT_S,
            },
        )
        try:
            with _translating():
                async with _migrating, engine.begin() as connection:
                    return await self._lock_and_upgrade(connection, directory)
        finally:
            await engine.dispose()

    async def _lock_and_upgrade(self, connection: AsyncConnection, directory: Path) -> str:
        await connection.execute(
            sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"),
            {"key": f"migrate:{self.schema}"},
        )
        await connection.execute(sa.text(f'CREATE SCHEMA IF NOT EXISTS "{self.schema}"'))
        return await connection.run_sync(_upgrade, directory, self.schema)

    async def dispose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.dispose()


def _ping_what_was_idle(engine: AsyncEngine) -> None:
    """Look whether a connection is alive before it is used, unless it was a moment ago.

    `pool_pre_ping` does so every time, which costs three round trips a transaction with asyncpg: a third of
    what a short one takes. A server that dies within the moment is Unavailable, as in mid-transaction.
    """

    @sa.event.listens_for(engine.sync_engine, "checkin")
    def remember(_connection: object, record: Any) -> None:  # noqa: ANN401 -- SQLAlchemy's own
        record.info["idle_since_s"] = time.monotonic()

    @sa.event.listens_for(engine.sync_engine, "checkout")
    def look(connection: Any, record: Any, _proxy: object) -> None:  # noqa: ANN401 -- SQLAlchemy's own
        idle_since_s = record.info.get("idle_since_s")
        if idle_since_s is None or time.monotonic() - idle_since_s < _TRUSTED_IDLE_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except Exception as error:  # whatever it is, the connection is not usable; the pool makes another
            raise sa.exc.InvalidatePoolError from error


def _upgrade(connection: sa.Connection, directory: Path, schema: str) -> str:
    # Alembic's env.py would be the same ten lines in every service; this is it.
    config = Config()
    config.set_main_option("script_location", str(directory))
    script = ScriptDirectory.from_config(config)

    def to_head(revision: Any, _context: Any) -> Any:  # noqa: ANN401 -- Alembic's own internal types
        return script._upgrade_revs("head", revision)  # noqa: SLF001 -- what alembic.command.upgrade does

    with EnvironmentContext(config, script, fn=to_head) as environment:
        environment.configure(
            connection=connection,
            version_table="schema_revision",
            version_table_schema=schema,
        )
        with environment.begin_transaction():
            environment.run_migrations()
    return script.get_current_head() or ""


async def retrying_transient(
    action: Callable[[], Awaitable[T]],
    *,
    what: str,
    backoff: Backoff = Backoff(),  # noqa: B008 -- frozen
) -> T:
    """Run `action` until it succeeds or fails for good; after a transient LoupeError it waits and retries.

    For loops of a service (sweepers, relays) and its start; a call of a user is better told UNAVAILABLE.
    """
    failures = 0
    while True:
        try:
            return await action()
        except LoupeError as error:
            if not error.transient:
                raise
            failures += 1
            delay_s = backoff.delay_s(failures)
            _log.warning(
                "retrying",
                extra={
                    "what": what,
                    "reason": error.reason,
                    "error": error.message,
                    "failures": failures,
                    "delay_s": round(delay_s, 3),
                },
            )
            await asyncio.sleep(delay_s)


async def notify(session: AsyncSession, channel: str, payload: str = "") -> None:
    """Wake whoever waits for `channel`, when and only when this transaction commits."""
    await session.execute(
        sa.text("SELECT pg_notify(:channel, :payload)"), {"channel": channel, "payload": payload}
    )


class Subscription:
    """Wake-ups of some channels since the last `wait`. Subscribe, then read, then wait: nothing is missed."""

    def __init__(self, channels: frozenset[str]) -> None:
        self.channels = channels
        self._woken = asyncio.Event()

    async def wait(self, timeout_s: float | None = None) -> bool:
        """True when something was announced since the last call; False after `timeout_s` without."""
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
    """LISTEN on one connection for a whole process, reconnected for ever.

    A wake-up is a hint, never the truth: notifications are lost while the connection is down, so everybody
    is woken when it comes back, and a waiter reads the rows again. Channels are at most 63 bytes.
    """

    _PING_S = 10.0

    def __init__(self, url: str, *, backoff: Backoff = Backoff(ceiling_s=1.0)) -> None:  # noqa: B008 -- frozen
        # The one connection is asyncpg's own: SQLAlchemy has no LISTEN.
        self._dsn = url.replace("postgresql+asyncpg://", "postgresql://", 1)
        self._backoff = backoff
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._listening: set[str] = set()
        self._connection: Any = None
        self._changed = asyncio.Event()
        self._synced = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="signals")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await tasks.end(self._task)
            self._task = None

    @property
    def connected(self) -> bool:
        """Whether notifications arrive now."""
        return self._connection is not None

    @contextlib.asynccontextmanager
    async def subscribe(self, *channels: str) -> AsyncIterator[Subscription]:
        """Collect wake-ups within the block. While the server is away too: its return wakes."""
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
        """Wait once; what was announced before is not seen. To read and wait in turns, `subscribe`."""
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
                connection = await asyncpg.connect(
                    self._dsn,
                    timeout=_CONNECT_TIMEOUT_S,
                    server_settings={"application_name": "loupe-signals"},
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
                # A host that vanished closes nothing: ask.
                await connection.execute("SELECT 1", timeout=_CONNECT_TIMEOUT_S)
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
                continue  # again, since the one before was given up
            self._listening.discard(channel)
            await connection.remove_listener(channel, self._on_notify)

    def _on_notify(self, _connection: object, _pid: int, channel: str, _payload: object) -> None:
        for subscription in self._subscriptions.get(channel, ()):
            subscription.wake()
