"""How fast a backup, its verification and its restoring are, beside `cp` and `cat` of the same bytes."""

import argparse
import asyncio
import hashlib
import io
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
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

_PLACES = ("file", "encrypted", "folder")
_SIZES = (*[300_000] * 98, 4_500_000, 45_000_000)
"""Of a hundred objects: pictures, one as large as a scan, one as weights; of random bytes."""


def measure(*options: str) -> dict[str, Any]:
    """MB/s of each step on a stack of its own, and how that compares with the peer of the same run."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench backup")
    parser.add_argument("--megabytes", type=int, default=10_000)
    parser.add_argument("--only", choices=_PLACES, action="append", default=None, help="of the backups")
    parser.add_argument("--folder", type=Path, default=None, help="on the disk that is measured")
    arguments = parser.parse_args(options)
    with tempfile.TemporaryDirectory(prefix="loupe-bench-", dir=arguments.folder) as folder:
        run = _Run(Path(folder))
        return asyncio.run(run.all(arguments.megabytes * 10**6, arguments.only or _PLACES))


class _Run:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._bytes = 0
        self._found: dict[str, Any] = {}

    async def all(self, wanted_bytes: int, places: Sequence[str]) -> dict[str, Any]:
        """Each backup is read, restored and deleted before the next: no more than three copies at once."""
        async with EmbeddedServers(self._root / "first") as servers:
            async with Database(servers.postgres.url, "registry") as database:
                await database.migrate(MIGRATIONS)
            await self._fill(servers, wanted_bytes)
            self._peer_copies(servers.seaweed.folder)
            if "file" in places:
                await self._file("a file", None)
            if "encrypted" in places:
                await self._file("an encrypted file", "a passphrase")
            if "folder" in places:
                await self._folder()
        return self._found

    async def _file(self, name: str, passphrase: str | None) -> None:
        place = self._root / "backup.tar"
        made = await back_up(self._root / "first", place, passphrase=passphrase)
        self._tell(f"backup to {name}", made.duration_s, beside="cp")
        if "cat, MB/s" not in self._found:
            self._timed("cat", lambda: _run("cat", place))
        self._timed(f"verification of {name}", lambda: verify(place, passphrase=passphrase), beside="cat")
        restored = await restore(place, self._root / "second", passphrase=passphrase)
        self._tell(f"restore of {name}", restored.duration_s, beside="cp")
        place.unlink()
        shutil.rmtree(self._root / "second")

    async def _folder(self) -> None:
        place = self._root / "folder"
        place.mkdir()
        made = await back_up(self._root / "first", place)
        self._tell("backup to a folder", made.duration_s, beside="cp")
        again = await back_up(self._root / "first", place)
        self._found["the next backup into the folder, s"] = round(again.duration_s, 1)

    def _peer_copies(self, store: Path) -> None:
        """The object store's own files, copied and on the disk."""
        copy = self._root / "copy"
        self._timed("cp", lambda: (_run("cp", "-r", store, copy), _run("sync", "-f", copy)))
        shutil.rmtree(copy)

    def _timed(self, name: str, do: Any, beside: str = "") -> None:  # noqa: ANN401 -- what it returns is not asked
        began_s = time.monotonic()
        do()
        self._tell(name, time.monotonic() - began_s, beside)

    def _tell(self, name: str, took_s: float, beside: str = "") -> None:
        pace = self._bytes / 1e6 / took_s
        self._found[f"{name}, MB/s"] = round(pace, 1)
        if beside:
            self._found[f"{name}, of {beside}"] = round(pace / self._found[f"{beside}, MB/s"], 2)

    async def _fill(self, servers: EmbeddedServers, wanted_bytes: int) -> None:
        settings = servers.object_store
        client = Minio(
            settings.endpoint, access_key=settings.access_key, secret_key=settings.secret_key, secure=False
        )

        def put(size_bytes: int) -> tuple[bytes, int]:
            content = os.urandom(size_bytes)
            digest = hashlib.sha256(content)
            key = f"samples/{digest.hexdigest()}"
            client.put_object(settings.bucket, key, io.BytesIO(content), size_bytes)
            return digest.digest(), size_bytes

        sizes = list(_sizes(wanted_bytes))
        with ThreadPoolExecutor(4) as threads:
            rows = await asyncio.to_thread(lambda: list(threads.map(put, sizes)))
        self._bytes = sum(sizes)
        self._found |= {"objects": len(sizes), "MB": round(self._bytes / 1e6)}
        connection = await asyncpg.connect(servers.postgres.url.replace("+asyncpg", ""))
        await connection.executemany(
            "INSERT INTO registry.objects (sha256, size_bytes, pixels_sha256, verify_time) "
            "VALUES ($1, $2, '', now())",
            rows,
        )
        await connection.close()


def _sizes(wanted_bytes: int) -> Iterator[int]:
    """Of objects that are so much in all."""
    total = 0
    for size_bytes in itertools.cycle(_SIZES):
        if total >= wanted_bytes:
            return
        total += size_bytes
        yield size_bytes


def _run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
