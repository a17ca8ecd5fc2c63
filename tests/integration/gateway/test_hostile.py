"""What a hostile or broken client sends to a gateway that runs as a process of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from gateway.app import MAX_BODY_BYTES
from gateway.envelope import MAX_HEAD_BYTES, MAX_URI_BYTES
from gateway.events import StreamLimits
from tests.integration.gateway.installation import Installation, installation
from tests.support.services import service_process
from tests.support.waiting import DEADLINE_S

SLOW_HEADS = 200
MARKUP = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
AUTHORIZED = b"Host: loupe\r\nAuthorization: Bearer engineer-token\r\n"


@dataclass
class Target:
    """The process, by its address, and the services behind it."""

    host: str
    port: int
    log: Path
    behind: Installation

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Bytes there and back."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def answer(self, sent: bytes) -> httpx.Response:
        """What the raw bytes are answered with; the gateway closes, or has said that it will not."""
        async with asyncio.timeout(DEADLINE_S), self.connection() as (reader, writer):
            writer.write(sent)
            head = await reader.readuntil(b"\r\n\r\n")
            status_line, *lines = head.decode().strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            return httpx.Response(int(status_line.split()[1]), headers=headers, content=body)

    def browser(self) -> httpx.AsyncClient:
        """A well-behaved one."""
        return httpx.AsyncClient(
            base_url=f"http://{self.host}:{self.port}",
            timeout=DEADLINE_S,
            headers={"Authorization": "Bearer engineer-token"},
        )


@contextlib.asynccontextmanager
async def gateway_process(behind: Installation, settings: dict[str, str], log: Path) -> AsyncIterator[Target]:
    """A gateway with these settings in front of it."""
    address = f"127.0.0.1:{behind.backend.port}"
    addresses = {f"LOUPE_{name}_ADDRESS": address for name in ("REGISTRY", "SCHEDULER", "EVALUATOR")}
    async with service_process("gateway", addresses | settings, log) as (_, listening):
        host, _, port = listening.rpartition(":")
        yield Target(host, int(port), log, behind)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def target(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Target]:
    log = tmp_path_factory.mktemp("hostile") / "gateway.log"
    async with installation(StreamLimits()) as behind:
        deadlines = {"LOUPE_GATEWAY_HEAD_DEADLINE_S": "1", "LOUPE_GATEWAY_BODY_DEADLINE_S": "1"}
        async with gateway_process(behind, deadlines, log) as target:
            yield target
        # Whatever was sent: nothing of it was a surprise.
        surprises = [line for line in log.read_text().splitlines() if '"ERROR"' in line]
        assert surprises == []


async def test_slow_heads_are_cut_off_and_hold_up_nobody(target: Target) -> None:
    """Slowloris: connections that send a byte now and then would outlast any pool of workers."""
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(DEADLINE_S):
        slow = [await stack.enter_async_context(target.connection()) for _ in range(SLOW_HEADS)]
        for number, (_, writer) in enumerate(slow):
            # A third says nothing at all.
            writer.write((b"", b"GET /v1/ta", b"GET /v1/tasks HTTP/1.1\r\nHost: x\r\nX-A: ")[number % 3])

        async def dribble(writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while not writer.is_closing():
                    writer.write(b"a")
                    await writer.drain()
                    await asyncio.sleep(0.05)

        dribbling = [asyncio.create_task(dribble(writer)) for _, writer in slow[1:20]]
        http = await stack.enter_async_context(target.browser())
        assert (await http.get("/v1/tasks")).status_code == 200
        for reader, _ in slow:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        for task in dribbling:
            task.cancel()
        assert (await http.get("/v1/tasks")).status_code == 200


async def test_a_slow_body_is_told_so_and_cut_off(target: Target) -> None:
    """The call that it belongs to was never made."""
    late = await target.answer(b"POST /v1/tasks HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: 1000\r\n\r\n{")
    assert (late.status_code, late.json()["reason"]) == (408, "BODY_TOO_LATE")
    assert late.headers["connection"] == "close"


async def test_a_body_that_nobody_reads_holds_no_connection(target: Target) -> None:
    """An operation without a body is answered at once; what is still promised is not waited for."""
    async with asyncio.timeout(DEADLINE_S), target.connection() as (reader, writer):
        writer.write(b"GET /v1/tasks HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: 1000000\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                writer.write(b"a")


async def test_a_reader_that_goes_in_the_middle_of_its_body_is_no_incident(target: Target) -> None:
    """A closed laptop is not a bug; the fixture looks for errors in the log."""
    async with target.connection() as (_, writer):
        writer.write(b"POST /v1/tasks HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: 100\r\n\r\n{")
        await writer.drain()
    async with target.browser() as http:
        assert (await http.get("/v1/tasks")).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_too_large_is_refused_with_the_limit(target: Target, chunked: bool) -> None:  # noqa: FBT001
    """Declared or not; the answer says what would be taken."""
    size = MAX_BODY_BYTES + 1
    framing, body = (
        (b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n" % (size, b"a" * size))
        if chunked
        else (b"Content-Length: %d" % size, b"")
    )
    refused = await target.answer(b"POST /v1/tasks HTTP/1.1\r\n" + AUTHORIZED + framing + b"\r\n\r\n" + body)
    assert (refused.status_code, refused.json()["reason"]) == (413, "BODY_TOO_LARGE")
    assert refused.json()["metadata"]["max_bytes"] == str(MAX_BODY_BYTES)


@pytest.mark.parametrize(
    ("sent", "status", "reason"),
    [
        (b"GET /v1/tasks?pageToken=%b HTTP/1.1" % (b"a" * MAX_URI_BYTES), 414, "URI_TOO_LONG"),
        (b"GET /v1/tasks HTTP/1.1\r\nX-A: %b" % (b"a" * MAX_HEAD_BYTES), 431, "HEAD_TOO_LARGE"),
        (b"GET /v1/tasks HTTP/1.1\r\n" + b"X-A: a\r\n" * 10_000 + b"X-B: b", 431, "HEAD_TOO_LARGE"),
        (b"GET /v1/tasks HTTP/1.1\r\nAuthorization: Bearer %b" % (b"a" * 20_000), 401, "TOKEN_MALFORMED"),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400, "MALFORMED_REQUEST"),
        (b"GET /v1/tasks\xff HTTP/1.1", 400, "MALFORMED_REQUEST"),
        (b"GET /v1/tasks HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", 400, "MALFORMED_REQUEST"),
        (b"POST /v1/tasks HTTP/1.1\r\nTransfer-Encoding: gzip, chunked", 400, "MALFORMED_REQUEST"),
        (
            b"POST /v1/tasks HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
            400,
            "MALFORMED_REQUEST",
        ),
        (b"GET /v1/tasks HTTP/1.1\r\nX-A: a\r\n bad folding\x00", 400, "MALFORMED_REQUEST"),
        (b"GET /v1/tasks/%ff%fe HTTP/1.1", 400, "INVALID_ARGUMENT"),
        (b"GET /v1/tasks?pageToken=%ff HTTP/1.1", 400, "INVALID_ARGUMENT"),
        (b"GET /v1/tasks HTTP/1.1\r\nAuthorization: Bearer \xff\xfe", 401, "TOKEN_MALFORMED"),
    ],
)
async def test_what_is_no_request_is_a_problem_too(
    target: Target, sent: bytes, status: int, reason: str
) -> None:
    """One shape of failure; every program that talks to us reads it."""
    head = b"" if b"Authorization" in sent else b"\r\nAuthorization: Bearer engineer-token"
    refused = await target.answer(sent + b"\r\nHost: loupe" + head + b"\r\n\r\n")
    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    assert refused.json()["reason"] == reason
    assert refused.headers["x-content-type-options"] == "nosniff"


async def test_a_body_of_two_lengths_ends_its_connection(target: Target) -> None:
    """A proxy that went by the other length takes what follows for a request of somebody else."""
    async with asyncio.timeout(DEADLINE_S), target.connection() as (reader, writer):
        writer.write(
            b"POST /v1/tasks HTTP/1.1\r\n"
            + AUTHORIZED
            + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            + b"GET /v1/tasks HTTP/1.1\r\n"
            + AUTHORIZED
            + b"\r\n"
        )
        answered = await reader.read()
    assert answered.startswith(b"HTTP/1.1 400")
    assert answered.count(b"HTTP/1.1 ") == 1


async def test_an_address_has_so_many_connections_and_leaves_the_others_alone(tmp_path: Path) -> None:
    """Else one machine takes all sockets; the refusal says so, and when to come again."""
    limits = {"LOUPE_GATEWAY_MAX_CONNECTIONS_PER_ADDRESS": "2"}
    async with (
        installation(StreamLimits()) as behind,
        gateway_process(behind, limits, tmp_path / "gateway.log") as target,
        target.connection(),
        target.connection(),
    ):
        refused = await target.answer(b"GET /v1/tasks HTTP/1.1\r\n" + AUTHORIZED + b"\r\n")
        assert (refused.status_code, refused.json()["reason"]) == (429, "TOO_MANY_CONNECTIONS")
        assert int(refused.headers["retry-after"]) > 0
        elsewhere = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(transport=elsewhere, timeout=DEADLINE_S) as http:
            answer = await http.get(
                f"http://{target.host}:{target.port}/v1/tasks", headers=behind.as_engineer
            )
            assert answer.status_code == 200


async def test_of_silent_connections_the_oldest_makes_room(tmp_path: Path) -> None:
    """A browser of the same address gets in at once, long before their heads are due."""
    limits = {"LOUPE_GATEWAY_MAX_PENDING_PER_ADDRESS": "2", "LOUPE_GATEWAY_HEAD_DEADLINE_S": "3600"}
    async with (
        asyncio.timeout(DEADLINE_S),
        installation(StreamLimits()) as behind,
        gateway_process(behind, limits, tmp_path / "gateway.log") as target,
        target.connection() as (oldest, _),
        target.connection() as (_, younger),
        target.browser() as http,
    ):
        assert (await http.get("/v1/tasks")).status_code == 200
        assert await oldest.read() == b""
        younger.write(b"GET /healthz HTTP/1.1\r\nHost: loupe\r\n\r\n")
        await younger.drain()


async def test_a_page_token_that_is_not_utf_8_is_a_bad_page_token(target: Target) -> None:
    """As any other token that no list made, whatever its bytes are."""
    head = b"Host: loupe\r\nAuthorization: Bearer engineer-token\r\n\r\n"
    refused = await target.answer(b"GET /v1/tasks?page_token=%ff HTTP/1.1\r\n" + head)
    assert [one["reason"] for one in refused.json()["violations"]] == ["BAD_PAGE_TOKEN"]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"task":{"training":{"modelParams":' + b'{"a":' * 40 + b"1" + b"}" * 43,
        b'{"task":{"training":{"modelParams":{"a":' + b"[" * 60 + b"]" * 60 + b"}}}}",
        b'{"task": {"training": {"modelName": "\xff"}}}',
        b'{"requestId": ' + b"9" * 100_000 + b"}",
        b'{"requestId": "\\ud800"}',
        b"\x00",
        b"\xef\xbb\xbf{}",
    ],
    ids=["arrays", "objects", "struct", "list", "utf-8", "digits", "surrogate", "nul", "bom"],
)
async def test_a_body_that_cannot_be_meant_is_refused(target: Target, body: bytes) -> None:
    """Deep nesting must neither overflow a stack here nor make a message that no service can read."""
    async with target.browser() as http:
        refused = await http.post("/v1/tasks", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 400, refused.text
    assert refused.json()["violations"]


async def test_the_deepest_document_taken_reaches_the_service(target: Target) -> None:
    """The limit is not lower than it must be, and what passes it is readable behind it."""
    params: object = 1
    for _ in range(27):
        params = {"a": params}
    async with target.browser() as http:
        made = await http.post(
            "/v1/tasks", json={"task": {"training": {"modelName": "deep", "modelParams": params}}}
        )
    assert made.status_code == 200, made.text
    assert made.json()["training"]["modelParams"] == params


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/%2e%2e/gateway/app.py",
        "/..%5c..%5cetc%5cpasswd",
        "//etc/passwd",
        "/v1/../../../etc/passwd",
        "/v1/tasks/..%2f..%2fusers/1",
        "/v1/tasks/../users",
        "/etc/passwd%00.png",
    ],
)
async def test_no_path_leads_out(target: Target, path: str) -> None:
    """Sent as it is, with no client to tidy it up."""
    refused = await target.answer(f"GET {path} HTTP/1.1\r\n".encode() + AUTHORIZED + b"\r\n")
    assert refused.status_code in {400, 404}
    assert refused.headers["content-type"] == "application/problem+json"
    assert b"root:" not in refused.content


async def test_markup_in_names_is_data(target: Target) -> None:
    """XSS: what was stored comes back as the same text, of a type and under a policy that runs nothing."""
    async with target.browser() as http:
        made = await http.post("/v1/tasks", json={"task": {"training": {"modelName": MARKUP}}})
        shown = [
            made,
            await http.get(f"/v1/{made.json()['name']}", headers={"Accept": "text/html"}),
            await http.get(f"/v1/tasks/{MARKUP}"),
            await http.get("/v1/nothing", params={"a": MARKUP}),
            await http.get(f"/nothing/{MARKUP}.js", headers={"Accept": "text/html"}),
            await http.post("/v1/tasks", json={MARKUP: MARKUP}),
        ]
    assert made.json()["training"]["modelName"] == MARKUP
    for answer in shown:
        assert "json" in answer.headers["content-type"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")


async def test_a_name_does_not_write_headers(target: Target) -> None:
    """A downloaded log is named after what the path says; line ends in it must stay in it."""
    async with target.browser() as http:
        saved = await http.get("/v1/tasks/a%0d%0aSet-Cookie%3a b%22;/log")
    assert saved.status_code == 200
    assert "set-cookie" not in saved.headers
    name = saved.headers["content-disposition"]
    assert name.count('"') == 2
