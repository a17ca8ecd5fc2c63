"""Makes a data folder of a backup, or puts a dump of the database into one.

Secrets by which processes of one machine know each other are made anew: passwords of PostgreSQL, NATS and
the object store, service tokens, and a token of the first administrator. What others know stays: the signing
keys, the certificate, users with their passwords, and their tokens, which are rows. Where others find the
stack stays only on a machine that has that address and that name.
"""

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from loupe.translation import sentence

from deploy.backup import database, events
from deploy.backup.database import RESTORED
from deploy.backup.errors import BackupError
from deploy.backup.making import OnProgress, Progress, ignore, sha256_in
from deploy.backup.manifest import DATABASE, EVENTS, FILES, OBJECTS, Manifest, read_object_lines
from deploy.backup.places import Source, chunks_of, digest_of, source_of
from deploy.backup.sealing import Passphrase
from deploy.backup.stores import Stores, stack_settings
from deploy.backup.versions import require_known
from deploy.embedded import network
from deploy.embedded.data_folder import DataFolder
from deploy.embedded.errors import AlreadyRunning
from deploy.embedded.files import write_atomically
from deploy.embedded.network import Network
from deploy.embedded.postgres import DATABASE as SERVICES
from deploy.embedded.postgres import outside_folder
from deploy.embedded.servers import EmbeddedServers
from services.kit.flushing import FolderFlusher
from services.kit.messaging import Messaging
from services.kit.object_store import BlockingObjectStore

_AT_ONCE = 4
_AHEAD = 16
_IN_MEMORY_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A data folder that was made of a backup."""

    data_dir: Path
    place: str
    manifest: Manifest
    duration_s: float
    left_out: Network | None = None
    """Where other machines reached the stack of the backup, if this machine is another one."""
    misfit: str = ""
    """What tells that."""


async def restore(
    path: Path, data_dir: Path, *, passphrase: str | None = None, on_progress: OnProgress = ignore
) -> Restored:
    """Fill an empty data folder; BackupError, and then nothing is left there."""
    began_s = time.monotonic()
    folder = DataFolder(data_dir)
    with source_of(path, Passphrase(passphrase) if passphrase is not None else None) as source:
        manifest = source.manifest()
        require_known(manifest.schemas, manifest.loupe)
        if faults := await asyncio.to_thread(source.faults, manifest):
            raise BackupError(
                sentence(
                    "{place} is not whole: {faults}; take another copy of it",
                    place=source.name,
                    faults="; ".join(faults),
                )
            )
        with _empty(folder):
            _write_files(source, manifest, folder)
            left_out, misfit = _leave_out_what_does_not_fit(folder)
            async with EmbeddedServers(folder.root, programs=stack_settings().programs) as servers:
                await _fill(source, manifest, servers, on_progress)
        return Restored(
            data_dir=folder.root,
            place=source.name,
            manifest=manifest,
            duration_s=time.monotonic() - began_s,
            left_out=left_out,
            misfit=misfit,
        )


async def restore_database(dump: Path, data_dir: Path) -> None:
    """Put a dump of the database in the place of that of a data folder whose stack does not run; BackupError.

    Nothing else changes: it is for going back after an upgrade.
    """
    folder = DataFolder(data_dir)
    if not folder.credentials_file.is_file():
        raise BackupError(
            sentence("{folder} is no data folder of a stack; name one by --data-dir", folder=folder.root)
        )
    if not dump.is_file():  # noqa: ASYNC240 -- one look
        raise BackupError(
            sentence(
                "{dump} does not exist; the dumps of a data folder are in {folder}",
                dump=dump,
                folder=folder.dumps,
            )
        )
    programs = stack_settings().programs
    try:
        async with EmbeddedServers(folder.root, programs=programs) as servers:
            postgres = servers.postgres
            await postgres.drop_database(RESTORED)
            await postgres.create_database(RESTORED)
            try:
                await database.load(postgres, dump, RESTORED, programs)
                async with database.connected(postgres, RESTORED) as connection:
                    schemas = await database.revisions(connection)
                require_known(schemas, "a later version")
                await postgres.replace_database(SERVICES, by=RESTORED)
            except BaseException:
                await postgres.drop_database(RESTORED)
                raise
    except AlreadyRunning as error:
        raise BackupError(
            sentence("{error}: the database is replaced only while nothing uses it", error=error)
        ) from error


@contextlib.contextmanager
def _empty(folder: DataFolder) -> Iterator[None]:
    """An empty data folder, marked as long as the block lasts; emptied again if it fails."""
    if folder.root.exists() and (not folder.root.is_dir() or any(folder.root.iterdir())):
        raise BackupError(
            sentence(
                "{folder} is not empty; name a folder that is, or that does not exist, by --data-dir",
                folder=folder.root,
            )
        )
    was_there = folder.root.exists()
    folder.create()
    write_atomically(folder.half_restored, "A backup is being restored here.\n")
    try:
        yield
    except BaseException:
        outside = outside_folder(folder.credentials().stack_id).parent
        shutil.rmtree(outside, ignore_errors=True)
        for path in (*folder.root.iterdir(), *(() if was_there else (folder.root,))):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        raise
    folder.half_restored.unlink()


def _leave_out_what_does_not_fit(folder: DataFolder) -> tuple[Network | None, str]:
    """Leave the stack to this machine alone where it cannot be reached as that of the backup was."""
    chosen = network.read(folder.network_file)
    misfit = network.misfit(chosen)
    if not misfit:
        return None, ""
    folder.network_file.unlink()
    return chosen, misfit


def _write_files(source: Source, manifest: Manifest, folder: DataFolder) -> None:
    for name in FILES:
        if name in manifest.parts:
            (folder.root / name).parent.mkdir(mode=0o700, exist_ok=True)
            with source.open(name) as file:
                write_atomically(folder.root / name, file.read().decode(), mode=0o600)


async def _fill(
    source: Source, manifest: Manifest, servers: EmbeddedServers, on_progress: OnProgress
) -> None:
    programs = stack_settings().programs
    with tempfile.NamedTemporaryFile(dir=servers.folder.root) as dump:
        await asyncio.to_thread(_copy_part, source, DATABASE, dump.file)
        await database.load(servers.postgres, Path(dump.name), SERVICES, programs)
    store = BlockingObjectStore(Stores(servers.postgres, servers.nats, servers.seaweed).objects)
    try:
        await asyncio.to_thread(_store_objects, source, store, on_progress)
    finally:
        store.close()
    async with await Messaging.connect(servers.nats.url, name="backup") as messaging:
        with source.open(EVENTS) as file:
            await events.restore(messaging, manifest.streams, file)
    async with database.connected(servers.postgres) as connection:
        with source.open(EVENTS) as file:
            await events.mark_handled(connection, manifest.streams, file)
    for written in (servers.seaweed.folder, servers.nats.folder):
        await FolderFlusher(written).flush_soon()


def _copy_part(source: Source, name: str, out: IO[bytes]) -> None:
    with source.open(name) as file:
        shutil.copyfileobj(file, out, _IN_MEMORY_BYTES)
    out.flush()


def _store_objects(source: Source, store: BlockingObjectStore, on_progress: OnProgress) -> None:
    """One thread reads the backup and compares digests, several write to the store."""
    with source.open(OBJECTS) as file:
        sizes = read_object_lines(file)
    stored_bytes = 0
    waiting: deque[tuple[int, Future[None]]] = deque()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="restore") as threads:
        for number, (key, size_bytes) in enumerate(sizes.items(), 1):
            content = _object(source, key, size_bytes)
            waiting.append((number, threads.submit(_put, store, key, content, size_bytes)))
            stored_bytes += size_bytes
            while len(waiting) >= _AHEAD or (waiting and number == len(sizes)):
                done, future = waiting.popleft()
                future.result()
                on_progress(Progress(objects=done, of=len(sizes), bytes=stored_bytes))


def _object(source: Source, key: str, size_bytes: int) -> IO[bytes]:
    try:
        with source.open_object(key) as file:
            content = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 -- `_put` closes it
            for chunk in chunks_of(file):
                content.write(chunk)
    except FileNotFoundError as error:
        raise BackupError(
            sentence(
                "objects/{key} is missing in {place}; take another copy of it", key=key, place=source.name
            )
        ) from error
    content.seek(0)
    if digest_of(content) != (size_bytes, sha256_in(key)):
        raise BackupError(
            sentence(
                "objects/{key} is altered in {place}; take another copy of it", key=key, place=source.name
            )
        )
    content.seek(0)
    return content


def _put(store: BlockingObjectStore, key: str, content: IO[bytes], size_bytes: int) -> None:
    with content:
        if size_bytes <= _IN_MEMORY_BYTES:
            store.put_bytes(key, content.read())
            return
        with tempfile.NamedTemporaryFile() as file:
            shutil.copyfileobj(content, file, _IN_MEMORY_BYTES)
            file.flush()
            store.put_file(key, Path(file.name))
