"""Makes a backup of a stack, which may run meanwhile.

First the objects that rows name are copied. Then, for a moment in which no event is written, the position of
the streams and a view of the rows are taken. The objects of that view that are not there yet follow, then the
dump of the same view, then the events up to the position. Where an object of the view is deleted before it is
copied, a new view is taken: garbage collection need not be told anything.
"""

import asyncio
import contextlib
import hashlib
import io
import json
import re
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

from loupe.errors import NotFound

from deploy.backup import database, events
from deploy.backup.database import Named, View
from deploy.backup.manifest import (
    DATABASE,
    EVENTS,
    FILES,
    MANIFEST,
    OBJECTS,
    Manifest,
    Part,
    object_lines,
)
from deploy.backup.places import Target, digest_of, target_of
from deploy.backup.sealing import Passphrase
from deploy.backup.stores import Stores, stack_settings, stores_of
from deploy.embedded.data_folder import DataFolder
from deploy.embedded.files import write_atomically
from services.kit.about import VERSION
from services.kit.messaging import Messaging
from services.kit.object_store import BlockingObjectStore

_AT_ONCE = 4
_AHEAD = 16
"""Objects that are read while earlier ones are written; each holds up to `_IN_MEMORY_BYTES`."""
_IN_MEMORY_BYTES = 4 * 1024 * 1024
_VIEWS = 5
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a backup, a verification or a restore is."""

    objects: int
    of: int
    bytes: int


OnProgress = Callable[[Progress], None]


def ignore(_: Progress) -> None:
    """Tell nobody."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A backup that was made."""

    place: str
    encrypted: bool
    manifest: Manifest
    copied: int
    """Objects that were not there from an earlier backup."""
    copied_bytes: int
    duration_s: float


@dataclass
class _Objects:
    """What is in the backup so far."""

    sizes: dict[str, int] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    copied: int = 0
    copied_bytes: int = 0


async def back_up(
    data_dir: Path, to: Path, *, passphrase: str | None = None, on_progress: OnProgress = ignore
) -> Made:
    """Write a backup of the stack of a data folder to a file or a folder; BackupError, LoupeError."""
    began_s = time.monotonic()
    folder = DataFolder(data_dir)
    # Opened first: a place that does not do is refused before the stores are asked.
    with target_of(to, Passphrase(passphrase) if passphrase is not None else None) as target:
        async with stores_of(folder.root) as stores:
            manifest, objects = await _write(stores, folder, target, on_progress)
        place = await asyncio.to_thread(target.complete)
    made = Made(
        place=place,
        encrypted=passphrase is not None,
        manifest=manifest,
        copied=objects.copied,
        copied_bytes=objects.copied_bytes,
        duration_s=time.monotonic() - began_s,
    )
    _note(folder, made)
    return made


async def _write(
    stores: Stores, folder: DataFolder, target: Target, on_progress: OnProgress
) -> tuple[Manifest, _Objects]:
    objects = _Objects()
    store = BlockingObjectStore(stores.objects)
    copier = _Copier(store, target, objects, on_progress)
    try:
        async with await Messaging.connect(stores.nats.url, name="backup") as messaging:
            async with database.view(stores.postgres) as view:
                named = await view.objects()
            await asyncio.to_thread(copier.copy, named)
            for last in (*[False] * (_VIEWS - 1), True):
                async with _moment(stores, messaging) as (view, at):
                    named = await view.objects()
                    await asyncio.to_thread(copier.copy, named)
                    # Deleted after the view was taken, or lost before: the next view tells.
                    if last or not objects.lost:
                        parts = _Parts(stores, folder, target, messaging)
                        return await parts.write(view, at, objects), objects
        raise AssertionError("the last view returns")
    finally:
        store.close()


@contextlib.asynccontextmanager
async def _moment(
    stores: Stores, messaging: Messaging
) -> AsyncIterator[tuple[View, dict[str, events.Position]]]:
    """Rows and streams that belong together: an event is in an outbox of the view, or before the position."""
    async with contextlib.AsyncExitStack() as views:
        async with database.outboxes_held(stores.postgres):
            at = await events.positions(messaging)
            view = await views.enter_async_context(database.view(stores.postgres))
        yield view, at


class _Copier:
    """Copies objects from the store to the target, in the order of their keys."""

    def __init__(
        self, store: BlockingObjectStore, target: Target, objects: _Objects, on_progress: OnProgress
    ) -> None:
        self._store, self._target, self._objects = store, target, objects
        self._on_progress = on_progress

    def copy(self, named: Mapping[str, Named]) -> None:
        """Copy what is missing of these; afterwards `objects` has these alone."""
        objects = self._objects
        objects.lost.clear()
        objects.sizes = {key: size for key, size in objects.sizes.items() if key in named}
        missing = []
        for key in sorted(named.keys() - objects.sizes.keys()):
            size_bytes = self._target.size_of_object(key)
            if size_bytes is None:
                missing.append(key)
            else:
                objects.sizes[key] = size_bytes
        self._tell(len(named))
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="backup") as threads:
            for key, content in _ahead(threads, self._read, missing):
                if content is None:
                    if named[key].must_be_whole:
                        objects.lost.add(key)
                    continue
                with content:
                    self._add(key, content)
                self._tell(len(named))

    def _add(self, key: str, content: IO[bytes]) -> None:
        size_bytes = content.seek(0, io.SEEK_END)
        content.seek(0)
        self._target.add_object(key, content, size_bytes)
        self._objects.sizes[key] = size_bytes
        self._objects.copied += 1
        self._objects.copied_bytes += size_bytes

    def _read(self, key: str) -> IO[bytes] | None:
        """The object; None if it is not there, or holds other bytes than its name says."""
        content = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 -- the reader closes it
        digest = hashlib.sha256()
        try:
            for chunk in self._store.stream(key):
                digest.update(chunk)
                content.write(chunk)
        except NotFound:
            content.close()
            return None
        except BaseException:
            content.close()
            raise
        if digest.hexdigest() != sha256_in(key):
            content.close()
            return None
        return content

    def _tell(self, of: int) -> None:
        there = self._objects.sizes
        self._on_progress(Progress(objects=len(there), of=of, bytes=self._objects.copied_bytes))


def sha256_in(key: str) -> str:
    """The hash of an object's bytes, which its key holds."""
    found = _HASH.search(key)
    return found[0] if found else ""


def _ahead(
    threads: ThreadPoolExecutor, read: Callable[[str], IO[bytes] | None], keys: Iterable[str]
) -> Iterator[tuple[str, IO[bytes] | None]]:
    """What `read` returns for each, in order, some of them read in advance."""
    remaining = iter(keys)
    reading = deque((key, threads.submit(read, key)) for key in islice(remaining, _AHEAD))
    try:
        while reading:
            key, future = reading.popleft()
            yield key, future.result()
            reading.extend((key, threads.submit(read, key)) for key in islice(remaining, 1))
    finally:
        for _, future in reading:
            future.cancel()


class _Parts:
    """Writes what a backup has besides the objects."""

    def __init__(self, stores: Stores, folder: DataFolder, target: Target, messaging: Messaging) -> None:
        self._stores, self._folder, self._target = stores, folder, target
        self._messaging = messaging
        self._written: dict[str, Part] = {}

    async def write(self, view: View, at: Mapping[str, events.Position], objects: _Objects) -> Manifest:
        """All of them; the manifest comes last."""
        with self._temporary() as file:
            snapshot = await view.snapshot()
            await database.dump(self._stores.postgres, snapshot, file, stack_settings().programs)
            await self._add(DATABASE, file)
        with self._temporary() as file:
            streams = await events.write(self._messaging, at, file)
            await self._add(EVENTS, file)
        with self._temporary() as file:
            file.writelines(object_lines(objects.sizes))
            await self._add(OBJECTS, file)
        for name in FILES:
            path = self._folder.root / name
            if path.is_file():
                with path.open("rb") as file:
                    await self._add(name, file)
        manifest = Manifest(
            loupe=VERSION,
            created=await view.created(),
            postgres=await view.server(),
            schemas=await view.schemas(),
            objects=len(objects.sizes),
            objects_bytes=sum(objects.sizes.values()),
            lost=tuple(sorted(objects.lost)),
            parts=self._written,
            streams=streams,
        )
        content = manifest.to_json()
        await asyncio.to_thread(self._target.add, MANIFEST, io.BytesIO(content), len(content))
        return manifest

    def _temporary(self) -> IO[bytes]:
        """A file without a name, beside the backup, where there is room for it."""
        return tempfile.TemporaryFile(dir=self._target.room)

    async def _add(self, name: str, file: IO[bytes]) -> None:
        await asyncio.to_thread(self._add_now, name, file)

    def _add_now(self, name: str, file: IO[bytes]) -> None:
        file.seek(0)
        size_bytes, sha256 = digest_of(file)
        file.seek(0)
        self._target.add(name, file, size_bytes)
        self._written[name] = Part(size_bytes=size_bytes, sha256=sha256)


def _note(folder: DataFolder, made: Made) -> None:
    """Remember the newest backup, for `loupe status` and `loupe system` (services/kit/backups.py)."""
    note = {
        "created": made.manifest.created,
        "place": _whole(made.place),
        "encrypted": made.encrypted,
        "objects": made.manifest.objects,
        "bytes": made.manifest.objects_bytes + made.manifest.parts[DATABASE].size_bytes,
        "lost": len(made.manifest.lost),
    }
    _write_note(folder, note)


def note_verification(data_dir: Path, place: str, faults: int) -> None:
    """Remember that the newest backup was read now, if it is the one at `place`."""
    folder = DataFolder(data_dir)
    try:
        note = json.loads(folder.last_backup.read_text())
    except (OSError, ValueError):
        return
    if note.get("place") == _whole(place):
        verified = datetime.now(UTC).isoformat(timespec="seconds")
        _write_note(folder, {**note, "verified": verified, "faults": faults})


def _whole(place: str) -> str:
    """The place from the root on: another command may be given from another folder."""
    return str(Path(place).absolute())


def _write_note(folder: DataFolder, note: Mapping[str, Any]) -> None:
    write_atomically(folder.last_backup, json.dumps(note, indent=2) + "\n", mode=0o600)
