"""A finished measurement, sent to the service that stores reports."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import cast

import grpc
from google.protobuf import proto
from loupe.evaluator.v1 import report_pb2, report_service_pb2
from loupe.evaluator.v1.report_service_pb2_grpc import ReportServiceStub
from loupe.scheduler.v1 import job_pb2

from services.kit.errors import LoupeError
from services.kit.retry import retry_transient
from services.worker.jobs import LeaseLost

Batch = report_service_pb2.CreateReportRequest.Batch

# 20,000 samples take two seconds.
_DEADLINE_S = 600.0


class Spool:
    """Results on disk until their report is stored: it may be sent twice, and memory stays bounded."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.codes: set[str] = set()
        """True and predicted codes of all samples that were predicted."""
        self.predicted_count = 0

    async def add(self, batch: Batch) -> None:
        """Append results."""
        for result in batch.results:
            if result.verdict != report_pb2.VERDICT_NONCONFORMING:
                self.codes |= {result.true_code, result.predicted_code}
                self.predicted_count += 1
        await asyncio.to_thread(self._append, batch)

    async def batches(self) -> AsyncIterator[Batch]:
        """All results, in the order in which they were added."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            stream = cast("BytesIO", file)  # protobuf's stubs ask for more than its code
            while (batch := await asyncio.to_thread(proto.parse_length_prefixed, Batch, stream)) is not None:
                yield batch

    def _append(self, batch: Batch) -> None:
        with self._path.open("ab") as file:
            proto.serialize_length_prefixed(batch, cast("BytesIO", file))


class ReportSender:
    """Client of ReportService."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ReportServiceStub(channel)

    async def send(self, lease: job_pb2.JobLease, report: report_pb2.Report, spool: Spool) -> str:
        """Store the report and return its name. Retries while the service is away. Raises LeaseLost."""

        async def requests() -> AsyncIterator[report_service_pb2.CreateReportRequest]:
            header = report_service_pb2.CreateReportRequest.Header(
                job=lease.job, fencing_token=lease.fencing_token, report=report
            )
            yield report_service_pb2.CreateReportRequest(header=header)
            async for batch in spool.batches():
                yield report_service_pb2.CreateReportRequest(batch=batch)

        async def attempt() -> str | LeaseLost:
            try:
                created = await self._stub.CreateReport(requests(), timeout=_DEADLINE_S)
            except LoupeError as error:
                if error.reason == LeaseLost.reason:
                    return LeaseLost(error.message)
                raise
            return created.name

        answer = await retry_transient(attempt, what=f"report of {lease.job}")
        if isinstance(answer, LeaseLost):
            raise answer
        return answer
