# ruff: noqa: S106, S310, ASYNC240 -- made-up secrets, links of our own, folders of the test

import asyncio
import gzip
import hashlib
import http.server
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from loupe.errors import Internal, NotFound, OutOfRange, Unavailable
from loupe.settings import load

from deploy.embedded.seaweed import ObjectStoreSettings as Embedded
from services.kit.auth import Principal, Role, acting_as
from services.kit.flushing import FolderFlusher
from services.kit.object_store import BlockingObjectStore, ObjectStore, ObjectStoreSettings
from tests.support.waiting import DEADLINE_S


@pytest.fixture
def settings(object_store_settings: Embedded) -> ObjectStoreSettings:
    return load(ObjectStoreSettings, object_store_settings.environment())


@pytest_asyncio.fixture(loop_scope="session")
async def store(settings: ObjectStoreSettings) -> AsyncIterator[ObjectStore]:
    async with ObjectStore(settings) as opened:
        yield opened


async def test_bytes_come_back(store: ObjectStore) -> None:
    await store.put_bytes("a/b", b"hello", content_type="text/plain")
    assert await store.get_bytes("a/b", max_bytes=5) == b"hello"
    stat = await store.stat("a/b")
    assert (stat.size_bytes, stat.content_type) == (5, "text/plain")
    assert list(store.blocking.keys("a/")) == ["a/b"]


async def test_one_caller_does_not_hold_up_another(store: ObjectStore) -> None:
    """Thousands of looks of one user's plan took a minute, and everybody else's import stood behind them."""
    await store.put_bytes("turns/a", b"a")
    with acting_as(Principal("users/many", Role.ENGINEER, "t")):
        many = [asyncio.create_task(store.stat("turns/a")) for _ in range(2000)]
    await asyncio.sleep(0)
    with acting_as(Principal("users/few", Role.ENGINEER, "t")):
        await store.stat("turns/a")
    assert sum(look.done() for look in many) < len(many) // 2
    await asyncio.gather(*many)


async def test_content_is_known_by_its_hash(store: ObjectStore) -> None:
    """Other bytes of the same size are not what was stored, and what is known to be damaged is replaced."""
    key = await store.put_content("hashed", b"hello")
    assert await store.has_its_hash(key)
    await store.put_bytes(key, b"olleh")
    assert not await store.has_its_hash(key)
    assert await store.put_content("hashed", b"hello", damaged=True) == key
    assert await store.has_its_hash(key)
    await store.delete(key)
    assert not await store.has_its_hash(key)


async def test_a_missing_object_is_not_found(store: ObjectStore, tmp_path: Path) -> None:
    assert not await store.exists("nothing")
    for call in (
        store.get_bytes("nothing", max_bytes=1),
        store.stat("nothing"),
        store.download("nothing", tmp_path / "x"),
        anext(store.stream("nothing")),
    ):
        with pytest.raises(NotFound) as caught:
            await call
        assert caught.value.reason == "OBJECT_NOT_FOUND"
    assert list(tmp_path.iterdir()) == []
    await store.delete("nothing")


async def test_an_object_larger_than_allowed_is_not_read(store: ObjectStore) -> None:
    """Whoever uploads decides the size; whoever reads decides the memory."""
    await store.put_bytes("big", b"x" * 1000)
    with pytest.raises(OutOfRange) as caught:
        await store.get_bytes("big", max_bytes=999)
    assert caught.value.facts["size_bytes"] == "1000"


async def test_a_large_file_goes_in_parts_and_comes_back_in_chunks(
    store: ObjectStore, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 4096 * 40)  # 40 MiB
    key = await store.put_content("weights", source, suffix=".safetensors")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert key == f"weights/{digest}.safetensors"
    heard = hashlib.sha256()
    chunks = 0
    async for chunk in store.stream(key):
        heard.update(chunk)
        chunks += 1
        assert len(chunk) <= 1024 * 1024
    assert heard.hexdigest() == digest
    assert chunks >= 40
    await store.download(key, tmp_path / "deep" / "copy")
    assert (tmp_path / "deep" / "copy").read_bytes() == source.read_bytes()
    part = b"".join([chunk async for chunk in store.stream(key, offset=256, length=4)])
    assert part == bytes([0, 1, 2, 3])


async def test_content_that_is_there_is_not_written_again(store: ObjectStore) -> None:
    """Invariant 5: nothing is overwritten; and a resumed upload costs nothing."""
    key = await store.put_content("samples", b"pixels")
    assert (await store.stat(key)).age < timedelta(seconds=60)
    await asyncio.sleep(1.1)
    assert await store.put_content("samples", b"pixels") == key
    assert (await store.stat(key)).age >= timedelta(seconds=1)


async def test_leaving_a_stream_early_keeps_the_pool_usable(settings: ObjectStoreSettings) -> None:
    """A download that a browser breaks off must not cost a connection."""
    async with ObjectStore(settings, threads=2) as store:
        await store.put_bytes("big", b"x" * 5_000_000)
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(8):
                chunks = store.stream("big")
                await anext(chunks)
                await chunks.aclose()
            assert await store.get_bytes("big", max_bytes=5_000_000)


async def test_presigned_links_need_no_credentials(store: ObjectStore) -> None:
    put = store.presign_put("incoming/linked", expires_s=60, size_bytes=7)
    assert await asyncio.to_thread(lambda: send(put, b"by link")) == 200
    get = store.presign_get(
        "incoming/linked", expires_s=60, content_type="image/png", download_name="panel 1+2&x.png"
    )

    def read() -> tuple[bytes, str]:
        with urllib.request.urlopen(get) as response:
            return response.read(), response.headers["Content-Disposition"]

    assert await asyncio.to_thread(read) == (b"by link", 'attachment; filename="panel 1+2&x.png"')


def send(link: str, body: bytes | Iterator[bytes], headers: dict[str, str] | None = None) -> int:
    """The status of a PUT, in chunks if the body is an iterator."""
    request = urllib.request.Request(link, data=body, method="PUT", headers=headers or {})
    try:
        with urllib.request.urlopen(request) as response:
            return int(response.status)
    except urllib.error.HTTPError as refused:
        return refused.code


async def test_a_link_takes_as_many_bytes_as_it_says(store: ObjectStore) -> None:
    """Else a link for a small picture fills the disk."""
    link = store.presign_put("incoming/sized", expires_s=60, size_bytes=5)
    chunked = {"Transfer-Encoding": "chunked"}

    def refused() -> list[int]:
        return [
            send(link, b"six bytes more"),
            send(link, b"four"),
            send(link, iter([b"x" * 5]), chunked),
            send(link, iter([b"x" * 500]), chunked),
        ]

    assert await asyncio.to_thread(refused) == [403] * 4
    assert not await store.exists("incoming/sized")
    assert await asyncio.to_thread(lambda: send(link, b"whole")) == 200
    empty = store.presign_put("incoming/empty", expires_s=60, size_bytes=0)
    assert await asyncio.to_thread(lambda: send(empty, b"", {"Content-Length": "0"})) == 200


async def test_a_picture_is_one_whatever_its_uploader_called_it(store: ObjectStore) -> None:
    """As a page of the store's it could run scripts there, beside the console."""
    put = store.presign_put("incoming/page", expires_s=60, size_bytes=None)
    called = {"Content-Type": "text/html", "Content-Disposition": "inline", "Cache-Control": "no-store"}
    assert await asyncio.to_thread(lambda: send(put, b"<script>alert(1)</script>", called)) == 200

    def read(content_type: str) -> list[str]:
        link = store.presign_get("incoming/page", expires_s=60, content_type=content_type)
        with urllib.request.urlopen(link) as response:
            return [response.headers[name] for name in ("Content-Type", "Content-Disposition")]

    assert await asyncio.to_thread(read, "image/png") == ["image/png", "inline"]
    assert await asyncio.to_thread(read, "text/html") == ["text/html", "attachment"]


async def test_bytes_are_read_as_they_are_stored(store: ObjectStore) -> None:
    """Whoever uploads may call them compressed: unpacked, they would be other bytes, or fill the memory."""
    put = store.presign_put("incoming/packed", expires_s=60, size_bytes=None)
    bomb = gzip.compress(bytes(10_000_000))
    assert await asyncio.to_thread(lambda: send(put, bomb, {"Content-Encoding": "gzip"})) == 200
    assert await store.get_bytes("incoming/packed", max_bytes=len(bomb)) == bomb
    assert b"".join([chunk async for chunk in store.stream("incoming/packed")]) == bomb


async def test_objects_are_removed_together(store: ObjectStore) -> None:
    """A request for each would cost an import a tenth of its pace."""
    for key in ("many/a", "many/b", "many/c"):
        await store.put_bytes(key, b"x")
    await store.delete_all(["many/a", "many/nothing", "many/c"])
    assert list(store.blocking.keys("many/")) == ["many/b"]
    await store.delete_all([])


async def test_i3_a_picture_is_read_once_and_in_parts(store: ObjectStore) -> None:
    """A gallery that is opened again asks for nothing; a viewer that zooms may ask for a part."""
    await store.put_bytes("picture", bytes(range(200)), content_type="image/png")
    # Two links of one window, unless its end lies just between them.
    links = [store.presign_get("picture", expires_s=600, content_type="image/png") for _ in range(3)]
    assert links[0] == links[1] or links[1] == links[2]

    def read(headers: dict[str, str]) -> tuple[int, bytes, Any]:
        with urllib.request.urlopen(urllib.request.Request(links[2], headers=headers)) as response:
            return response.status, response.read(), response.headers

    status, data, headers = await asyncio.to_thread(read, {"Range": "bytes=100-149"})
    assert (status, data) == (206, bytes(range(100, 150)))
    assert headers["Content-Range"] == "bytes 100-149/200"
    assert "immutable" in headers["Cache-Control"]
    with pytest.raises(urllib.error.HTTPError, match="304"):
        await asyncio.to_thread(read, {"If-None-Match": headers["ETag"]})


async def test_a_store_that_is_away_is_unavailable(settings: ObjectStoreSettings) -> None:
    async with ObjectStore(replace(settings, endpoint="127.0.0.1:1")) as store, asyncio.timeout(DEADLINE_S):
        with pytest.raises(Unavailable):
            await store.get_bytes("a", max_bytes=1)
        with pytest.raises(Unavailable):
            await store.put_bytes("a", b"")


def test_wrong_keys_are_our_fault_not_the_users(settings: ObjectStoreSettings) -> None:
    """PERMISSION_DENIED would tell a user to ask for a role that does not help."""
    with pytest.raises(Internal) as caught:
        BlockingObjectStore(replace(settings, secret_key="wrong")).put_bytes("a", b"")
    assert caught.value.reason == "OBJECT_STORE_REFUSED"
    assert "wrong" not in repr(replace(settings, secret_key="wrong"))


async def test_a_bucket_is_made_once(settings: ObjectStoreSettings) -> None:
    async with ObjectStore(replace(settings, bucket=settings.bucket + "-new")) as store:
        with pytest.raises(NotFound):
            await store.put_bytes("a", b"")
        await asyncio.gather(*(store.ensure_bucket() for _ in range(3)))
        await store.put_bytes("a", b"")


@pytest.mark.parametrize(
    ("public", "secure", "address"),
    [
        (None, 0, "http://{}/"),
        ("pictures.fab:9443", 1, "https://pictures.fab:9443/"),
        # The store is plain inside, and behind a proxy with TLS for browsers; or the other way round.
        ("https://pictures.fab", 0, "https://pictures.fab/"),
        ("http://pictures.fab:9000", 1, "http://pictures.fab:9000/"),
    ],
)
def test_links_lead_where_clients_reach_the_store(
    settings: ObjectStoreSettings, public: str | None, secure: int, address: str
) -> None:
    store = BlockingObjectStore(replace(settings, public_endpoint=public, secure=bool(secure)))
    link = store.presign_get("samples/a", expires_s=60, content_type="image/png")
    assert link.startswith(address.format(settings.endpoint))


async def test_uploads_that_were_broken_off_are_removed(store: ObjectStore) -> None:
    """T7: parts of an upload whose process was killed take room, and no listing of objects shows them."""
    client, bucket = store.blocking._client, store.blocking._bucket
    for key in ("checkpoints/broken", "elsewhere/under-way"):
        upload = client._create_multipart_upload(bucket, key, {})
        client._upload_part(bucket, key, b"x" * 1000, None, upload, 1)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert await store.abandon_uploads("checkpoints/", soon - timedelta(hours=1)) == 0
    assert await store.abandon_uploads("checkpoints/", soon) == 1
    left = client._list_multipart_uploads(bucket).uploads
    assert [upload.object_name for upload in left] == ["elsewhere/under-way"]


async def test_it_looks_whether_an_object_is_whole(store: ObjectStore) -> None:
    """A row names an object by its size and hash; a look at both ends is cheap enough for every import."""
    sizes = {"look/empty": 0, "look/small": 5, "look/step": 4 * 2**20, "look/large": 9 * 2**20 + 1}
    for key, size in sizes.items():
        await store.put_bytes(key, b"x" * size)
        assert await store.holds(key, size), key
        assert not await store.holds(key, size + 1), key
    assert not await store.holds("look/large", sizes["look/large"] - 1)
    assert not await store.holds("look/nothing", 5)


class _Lossy(http.server.BaseHTTPRequestHandler):
    """A store that lists an object whose bytes it lost, as SeaweedFS does after some power cuts."""

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path.endswith("/listed") else 503)
        for name, value in (("Content-Length", "5"), ("ETag", '"e"')):
            self.send_header(name, value)
        self.send_header("Last-Modified", "Sun, 29 Nov 2026 06:00:00 GMT")
        self.end_headers()

    def do_GET(self) -> None:
        body = b"<Error><Code>InternalError</Code></Error>"
        self.send_response(500)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


async def test_an_object_whose_bytes_are_gone_is_not_there(settings: ObjectStoreSettings) -> None:
    """Its entry alone would make an import skip it for ever; a store that answers nothing is away."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Lossy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        lossy = replace(settings, endpoint=f"127.0.0.1:{server.server_port}")
        async with ObjectStore(lossy) as store:
            assert not await store.holds("listed", 5)
            with pytest.raises(Unavailable):
                await store.holds("away", 5)
    finally:
        server.shutdown()
        server.server_close()


async def test_content_is_flushed_before_anybody_can_name_it(
    settings: ObjectStoreSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it was there already: whoever stored it may not have flushed it yet."""
    there: list[bool] = []
    async with ObjectStore(replace(settings, unflushed_folder=tmp_path)) as store:
        key = f"weights/{hashlib.sha256(b'flushed').hexdigest()}"
        monkeypatch.setattr(FolderFlusher, "flush", lambda _: there.append(store.blocking.exists(key)))
        assert await store.put_content("weights", b"flushed") == key
        assert there == [True]
        await store.put_content("weights", b"flushed")
        assert there == [True, True]
