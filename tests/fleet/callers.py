"""Somebody who calls every server, all the time, and notes how long it took and what was acknowledged."""

import asyncio
import contextlib
import itertools
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx
from loupe.client import AsyncLoupe
from loupe.errors import LoupeError
from loupe.evaluator.v1 import report_service_pb2
from loupe.registry.v1 import dataset_service_pb2
from loupe.scheduler.v1 import task_service_pb2

from tests.fleet.installation import Installation

_PAUSE_S = 0.05
_WRITES_OF = 10
"""Of so many calls to the registry one writes."""
_Call = Callable[[], Awaitable[object]]


@dataclass
class Noted:
    """What came of the calls, by server."""

    calls: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    """When each ended, in seconds of a clock that only goes on, and how many seconds it took."""
    failed: list[str] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    """Datasets that the registry has acknowledged."""

    def longest_s(self, server: str, since: float) -> float:
        """Of the calls that ended since then."""
        return max((took_s for ended, took_s in self.calls[server] if ended >= since), default=0.0)

    def count(self, server: str) -> int:
        """How many calls were answered."""
        return len(self.calls[server])


@contextlib.asynccontextmanager
async def calling(fleet: Installation) -> AsyncIterator[Noted]:
    """Meanwhile every server is called, one call after the other at each."""
    noted, ended = Noted(), asyncio.Event()
    async with fleet.client() as client, httpx.AsyncClient() as http:
        loops = [
            asyncio.create_task(_go_on(server, call, noted, ended))
            for server, call in _calls(fleet, client, http, noted).items()
        ]
        try:
            yield noted
        finally:
            ended.set()
            await asyncio.gather(*loops)


def _calls(
    fleet: Installation, client: AsyncLoupe, http: httpx.AsyncClient, noted: Noted
) -> dict[str, _Call]:
    numbers, gateways = itertools.count(), itertools.cycle((0, 1))

    async def registry() -> None:
        number = next(numbers)
        if number % _WRITES_OF:
            await client.datasets.ListDatasets(dataset_service_pb2.ListDatasetsRequest(page_size=10))
            return
        made = await client.datasets.CreateDataset(
            # A call whose answer was lost is repeated.
            dataset_service_pb2.CreateDatasetRequest(dataset_id=f"made-{number}", allow_existing=True)
        )
        noted.made.add(made.name)

    async def scheduler() -> None:
        await client.tasks.ListTasks(task_service_pb2.ListTasksRequest())

    async def evaluator() -> None:
        await client.reports.ListReports(report_service_pb2.ListReportsRequest())

    async def gateway() -> None:
        # As a browser does that knows two addresses, or a proxy in front of both.
        first = next(gateways)
        try:
            await _get(fleet, http, first)
        except (httpx.TransportError, httpx.HTTPStatusError):
            await _get(fleet, http, 1 - first)

    return {call.__name__: call for call in (registry, scheduler, evaluator, gateway)}


async def _get(fleet: Installation, http: httpx.AsyncClient, number: int) -> None:
    token = {"Authorization": f"Bearer {fleet.credentials.admin_token}"}
    (await http.get(f"{fleet.pages(number)}/v1/tasks", headers=token)).raise_for_status()


async def _go_on(server: str, call: _Call, noted: Noted, ended: asyncio.Event) -> None:
    while not ended.is_set():
        begun = time.monotonic()
        try:
            await call()
        except (LoupeError, httpx.HTTPError) as error:
            noted.failed.append(f"{server} after {time.monotonic() - begun:.1f} s: {error!r}")
        else:
            noted.calls[server].append((time.monotonic(), time.monotonic() - begun))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), _PAUSE_S)
