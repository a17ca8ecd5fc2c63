"""TLS to NATS: whom to believe, and which certificate to show."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats.errors
from loupe.settings import setting
from nats.aio.client import Client


@dataclass(frozen=True, kw_only=True)
class NatsTlsSettings:
    """How a process reaches NATS. Without any of them, TLS is asked for by `tls://` in the URL."""

    authority: str = setting(
        "LOUPE_NATS_TLS_AUTHORITY",
        default="",
        doc="PEM file of the authorities that sign NATS's certificate; empty: those of the system",
    )
    certificate: str = setting(
        "LOUPE_NATS_TLS_CERTIFICATE", default="", doc="PEM file of the certificate to show to NATS"
    )
    key: str = setting("LOUPE_NATS_TLS_KEY", default="", doc="PEM file of its private key")

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError(
                "LOUPE_NATS_TLS_CERTIFICATE and LOUPE_NATS_TLS_KEY are set together or not at all"
            )
        for name, file in (
            ("AUTHORITY", self.authority),
            ("CERTIFICATE", self.certificate),
            ("KEY", self.key),
        ):
            if file and not Path(file).is_file():
                raise ValueError(f"there is no file LOUPE_NATS_TLS_{name}={file}")

    def context_for(self, servers: list[str]) -> ssl.SSLContext | None:
        """For connections to these URLs; None if TLS is not asked for."""
        asked = any(server.startswith("tls://") for server in servers)
        if not (asked or self.authority or self.certificate):
            return None
        context = ssl.create_default_context(cafile=self.authority or None)
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key)
        return context


class EncryptedClient(Client):
    """Tells a server nothing, above all no password, unless the connection is encrypted.

    nats-py goes on in plain where a server, or whoever answers for it, does not ask for TLS.
    """

    def _connect_command(self) -> Any:  # noqa: ANN401 -- nats-py has no types
        if not self._server_info.get("tls_required"):
            raise nats.errors.Error("the server does not offer TLS, which the settings ask for")
        return super()._connect_command()
