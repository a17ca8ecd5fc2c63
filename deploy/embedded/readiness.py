"""Readiness probes: whether a server does its work, not only whether it runs."""

import asyncio
import http.client
import ssl

from grpc_health.v1 import health_pb2, health_pb2_grpc
from loupe.errors import LoupeError
from loupe.rpc.channel import connect

_PROBE_TIMEOUT_S = 1.0


async def speaks(host: str, port: int, greeting: bytes = b"") -> bool:
    """Whether a server accepts connections there and, if one is given, begins with the greeting."""
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                return not greeting or (await reader.readexactly(len(greeting))) == greeting
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False


async def answers_http(host: str, port: int, path: str, *, tls: bool = False) -> bool:
    """Whether GET of the path gives 200; with TLS, whatever certificate the server shows."""

    def get() -> bool:
        connection = (
            http.client.HTTPSConnection(host, port, timeout=_PROBE_TIMEOUT_S, context=_any_certificate())
            if tls
            else http.client.HTTPConnection(host, port, timeout=_PROBE_TIMEOUT_S)
        )
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return await asyncio.to_thread(get)


def _any_certificate() -> ssl.SSLContext:
    # Who answers is known otherwise: the supervisor looks who has the port.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def serves_grpc(host: str, port: int) -> bool:
    """Whether the server's own health service says SERVING."""
    # A gRPC channel to a closed port waits a second before its next try; a TCP connection fails at once.
    if not await speaks(host, port):
        return False
    try:
        async with connect(f"{host}:{port}", retries=False) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            reply = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_PROBE_TIMEOUT_S)
    except LoupeError:
        return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)
