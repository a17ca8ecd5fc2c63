"""A PostgreSQL with TLS, which takes clients by certificate and password; `make check-deploy` fetches it."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from deploy.embedded.ports import HOST, assign
from tests.support.repository import ROOT

PROGRAMS = ROOT / ".cache/postgres/package/native/bin"
_SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
ssl = on
ssl_cert_file = 'server.pem'
ssl_key_file = 'server.key'
ssl_ca_file = 'authority.pem'
"""
_RULES = "hostssl all loupe 127.0.0.1/32 scram-sha-256 clientcert=verify-full\n"


@dataclass(frozen=True)
class Encrypted:
    """Where it is, without parameters, and the files of a client whom it takes."""

    url: str
    authority: Path
    certificate: Path
    key: Path


@contextlib.asynccontextmanager
async def encrypted_postgres(authority: trustme.CA) -> AsyncIterator[Encrypted]:
    """A server, with the role and the database `loupe`. Its data goes with it."""
    # The server does not run as root, and pytest's folders are root's alone.
    root = Path(tempfile.mkdtemp(prefix="loupe-postgres-"))
    user = "nobody" if os.geteuid() == 0 else None
    try:
        if user:
            shutil.chown(root, user)
        await asyncio.to_thread(_initialise, root, user)
        port = assign(["postgres"], {})["postgres"]
        _configure(root, authority, port, user)
        server = await asyncio.create_subprocess_exec(
            PROGRAMS / "postgres", "-D", root / "data", user=user, stderr=(root / "log").open("wb")
        )
        try:
            yield _client(root, authority, f"postgresql://loupe:secret@{HOST}:{port}/postgres")
        finally:
            server.terminate()
            await server.wait()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _initialise(root: Path, user: str | None) -> None:
    password = root / "password"
    password.write_text("secret")
    if user:
        shutil.chown(password, user)
    command = [PROGRAMS / "initdb", "-D", root / "data", "-U", "loupe", "--auth=scram-sha-256", "--no-sync"]
    command += [f"--pwfile={password}", "--locale=C", "--encoding=UTF8"]
    subprocess.run(command, check=True, user=user, stdout=subprocess.DEVNULL)


def _configure(root: Path, authority: trustme.CA, port: int, user: str | None) -> None:
    data = root / "data"
    issued = authority.issue_cert(HOST)
    issued.cert_chain_pems[0].write_to_path(data / "server.pem")
    issued.private_key_pem.write_to_path(data / "server.key")
    authority.cert_pem.write_to_path(data / "authority.pem")
    (data / "server.key").chmod(0o600)
    if user:
        shutil.chown(data / "server.key", user)
    with (data / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write(_SETTINGS.format(port=port))
    (data / "pg_hba.conf").write_text(_RULES)


def _client(root: Path, authority: trustme.CA, url: str) -> Encrypted:
    issued = authority.issue_cert("registry.example.com", common_name="loupe")
    found = Encrypted(url, root / "authority.pem", root / "client.pem", root / "client.key")
    authority.cert_pem.write_to_path(found.authority)
    issued.cert_chain_pems[0].write_to_path(found.certificate)
    issued.private_key_pem.write_to_path(found.key)
    found.key.chmod(0o600)
    return found
