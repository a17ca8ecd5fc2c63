"""Probes and metrics of a scheduler as a process, with a PostgreSQL that can be cut away."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from loupe.errors import Unauthenticated
from loupe.rpc.channel import connect
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

from services.kit.about import VERSION
from services.kit.metrics import Kind, catalogue
from tests.support.relay import Relay, relay_to
from tests.support.services import service_process, told_port
from tests.support.waiting import DEADLINE_S, eventually


@dataclass
class Monitored:
    """A scheduler that is monitored; `database` is its way to PostgreSQL."""

    http: httpx.AsyncClient
    address: str
    database: Relay

    async def needs(self) -> tuple[int, dict[str, str]]:
        """What `/readyz` answers."""
        answered = await self.http.get("/readyz")
        return answered.status_code, answered.json()["needs"]

    async def health(self) -> int:
        """What the gRPC health service says."""
        async with connect(self.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answered = await stub.Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE_S)
            return int(answered.status)

    async def samples(self, name: str) -> list[tuple[Mapping[str, str], float]]:
        """Labels and values of a metric."""
        text = (await self.http.get("/metrics")).text
        return [
            (sample.labels, sample.value)
            for family in prometheus_text(text)
            for sample in family.samples
            if sample.name == name
        ]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def monitored(stack: Any, tmp_path_factory: Any) -> AsyncIterator[Monitored]:
    log = tmp_path_factory.mktemp("monitored") / "scheduler.log"
    url = urlsplit(stack.environment["LOUPE_DATABASE_URL"])
    assert url.hostname is not None
    assert url.port is not None
    async with relay_to(url.hostname, url.port) as relay:
        through = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{relay.listens_at}"))
        environment = {
            **stack.environment,
            "LOUPE_DATABASE_URL": through.geturl(),
            "LOUPE_OPERATIONS_LISTEN": "127.0.0.1:0",
        }
        async with service_process("services.scheduler", environment, log) as (_, address):
            port = told_port(log, "answering probes")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_S) as http:
                yield Monitored(http, address, relay)


async def _probe(target: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.kit.probe", target, "--timeout", "60"),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_it_is_ready_while_the_database_answers_and_lives_all_the_while(monitored: Monitored) -> None:
    """A probe that asks nothing sends callers to a server that can only fail (fault h)."""
    ready = {"process": "READY", "database": "READY", "messaging": "READY"}
    assert await monitored.needs() == (200, ready)
    assert await monitored.health() == health_pb2.HealthCheckResponse.SERVING
    assert await _probe(monitored.address) == (0, "SERVING\n")

    monitored.database.cut()
    away = (503, {**ready, "database": "DATABASE_UNAVAILABLE"})

    async def is_away() -> bool:
        return await monitored.needs() == away

    await eventually(is_away)

    async def does_not_serve() -> bool:
        return await monitored.health() == health_pb2.HealthCheckResponse.NOT_SERVING

    await eventually(does_not_serve)
    assert await _probe(monitored.address) == (1, "NOT_SERVING\n")
    code, said = await _probe(str(monitored.http.base_url.join("/readyz")))
    assert (code, "DATABASE_UNAVAILABLE" in said) == (1, True)
    # No restart brings a database back.
    assert (await monitored.http.get("/livez")).status_code == 200
    # What needs no database is told all the same, and what needs it is not told as if it were known.
    assert ({"needs": "database"}, 0.0) in await monitored.samples("loupe_ready")
    assert ({"of": "queue"}, 0.0) in await monitored.samples("loupe_samples_fresh")
    assert await monitored.samples("loupe_jobs_waiting") == []

    monitored.database.restore()

    async def is_back() -> bool:
        return await monitored.needs() == (200, ready)

    await eventually(is_back)

    async def serves() -> bool:
        return await monitored.health() == health_pb2.HealthCheckResponse.SERVING

    await eventually(serves)


async def test_an_idle_resource_has_zeros(stack: Any, monitored: Monitored) -> None:
    """KEDA scales from nothing only where nothing is a number: not where the series is absent."""
    resource = (await stack.new_resource()).removeprefix("computeResources/")
    for name in ("loupe_jobs_waiting", "loupe_jobs_running", "loupe_jobs_oldest_waiting_seconds"):
        of_resource = {
            labels["kind"]: value
            for labels, value in await monitored.samples(name)
            if labels["compute_resource"] == resource
        }
        assert of_resource == {"TRAIN": 0, "EVALUATE": 0, "PREDICT": 0, "PACKAGE": 0}, name
    assert ({"compute_resource": resource, "kind": "TRAIN"}, 0.0) in await monitored.samples("loupe_workers")


async def test_the_queue_is_told_as_it_is(bench: Any, monitored: Monitored) -> None:
    """Waiting, then running: the same job, in the same scrape never both."""
    await bench.submit()
    labels = {"compute_resource": bench.resource.removeprefix("computeResources/"), "kind": "TRAIN"}
    assert (labels, 1.0) in await monitored.samples("loupe_jobs_waiting")
    assert (labels, 0.0) in await monitored.samples("loupe_jobs_running")
    await bench.worker.acquire()
    assert (labels, 0.0) in await monitored.samples("loupe_jobs_waiting")
    assert (labels, 1.0) in await monitored.samples("loupe_jobs_running")
    assert (labels, 1.0) in await monitored.samples("loupe_workers")


async def test_everything_told_is_in_the_catalogue_and_parses_in_both_formats(monitored: Monitored) -> None:
    """Dashboards and alerts rely on the names of docs/operating/metrics.md."""
    assert (await _probe(monitored.address))[0] == 0
    text = await monitored.http.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert text.headers["content-type"].startswith("application/openmetrics-text")
    families = list(openmetrics(text.text))
    told = {
        f"{family.name}_total" if family.type == "counter" else family.name: Kind(family.type)
        for family in families
        if not family.name.startswith("process_")
    }
    assert told.items() <= {name: described.kind for name, described in catalogue.items()}.items()
    build = await monitored.samples("loupe_build_info")
    assert build == [({"process": "scheduler", "version": VERSION}, 1.0)]
    assert ({"schema": "scheduler"}, 0.0) in await monitored.samples("loupe_dead_letters")
    assert {"loupe_outbox_waiting", "loupe_event_loop_lag_seconds", "loupe_database_connections"} <= set(told)


async def test_calls_are_counted_by_rpc_and_status(monitored: Monitored) -> None:
    """Rate and errors; what no token names is an error, too."""
    async with connect(monitored.address, lambda: "not-a-token", retries=False) as channel:
        call = channel.unary_unary("/loupe.scheduler.v1.TaskService/ListTasks")
        with pytest.raises(Unauthenticated):
            await call(b"", timeout=DEADLINE_S)

    async def is_counted() -> bool:
        labels = {"rpc": "loupe.scheduler.v1.TaskService/ListTasks", "status": "UNAUTHENTICATED"}
        return (labels, 1.0) in await monitored.samples("loupe_rpc_calls_total")

    await eventually(is_counted)
    durations = await monitored.samples("loupe_rpc_duration_seconds_count")
    assert ({"rpc": "loupe.scheduler.v1.TaskService/ListTasks"}, 1.0) in durations
