"""A second port of a gRPC server, for callers on the network, beside the one of the installation itself."""

from dataclasses import dataclass
from pathlib import Path

import grpc
from loupe.settings import setting


@dataclass(frozen=True, kw_only=True)
class PublicListen:
    """A group of settings. Callers show a token, as everywhere, and no certificate."""

    listen: str = setting(
        "LOUPE_PUBLIC_LISTEN",
        default="",
        doc="A second host:port to serve gRPC at, for callers on the network without a certificate; "
        "empty: none",
    )
    certificate: str = setting(
        "LOUPE_PUBLIC_CERTIFICATE", default="", doc="PEM file of its chain; empty: it serves in plain text"
    )
    key: str = setting("LOUPE_PUBLIC_KEY", default="", doc="PEM file of its key")

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("LOUPE_PUBLIC_CERTIFICATE and LOUPE_PUBLIC_KEY are set together or not at all")
        if self.certificate and not self.listen:
            raise ValueError("LOUPE_PUBLIC_CERTIFICATE needs LOUPE_PUBLIC_LISTEN")

    def open(self, server: grpc.aio.Server) -> None:
        """Listen there too, if there is such a port. RuntimeError if the address is taken."""
        if not self.listen:
            return
        if not self.certificate:
            server.add_insecure_port(self.listen)
            return
        pair = (Path(self.key).read_bytes(), Path(self.certificate).read_bytes())
        server.add_secure_port(self.listen, grpc.ssl_server_credentials([pair]))
