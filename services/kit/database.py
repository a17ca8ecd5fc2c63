"""PostgreSQL: sessions of one schema, migrations, and transient failures.

A service uses one schema, named after it; `search_path` puts every statement there, so tables carry no
schema of their own.

Failures of the connection leave `sessions.begin()` as Unavailable, lost races (serialisation, deadlock) as
Aborted. So a handler answers UNAVAILABLE and a consumer retries, whatever asyncpg raised.
"""

import asyncio
import contextlib
import logging
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from loupe.errors import (
    Aborted,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    LoupeError,
    Unavailable,
)
from loupe.translation import sentence
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.ext.asyncio import async_sessionmaker as session_factory
from sqlalchemy.pool import NullPool, QueuePool

from services.kit.metrics import Gauge, Reading
from services.kit.postgresql import KEEPALIVES, DatabaseSettings, PostgresqlServers

_log = logging.getLogger(__name__)

_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,40}")
_OLDEST_MAJOR = 16
"""Of PostgreSQL: migrations use what 15 does not know, and what we test begins with 16."""
_DIALECT = "postgresql+asyncpg://"
_TRUSTED_IDLE_S = 1.0
_ENVIRONMENT = Path(__file__).with_name("migrations")

_CONNECTIONS = Gauge(
    "loupe_database_connections",
    "connections",
    "Connections of the pool: `used` by calls, or `idle`",
    "schema",
    "state",
)
_MOST_CONNECTIONS = Gauge(
    "loupe_database_connections_limit", "connections", "The most connections of the pool", "schema"
)

# `alembic.op` is global: two migrations at once would write into each other's schema.
_migrating = asyncio.Lock()

# connection exceptions; too many connections; admin shutdown, crash shutdown, cannot connect now, idle
# session
_AWAY = re.compile(r"08...|53300|57P0[1235]")
# serialisation failure, deadlock, lock not available
_LOST_RACE = frozenset({"40001", "40P01", "55P03"})
# U+0000, which neither text nor jsonb can hold
_UNSTORABLE = frozenset({"22021", "22P05"})
_TOO_SLOW = "57014"
_DISK_FULL = "53100"
# no such role, password or certificate; no such database; no right to it
_REFUSED = re.compile(r"28...|3D000")


def translated(error: BaseException) -> LoupeError | None:
    """The named error for a failure of the database that is no bug of ours; None for all others."""
    if isinstance(error, sa.exc.DBAPIError):
        state = str(getattr(error.orig, "sqlstate", None) or "")
        away = error.connection_invalidated or _AWAY.fullmatch(state) or "connection is closed" in str(error)
        return _of_state(state) or (_away(error) if away else None)
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return _of_state(state) or (_away(error) if _AWAY.fullmatch(state) else None)
    if isinstance(error, asyncpg.InterfaceError):
        return _away(error) if "closed" in str(error) else None
    network = (ConnectionError, TimeoutError, socket.gaierror, ssl.SSLError, sa.exc.TimeoutError)
    return _away(error) if isinstance(error, network) else None


def _full() -> Unavailable:
    told = sentence("the disk of the database is full; have the operator free some, then try again")
    return Unavailable(told.english, reason="DATABASE_DISK_FULL", message_zh=told.chinese)


def _of_state(state: str) -> LoupeError | None:
    if state in _LOST_RACE:
        return Aborted("somebody else changed the same rows; try again", reason="CONCURRENT_CHANGE")
    if state in _UNSTORABLE:
        return InvalidArgument("a text holds the character U+0000; remove it", reason="TEXT_UNSTORABLE")
    if state == _TOO_SLOW:
        return DeadlineExceeded("the database took too long; try again", reason="DATABASE_TOO_SLOW")
    if state == _DISK_FULL:
        return _full()
    return _refused(state) if _REFUSED.fullmatch(state) else None


def _refused(state: str) -> Unavailable:
    # Its own words, in the log, may name hosts and roles.
    return Unavailable(
        f"the database refuses this service (SQLSTATE {state}); have the operator compare user, password, "
        "certificate and database of LOUPE_DATABASE_URL with what PostgreSQL knows",
        reason="DATABASE_REFUSES",
    )


def _away(error: BaseException) -> Unavailable:
    # What TLS says of a certificate is what the operator needs; other texts name addresses.
    is_told = isinstance(error, ssl.SSLError) or type(error) is ConnectionError
    what = str(error) if is_told else type(error).__name__
    return Unavailable(
        f"the database is away ({what}); try again",
        reason="DATABASE_UNAVAILABLE",
    )


class DatabaseSessions:
    """Transactions: commit at the end of the block, rollback on an exception.

    All methods raise Unavailable when the connection failed, Aborted when the transaction lost a race.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._factory = session_factory(engine, expire_on_commit=False)
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reading = session_factory(self._autocommit, expire_on_commit=False)

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """One transaction of any number of statements."""
        with _translating():
            async with self._factory.begin() as session:
                yield session

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Reading statements without a transaction, which saves two round trips."""
        with _translating():
            async with self._reading() as session:
                yield session

    async def time(self) -> datetime:
        """PostgreSQL's time, outside of a transaction."""
        async with self.reading() as session:
            return await database_time(session)

    async def one(self, statement: sa.Executable, values: Mapping[str, object]) -> sa.Row[Any] | None:
        """The row of a single statement that is its own transaction (one round trip), or None."""
        with _translating():
            async with self._autocommit.connect() as connection:
                return (await connection.execute(statement, values)).one_or_none()


_CLOCK = sa.select(sa.func.clock_timestamp())


async def database_time(session: AsyncSession) -> datetime:
    """PostgreSQL's time at this call. A transaction's `now()` is older: it may have waited for a lock."""
    time: datetime = (await session.execute(_CLOCK)).scalar_one()
    return time


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
        self, url: str, schema: str, *, connections: int = 20, statement_timeout_s: float = 60.0
    ) -> None:
        if not _SCHEMA.fullmatch(schema):
            raise ValueError(f"{schema!r} is not a name for a schema")
        self.schema = schema
        self._servers = PostgresqlServers(url)
        self._settings = {
            **KEEPALIVES,
            "search_path": schema,
            "application_name": f"loupe-{schema}",
            # The compiler costs more than our short statements.
            "jit": "off",
            "statement_timeout": str(int(statement_timeout_s * 1000)),
            # Limits how long a process that hangs inside a transaction holds its locks.
            "idle_in_transaction_session_timeout": "60000",
        }
        self._statement_timeout_s = statement_timeout_s
        kept = connections // 2
        self.engine = create_async_engine(
            _DIALECT,
            async_creator=self._connect,
            pool_size=kept,
            max_overflow=connections - kept,
            pool_timeout=10,
        )
        _ping_what_was_idle(self.engine)
        self.sessions = DatabaseSessions(self.engine)
        self._most_connections = connections
        self._watched = contextlib.ExitStack()
        # A connection of its own: a pool whose connections are all in use is no server that is away.
        self._asking = create_async_engine(_DIALECT, async_creator=self._connect, pool_size=1, max_overflow=0)

    @classmethod
    def of(cls, schema: str, settings: DatabaseSettings) -> Self:
        """The schema in the database of a process's settings."""
        return cls(settings.url, schema, connections=settings.connections)

    async def answers(self) -> None:
        """Unavailable unless the server answers a statement now."""
        with _translating():
            async with self._asking.connect() as connection:
                await connection.execute(_CLOCK)

    async def _connect(self) -> Any:  # noqa: ANN401 -- asyncpg has no types
        return await self._servers.connect(
            server_settings=self._settings,
            # The server limits slow statements; this limits waiting for a server that disappeared.
            command_timeout=self._statement_timeout_s + 5,
        )

    async def _connect_to_migrate(self) -> Any:  # noqa: ANN401 -- asyncpg has no types
        return await self._servers.connect(server_settings={**self._settings, "statement_timeout": "0"})

    async def migrate(self, directory: Path) -> str:
        """Bring the schema to the newest revision under `directory/versions`, in one transaction; return it.

        `directory` is `services/<name>/migrations`; a revision is a module with `revision`, `down_revision`
        and `upgrade()`. Replicas that start together wait for each other.

        A schema that a newer release has migrated stays as it is if that release says that this one can run
        on it (docs/decisions/0092). FailedPrecondition if it cannot, or if the server is too old for Loupe.
        """
        # A separate engine without statement timeout: the pool's first connection must find the schema.
        engine = create_async_engine(_DIALECT, async_creator=self._connect_to_migrate, poolclass=NullPool)
        try:
            with _translating():
                async with _migrating, engine.begin() as connection:
                    _require_version(connection)
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
        self._watched.close()
        await self._asking.dispose()
        await self.engine.dispose()

    def _connections(self) -> Iterator[Reading]:
        pool = self.engine.pool
        if isinstance(pool, QueuePool):
            yield pool.checkedout(), {"schema": self.schema, "state": "used"}
            yield pool.checkedin(), {"schema": self.schema, "state": "idle"}

    async def __aenter__(self) -> Self:
        self._watched.enter_context(_CONNECTIONS.read_by(self._connections))
        limit = (self._most_connections, {"schema": self.schema})
        self._watched.enter_context(_MOST_CONNECTIONS.read_by(lambda: [limit]))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.dispose()


def _require_version(connection: AsyncConnection) -> None:
    version = connection.dialect.server_version_info or (0,)
    if int(version[0]) < _OLDEST_MAJOR:
        told = sentence(
            "the server is PostgreSQL {version}, and Loupe needs {oldest} or newer; upgrade the server, or "
            "name another in LOUPE_DATABASE_URL",
            version=".".join(map(str, version)),
            oldest=_OLDEST_MAJOR,
        )
        raise FailedPrecondition(told.english, reason="POSTGRESQL_TOO_OLD", message_zh=told.chinese)


def _ping_what_was_idle(engine: AsyncEngine) -> None:
    """Test a connection before its use, unless it was used within the last second.

    `pool_pre_ping` tests it every time, which costs three round trips a transaction with asyncpg: a third of
    a short transaction. A connection that breaks within that second is Unavailable, as in mid-transaction.
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
        except Exception as error:  # after any error the pool replaces the connection
            raise sa.exc.InvalidatePoolError from error


_FLOOR = "schema_floor"
"""Table of one row: the oldest newest revision that a service may know to run on this schema."""


def _upgrade(connection: sa.Connection, directory: Path, schema: str) -> str:
    config = Config()
    # Alembic's env.py is the same for every service; the revisions are the service's own.
    config.set_main_option("script_location", _escaped(_ENVIRONMENT))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", _escaped(directory / "versions"))
    config.attributes.update(connection=connection, schema=schema)
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head() or ""
    # Newest first.
    revisions = list(scripts.walk_revisions())
    context = MigrationContext.configure(
        connection, opts={"version_table": "schema_revision", "version_table_schema": schema}
    )
    present = context.get_current_revision()
    if present is not None and present not in {revision.revision for revision in revisions}:
        _require_compatible(connection, schema, head, present)
        return present
    command.upgrade(config, "head")
    floors = [floor for revision in revisions if (floor := getattr(revision.module, "oldest_head", None))]
    _set_floor(connection, max(floors, default=revisions[-1].revision if revisions else ""))
    return head


def _set_floor(connection: sa.Connection, floor: str) -> None:
    connection.execute(sa.text(f"CREATE TABLE IF NOT EXISTS {_FLOOR} (oldest_head text NOT NULL)"))
    connection.execute(sa.text(f"DELETE FROM {_FLOOR}"))  # noqa: S608 -- a constant
    connection.execute(sa.text(f"INSERT INTO {_FLOOR} VALUES (:floor)"), {"floor": floor})  # noqa: S608 -- as above


def _require_compatible(connection: sa.Connection, schema: str, head: str, present: str) -> None:
    """FailedPrecondition unless whoever migrated to `present`, which is unknown here, lets `head` run."""
    floor = None
    if connection.scalar(sa.text("SELECT to_regclass(:table)"), {"table": f"{schema}.{_FLOOR}"}) is not None:
        floor = connection.scalar(sa.text(f"SELECT oldest_head FROM {_FLOOR}"))  # noqa: S608 -- a constant
    if floor is not None and head >= floor:
        _log.warning(
            "a newer release has migrated the schema; this one runs on it",
            extra={"schema": schema, "known": head, "present": present},
        )
        return
    told = sentence(
        "the schema {schema} is at revision {present} of a newer release, on which this one, which knows "
        "{head}, cannot run; start the newer release, or restore the backup from before its migration",
        schema=schema,
        present=present,
        head=head,
    )
    raise FailedPrecondition(told.english, reason="SCHEMA_TOO_NEW", message_zh=told.chinese)


def _escaped(path: Path) -> str:
    """For Alembic's configuration, which interpolates what follows a percent sign."""
    return str(path).replace("%", "%%")
