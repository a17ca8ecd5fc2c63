"""Where a child process reads objects from and keeps its packs, as its environment says."""

import os
import queue
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loupe.errors import LoupeError, NotFound, Unavailable
from loupe.settings import load, setting

from services.kit.child_process import OBJECT_FDS
from services.kit.object_store import BlockingObjectStore, ObjectStoreSettings
from services.vision.pack import PackCache
from services.vision.samples import DirectoryObjects, ObjectReader, object_missing, object_unavailable

_MAX_OBJECT_BYTES = 2 * 2**30
"""A checkpoint of a large network; pictures have a limit of their own."""
_CONNECTIONS = 32


@dataclass(frozen=True, kw_only=True)
class ChildSettings:
    """Settings of a trainer's or evaluator's child."""

    cache_dir: Path = setting(  # noqa: RUF009 - declares, as dataclasses.field does
        "LOUPE_CACHE_DIR", default=Path(tempfile.gettempdir()) / "loupe", doc="Packs and work folders"
    )
    pack_cache_bytes: int = setting("LOUPE_PACK_CACHE_BYTES", default=8 * 2**30, doc="Bound of the packs")
    objects_dir: Path | None = setting(  # noqa: RUF009
        "LOUPE_OBJECTS_DIR", default=None, doc="A folder to read objects from instead of S3, for benches"
    )


class S3Objects:
    """Objects of the deployment's store, for a child that torchrun started and not a worker."""

    def __init__(self, store: BlockingObjectStore) -> None:
        self._store = store

    def read(self, key: str) -> bytes:
        """The whole object. Raises InfrastructureFault, DamagedObject."""
        try:
            return self._store.get_bytes(key, max_bytes=_MAX_OBJECT_BYTES)
        except NotFound as error:
            raise object_missing(key) from error
        except LoupeError as error:
            raise object_unavailable(key, error) from error


class SharedObjects:
    """The objects that the worker shares with its child (services.worker.object_share). Thread-safe."""

    def __init__(self, descriptors: Sequence[int]) -> None:
        self._idle: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()
        for descriptor in descriptors:
            # Programs that the child starts get only what they are given.
            os.set_inheritable(descriptor, False)
            self._idle.put(socket.socket(fileno=descriptor))

    def read(self, key: str) -> bytes:
        """The whole object. Raises InfrastructureFault, DamagedObject."""
        connection = self._idle.get()
        try:
            return _asked(connection, key)
        except (OSError, ValueError) as error:
            # What comes next on it belongs to this key.
            connection.shutdown(socket.SHUT_RDWR)
            raise object_unavailable(key, error) from error
        except NotFound as error:
            raise object_missing(key) from error
        except Unavailable as error:
            raise object_unavailable(key, error) from error
        finally:
            self._idle.put(connection)


def _asked(connection: socket.socket, key: str) -> bytes:
    """The answer to a request for an object. Raises NotFound, Unavailable; OSError if it breaks off."""
    connection.sendall(key.encode("ascii") + b"\n")
    with connection.makefile("rb", buffering=0) as answers:
        head = bytearray()
        while not head.endswith(b"\n"):
            # One by one: what follows the line is the object.
            if not (byte := answers.read(1)):
                raise ConnectionError("the worker gives no more objects")
            head += byte
        if head.startswith(b"?"):
            raise NotFound(key)
        if head.startswith(b"!"):
            raise Unavailable(head[1:].decode().strip())
        if (size_bytes := int(head)) > _MAX_OBJECT_BYTES:
            raise ValueError(f"it has {size_bytes} bytes; at most {_MAX_OBJECT_BYTES} are read at once")
        data = bytearray(size_bytes)
        rest = memoryview(data)
        while rest:
            if not (count := answers.readinto(rest)):
                raise ConnectionError("the object store broke off")
            rest = rest[count:]
        return bytes(data)


def descriptors(environ: Mapping[str, str]) -> list[int]:
    """The descriptors of the sockets for objects, as an environment names them."""
    return [int(number) for number in environ.get(OBJECT_FDS, "").split(",") if number]


def from_environment(processes: int = 1) -> tuple[ObjectReader, PackCache, Path]:
    """Objects, packs and the folder below which work folders go: a worker gives its child one (TMPDIR).

    The first of several `processes` leaves the others their share of the connections to the worker.
    """
    settings = load(ChildSettings, os.environ)
    packs = PackCache(settings.cache_dir / "packs", max_bytes=settings.pack_cache_bytes)
    scratch = Path(tempfile.gettempdir())
    if settings.objects_dir:
        return DirectoryObjects(settings.objects_dir), packs, scratch
    if shared := descriptors(os.environ):
        return SharedObjects(shared[::processes]), packs, scratch
    store = BlockingObjectStore(load(ObjectStoreSettings, os.environ), connections=_CONNECTIONS)
    return S3Objects(store), packs, scratch
