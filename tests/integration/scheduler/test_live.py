"""Live points from a worker's heartbeat to a reader of the gateway, without fakes (M5, I3)."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
from loupe.scheduler.v1 import job_pb2, task_pb2

from gateway.app import create_app
from gateway.backends import Backends
from gateway.events import StreamLimits, Streams
from gateway.server import HttpServer
from services.kit.grpc_client import connect
from tests.support.waiting import DEADLINE_S

DROPS = 100


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http(stack: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway in front of the registry and the scheduler."""
    streams = Streams(StreamLimits())
    async with connect(stack.registry_address) as registry, connect(stack.address) as scheduler:
        channels = {"registry": registry, "scheduler": scheduler, "evaluator": registry}
        app = create_app(Backends(channels, 30.0), streams)
        async with HttpServer(app, streams, "127.0.0.1:0", grace_s=2.0) as server:
            token = stack.environment["LOUPE_BOOTSTRAP_ADMIN_TOKEN"]
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{server.port}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=DEADLINE_S,
            ) as client:
                yield client


class Reader:
    """An EventSource that loses its connection after some bytes, possibly in the middle of an event."""

    def __init__(self) -> None:
        self.points: list[tuple[int, float]] = []
        self.validations: list[int] = []
        self.last_event_id = ""
        self.ended = False

    async def read(
        self,
        http: httpx.AsyncClient,
        path: str,
        *,
        drop_after_bytes: int = 1 << 62,
        drop_after_events: int = 1 << 62,
    ) -> None:
        """Read until the end or the drop; an incomplete event is discarded."""
        headers = {"Last-Event-ID": self.last_event_id} if self.last_event_id else {}
        unread = b""
        async with http.stream("GET", path, headers=headers) as response:
            assert response.status_code == 200
            async for data in response.aiter_bytes():
                taken = data[:drop_after_bytes]
                drop_after_bytes -= len(taken)
                *events, unread = (unread + taken).split(b"\n\n")
                for event in events[:drop_after_events]:
                    drop_after_events -= self._take(event.decode())
                if self.ended or not drop_after_bytes or not drop_after_events:
                    return

    def _take(self, event: str) -> bool:
        """Whether the event had new points; they are kept."""
        fields = dict(line.split(": ", 1) for line in event.splitlines() if not line.startswith(":"))
        self.ended = fields.get("event") == "end"
        if fields.get("event") != "WatchLossResponse":
            assert self.ended or "retry" in fields, event
            return False
        news = json.loads(fields["data"])
        self.points += enumerate(news.get("losses", ()), int(news.get("firstIteration", 0)))
        self.validations += [int(point["iteration"]) for point in news.get("validation", ())]
        self.last_event_id = fields["id"]
        return True


async def test_m5_a_reader_that_drops_a_hundred_times_has_every_point_once(bench: Any, http: Any) -> None:
    """A browser on a bad network misses no point and gets none twice."""
    task = await bench.submit()
    held = await bench.worker.acquire()
    chance = random.Random(13)
    reader = Reader()
    written: list[float] = []
    validated: list[int] = []
    dropped_enough = asyncio.Event()

    async def train() -> None:
        while not dropped_enough.is_set():
            losses = [float(len(written) + n) for n in range(chance.randint(1, 10))]
            validations = []
            if chance.random() < 0.2:
                validated.append(len(written) + len(losses))
                point = task_pb2.ValidationPoint(iteration=validated[-1], accuracy=0.5)
                validations = [job_pb2.ValidationReport(network=task_pb2.NETWORK_CLASSIFICATION, point=point)]
            points = job_pb2.LossPoints(
                network=task_pb2.NETWORK_CLASSIFICATION, first_iteration=len(written), losses=losses
            )
            await held.report(loss_points=[points], validations=validations)
            written.extend(losses)
        await held.failed("NAN_LOSS")

    training = asyncio.create_task(train())
    path = f"/v1/{task.name}/loss:watch"
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(DROPS):
            # In the middle of an event or between two; not always in the first, or nobody would get on.
            if chance.random() < 0.5:
                await reader.read(http, path, drop_after_bytes=chance.randint(1, 1000))
            else:
                await reader.read(http, path, drop_after_events=chance.randint(1, 3))
            assert not reader.ended
        dropped_enough.set()
        while not reader.ended:
            await reader.read(http, path)
        await training
    assert reader.points == list(enumerate(written))
    assert reader.validations == validated
