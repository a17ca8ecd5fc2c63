"""What every server tells of itself, `loupe.server.v1`: replicas, what waits, streams, the last backup."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from loupe.errors import LoupeError, NotFound
from loupe.server.v1 import server_pb2, server_service_pb2, server_service_pb2_grpc

from services.kit import backups
from services.kit.about import VERSION
from services.kit.backlog import Backlog, StreamWatch, watch_stores
from services.kit.checking import StorageCheck
from services.kit.clock import SystemClock
from services.kit.consumer import Consumer
from services.kit.database import Database
from services.kit.grpc_server import GrpcServer, Service
from services.kit.lifecycle import Process
from services.kit.messaging import Messaging
from services.kit.operations import Operations
from services.kit.replicas import Replicas, reachable


@dataclass(frozen=True, kw_only=True)
class About:
    """What a server tells of itself."""

    replicas: Replicas
    check: StorageCheck
    backlog: Backlog
    streams: StreamWatch
    backup_record: Path | None

    @classmethod
    def watching(  # noqa: PLR0913 -- what a server has
        cls,
        process: Process,
        operations: Operations,
        database: Database,
        messaging: Messaging,
        revision: str,
        *,
        check: StorageCheck,
        consumers: Iterable[Consumer],
        publishes: Sequence[str] = (),
        backup_record: Path | None = None,
    ) -> Self:
        """Watch the stores, for calls and for monitoring.

        `publishes`: the streams of its outbox, if it has one.
        """
        outbox = bool(publishes)
        watch_stores(operations, database, messaging, outbox=outbox)
        followed = [consumer.identity for consumer in consumers]
        streams = StreamWatch(messaging, streams=publishes, consumers=followed)
        process.background("streams", streams.run)
        return cls(
            replicas=Replicas(database, operations, revision),
            check=check,
            backlog=Backlog(database, outbox=outbox),
            streams=streams,
            backup_record=backup_record,
        )

    async def join(self, process: Process, server: GrpcServer) -> GrpcServer:
        """Be one of the replicas while the process runs; the server must listen."""
        await self.replicas.join(process, reachable(server.address, server.port))
        return server


class ServerServicer(server_service_pb2_grpc.ServerServiceServicer):
    """Describes this server, and checks what it stored."""

    def __init__(self, server: server_pb2.Server, about: About) -> None:
        self._server = server
        self._about = about

    async def GetServer(self, request: server_service_pb2.GetServerRequest, _: object) -> server_pb2.Server:  # noqa: N802, D102
        self._require(request.name)
        about, server = self._about, server_pb2.Server()
        server.CopyFrom(self._server)
        server.replicas.extend(await about.replicas.all())
        try:
            server.backlog.CopyFrom(await about.backlog.read())
        except LoupeError:
            # Absent: the replica's needs say that the database is away.
            server.ClearField("backlog")
        server.streams.extend(about.streams.streams())
        server.consumers.extend(about.streams.consumers())
        if about.backup_record is not None:
            server.last_backup.CopyFrom(await backups.read(about.backup_record) or server_pb2.Backup())
        return server

    async def CheckStorage(  # noqa: N802, D102
        self, request: server_service_pb2.CheckStorageRequest, _: object
    ) -> AsyncIterator[server_service_pb2.CheckStorageResponse]:
        self._require(request.name)
        async for response in self._about.check.run(read=request.read):
            yield response

    def _require(self, name: str) -> None:
        if name != self._server.name:
            raise NotFound(
                f'there is no "{name[:80]}" here; this is {self._server.name}', server=self._server.name
            )


def server_service(name: str, schema_revision: str, about: About) -> Service:
    """The service of the server of that name, whose tables are at that revision."""
    server = server_pb2.Server(name=f"servers/{name}", version=VERSION, schema_revision=schema_revision)
    server.start_time.FromDatetime(SystemClock().now())
    return Service(
        servicer=ServerServicer(server, about),
        add_to_server=server_service_pb2_grpc.add_ServerServiceServicer_to_server,
        descriptor=server_service_pb2.DESCRIPTOR.services_by_name["ServerService"],
    )
