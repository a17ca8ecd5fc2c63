"""A finished measurement on its way into the library of reports."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from loupe.errors import LoupeError
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.evaluator.v1.report_service_pb2_grpc import ReportServiceStub

from services.evaluator import worker_wire
from services.kit.database import retrying_transient
from services.work.values import Lease, LeaseLost

_BATCH = 500
# 20,000 samples take two seconds.
_DEADLINE_S = 600.0


class Spool:
    """Results on disk until their report is stored: it may have to be sent twice, and memory is bounded."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.codes: set[str] = set()
        """True and predicted codes of all samples that were predicted."""
        self.predicted_count = 0

    async def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows of a `samples` event."""
        for row in rows:
            if row["outcome"] == "PREDICTED":
                self.codes |= {row["code"], row["predicted"]}
                self.predicted_count += 1
        await asyncio.to_thread(self._append, rows)

    async def batches(self) -> AsyncIterator[list[dict[str, Any]]]:
        """All rows, in order."""
        batches = self._read()
        while batch := await asyncio.to_thread(next, batches, None):
            yield batch

    def _append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    def _read(self) -> Iterator[list[dict[str, Any]]]:
        if not self._path.exists():
            return
        with self._path.open(encoding="utf-8") as file:
            while lines := list(itertools.islice(file, _BATCH)):
                yield [json.loads(line) for line in lines]


class ReportSender:
    """ReportService as a worker needs it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ReportServiceStub(channel)

    async def send(
        self, lease: Lease, report: report_pb2.Report, spool: Spool, data_paths: Mapping[str, str]
    ) -> str:
        """Store the report, however long the service is away; its name. LeaseLost if nobody wants it."""

        async def requests() -> AsyncIterator[report_service_pb2.CreateReportRequest]:
            header = report_service_pb2.CreateReportRequest.Header(
                job=lease.job, fencing_token=lease.fencing_token, report=report
            )
            yield report_service_pb2.CreateReportRequest(header=header)
            async for rows in spool.batches():
                results = [worker_wire.sample_result(row, data_paths) for row in rows]
                batch = report_service_pb2.CreateReportRequest.Batch(results=results)
                yield report_service_pb2.CreateReportRequest(batch=batch)

        async def attempt() -> str | LeaseLost:
            try:
                created = await self._stub.CreateReport(requests(), timeout=_DEADLINE_S)
            except LoupeError as error:
                if error.reason == LeaseLost.reason:
                    return LeaseLost(error.message)
                raise
            return created.name

        answer = await retrying_transient(attempt, what=f"report of {lease.job}")
        if isinstance(answer, LeaseLost):
            raise answer
        return answer
