# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""`loupe.evaluator.v1.ReportService`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from google.api.httpbody_pb2 import HttpBody
from loupe.errors import DeadlineExceeded, Violation
from loupe.evaluator.v1 import report_pb2
from loupe.evaluator.v1 import report_service_pb2 as rpc
from loupe.evaluator.v1 import report_service_pb2_grpc as rpc_grpc
from loupe.translation import Sentence

from services.evaluator.application.exporting import ReportExports
from services.evaluator.application.reports import Reports
from services.evaluator.domain.errors import ReportInvalid
from services.evaluator.domain.report import SampleResult
from services.evaluator.wire import paging, sample_results
from services.evaluator.wire import reports as wire
from services.evaluator.wire.names import report_id
from services.kit.grpc_server import Service

_MAX_PAUSE_S = 30.0
"""Between two messages of CreateReport, which holds a transaction open. The database ends it after 60 s."""
Context = Any  # grpc.aio's context; no handler reads it


class ReportServicer(rpc_grpc.ReportServiceServicer):
    """Reports: stored, read, listed, exported."""

    def __init__(self, reports: Reports, exports: ReportExports) -> None:
        self._reports = reports
        self._exports = exports

    async def GetReport(self, request: rpc.GetReportRequest, _: Context) -> report_pb2.Report:
        return wire.report(await self._reports.get(report_id(request.name)))

    async def ListReports(self, request: rpc.ListReportsRequest, _: Context) -> rpc.ListReportsResponse:
        page = await self._reports.list(
            wire.report_filter(request),
            paging.REPORTS.page(request),
        )
        return rpc.ListReportsResponse(
            reports=[wire.report(report, defined=False) for report in page.items],
            next_page_token=paging.REPORTS.token(request, page.last_key),
        )

    async def ListSampleResults(
        self, request: rpc.ListSampleResultsRequest, _: Context
    ) -> rpc.ListSampleResultsResponse:
        page = await self._reports.list_samples(
            report_id(request.parent),
            sample_results.sample_filter(request),
            sample_results.sample_order(request.order_by),
            paging.SAMPLES.page(request),
        )
        return rpc.ListSampleResultsResponse(
            results=[sample_results.stored_sample(sample) for sample in page.items],
            next_page_token=paging.SAMPLES.token(request, page.last_key),
        )

    async def GetThresholdCurves(
        self, request: rpc.GetThresholdCurvesRequest, _: Context
    ) -> report_pb2.ThresholdCurves:
        report, view = await self._reports.threshold_view(
            report_id(request.name), wire.thresholds_from(request)
        )
        return wire.threshold_curves(view, report.header.code_list)

    async def ExportReport(self, request: rpc.ExportReportRequest, _: Context) -> AsyncIterator[HttpBody]:
        report = report_id(request.name)
        match wire.report_format(request):
            case rpc.REPORT_FORMAT_CSV:
                content_type, chunks = "text/csv; charset=utf-8", self._exports.csv(report)
            case rpc.REPORT_FORMAT_HTML:
                content_type = "text/html; charset=utf-8"
                chunks = self._exports.html(report, request.language or "en")
            case _:
                content_type, chunks = "application/json", self._exports.json(report)
        async for chunk in chunks:
            yield HttpBody(content_type=content_type, data=chunk)

    async def CreateReport(
        self, request_iterator: AsyncIterator[rpc.CreateReportRequest], _: Context
    ) -> report_pb2.Report:
        header = await _next(request_iterator)
        if header is None or header.WhichOneof("content") != "header":
            raise ReportInvalid.of(
                Violation("header", "REQUIRED", Sentence("the first message must be the header", ""))
            )
        return wire.report(
            await self._reports.create(wire.header_from(header.header), _batches(request_iterator))
        )


def service(reports: Reports, exports: ReportExports) -> Service:
    """The service for the evaluator's server."""
    return Service(
        servicer=ReportServicer(reports, exports),
        add_to_server=rpc_grpc.add_ReportServiceServicer_to_server,
        descriptor=rpc.DESCRIPTOR.services_by_name["ReportService"],
    )


async def _batches(
    requests: AsyncIterator[rpc.CreateReportRequest],
) -> AsyncIterator[Sequence[SampleResult]]:
    while (request := await _next(requests)) is not None:
        if request.WhichOneof("content") != "batch":
            raise ReportInvalid.of(
                Violation("batch", "REQUIRED", Sentence("only batches may follow the header", ""))
            )
        yield [sample_results.result_from(result) for result in request.batch.results]


async def _next(
    requests: AsyncIterator[rpc.CreateReportRequest],
) -> rpc.CreateReportRequest | None:
    try:
        async with asyncio.timeout(_MAX_PAUSE_S):
            return await anext(requests, None)
    except TimeoutError:
        raise DeadlineExceeded(f"no sample came for {_MAX_PAUSE_S:g} s; send the report again") from None
