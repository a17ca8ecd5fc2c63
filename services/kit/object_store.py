"""Object storage over S3: a blocking class for child processes, and an asynchronous one for services.

Keys of content are `<prefix>/<sha256><suffix>`; existing content is never overwritten. Only `put_bytes` and
`get_bytes` hold a whole object in memory, whose size they know or limit.

An object is durable when `put_content` or `flush` has returned: it survives a power loss. Only then may a row
name it.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

import urllib3
from loupe.errors import Internal, LoupeError, NotFound, OutOfRange, Unavailable
from loupe.settings import setting
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.datatypes import Object
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from services.kit.auth import caller_name
from services.kit.fair_queue import FairQueue
from services.kit.flushing import FolderFlusher
from services.kit.metrics import Counter, Histogram
from services.kit.presigning import Signer, Validity
from services.kit.store_keys import GivenKeys, KeySource, StoreKeys, aws_keys

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)

_CHUNK_BYTES = 1024 * 1024
_PART_BYTES = 16 * 1024 * 1024
_KEYS_A_BATCH = 500
_LOOK_TIMEOUT_S = 2.0
_LOOK_STEP_BYTES = 4 * 1024 * 1024
"""At most a chunk in which a store keeps a large object."""
FRESH = timedelta(hours=1)
"""Younger content is not written again. The grace period of orphans must be at least twice as long."""
_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "ResourceNotFound", "NotFound"})
_OPERATIONS = {"next": "read_chunk", "_close": "end_reading", "<lambda>": "list"}
"""Of calls whose name is another."""

_REQUESTS = Counter(
    "loupe_object_store_operations_total",
    "operations",
    "Operations on the object store, `done` or `failed`; an object that is not there is an answer",
    "operation",
    "result",
)
_DURATION = Histogram(
    "loupe_object_store_duration_seconds",
    "seconds",
    "How long operations on the object store took, with the wait for a thread",
    "operation",
)
_BUSY = frozenset({"InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout"})


@dataclass(frozen=True, kw_only=True)
class ObjectStoreSettings:
    """Where the objects are. A group of settings, for a field of a process's settings."""

    endpoint: str = setting("LOUPE_S3_ENDPOINT", doc="host:port of the S3 endpoint")
    keys: KeySource = setting(  # noqa: RUF009 -- a field, as all others
        "LOUPE_S3_KEYS",
        default=KeySource.SETTINGS,
        doc="`settings`: LOUPE_S3_ACCESS_KEY and LOUPE_S3_SECRET_KEY; `aws`: from where AWS's clients take "
        "them, by AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE, AWS_SHARED_CREDENTIALS_FILE, or of the "
        "container or the machine",
    )
    access_key: str = setting(
        "LOUPE_S3_ACCESS_KEY",
        default="",
        doc="Access key of the S3 endpoint; required unless LOUPE_S3_KEYS=aws",
    )
    secret_key: str = setting(
        "LOUPE_S3_SECRET_KEY",
        default="",
        secret=True,
        doc="Secret key of the S3 endpoint; required unless LOUPE_S3_KEYS=aws",
    )
    session_token: str = setting(
        "LOUPE_S3_SESSION_TOKEN",
        default="",
        secret=True,
        doc="Session token of temporary keys; empty: the keys have none",
    )
    bucket: str = setting("LOUPE_S3_BUCKET", default="loupe", doc="The bucket that holds everything")
    secure: bool = setting("LOUPE_S3_SECURE", default=True, doc="1 = TLS to the S3 endpoint, 0 = plain")
    region: str = setting("LOUPE_S3_REGION", default="us-east-1", doc="Region that requests are signed for")
    public_endpoint: str | None = setting(
        "LOUPE_S3_PUBLIC_ENDPOINT",
        default=None,
        doc="host:port under which clients reach the endpoint, for presigned links, with http:// or https:// "
        "where that differs from LOUPE_S3_SECURE; unset = the same",
    )
    unflushed_folder: Path | None = setting(  # noqa: RUF009 -- a field, as all others
        "LOUPE_S3_UNFLUSHED_FOLDER",
        default=None,
        doc="folder of an object store on this machine that answers before its files are on the disk: they "
        "are flushed before a row names an object. The embedded stack sets it; "
        "unset = the store answers when they are",
    )

    def __post_init__(self) -> None:
        given = {"ACCESS_KEY": self.access_key, "SECRET_KEY": self.secret_key}
        if self.keys is KeySource.SETTINGS:
            if missing := [f"LOUPE_S3_{name}" for name, value in given.items() if not value]:
                raise ValueError(f"{' and '.join(missing)} must be set, unless LOUPE_S3_KEYS=aws")
        else:
            given["SESSION_TOKEN"] = self.session_token
            if extra := [f"LOUPE_S3_{name}" for name, value in given.items() if value]:
                raise ValueError(f"{' and '.join(extra)} and LOUPE_S3_KEYS=aws are both set; leave one out")
            aws_keys(os.environ)

    def signing_keys(self) -> StoreKeys:
        """What requests and links are signed with."""
        if self.keys is KeySource.AWS:
            return aws_keys(os.environ)
        given = Credentials(self.access_key, self.secret_key, self.session_token or None)
        return GivenKeys(lambda: given)


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """Metadata of an object."""

    key: str
    size_bytes: int
    etag: str
    content_type: str
    # Since it was written, by the store's clock: the machine's own may be another.
    age: timedelta


class BlockingObjectStore:
    """The store for code without an event loop. Thread-safe.

    Failures: NotFound (no such object or bucket), Unavailable (the store does not answer or is busy),
    Internal (it refuses the request).
    """

    def __init__(self, settings: ObjectStoreSettings, *, connections: int = 16) -> None:
        self._bucket = settings.bucket
        self._region = settings.region
        self._keys = settings.signing_keys()
        # minio-py's default pool retries a failing server for many seconds; our callers decide themselves.
        pool = urllib3.PoolManager(
            maxsize=connections,
            # urllib3 uses `connect` for sending a body too, which a busy store may delay for seconds.
            timeout=urllib3.Timeout(connect=10.0, read=60.0),
            retries=urllib3.Retry(
                total=2,
                backoff_factor=0.1,
                status_forcelist=(500, 502, 503, 504),
                allowed_methods=None,
                raise_on_status=False,
            ),
        )

        looking_pool = urllib3.PoolManager(
            maxsize=connections, timeout=urllib3.Timeout(_LOOK_TIMEOUT_S), retries=False
        )

        def client(endpoint: str, http_client: urllib3.PoolManager = pool) -> Minio:
            scheme, _, host = endpoint.rpartition("://")
            return Minio(
                host,
                credentials=self._keys,
                secure=scheme == "https" if scheme else settings.secure,
                region=settings.region,
                http_client=http_client,
            )

        self._pools = (pool, looking_pool)
        self._client = client(settings.endpoint)
        self._looker = client(settings.endpoint, looking_pool)
        self._signer = client(settings.public_endpoint or settings.endpoint)
        folder = settings.unflushed_folder
        self._flusher = None if folder is None else FolderFlusher(folder)

    def close(self) -> None:
        """Close idle connections."""
        for pool in self._pools:
            pool.clear()

    def flush(self) -> None:
        """Return when every object that was stored before this call is durable."""
        if self._flusher is not None:
            self._flusher.flush()

    def ensure_bucket(self) -> None:
        """Create the bucket unless it is there, as it is where the key may not even look at it."""
        with _named(self._bucket):
            try:
                if self._client.bucket_exists(bucket_name=self._bucket):
                    return
                self._client.make_bucket(bucket_name=self._bucket)
            except S3Error as error:
                if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists", "AccessDenied"}:
                    raise

    def put_bytes(self, key: str, data: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Store `data` under `key`, completely or not at all."""
        with _named(key):
            self._client.put_object(
                bucket_name=self._bucket,
                object_name=key,
                data=BytesIO(data),
                length=len(data),
                content_type=content_type,
            )

    def put_file(self, key: str, path: Path, *, content_type: str = "application/octet-stream") -> None:
        """Store a file under `key`, in parts if it is large."""
        with _named(key):
            self._client.fput_object(
                bucket_name=self._bucket,
                object_name=key,
                file_path=str(path),
                content_type=content_type,
                part_size=_PART_BYTES,
            )

    def put_content(
        self,
        prefix: str,
        source: bytes | Path,
        *,
        suffix: str = "",
        content_type: str = "application/octet-stream",
        damaged: bool = False,
    ) -> str:
        """Store bytes or a file under its hash unless it is there; returns `<prefix>/<sha256><suffix>`.

        Old content is written again: it may be an orphan that is about to be deleted; and so is an object
        that is known to be damaged. The object is durable when this returns.
        """
        if isinstance(source, bytes):
            key = content_key(prefix, hashlib.sha256(source).hexdigest(), suffix)
            if damaged or not self._is_fresh(key):
                self.put_bytes(key, source, content_type=content_type)
        else:
            key = content_key(prefix, sha256_of(source), suffix)
            if damaged or not self._is_fresh(key):
                self.put_file(key, source, content_type=content_type)
        # Also what was there: whoever stored it may not have come so far.
        self.flush()
        return key

    def _is_fresh(self, key: str) -> bool:
        try:
            found = self.stat(key)
        except NotFound:
            return False
        return found.age < FRESH and self.holds(key, found.size_bytes)

    def holds(self, key: str, size_bytes: int) -> bool:
        """Whether the object is there with that size, and bytes of all its chunks can be read.

        A store that lost its power may still list an object whose bytes it lost. Unavailable if the store
        answers nothing at all.
        """
        try:
            if size_bytes == 0:
                return self.stat(key).size_bytes == 0
            first = range(0, size_bytes - 1, _LOOK_STEP_BYTES) if size_bytes > _LOOK_STEP_BYTES else ()
            places = (*first, size_bytes - 1)
            return all(self._size_seen_at(key, offset) == size_bytes for offset in places)
        except NotFound:
            return False
        except (Internal, Unavailable):
            # The object's fault or the store's?
            self.exists(key)
            return False

    def _size_seen_at(self, key: str, offset: int) -> int:
        """The size that the store tells with one byte of the object."""
        with _named(key):
            response = self._looker.get_object(
                bucket_name=self._bucket, object_name=key, offset=offset, length=1
            )
            try:
                response.read()
                return int(response.headers["Content-Range"].rpartition("/")[2])
            finally:
                response.close()
                response.release_conn()

    def get_bytes(self, key: str, *, max_bytes: int, part: tuple[int, int] | None = None) -> bytes:
        """The whole object, or the part from an offset of a length, as far as it goes.

        OutOfRange, without reading it, if that is larger than `max_bytes`.
        """
        offset, length = part or (0, 0)
        with _named(key), self._opened(key, offset=offset, length=length) as response:
            size_bytes = int(response.headers.get("Content-Length", 0))
            if size_bytes > max_bytes:
                raise OutOfRange(
                    f"{key} has {size_bytes} bytes; at most {max_bytes} are read at once",
                    reason="OBJECT_TOO_LARGE",
                    key=key,
                    size_bytes=size_bytes,
                    max_bytes=max_bytes,
                )
            # As they are stored: an uploader may have called them compressed, and a bomb fills the memory.
            return bytes(response.read(decode_content=False))

    def stream(
        self,
        key: str,
        *,
        offset: int = 0,
        length: int = 0,
        chunk_bytes: int = _CHUNK_BYTES,
    ) -> Iterator[bytes]:
        """The object (or `length` bytes from `offset`; 0 = to the end) in chunks."""
        with _named(key), self._opened(key, offset=offset, length=length) as response:
            yield from response.stream(chunk_bytes, decode_content=False)

    def download(self, key: str, path: Path) -> None:
        """Write the object to `path`, which appears only when it is complete."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial_path = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with partial_path.open("wb") as file:
                for chunk in self.stream(key):
                    file.write(chunk)
            partial_path.replace(path)
        finally:
            partial_path.unlink(missing_ok=True)

    def stat(self, key: str) -> ObjectStat:
        """The metadata of the object."""
        with _named(key):
            found = self._client.stat_object(bucket_name=self._bucket, object_name=key)
        return ObjectStat(
            key=key,
            size_bytes=found.size or 0,
            etag=found.etag or "",
            content_type=found.content_type or "",
            age=_age(found),
        )

    def exists(self, key: str) -> bool:
        """Whether the object is there."""
        try:
            self.stat(key)
        except NotFound:
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove the object; not an error if it is not there."""
        with contextlib.suppress(NotFound), _named(key):
            self._client.remove_object(bucket_name=self._bucket, object_name=key)

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove the objects in few requests; Unavailable if one of them may still be there."""
        if not keys:
            return
        with _named(keys[0]):
            failed = list(self._client.remove_objects(self._bucket, [DeleteObject(key) for key in keys]))
        if failed:
            raise Unavailable(
                f"{len(failed)} of {len(keys)} objects cannot be deleted ({failed[0].code}); try again",
                reason="OBJECT_STORE_UNAVAILABLE",
            )

    def keys(self, prefix: str, *, modified_before: datetime | None = None) -> Iterator[str]:
        """The keys under a prefix, in no promised order; of old objects only, if a time is given."""
        with _named(prefix):
            for found in self._client.list_objects(bucket_name=self._bucket, prefix=prefix, recursive=True):
                is_old = modified_before is None or (
                    found.last_modified is not None and found.last_modified < modified_before
                )
                if found.object_name is not None and is_old:
                    yield found.object_name

    def abandon_uploads(self, prefix: str, started_before: datetime) -> int:
        """Remove the parts of uploads under a prefix that were begun before then; returns of how many.

        A process that is killed while it uploads a large object leaves parts that no listing shows.
        """
        client, bucket = self._client, self._bucket
        abandoned = 0
        after_key = after_upload = None
        with _named(prefix):
            while True:
                page = client._list_multipart_uploads(  # noqa: SLF001 -- the library offers no other way to ask
                    bucket, prefix=prefix, key_marker=after_key, upload_id_marker=after_upload
                )
                for upload in page.uploads:
                    key, begun = upload.object_name, upload.initiated_time
                    is_old = begun is not None and begun < started_before
                    if is_old and key.startswith(prefix) and upload.upload_id is not None:
                        client._abort_multipart_upload(bucket, key, upload.upload_id)  # noqa: SLF001 -- as above
                        abandoned += 1
                if not page.is_truncated:
                    return abandoned
                after_key, after_upload = page.next_key_marker, page.next_upload_id_marker

    def presign_get(
        self, key: str, *, expires_s: int, content_type: str, download_name: str | None = None
    ) -> str:
        """A link that reads the object without credentials; with a name, browsers save it under that.

        Browsers take it as `content_type`, whatever is stored, and show it only if that is a picture's. It is
        valid for `expires_s` to 1.5 times `expires_s`: within half of that time the same object has the same
        link, so that a browser finds it in its cache.
        """
        window_s = max(1, expires_s // 2)
        start = datetime.fromtimestamp(int(time.time()) // window_s * window_s, UTC)
        return self._links().link_to_read(
            self._address("GET", key), Validity(start, expires_s + window_s), content_type, download_name
        )

    def presign_put(self, key: str, *, expires_s: int, size_bytes: int | None) -> str:
        """A link that writes an object under `incoming/` without credentials; of that size, unless None."""
        valid = Validity(datetime.now(UTC), expires_s)
        return self._links().link_to_write(self._address("PUT", key), key, valid, size_bytes)

    def _links(self) -> Signer:
        keys = self._keys.at_hand()
        return Signer(
            access_key=keys.access_key,
            secret_key=keys.secret_key,
            region=self._region,
            session_token=keys.session_token or "",
        )

    def _address(self, method: str, key: str) -> str:
        """Where clients reach the object: some stores want the bucket in the host's name."""
        build = self._signer._base_url.build  # noqa: SLF001 -- the library's only public way signs as well
        address = build(method=method, region=self._region, bucket_name=self._bucket, object_name=key)
        return address.geturl()

    @contextlib.contextmanager
    def _opened(self, key: str, *, offset: int = 0, length: int = 0) -> Iterator[Any]:
        response = self._client.get_object(
            bucket_name=self._bucket, object_name=key, offset=offset, length=length
        )
        try:
            yield response
        finally:
            # `release_conn` returns the connection to the pool; `close` discards an unread rest.
            response.close()
            response.release_conn()


class ObjectStore:
    """The store for services: runs the blocking class in its own threads, for which callers take turns."""

    def __init__(self, settings: ObjectStoreSettings, *, threads: int = 8) -> None:
        self.blocking = BlockingObjectStore(settings, connections=threads)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="object-store")
        self._turns = FairQueue(threads)

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        operation = _OPERATIONS.get(call.__name__, call.__name__)
        started_s = time.monotonic()
        result = "failed"
        try:
            async with self._turns.slot(caller_name()):
                answer = await asyncio.get_running_loop().run_in_executor(
                    self._executor, partial(call, *args, **kwargs)
                )
            result = "done"
        except NotFound:
            result = "done"
            raise
        finally:
            _REQUESTS.add(operation=operation, result=result)
            _DURATION.record(time.monotonic() - started_s, operation=operation)
        return answer

    async def close(self) -> None:
        """Wait for the threads and end them."""
        await asyncio.to_thread(self._executor.shutdown)
        self.blocking.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ensure_bucket(self) -> None:
        """Create the bucket unless it is there."""
        await self._run(self.blocking.ensure_bucket)

    async def put_bytes(
        self, key: str, data: bytes, *, content_type: str = "application/octet-stream"
    ) -> None:
        """Store `data` under `key`, completely or not at all."""
        await self._run(self.blocking.put_bytes, key, data, content_type=content_type)

    async def put_file(self, key: str, path: Path, *, content_type: str = "application/octet-stream") -> None:
        """Store a file under `key`, in parts if it is large."""
        await self._run(self.blocking.put_file, key, path, content_type=content_type)

    async def put_content(
        self,
        prefix: str,
        source: bytes | Path,
        *,
        suffix: str = "",
        content_type: str = "application/octet-stream",
        damaged: bool = False,
    ) -> str:
        """Store bytes or a file under its hash unless it is there; returns `<prefix>/<sha256><suffix>`.

        One that is known to be damaged is written again. The object is durable when this returns.
        """
        return await self._run(
            self.blocking.put_content,
            prefix,
            source,
            suffix=suffix,
            content_type=content_type,
            damaged=damaged,
        )

    async def flush(self) -> None:
        """Return when every object that was stored before this call is durable."""
        await self._run(self.blocking.flush)

    async def holds(self, key: str, size_bytes: int) -> bool:
        """Whether the object is there with that size, and bytes of all its chunks can be read."""
        return await self._run(self.blocking.holds, key, size_bytes)

    async def has_its_hash(self, key: str) -> bool:
        """Whether an object of content is there and has the bytes that its key names; reads all of it."""
        digest = hashlib.sha256()
        try:
            async for chunk in self.stream(key):
                digest.update(chunk)
        except NotFound:
            return False
        return digest.hexdigest() in key

    async def get_bytes(self, key: str, *, max_bytes: int, part: tuple[int, int] | None = None) -> bytes:
        """The whole object, or the part from an offset of a length; OutOfRange if that is too large."""
        return await self._run(self.blocking.get_bytes, key, max_bytes=max_bytes, part=part)

    async def stream(
        self, key: str, *, offset: int = 0, length: int = 0, chunk_bytes: int = _CHUNK_BYTES
    ) -> AsyncIterator[bytes]:
        """The object (or `length` bytes from `offset`; 0 = to the end) in chunks."""
        chunks = self.blocking.stream(key, offset=offset, length=length, chunk_bytes=chunk_bytes)
        try:
            while (chunk := await self._run(next, chunks, None)) is not None:
                yield chunk
        finally:
            # If the reader stops early, closing the generator returns the connection.
            await asyncio.shield(self._run(_close, chunks))

    async def download(self, key: str, path: Path) -> None:
        """Write the object to `path`, which appears only when it is complete."""
        await self._run(self.blocking.download, key, path)

    async def stat(self, key: str) -> ObjectStat:
        """The metadata of the object."""
        return await self._run(self.blocking.stat, key)

    async def exists(self, key: str) -> bool:
        """Whether the object is there."""
        return await self._run(self.blocking.exists, key)

    async def delete(self, key: str) -> None:
        """Remove the object; not an error if it is not there."""
        await self._run(self.blocking.delete, key)

    async def delete_all(self, keys: Sequence[str]) -> None:
        """Remove the objects in few requests; Unavailable if one of them may still be there."""
        await self._run(self.blocking.delete_all, keys)

    async def abandon_uploads(self, prefix: str, started_before: datetime) -> int:
        """Remove the parts of uploads under a prefix that were begun before then; returns of how many."""
        return await self._run(self.blocking.abandon_uploads, prefix, started_before)

    async def old_keys(self, prefix: str, modified_before: datetime) -> AsyncIterator[list[str]]:
        """Batches of the keys under a prefix whose objects are older than that."""
        keys = self.blocking.keys(prefix, modified_before=modified_before)
        while batch := await self._run(lambda: list(islice(keys, _KEYS_A_BATCH))):
            yield batch

    def presign_get(
        self, key: str, *, expires_s: int, content_type: str, download_name: str | None = None
    ) -> str:
        """A link that reads the object without further credentials. Signing is local: it needs no await."""
        return self.blocking.presign_get(
            key, expires_s=expires_s, content_type=content_type, download_name=download_name
        )

    def presign_put(self, key: str, *, expires_s: int, size_bytes: int | None) -> str:
        """A link that writes the object without further credentials. Signing is local: it needs no await."""
        return self.blocking.presign_put(key, expires_s=expires_s, size_bytes=size_bytes)


def content_key(prefix: str, sha256: str, suffix: str = "") -> str:
    """The key of content: `<prefix>/<sha256><suffix>`."""
    return f"{prefix.strip('/')}/{sha256}{suffix}"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; blocks for as long as reading takes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _age(found: Object) -> timedelta:
    """How old an object was when the store answered; very old if the answer does not say."""
    answered = (found.metadata or {}).get("Date")
    if found.last_modified is None or answered is None:
        return timedelta.max
    return parsedate_to_datetime(answered) - found.last_modified


def _close(chunks: Any) -> None:  # noqa: ANN401 -- a generator, whose type the iterator hides
    chunks.close()


@contextlib.contextmanager
def _named(key: str) -> Iterator[None]:
    """Failures of minio-py and urllib3 as named errors."""
    try:
        yield
    except S3Error as error:
        raise _of_s3(error, key) from error
    except (urllib3.exceptions.HTTPError, ServerError, InvalidResponseError, ConnectionError) as error:
        raise Unavailable(
            f"the object store does not answer ({type(error).__name__}); try again",
            reason="OBJECT_STORE_UNAVAILABLE",
        ) from error
    except MinioException as error:
        raise Internal(f"the object store failed on {key}: {error}", reason="OBJECT_STORE_FAILED") from error


def _of_s3(error: S3Error, key: str) -> LoupeError:
    if error.code in _MISSING:
        if error.code == "NoSuchBucket":
            return NotFound("the bucket does not exist", reason="BUCKET_NOT_FOUND")
        return NotFound(f"there is no object {key}", reason="OBJECT_NOT_FOUND", key=key)
    if error.code in _BUSY:
        return Unavailable(
            f"the object store is busy ({error.code}); try again", reason="OBJECT_STORE_UNAVAILABLE"
        )
    # Wrong keys or a missing grant: the operator's fault, not the user's.
    return Internal(f"the object store refused {key}: {error.code}", reason="OBJECT_STORE_REFUSED")
