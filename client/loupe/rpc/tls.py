"""Mutual TLS between the processes of an installation, and of the machines that call them (A1).

With the three settings, a server accepts only connections whose certificate one of the authorities signed,
and a channel connects only to such servers. Callers need a token as well: the certificate identifies the
machine, the token the user. A renewed certificate is used after a restart of the process.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loupe.settings import setting

if TYPE_CHECKING:
    import grpc


@dataclass(frozen=True, kw_only=True)
class TlsSettings:
    """A group of settings: all three, or none for plain connections."""

    certificate: str = setting(
        "LOUPE_TLS_CERTIFICATE", default="", doc="PEM file of this machine's certificate and its chain"
    )
    key: str = setting("LOUPE_TLS_KEY", default="", doc="PEM file of its private key")
    authority: str = setting(
        "LOUPE_TLS_AUTHORITY",
        default="",
        doc="PEM file of the authorities that sign the certificates of both sides",
    )

    def __post_init__(self) -> None:
        files = {
            "LOUPE_TLS_CERTIFICATE": self.certificate,
            "LOUPE_TLS_KEY": self.key,
            "LOUPE_TLS_AUTHORITY": self.authority,
        }
        lacking = [name for name, file in files.items() if not file]
        if 0 < len(lacking) < len(files):
            raise ValueError(f"{', '.join(lacking)} is not set; mutual TLS needs all of {', '.join(files)}")
        unread = [f"{name}={file}" for name, file in files.items() if file and not Path(file).is_file()]
        if unread:
            raise ValueError(f"there is no file {' or '.join(unread)}")

    def server_credentials(self) -> "grpc.ServerCredentials | None":
        """For a server that requires client certificates; None without TLS."""
        if not self.certificate:
            return None
        import grpc  # noqa: PLC0415 -- the profile reads these settings, and `loupe --help` must not wait for it

        return grpc.ssl_server_credentials(
            [(Path(self.key).read_bytes(), Path(self.certificate).read_bytes())],
            root_certificates=Path(self.authority).read_bytes(),
            require_client_auth=True,
        )

    def channel_credentials(self) -> "grpc.ChannelCredentials | None":
        """For a channel with a client certificate; None without TLS."""
        if not self.certificate:
            return None
        import grpc  # noqa: PLC0415 -- the profile reads these settings, and `loupe --help` must not wait for it

        return grpc.ssl_channel_credentials(
            root_certificates=Path(self.authority).read_bytes(),
            private_key=Path(self.key).read_bytes(),
            certificate_chain=Path(self.certificate).read_bytes(),
        )
