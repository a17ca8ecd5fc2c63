"""How long a backup of so many bytes takes, the next one into the same folder, and its restoring."""

import argparse
import asyncio
import hashlib
import io
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
from minio import Minio

from deploy.backup.making import back_up
from deploy.backup.restoring import restore
from deploy.backup.verifying import verify
from deploy.embedded.servers import EmbeddedServers
from services.kit.database import Database
from services.registry.__main__ import MIGRATIONS


def measure(*options: str) -> dict[str, Any]:
    """Seconds of each step, on a stack with samples of 100 kB."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench backup")
    parser.add_argument("--megabytes", type=int, default=1000)
    arguments = parser.parse_args(options)
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as folder:
        return asyncio.run(_measure(Path(folder), arguments.megabytes * 10))


async def _measure(root: Path, count: int) -> dict[str, Any]:
    found: dict[str, Any] = {"objects": count, "bytes": count * 100_000}
    places = {"file": root / "plain.tar", "encrypted file": root / "sealed.tar", "folder": root / "folder"}
    places["folder"].mkdir()
    async with EmbeddedServers(root / "first") as servers:
        async with Database(servers.postgres.url, "registry") as database:
            await database.migrate(MIGRATIONS)
        await _fill(servers, count)
        for name, place in (*places.items(), ("folder again", places["folder"])):
            passphrase = "a passphrase" if name == "encrypted file" else None
            made = await back_up(root / "first", place, passphrase=passphrase)
            found[f"backup to {name}, s"] = round(made.duration_s, 1)
    began_s = time.monotonic()
    verify(places["folder"])
    found["verification, s"] = round(time.monotonic() - began_s, 1)
    restored = await restore(places["folder"], root / "second")
    found["restore, s"] = round(restored.duration_s, 1)
    return found


async def _fill(servers: EmbeddedServers, count: int) -> None:
    settings = servers.object_store
    client = Minio(
        settings.endpoint, access_key=settings.access_key, secret_key=settings.secret_key, secure=False
    )

    def put(_: int) -> bytes:
        content = os.urandom(100_000)
        digest = hashlib.sha256(content)
        client.put_object(settings.bucket, f"samples/{digest.hexdigest()}", io.BytesIO(content), len(content))
        return digest.digest()

    with ThreadPoolExecutor(4) as threads:
        hashes = await asyncio.to_thread(lambda: list(threads.map(put, range(count))))
    connection = await asyncpg.connect(servers.postgres.url.replace("+asyncpg", ""))
    await connection.executemany(
        "INSERT INTO registry.objects (sha256, size_bytes, pixels_sha256, verify_time) "
        "VALUES ($1, 100000, '', now())",
        [(sha256,) for sha256 in hashes],
    )
    await connection.close()
