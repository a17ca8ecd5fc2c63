"""Measures the pages of a report of 20,000 samples, and a ZIP of 5,000 misjudged ones.

`python -m tests.bench drilldown [--rounds 150]`.

The evaluator is a process of its own. Beside its pages the same server answers GetSampleResult, which
reads one row by its key; beside the ZIP this process reads the same objects with as many connections.
"""

import argparse
import asyncio
import contextlib
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
from loupe.evaluator.v1 import (
    report_pb2,
    report_service_pb2,
    report_service_pb2_grpc,
    sample_result_service_pb2,
    sample_result_service_pb2_grpc,
)
from loupe.rpc.channel import connect
from loupe.settings import load

from deploy.embedded.loupe_processes import import_path
from deploy.embedded.ports import HOST, assign
from deploy.embedded.servers import EmbeddedServers
from services.kit.object_store import BlockingObjectStore, ObjectStoreSettings
from tests.support.tokens import token_of

SAMPLES = 20_000
_MISJUDGED = 5_000
_OBJECTS = 500
"""Different pictures behind the samples; every tenth sample of one, so that no cache holds them all."""
_OBJECT_BYTES = 50_000
_AHEAD = 8
_CODES = [f"CODE{number:02}" for number in range(20)]


def measure(*arguments: str) -> dict[str, Any]:
    """On embedded servers in a temporary folder."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench drilldown")
    parser.add_argument("--rounds", type=int, default=150)
    return asyncio.run(_measure(parser.parse_args(arguments).rounds))


async def _measure(rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as folder:
        async with EmbeddedServers(Path(folder)) as servers:
            bucket = servers.object_store.with_bucket("drilldown")
            await servers.seaweed.create_bucket(bucket.bucket)
            store = BlockingObjectStore(load(ObjectStoreSettings, bucket.environment()))
            hashes = await asyncio.to_thread(_put_objects, store)
            token = token_of("evaluator", servers.folder.service_tokens)
            async with (
                _evaluator(servers, bucket.environment()) as (address, process),
                connect(address, lambda: token, deadline_s=60) as channel,
            ):
                reports = report_service_pb2_grpc.ReportServiceStub(channel)
                started_s = time.monotonic()
                report = await reports.CreateReport(_requests(hashes))
                stored_s = time.monotonic() - started_s
                figures = {"storing 20,000 samples, looking for wrong labels, s": round(stored_s, 2)}
                samples = sample_result_service_pb2_grpc.SampleResultServiceStub(channel)
                figures |= await _pages(reports, samples, report.name, rounds)
                return figures | await _zip(samples, report.name, process, store, hashes)


@contextlib.asynccontextmanager
async def _evaluator(
    servers: EmbeddedServers, bucket: dict[str, str]
) -> AsyncIterator[tuple[str, psutil.Process]]:
    address = f"{HOST}:{assign(['evaluator'], {})['evaluator']}"
    settings = {
        "LOUPE_DATABASE_URL": await servers.postgres.create_database("drilldown"),
        "LOUPE_NATS_URL": servers.nats.url,
        "LOUPE_SERVICE_TOKENS_DIR": str(servers.folder.service_tokens),
        "LOUPE_REGISTRY_ADDRESS": f"{HOST}:1",
        "LOUPE_LISTEN": address,
        "LOUPE_LOG_LEVEL": "WARNING",
        **bucket,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.evaluator"), env={**os.environ, **import_path(), **settings}
    )
    try:
        async with connect(address) as channel:
            await asyncio.wait_for(channel.channel_ready(), 120)
        yield address, psutil.Process(process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _put_objects(store: BlockingObjectStore) -> list[str]:
    chance = random.Random(3)
    with ThreadPoolExecutor(_AHEAD) as threads:
        keys = threads.map(
            lambda data: store.put_content("samples", data),
            (chance.randbytes(_OBJECT_BYTES) for _ in range(_OBJECTS)),
        )
        return [key.rpartition("/")[2] for key in keys]


async def _requests(hashes: list[str]) -> AsyncIterator[report_service_pb2.CreateReportRequest]:
    chance = random.Random(4)
    yield report_service_pb2.CreateReportRequest(
        header=report_service_pb2.CreateReportRequest.Header(
            job="jobs/bench",
            fencing_token=1,
            report=report_pb2.Report(
                kind=report_pb2.REPORT_KIND_PREDICTION,
                task="tasks/bench",
                code_list=_CODES,
                num_of_classes=len(_CODES),
                confidence_threshold=0.3,
            ),
        )
    )
    for start in range(0, SAMPLES, 500):
        results = []
        for number in range(start, start + 500):
            true, right = chance.randrange(len(_CODES)), number % (SAMPLES // _MISJUDGED) != 0
            predicted = true if right else (true + chance.randrange(1, len(_CODES))) % len(_CODES)
            confidence = chance.random()
            results.append(
                report_pb2.SampleResult(
                    file=f"{_CODES[true]}/{number:06}.jpg",
                    data_path="datasets/bench/paths/main",
                    sha256=hashes[number % len(hashes)],
                    true_code=_CODES[true],
                    predicted_code=_CODES[predicted],
                    verdict=report_pb2.VERDICT_CORRECT if right else report_pb2.VERDICT_MISJUDGED,
                    confidence=confidence,
                    top=[report_pb2.CodeScore(code=_CODES[predicted], score=confidence)] * 3,
                    decided_by=report_pb2.DECIDED_BY_SOFTMAX,
                    perceptual_hash=chance.randbytes(32),
                )
            )
        yield report_service_pb2.CreateReportRequest(
            batch=report_service_pb2.CreateReportRequest.Batch(results=results)
        )


async def _pages(
    reports: Any,  # noqa: ANN401 -- a generated stub
    samples: Any,  # noqa: ANN401 -- another
    report: str,
    rounds: int,
) -> dict[str, Any]:
    chance = random.Random(5)
    misjudged = report_pb2.VERDICT_MISJUDGED
    wanted: dict[str, Any] = {
        "all": dict,
        "misjudged": lambda: {"verdict": misjudged},
        "misjudged of a code": lambda: {"verdict": misjudged, "true_code": chance.choice(_CODES)},
        "a cell of the confusion matrix": lambda: dict(
            zip(("true_code", "predicted_code"), chance.sample(_CODES, 2), strict=True)
        ),
        "to a human": lambda: {"below_threshold": True},
        "by confidence": lambda: {"order_by": "confidence desc"},
        "misjudged by file": lambda: {"order_by": "file", "verdict": misjudged},
    }

    async def timed(call: Any, request: Any) -> tuple[float, Any]:  # noqa: ANN401 -- a stub's method
        started_s = time.monotonic()
        answer = await call(request)
        return (time.monotonic() - started_s) * 1e3, answer

    figures: dict[str, Any] = {}
    taken: dict[str, list[float]] = {
        name: [] for name in ("one sample by its key", "report", *wanted, "suspects")
    }
    # In turn, so that what else the machine does falls on all alike.
    for _ in range(rounds):
        name = f"{report}/sampleResults/{chance.randrange(SAMPLES)}"
        request = sample_result_service_pb2.GetSampleResultRequest(name=name)
        taken["one sample by its key"].append((await timed(samples.GetSampleResult, request))[0])
        request = report_service_pb2.GetReportRequest(name=report)
        taken["report"].append((await timed(reports.GetReport, request))[0])
        request = sample_result_service_pb2.ListSuspectedLabelsRequest(parent=report)
        taken["suspects"].append((await timed(samples.ListSuspectedLabels, request))[0])
        for name, make in wanted.items():
            request = report_service_pb2.ListSampleResultsRequest(parent=report, page_size=50, **make())
            # The first page and one behind it, as whoever scrolls asks for them.
            for _ in range(2):
                taken_ms, answer = await timed(reports.ListSampleResults, request)
                taken[name].append(taken_ms)
                request.page_token = answer.next_page_token
                if not answer.next_page_token:
                    break
    for name, all_ms in taken.items():
        all_ms.sort()
        figures[f"{name}: p50, p99 ms"] = [
            round(all_ms[len(all_ms) // 2], 1),
            round(all_ms[int(len(all_ms) * 0.99)], 1),
        ]
    return figures


async def _zip(
    samples: Any,  # noqa: ANN401 -- a generated stub
    report: str,
    process: psutil.Process,
    store: BlockingObjectStore,
    hashes: list[str],
) -> dict[str, Any]:
    before = most = process.memory_info().rss
    total = 0
    request = sample_result_service_pb2.DownloadSampleResultsRequest(
        parent=report, verdict=report_pb2.VERDICT_MISJUDGED
    )
    started_s = time.monotonic()
    async for part in samples.DownloadSampleResults(request):
        total += len(part.data)
        most = max(most, process.memory_info().rss)
    zip_s = time.monotonic() - started_s

    def bare() -> float:
        started_s = time.monotonic()
        with ThreadPoolExecutor(_AHEAD) as threads:
            for _ in threads.map(
                lambda number: store.get_bytes(
                    f"samples/{hashes[number % len(hashes)]}", max_bytes=_OBJECT_BYTES
                ),
                range(0, SAMPLES, SAMPLES // _MISJUDGED),
            ):
                pass
        return time.monotonic() - started_s

    bare_s = await asyncio.to_thread(bare)
    return {
        "ZIP of 5,000 misjudged samples, MB": round(total / 1e6, 1),
        "ZIP, MB/s": round(total / zip_s / 1e6, 1),
        "bare reading of the same objects, MB/s": round(_MISJUDGED * _OBJECT_BYTES / bare_s / 1e6, 1),
        "ZIP as a ratio to bare reading": round(bare_s / zip_s, 2),
        "growth of the service's memory meanwhile, MB": round((most - before) / 1e6, 1),
        "its largest resident memory / that before": round(most / before, 3),
    }
