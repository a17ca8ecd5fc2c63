"""How a process reaches NATS: where, by TLS or not, and who it says that it is."""

import base64
import binascii
import json
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats.errors
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from loupe.settings import setting
from nats.aio.client import Client

_OF_A_SEED = 18 << 3
_OF_A_USER = 20 << 3
"""The first bits of an nkey: base32 of what it is, 32 bytes of a key of Ed25519, and a checksum."""
_SEED_BYTES = 2 + 32 + 2
_PART = re.compile(r"-{3,}BEGIN ([A-Z ]+)-{3,}\s+(\S+)\s+-{3,}END")


class UserKey:
    """The key of a NATS user, by its seed (`SU…`). ValueError if the text is none."""

    def __init__(self, seed: str) -> None:
        try:
            raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
        except binascii.Error:
            raw = b""
        if len(raw) != _SEED_BYTES or binascii.crc_hqx(raw[:-2], 0) != int.from_bytes(raw[-2:], "little"):
            raise ValueError("it is no nkey seed, or it is cut short")
        # The kind of the key is spread over two bytes.
        if raw[0] & 0xF8 != _OF_A_SEED or (raw[0] & 7) << 5 | raw[1] >> 3 != _OF_A_USER:
            raise ValueError("it is not the seed of a user, which begins with SU")
        self._key = Ed25519PrivateKey.from_private_bytes(raw[2:-2])

    @property
    def public(self) -> str:
        """By which a server knows the user (`U…`)."""
        body = bytes([_OF_A_USER]) + self._key.public_key().public_bytes_raw()
        return base64.b32encode(body + binascii.crc_hqx(body, 0).to_bytes(2, "little")).decode().rstrip("=")

    def signature(self, nonce: str) -> str:
        """Of a server's nonce, as base64."""
        return base64.b64encode(self._key.sign(nonce.encode())).decode()


@dataclass(frozen=True, slots=True)
class _Credentials:
    """What a credentials file holds: what an account says of the user, and the user's key."""

    token: str
    key: UserKey

    @classmethod
    def read(cls, file: str) -> "_Credentials":
        """ValueError if there is no such file, or it is none."""
        try:
            parts = dict(_PART.findall(Path(file).read_text(encoding="utf-8")))
            return cls(parts["NATS USER JWT"], UserKey(parts["USER NKEY SEED"]))
        except OSError as error:
            raise ValueError(f"{file} cannot be read: {error.strerror}") from None
        except (KeyError, UnicodeDecodeError):
            raise ValueError(f"{file} is no credentials file of NATS") from None
        except ValueError as error:
            raise ValueError(f"the seed in {file}: {error}") from None


@dataclass(frozen=True, kw_only=True)
class NatsAccess:
    """Whom to believe, and what to show. Without any of it, TLS and password are those of the URL."""

    authority: str = setting(
        "LOUPE_NATS_TLS_AUTHORITY",
        default="",
        doc="PEM file of the authorities that sign NATS's certificate; empty: those of the system",
    )
    certificate: str = setting(
        "LOUPE_NATS_TLS_CERTIFICATE", default="", doc="PEM file of the certificate to show to NATS"
    )
    key: str = setting("LOUPE_NATS_TLS_KEY", default="", doc="PEM file of its private key")
    credentials: str = setting(
        "LOUPE_NATS_CREDENTIALS",
        default="",
        doc="Credentials file (`.creds`) of the NATS user; read again for each connection",
    )
    nkey_seed: str = setting(
        "LOUPE_NATS_NKEY_SEED", default="", secret=True, doc="Seed (`SU…`) of the NATS user's nkey"
    )

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
        if self.credentials and self.nkey_seed:
            raise ValueError("LOUPE_NATS_CREDENTIALS and LOUPE_NATS_NKEY_SEED are both set; unset one")
        for name, read, value in (
            ("CREDENTIALS", _Credentials.read, self.credentials),
            ("NKEY_SEED", UserKey, self.nkey_seed),
        ):
            try:
                if value:
                    read(value)
            except ValueError as error:
                raise ValueError(f"LOUPE_NATS_{name}: {error}") from None

    @property
    def signs(self) -> bool:
        """Whether the process proves who it is by a signature."""
        return bool(self.credentials or self.nkey_seed)

    def context_for(self, servers: list[str]) -> ssl.SSLContext | None:
        """For connections to these URLs; None if TLS is not asked for."""
        asked = any(server.startswith("tls://") for server in servers)
        if not (asked or self.authority or self.certificate):
            return None
        context = ssl.create_default_context(cafile=self.authority or None)
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def proof(self, nonce: str) -> dict[str, str]:
        """What to tell a server that sent this nonce, in a signature's place if need be."""
        if self.credentials:
            found = _Credentials.read(self.credentials)
            return {"jwt": found.token, "sig": found.key.signature(nonce)}
        key = UserKey(self.nkey_seed)
        return {"nkey": key.public, "sig": key.signature(nonce)}


@dataclass(frozen=True, kw_only=True)
class NatsSettings:
    """Where NATS is, and how it is reached. A group of settings, for a field of a process's settings."""

    url: str = setting(
        "LOUPE_NATS_URL",
        secret=True,
        doc="nats://user:password@host:port[,…] of a server with JetStream, or tls://…; without user and "
        "password where LOUPE_NATS_CREDENTIALS or LOUPE_NATS_NKEY_SEED says who it is",
    )
    access: NatsAccess

    def __post_init__(self) -> None:
        if self.access.signs and "@" in self.url:
            raise ValueError(
                "LOUPE_NATS_URL names a user, and so does LOUPE_NATS_CREDENTIALS or LOUPE_NATS_NKEY_SEED; "
                "leave one of them out"
            )


class AccessClient(Client):
    """Keeps to the access that it was given, which nats-py goes without where a server does not ask for it.

    It tells a server nothing, above all no password, unless the connection is encrypted as asked for.
    nats-py signs by a package that has no wheel.
    """

    def __init__(self, access: NatsAccess, *, encrypted: bool) -> None:
        super().__init__()
        self._access = access
        self._encrypted = encrypted

    def _connect_command(self) -> Any:  # noqa: ANN401 -- nats-py has no types
        if self._encrypted and not self._server_info.get("tls_required"):
            raise nats.errors.Error("the server does not offer TLS, which the settings ask for")
        command: bytes = super()._connect_command()
        if not self._access.signs:
            return command
        nonce = self._server_info.get("nonce")
        if nonce is None:
            raise nats.errors.Error("the server asks for no signature: it knows no user by a key")
        try:
            proof = self._access.proof(nonce)
        except ValueError as error:
            raise nats.errors.Error(str(error)) from None
        verb, _, options = command.decode().partition(" ")
        return f"{verb} {json.dumps({**json.loads(options), **proof})}\r\n".encode()
