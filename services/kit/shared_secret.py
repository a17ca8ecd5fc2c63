"""Connections whose two ends know one secret, which neither sends: TLS, then a proof of the secret by each.

The server's certificate is made when it starts, and nobody signs it. Both proofs are HMACs over it: somebody
in between shows another certificate, and neither end takes a proof that was made for that one. So there is
no authority, and no certificate to be renewed.
"""

import asyncio
import datetime as dt
import hashlib
import hmac
import logging
import math
import secrets
import ssl
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from loupe.errors import Unauthenticated, Unavailable

_log = logging.getLogger(__name__)

LEAST_CHARACTERS = 32
"""Whoever sees a proof may try secrets at leisure: a short one would be found."""
_NONCE_BYTES = _PROOF_BYTES = 32
_PATIENCE_S = 10.0
_MOST_UNPROVEN = 64
_TOLD_AGAIN_S = 60.0
_LIFE = dt.timedelta(days=3650)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class SecretRefused(Unauthenticated):
    """The other end does not know the secret, or does not take ours for it."""

    reason = "SECRET_REFUSED"


class SharedSecret:
    """Listens and connects for those who know the secret."""

    def __init__(self, secret: str) -> None:
        """ValueError for one that is too short."""
        if len(secret) < LEAST_CHARACTERS:
            raise ValueError(
                f"the secret has {len(secret)} characters; it needs {LEAST_CHARACTERS} random ones"
            )
        self._secret = secret.encode()
        self._unproven = 0
        self._told_s = -math.inf

    async def serve(self, host: str, port: int, handler: Handler) -> asyncio.Server:
        """Listen; `handler` gets the connections of those who proved the secret. OSError."""
        context, fingerprint = server_context()

        async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                if await self._admit(reader, writer, fingerprint):
                    await handler(reader, writer)
            except (OSError, EOFError, TimeoutError):
                pass  # it is gone
            finally:
                writer.close()

        return await asyncio.start_server(
            on_connection,
            host,
            port,
            ssl=context,
            ssl_handshake_timeout=_PATIENCE_S,
            ssl_shutdown_timeout=1.0,
        )

    async def connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to a server that knows the secret. Raises Unavailable, SecretRefused."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the proof is about the certificate
        try:
            async with asyncio.timeout(_PATIENCE_S):
                reader, writer = await asyncio.open_connection(
                    host, port, ssl=context, ssl_shutdown_timeout=1.0
                )
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"{host}:{port} cannot be reached: {error or 'no answer'}") from error
        try:
            await self._prove(reader, writer)
        except BaseException as error:
            writer.close()
            if isinstance(error, OSError | EOFError):
                raise SecretRefused(f"{host}:{port} does not take this secret for its own") from error
            if isinstance(error, TimeoutError):
                raise Unavailable(f"{host}:{port} does not answer") from error
            raise
        return reader, writer

    async def _admit(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fingerprint: bytes
    ) -> bool:
        if self._unproven >= _MOST_UNPROVEN:
            return False
        self._unproven += 1
        try:
            async with asyncio.timeout(_PATIENCE_S):
                ours = secrets.token_bytes(_NONCE_BYTES)
                writer.write(ours)
                theirs = await reader.readexactly(_NONCE_BYTES)
                proof = await reader.readexactly(_PROOF_BYTES)
                if hmac.compare_digest(proof, self._proof(b"client", fingerprint, ours, theirs)):
                    writer.write(self._proof(b"server", fingerprint, ours, theirs))
                    return True
        finally:
            self._unproven -= 1
        peer = str((writer.get_extra_info("peername") or ["unknown"])[0])
        if time.monotonic() - self._told_s >= _TOLD_AGAIN_S:
            self._told_s = time.monotonic()
            _log.warning("a stranger was refused: it does not know the secret", extra={"peer": peer})
        return False

    async def _prove(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        fingerprint = hashlib.sha256(shown).digest()
        async with asyncio.timeout(_PATIENCE_S):
            theirs = await reader.readexactly(_NONCE_BYTES)
            ours = secrets.token_bytes(_NONCE_BYTES)
            writer.write(ours + self._proof(b"client", fingerprint, theirs, ours))
            proof = await reader.readexactly(_PROOF_BYTES)
        if not hmac.compare_digest(proof, self._proof(b"server", fingerprint, theirs, ours)):
            raise SecretRefused("the server does not know the secret")

    def _proof(self, side: bytes, fingerprint: bytes, servers: bytes, clients: bytes) -> bytes:
        # All parts have a fixed length.
        return hmac.digest(self._secret, side + fingerprint + servers + clients, "sha256")


def server_context() -> tuple[ssl.SSLContext, bytes]:
    """A context with a new certificate, and the certificate's SHA-256."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loupe")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LIFE)  # nobody looks: clocks may differ
        .not_valid_after(now + _LIFE)
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with tempfile.TemporaryDirectory(prefix="loupe-") as folder:  # ssl reads files alone
        pem = Path(folder) / "server.pem"
        pem.touch(mode=0o600)
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(pem)
    return context, hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
