"""Name, version and schema revision of a server: `loupe.server.v1`, which every server serves."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from loupe.errors import NotFound
from loupe.server.v1 import server_pb2, server_service_pb2, server_service_pb2_grpc

from services.kit.checking import StorageCheck
from services.kit.grpc_server import Service


def version_of(distribution: str) -> str:
    """The version of an installed distribution; empty if there is none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


VERSION = version_of("loupe")
"""Of this software."""


class ServerServicer(server_service_pb2_grpc.ServerServiceServicer):
    """Describes this server, and checks what it stored."""

    def __init__(self, server: server_pb2.Server, check: StorageCheck) -> None:
        self._server = server
        self._check = check

    async def GetServer(self, request: server_service_pb2.GetServerRequest, _: object) -> server_pb2.Server:  # noqa: N802, D102
        self._require(request.name)
        return self._server

    async def CheckStorage(  # noqa: N802, D102
        self, request: server_service_pb2.CheckStorageRequest, _: object
    ) -> AsyncIterator[server_service_pb2.CheckStorageResponse]:
        self._require(request.name)
        async for response in self._check.run(read=request.read):
            yield response

    def _require(self, name: str) -> None:
        if name != self._server.name:
            raise NotFound(
                f'there is no "{name[:80]}" here; this is {self._server.name}', server=self._server.name
            )


def about(name: str, schema_revision: str, check: StorageCheck) -> Service:
    """The service of the server of that name, whose tables are at that revision."""
    server = server_pb2.Server(name=f"servers/{name}", version=VERSION, schema_revision=schema_revision)
    server.start_time.FromDatetime(datetime.now(UTC))
    return Service(
        servicer=ServerServicer(server, check),
        add_to_server=server_service_pb2_grpc.add_ServerServiceServicer_to_server,
        descriptor=server_service_pb2.DESCRIPTOR.services_by_name["ServerService"],
    )
