"""Live parts through a running gateway."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace

import grpc
import httpx
import pytest

from gateway.events import StreamLimits
from gateway.feeds import Feed
from tests.integration.gateway.installation import Install, Installation
from tests.support.waiting import DEADLINE_S

WATCH = "/v1/tasks/1/loss:watch"


@dataclass
class Event:
    """As EventSource hands it over."""

    name: str
    data: dict
    last_event_id: str


async def events(response: httpx.Response) -> AsyncIterator[Event]:
    """The events of a response; comments are passed over."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            if "data" in fields:
                yield Event(fields["event"], json.loads(fields["data"]), fields.get("id", ""))
            fields = {}


async def submit(loupe: Installation) -> None:
    """Make tasks/1."""
    body = {"task": {"training": {"modelName": "m"}}}
    assert (await loupe.http.post("/v1/tasks", json=body, headers=loupe.as_engineer)).json()[
        "name"
    ] == "tasks/1"


async def test_a_reader_that_is_cut_off_misses_nothing_and_sees_nothing_twice(loupe: Installation) -> None:
    """M5: the service goes away again and again, the curve grows meanwhile, the reader has it whole."""
    await submit(loupe)
    curve = [float(n) for n in range(41)]
    await loupe.tasks.feed(*curve[:20])
    loupe.tasks.messages_until_gone = 3
    seen: list[tuple[int, float]] = []
    last_event_id, connections, ended = "", 0, False
    async with asyncio.timeout(DEADLINE_S):
        while not ended:
            connections += 1
            headers = {**loupe.as_viewer, **({"Last-Event-ID": last_event_id} if last_event_id else {})}
            async with loupe.http.stream("GET", WATCH, headers=headers) as response:
                assert response.status_code == 200
                assert response.headers["content-type"].startswith("text/event-stream")
                async for event in events(response):
                    if event.name == "end":
                        ended = True
                        break
                    assert event.name == "WatchLossResponse"
                    first = int(event.data["firstIteration"])
                    seen.extend((first + n, loss) for n, loss in enumerate(event.data["losses"]))
                    last_event_id = event.last_event_id
            if connections == 2:
                await loupe.tasks.feed(*curve[20:], done=True)
    assert seen == list(enumerate(curve))
    assert connections == 7


async def test_a_point_is_at_the_reader_before_the_next_is_made(loupe: Installation) -> None:
    """M5 leaves 200 ms for the whole way; nothing here may collect events."""
    await submit(loupe)
    async with (
        asyncio.timeout(DEADLINE_S),
        loupe.http.stream("GET", WATCH, headers=loupe.as_viewer) as response,
    ):
        stream = events(response)
        for n in range(20):
            await loupe.tasks.feed(float(n))
            assert (await anext(stream)).data["losses"] == [float(n)]


@pytest.mark.parametrize("path", ["/v1/tasks/9/loss:watch", "/v1/tasks/9/loss:watch?cursor=1:0"])
async def test_what_cannot_be_watched_is_refused_with_its_status(loupe: Installation, path: str) -> None:
    """EventSource does not come again after a status that is not 200, and must not."""
    refused = await loupe.http.get(path, headers=loupe.as_viewer)
    assert (refused.status_code, refused.headers["content-type"]) == (404, "application/problem+json")


async def test_a_failure_on_the_way_is_told_and_ends_the_stream(loupe: Installation) -> None:
    """The task was deleted: coming again is of no use, and the reader learns why."""
    await submit(loupe)
    await loupe.tasks.feed(1.0)
    async with (
        asyncio.timeout(DEADLINE_S),
        loupe.http.stream("GET", WATCH, headers=loupe.as_viewer) as response,
    ):
        stream = events(response)
        await anext(stream)
        await loupe.tasks.delete_while_watched()
        rest = [event async for event in stream]
    assert [event.name for event in rest] == ["problem", "end"]
    assert (rest[0].data["status"], rest[0].data["detail"]) == (404, "tasks/1 was deleted")


async def test_a_silent_stream_is_kept_alive(install: Install) -> None:
    """Proxies close what is silent; a comment is no event."""
    async with install(StreamLimits(keepalive_s=0.05)) as loupe:
        await submit(loupe)
        async with (
            asyncio.timeout(DEADLINE_S),
            loupe.http.stream("GET", WATCH, headers=loupe.as_viewer) as response,
        ):
            lines = response.aiter_lines()
            comments = 0
            while comments < 3:
                comments += (await anext(lines)).startswith(": keepalive")


async def test_a_reader_that_hangs_up_ends_its_call(loupe: Installation) -> None:
    """Else the scheduler would follow for nobody, once a closed tab."""
    await submit(loupe)
    await loupe.tasks.feed(1.0)
    async with loupe.http.stream("GET", WATCH, headers=loupe.as_viewer) as response:
        await anext(events(response))
    await asyncio.wait_for(loupe.tasks.watch_ended.wait(), DEADLINE_S)


async def test_a_reader_that_stops_reading_is_dropped_and_never_buffered_for(install: Install) -> None:
    """Endless data, nobody reads: what was taken is bounded, call and connection end."""
    async with install(StreamLimits(slow_reader_s=0.5)) as loupe:
        await submit(loupe)
        loop = asyncio.get_running_loop()
        with socket.socket() as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.setblocking(False)
            await loop.sock_connect(reader, ("127.0.0.1", loupe.port))
            await loop.sock_sendall(
                reader,
                b"GET /v1/tasks/1/log:watch?follow=true HTTP/1.1\r\nHost: x\r\n"
                b"Authorization: Bearer viewer-token\r\n\r\n",
            )
            await asyncio.wait_for(loupe.tasks.watching.wait(), DEADLINE_S)
            await asyncio.wait_for(loupe.tasks.watch_ended.wait(), DEADLINE_S)
            # 100 kB a message: socket buffers and flow-control windows, not more.
            assert loupe.tasks.sent < 100
            async with asyncio.timeout(DEADLINE_S):
                received = 0
                with_end = b""
                while chunk := await loop.sock_recv(reader, 65536):
                    received += len(chunk)
                    with_end = (with_end + chunk)[-100:]
            assert b"event: end" not in with_end
            assert received < 10_000_000
            assert loupe.streams.open_count == 0


async def _points(response: httpx.Response) -> list[float]:
    """All points until the end."""
    seen: list[float] = []
    async for event in events(response):
        if event.name == "end":
            return seen
        assert event.data["firstIteration"] == str(len(seen))
        seen.extend(event.data["losses"])
    raise AssertionError(f"cut off after {len(seen)} points")


READERS = 30


async def test_many_readers_of_one_curve_are_one_call_and_each_has_it_whole(loupe: Installation) -> None:
    """Every call of its own would cost the scheduler a query a point and reader."""
    await submit(loupe)
    await loupe.tasks.feed(0.0, 1.0)
    async with asyncio.timeout(DEADLINE_S), contextlib.AsyncExitStack() as stack:

        async def read(number: int) -> list[float]:
            headers = loupe.as_viewer if number % 2 else loupe.as_engineer
            response = await stack.enter_async_context(loupe.http.stream("GET", WATCH, headers=headers))
            return await _points(response)

        readers = [asyncio.create_task(read(number)) for number in range(READERS)]
        fed = 2
        while loupe.tasks.watches_begun < READERS or loupe.tasks.watches_open > 1:
            await loupe.tasks.feed(float(fed))
            fed += 1
            await asyncio.sleep(0.05)
        sent = loupe.tasks.sent
        await loupe.tasks.feed(*map(float, range(fed, fed + 40)))
        await loupe.tasks.feed(done=True)
        curves = await asyncio.gather(*readers)
    assert curves == [[float(n) for n in range(fed + 40)]] * READERS
    # Two points a message: what one reader took, not what thirty would.
    assert loupe.tasks.sent - sent == 20


async def test_a_shared_call_that_is_cut_off_costs_nobody_a_point(loupe: Installation) -> None:
    """M5 with others watching: all come again with their place, and have the rest."""
    await submit(loupe)
    await loupe.tasks.feed(0.0, 1.0)
    loupe.tasks.messages_until_gone = 5

    async def read() -> list[float]:
        seen: list[float] = []
        cursor = ""
        while True:
            headers = {**loupe.as_viewer, **({"Last-Event-ID": cursor} if cursor else {})}
            async with loupe.http.stream("GET", WATCH, headers=headers) as response:
                async for event in events(response):
                    if event.name == "end":
                        return seen
                    assert event.data["firstIteration"] == str(len(seen))
                    seen.extend(event.data["losses"])
                    cursor = event.last_event_id

    async def feed() -> None:
        for n in range(2, 60):
            await loupe.tasks.feed(float(n))
            await asyncio.sleep(0.01)
        await loupe.tasks.feed(done=True)

    async with asyncio.timeout(DEADLINE_S):
        *curves, _ = await asyncio.gather(*(read() for _ in range(6)), feed())
    assert curves == [[float(n) for n in range(60)]] * 6


async def test_a_reader_that_falls_behind_the_others_finds_its_place_or_none() -> None:
    """Without one it goes on alone from where it is; nobody waits for it and nothing is kept for it."""
    feed = Feed(_Fed([f"1:{n}" for n in range(1, 1001)]), "1:0", lambda m: m.cursor.encode() + b";")
    await feed.run()
    assert feed.complete
    assert feed.after(0) is None
    assert feed.position_of("1:0") is None
    place = feed.position_of("1:990")
    assert place is not None
    assert b"".join(feed.after(place) or []) == b"".join(b"1:%d;" % n for n in range(991, 1001))
    assert feed.cursor_at(place + 10) == "1:1000"


class _Fed:
    """A call with these messages."""

    def __init__(self, cursors: list[str]) -> None:
        self._left = [SimpleNamespace(cursor=cursor) for cursor in reversed(cursors)]

    async def read(self) -> object:
        return self._left.pop() if self._left else grpc.aio.EOF

    def cancel(self) -> bool:
        return True


async def test_a_gateway_that_stops_lets_its_readers_come_again(loupe: Installation) -> None:
    """A rolling update: no `end`, so that they open the stream elsewhere, and no wait for them."""
    await submit(loupe)
    await loupe.tasks.feed(1.0)
    async with (
        asyncio.timeout(DEADLINE_S),
        loupe.http.stream("GET", WATCH, headers=loupe.as_viewer) as response,
    ):
        stream = events(response)
        await anext(stream)
        stopping = asyncio.create_task(loupe.server.__aexit__())
        assert [event async for event in stream] == []
        await stopping
    await asyncio.wait_for(loupe.tasks.watch_ended.wait(), DEADLINE_S)


async def test_a_stream_ends_with_its_lifetime(install: Install) -> None:
    """A token that was revoked meanwhile is looked at again when the reader comes back."""
    async with install(StreamLimits(lifetime_s=0.2)) as loupe:
        await submit(loupe)
        async with (
            asyncio.timeout(DEADLINE_S),
            loupe.http.stream("GET", WATCH, headers=loupe.as_viewer) as response,
        ):
            assert [event async for event in events(response)] == []


async def test_more_streams_than_the_process_bears_are_refused(install: Install) -> None:
    """Those that are open go on."""
    async with install(StreamLimits(max_open=1)) as loupe:
        await submit(loupe)
        await loupe.tasks.feed(1.0)
        async with loupe.http.stream("GET", WATCH, headers=loupe.as_viewer) as response:
            await anext(events(response))
            refused = await loupe.http.get(WATCH, headers=loupe.as_viewer)
            assert (refused.status_code, refused.json()["reason"]) == (429, "TOO_MANY_STREAMS")


async def test_one_user_cannot_take_all_streams(install: Install) -> None:
    """Whatever tokens and addresses they come from; the others' are free."""
    async with install(StreamLimits(max_per_principal=1)) as loupe:
        await submit(loupe)
        await loupe.tasks.feed(1.0)
        async with loupe.http.stream("GET", WATCH, headers=loupe.as_viewer) as response:
            await anext(events(response))
            refused = await loupe.http.get(WATCH, headers=loupe.as_viewer)
            assert (refused.status_code, refused.json()["reason"]) == (429, "TOO_MANY_STREAMS")
            assert int(refused.headers["retry-after"]) > 0
            async with loupe.http.stream("GET", WATCH, headers=loupe.as_engineer) as other:
                assert (await anext(events(other))).data["losses"] == [1.0]


@pytest.mark.parametrize("revoked", ["viewer-token", "engineer-token"])
async def test_a_revoked_token_ends_its_stream_and_no_other(install: Install, revoked: str) -> None:
    """A5: both read one shared call, which began under the token of one of them."""
    async with (
        install(StreamLimits(check_s=0.05)) as loupe,
        asyncio.timeout(DEADLINE_S),
        contextlib.AsyncExitStack() as stack,
    ):
        await submit(loupe)
        await loupe.tasks.feed(0.0)
        readers = {}
        for headers in (loupe.as_viewer, loupe.as_engineer):
            response = await stack.enter_async_context(loupe.http.stream("GET", WATCH, headers=headers))
            readers[headers["Authorization"].removeprefix("Bearer ")] = events(response)
        fed = 1
        while loupe.tasks.watches_begun < 2 or loupe.tasks.watches_open > 1:
            await loupe.tasks.feed(float(fed))
            fed += 1
            await asyncio.sleep(0.05)
        loupe.verifier.revoked.add(revoked)
        *_, problem, end = [event async for event in readers.pop(revoked)]
        assert (problem.name, problem.data["reason"], end.name) == ("problem", "TOKEN_REVOKED", "end")
        await loupe.tasks.feed(-1.0, done=True)
        (other,) = readers.values()
        seen = [event async for event in other]
        assert seen[-1].name == "end"
        points = [loss for event in seen[:-1] for loss in event.data["losses"]]
        assert points == [*map(float, range(fed)), -1.0]


async def test_a_log_is_a_file(loupe: Installation) -> None:
    """M3: live or after the end, whole, under a name that says what it is."""
    answered = await loupe.http.get(
        "/v1/tasks/1/log", params={"network": "NETWORK_CLASSIFICATION"}, headers=loupe.as_viewer
    )
    assert answered.headers["content-type"] == "text/plain; charset=utf-8"
    assert answered.headers["content-disposition"] == 'attachment; filename="1-classification.log"'
    assert answered.text == "".join(f"{n} x\n" for n in range(1000))
    earlier = await loupe.http.get("/v1/tasks/1/log", params={"attempt": "2"}, headers=loupe.as_viewer)
    assert 'filename="1-unspecified-attempt-2.log"' in earlier.headers["content-disposition"]
