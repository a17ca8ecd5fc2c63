"""A registry, an evaluator and a gateway on real servers, with users of several roles."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
from loupe.access.v1 import access_pb2
from loupe.evaluator.v1 import relabel_service_pb2_grpc, report_pb2, sample_result_service_pb2_grpc
from loupe.evaluator.v1.report_service_pb2_grpc import ReportServiceStub
from loupe.rpc.channel import connect
from loupe.settings import load

from gateway.app import create_app
from gateway.backends import Backends
from gateway.events import StreamLimits, Streams
from gateway.server import HttpServer
from services.evaluator.__main__ import serve
from services.evaluator.settings import Settings
from services.kit.lifecycle import Process
from services.kit.object_store import BlockingObjectStore, ObjectStoreSettings
from tests.integration.evaluator.conftest import ReportServiceUnderTest, sample
from tests.integration.registry.conftest import Caller, Importer, Registry, new_path, run_registry
from tests.support.tokens import token_of


class Person:
    """The evaluator's stubs with the token of one caller."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.stub: Any = ReportServiceStub(channel)
        self.samples: Any = sample_result_service_pb2_grpc.SampleResultServiceStub(channel)
        self.marks: Any = relabel_service_pb2_grpc.RelabelServiceStub(channel)


@dataclass
class Installation:
    """The running services, and clients of them."""

    registry: Registry
    address: str
    """Of the evaluator."""
    store: BlockingObjectStore
    data: Caller
    """The registry's stubs with the token of the engineer."""
    service: Person
    engineer: Person
    viewer: Person
    engineer_name: str
    http: httpx.AsyncClient
    """A client of the gateway with the token of the viewer."""

    async def importer(self) -> Importer:
        """An import into a new data path."""
        return Importer(self.data, await new_path(self.data))

    async def put(self, data: bytes, key: str = "") -> str:
        """Store bytes as a sample; returns their SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        await asyncio.to_thread(self.store.put_bytes, key or f"samples/{sha256}", data)
        return sha256

    async def report(self, results: Sequence[report_pb2.SampleResult], **fields: Any) -> report_pb2.Report:  # noqa: ANN401 -- fields of a message
        """Store a report."""
        return await ReportServiceUnderTest.create(self.service, results, **fields)

    async def get(self, url: str) -> httpx.Response:
        """Read a presigned link."""
        async with httpx.AsyncClient() as client:
            return await client.get(url)


async def run_installation(environment: dict[str, str]) -> AsyncIterator[Installation]:
    """Run all three until the generator is closed."""
    async with contextlib.AsyncExitStack() as stack:
        registry = await stack.enter_async_context(contextlib.asynccontextmanager(run_registry)(environment))
        settings = load(
            Settings,
            {**environment, "LOUPE_LISTEN": "127.0.0.1:0", "LOUPE_REGISTRY_ADDRESS": registry.address},
        )
        process = Process()
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def main(process: Process) -> None:
            ready.set_result((await serve(process, settings)).port)

        living = asyncio.create_task(process.live(main))
        await asyncio.wait({living, ready}, return_when=asyncio.FIRST_COMPLETED)
        if living.done():
            living.result()
        address = f"127.0.0.1:{ready.result()}"

        async def person(token: str) -> Person:
            return Person(await stack.enter_async_context(connect(address, lambda: token, deadline_s=60)))

        engineer_name, engineer_token = await registry.token_of_role(access_pb2.ROLE_ENGINEER)
        _, viewer_token = await registry.token_of_role(access_pb2.ROLE_VIEWER)
        channel = await stack.enter_async_context(connect(address))
        of_registry = await stack.enter_async_context(connect(registry.address))
        streams = Streams(StreamLimits())
        backends = {"registry": of_registry, "scheduler": channel, "evaluator": channel}
        app = create_app(Backends(backends, 30.0), streams)
        gateway = await stack.enter_async_context(HttpServer(app, streams, "127.0.0.1:0"))
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{gateway.port}",
                headers={"Authorization": f"Bearer {viewer_token}"},
                timeout=60,
            )
        )
        store = BlockingObjectStore(load(ObjectStoreSettings, environment))
        stack.callback(store.close)
        yield Installation(
            registry=registry,
            address=address,
            store=store,
            data=registry.caller(engineer_token),
            service=await person(token_of("evaluator-worker", environment["LOUPE_SERVICE_TOKENS_DIR"])),
            engineer=await person(engineer_token),
            viewer=await person(viewer_token),
            engineer_name=engineer_name,
            http=http,
        )
        process.stop()
        assert await living == 0


def shown(
    file: str, sha256: str, predicted: str, confidence: float = 0.9, **fields: object
) -> report_pb2.SampleResult:
    """A predicted sample of a file with this SHA-256."""
    return sample(0, file.partition("/")[0], predicted, confidence, file=file, sha256=sha256, **fields)
