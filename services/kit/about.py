"""Name, version and schema revision of a server: `loupe.server.v1`, which every server serves."""

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from loupe.errors import NotFound
from loupe.server.v1 import server_pb2, server_service_pb2, server_service_pb2_grpc

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
    """Describes this server."""

    def __init__(self, server: server_pb2.Server) -> None:
        self._server = server

    async def GetServer(self, request: server_service_pb2.GetServerRequest, _: object) -> server_pb2.Server:  # noqa: N802, D102
        if request.name != self._server.name:
            raise NotFound(
                f'there is no "{request.name[:80]}" here; this is {self._server.name}',
                server=self._server.name,
            )
        return self._server


def about(name: str, schema_revision: str) -> Service:
    """The service of the server of that name, whose tables are at that revision."""
    server = server_pb2.Server(name=f"servers/{name}", version=VERSION, schema_revision=schema_revision)
    server.start_time.FromDatetime(datetime.now(UTC))
    return Service(
        servicer=ServerServicer(server),
        add_to_server=server_service_pb2_grpc.add_ServerServiceServicer_to_server,
        descriptor=server_service_pb2.DESCRIPTOR.services_by_name["ServerService"],
    )
