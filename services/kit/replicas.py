"""The replicas of a server: each tells in the server's own schema that it is there, and any answers for all.

A replica writes its row every ten seconds; one that was silent for a minute is gone. So calls may go to any
replica (docs/decisions/0090), and nobody needs to know the addresses behind a name (docs/decisions/0101).
"""

import contextlib
import logging
import socket
import uuid
from typing import Any

import sqlalchemy as sa
from loupe.errors import LoupeError
from loupe.server.v1 import server_pb2

from services.kit.about import VERSION
from services.kit.database import Database
from services.kit.lifecycle import Process, every
from services.kit.operations import Operations
from services.kit.readiness import READY
from services.kit.retry import retry_transient

_log = logging.getLogger(__name__)

_ANNOUNCE_S = 10.0
_GONE_S = 60.0
_ANYWHERE = frozenset({"", "0.0.0.0", "[::]", "::", "*"})  # noqa: S104 -- compared, not bound

_TELL = sa.text(
    """
    INSERT INTO replicas (id, description) VALUES (:id, :description)
    ON CONFLICT (id) DO UPDATE SET description = excluded.description, heard_time = clock_timestamp()
    """
)
_FORGET = sa.text(
    "DELETE FROM replicas WHERE heard_time < clock_timestamp() - make_interval(secs => :gone_s)"
)
_LEAVE = sa.text("DELETE FROM replicas WHERE id = :id")
_ALL = sa.text(
    """
    SELECT id, description, start_time, heard_time FROM replicas
    WHERE heard_time > clock_timestamp() - make_interval(secs => :gone_s)
    """
)


def create_table(op: Any) -> None:  # noqa: ANN401 -- the module `alembic.op`
    """For a migration: the table `replicas`. It never changes again: a description is a message."""
    op.execute(
        """
        CREATE TABLE replicas (
            id uuid PRIMARY KEY,
            description bytea NOT NULL,
            start_time timestamptz NOT NULL DEFAULT clock_timestamp(),
            heard_time timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )


def reachable(listen: str, port: int) -> str:
    """`host:port` of a process that listens at `listen`: everywhere means by this machine's name."""
    host = listen.rpartition(":")[0]
    return f"{socket.gethostname() if host in _ANYWHERE else host}:{port}"


class Replicas:
    """This process among those of the same server."""

    def __init__(self, database: Database, operations: Operations, revision: str) -> None:
        """`revision` is that of the tables when this process started."""
        self._database = database
        self._operations = operations
        self._id = uuid.uuid4()
        self._own = server_pb2.Replica(version=VERSION, schema_revision=revision)

    async def join(self, process: Process, address: str) -> None:
        """Be told from now on, at this address, until the process stops."""
        self._own.address = address
        process.background("replica", every(_ANNOUNCE_S, self._tell))
        process.on_stop(self._leave)

    async def all(self) -> list[server_pb2.Replica]:
        """Those heard of within the last minute, by address; the own one as it is now.

        Without the database only the own one is known.
        """
        try:
            async with self._database.sessions.reading() as session:
                rows = (await session.execute(_ALL, {"gone_s": _GONE_S})).all()
        except LoupeError as error:
            _log.info("replicas could not be read", extra={"reason": error.reason})
            return [self._described()]
        found = []
        for row in rows:
            replica = self._described() if row.id == self._id else server_pb2.Replica()
            if row.id != self._id:
                replica.ParseFromString(row.description)
            replica.start_time.FromDatetime(row.start_time)
            replica.heard_time.FromDatetime(row.heard_time)
            found.append(replica)
        if all(row.id != self._id for row in rows):
            found.append(self._described())
        return sorted(found, key=lambda replica: (replica.address, replica.start_time.ToNanoseconds()))

    def _described(self) -> server_pb2.Replica:
        described = server_pb2.Replica()
        described.CopyFrom(self._own)
        readiness = self._operations.readiness
        described.ready = readiness.ready
        described.needs.extend(
            server_pb2.Replica.Need(name=name, state=state)
            for name, state in sorted(readiness.states.items(), key=lambda item: (item[1] == READY, item[0]))
        )
        described.disks.extend(
            server_pb2.Disk(name=name, free_bytes=usage.free, size_bytes=usage.total)
            for name, usage in self._operations.disks().items()
        )
        for name, expiry in self._operations.certificates().items():
            described.certificates.add(name=name).expire_time.FromDatetime(expiry)
        return described

    async def _tell(self) -> None:
        description = self._described().SerializeToString()

        async def tell() -> None:
            async with self._database.sessions.begin() as session:
                await session.execute(_TELL, {"id": self._id, "description": description})
                await session.execute(_FORGET, {"gone_s": _GONE_S})

        await retry_transient(tell, what="announcing this replica")

    async def _leave(self) -> None:
        # Without it the others forget this one after a minute.
        with contextlib.suppress(LoupeError):
            async with self._database.sessions.begin() as session:
                await session.execute(_LEAVE, {"id": self._id})
