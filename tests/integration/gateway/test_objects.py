"""Links to objects that lead through the gateway, to a real object store behind it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest_asyncio
from loupe.settings import load
from starlette.types import Receive, Scope, Send

from deploy.embedded.seaweed import ObjectStoreSettings as Embedded
from gateway.envelope import Envelope
from gateway.events import StreamLimits, Streams
from gateway.objects import Objects
from gateway.server import HttpServer
from services.kit.object_store import ObjectStore, ObjectStoreSettings
from tests.support.waiting import DEADLINE_S

PICTURE = bytes(range(256)) * 4096


class Behind:
    """A store of which links lead through a gateway, and a client that follows them."""

    def __init__(self, store: ObjectStore, http: httpx.AsyncClient) -> None:
        self.store = store
        self.http = http


@pytest_asyncio.fixture(loop_scope="session")
async def behind(object_store_settings: Embedded) -> AsyncIterator[Behind]:
    settings = load(ObjectStoreSettings, object_store_settings.environment())
    objects = Objects(f"http://{settings.endpoint}/{settings.bucket}", patience_s=DEADLINE_S)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert objects.has(scope["path"])
        await objects(scope, receive, send)

    server = HttpServer(Envelope(app), Streams(StreamLimits()), "127.0.0.1:0")
    async with server:
        own = replace(settings, public_endpoint=f"http://127.0.0.1:{server.port}")
        async with ObjectStore(own) as store, httpx.AsyncClient(timeout=DEADLINE_S) as http:
            yield Behind(store, http)


async def test_i3_an_upload_and_a_picture_go_through_it(behind: Behind) -> None:
    """Of the size that the link names, and with the type that it names; in parts too."""
    link = behind.store.presign_put("incoming/one", expires_s=60, size_bytes=len(PICTURE))
    uploaded = await behind.http.put(link, content=PICTURE)
    assert uploaded.status_code == 200, uploaded.text
    read = behind.store.presign_get("incoming/one", expires_s=60, content_type="image/png")
    whole = await behind.http.get(read)
    assert (whole.status_code, hashlib.sha256(whole.content).digest()) == (
        200,
        hashlib.sha256(PICTURE).digest(),
    )
    assert whole.headers["content-type"] == "image/png"
    assert whole.headers["cache-control"].startswith("private")
    part = await behind.http.get(read, headers={"Range": "bytes=256-511"})
    assert (part.status_code, part.content) == (206, PICTURE[256:512])
    head = await behind.http.head(read)
    assert head.content == b""


async def test_what_was_uploaded_never_runs_as_a_page_of_the_console(behind: Behind) -> None:
    """It comes from the console's own origin, so browsers are told to sandbox it."""
    await behind.store.put_bytes("samples/evil", b"<script>alert(1)</script>", content_type="text/html")
    answer = await behind.http.get(
        behind.store.presign_get("samples/evil", expires_s=60, content_type="image/png")
    )
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a5_who_has_no_link_gets_nothing(behind: Behind) -> None:
    """Neither without a signature, nor with one for something else; the store's own refusal comes through."""
    await behind.store.put_bytes("samples/one", b"1")
    link = behind.store.presign_get("samples/one", expires_s=60, content_type="image/png")
    unsigned = await behind.http.get(link.partition("?")[0])
    assert (unsigned.status_code, unsigned.json()["reason"]) == (404, "UNKNOWN_ROUTE")
    assert (await behind.http.get(link.replace("samples/one", "samples/two"))).status_code == 403
    posted = await behind.http.post(link, content=b"")
    assert posted.json()["reason"] == "METHOD_NOT_ALLOWED"
    larger = behind.store.presign_put("incoming/two", expires_s=60, size_bytes=3)
    assert (await behind.http.put(larger, content=PICTURE)).status_code == 403
    assert not await behind.store.exists("incoming/two")


async def test_a_client_that_leaves_in_the_middle_leaves_no_whole_object(behind: Behind) -> None:
    """The store, which sees its client leave, may keep what it has; the registry refuses that by its hash."""
    link = behind.store.presign_put("incoming/half", expires_s=60, size_bytes=len(PICTURE))
    port = int(link.split(":")[2].partition("/")[0])
    target = link.partition(str(port))[2]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(PICTURE)}\r\n\r\n"
    writer.write(head.encode() + PICTURE[:1000])
    await writer.drain()
    writer.close()
    assert await reader.read() == b""
    assert not await behind.store.holds("incoming/half", len(PICTURE))


async def test_an_object_store_that_is_away_is_said_to_be() -> None:
    """503 with a sentence, so that clients come again."""
    nowhere = Objects("http://127.0.0.1:9/loupe", patience_s=DEADLINE_S)
    async with (
        HttpServer(Envelope(nowhere), Streams(StreamLimits()), "127.0.0.1:0") as server,
        httpx.AsyncClient() as http,
    ):
        answer = await http.get(f"http://127.0.0.1:{server.port}/loupe/a?X-Amz-Signature=1")
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
