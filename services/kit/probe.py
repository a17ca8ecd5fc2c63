"""`python -m services.kit.probe HOST:PORT`: whether a server is ready; for kubelets, systemd and scripts.

Asks the standard gRPC health service, over mutual TLS where LOUPE_TLS_CERTIFICATE, LOUPE_TLS_KEY and
LOUPE_TLS_AUTHORITY are set, as in the server's own environment. `http://HOST:PORT/livez`, `/readyz` or
another URL is asked by GET instead. Exit code 0: ready; 1: not ready, or no answer; 2: not asked.
"""

import argparse
import asyncio
import http.client
import os
import sys
from urllib.parse import urlsplit

from grpc_health.v1 import health_pb2, health_pb2_grpc
from loupe.errors import LoupeError
from loupe.rpc.channel import connect
from loupe.rpc.tls import TlsSettings
from loupe.settings import SettingsError, load

_READY, _NOT_READY, _NOT_ASKED = 0, 1, 2


async def ask_grpc(address: str, service: str, tls: TlsSettings, timeout_s: float) -> tuple[bool, str]:
    """Whether the server at host:port says SERVING, and what it said."""
    async with connect(address, credentials=tls.channel_credentials(), retries=False) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answered = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=timeout_s)
        except LoupeError as error:
            return False, f"{error.status}: {error.message}"
    said = str(health_pb2.HealthCheckResponse.ServingStatus.Name(answered.status))
    return said == "SERVING", said


def ask_http(url: str, timeout_s: float) -> tuple[bool, str]:
    """Whether GET of an http URL gives 200, and what it gave. No proxy is asked."""
    try:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout_s)
        try:
            connection.request("GET", parts.path or "/")
            response = connection.getresponse()
            return response.status == http.HTTPStatus.OK, response.read().decode(errors="replace")
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return False, str(error)


def main() -> int:
    """Ask, tell, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.kit.probe", description=__doc__)
    parser.add_argument("target", help="host:port of a gRPC server, or an http:// URL")
    parser.add_argument("--service", default="", help="a gRPC service of the server; by default all")
    parser.add_argument("--timeout", type=float, default=5.0, help="how many seconds to wait (5)")
    given = parser.parse_args()
    if given.target.startswith("http://"):
        ready, said = ask_http(given.target, given.timeout)
    else:
        try:
            tls = load(TlsSettings, os.environ)
        except SettingsError as error:
            sys.stderr.write(f"{error}\n")
            return _NOT_ASKED
        ready, said = asyncio.run(ask_grpc(given.target, given.service, tls, given.timeout))
    sys.stdout.write(f"{said.rstrip()}\n")
    return _READY if ready else _NOT_READY


if __name__ == "__main__":
    sys.exit(main())
