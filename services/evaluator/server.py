"""`loupe.evaluator.v1.ReportService`."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from google.api.httpbody_pb2 import HttpBody
from loupe.errors import DeadlineExceeded, Violation
from loupe.evaluator.v1 import report_pb2, report_service_pb2, report_service_pb2_grpc

from services.evaluator import paging, wire
from services.evaluator.application import ReportLibrary
from services.evaluator.domain.errors import ReportInvalid
from services.evaluator.domain.listing import SampleFilter, SampleOrder
from services.evaluator.domain.report import SampleResult
from services.evaluator.exporting.application import Exports
from services.kit.grpc_server import Service
from services.kit.paging import size_of

# A worker that stopped in the middle holds a transaction open; the database itself ends it after 60 s.
_MAX_PAUSE_S = 30.0


class ReportServicer(report_service_pb2_grpc.ReportServiceServicer):
    """Answers for the library of reports."""

    def __init__(self, library: ReportLibrary, exports: Exports) -> None:
        self._library = library
        self._exports = exports

    async def GetReport(  # noqa: N802 -- the contract's name
        self,
        request: report_service_pb2.GetReportRequest,
        context: object,  # noqa: ARG002
    ) -> report_pb2.Report:
        """One report."""
        return wire.report(await self._library.get(wire.report_id(request.name)))

    async def ListReports(  # noqa: N802 -- the contract's name
        self,
        request: report_service_pb2.ListReportsRequest,
        context: object,  # noqa: ARG002
    ) -> report_service_pb2.ListReportsResponse:
        """Newest first."""
        page = await self._library.list(
            wire.report_filter(request),
            paging.REPORTS.key(request),
            size_of(request),
        )
        return report_service_pb2.ListReportsResponse(
            reports=[wire.report(report, defined=False) for report in page.items],
            next_page_token=paging.REPORTS.token(request, page.last_key),
        )

    async def ListSampleResults(  # noqa: N802 -- the contract's name
        self,
        request: report_service_pb2.ListSampleResultsRequest,
        context: object,  # noqa: ARG002
    ) -> report_service_pb2.ListSampleResultsResponse:
        """What most deserves a look first (P4)."""
        wanted, order = wire.sample_filter(request), wire.sample_order(request.order_by)
        page = await self._library.list_samples(
            wire.report_id(request.parent),
            wanted,
            order,
            paging.SAMPLES.key(request),
            size_of(request),
        )
        return report_service_pb2.ListSampleResultsResponse(
            results=[wire.stored_sample(sample) for sample in page.items],
            next_page_token=paging.SAMPLES.token(request, page.last_key),
        )

    async def GetThresholdCurves(  # noqa: N802 -- the contract's name
        self,
        request: report_service_pb2.GetThresholdCurvesRequest,
        context: object,  # noqa: ARG002
    ) -> report_pb2.ThresholdCurves:
        """What a threshold would leave to the model (E2)."""
        report, view = await self._library.threshold_view(
            wire.report_id(request.name), wire.thresholds_from(request)
        )
        return wire.threshold_curves(view, report.header.code_list)

    async def ExportReport(  # noqa: N802 -- the contract's name
        self,
        request: report_service_pb2.ExportReportRequest,
        context: object,  # noqa: ARG002
    ) -> AsyncIterator[HttpBody]:
        """The report as a file."""
        report_id = wire.report_id(request.name)
        match wire.report_format(request):
            case report_service_pb2.REPORT_FORMAT_CSV:
                kind, chunks = "text/csv; charset=utf-8", self._exports.csv(report_id)
            case report_service_pb2.REPORT_FORMAT_HTML:
                kind = "text/html; charset=utf-8"
                chunks = self._exports.html(report_id, wire.DEFAULT_THRESHOLDS, request.language or "en")
            case _:
                kind, chunks = "application/json", self._json(report_id)
        async for chunk in chunks:
            yield HttpBody(content_type=kind, data=chunk)

    async def _json(self, report_id: UUID) -> AsyncIterator[bytes]:
        """By true code and file, as the CSV; memory does not grow with the samples."""
        measured = await self._library.get(report_id)
        report, view = await self._library.threshold_view(report_id, wire.DEFAULT_THRESHOLDS)
        yield await asyncio.to_thread(
            wire.document_head, wire.report(measured), wire.threshold_curves(view, report.header.code_list)
        )
        first = True
        async for samples in self._library.sample_pages(report_id, SampleFilter(), SampleOrder.FILE):
            yield await asyncio.to_thread(wire.document_samples, samples, first=first)
            first = False
        yield b"]}"

    async def CreateReport(  # noqa: N802 -- the contract's name
        self,
        request_iterator: AsyncIterator[report_service_pb2.CreateReportRequest],
        context: object,  # noqa: ARG002
    ) -> report_pb2.Report:
        """Header, then samples in batches."""
        first = await _next(request_iterator)
        if first is None or first.WhichOneof("content") != "header":
            raise ReportInvalid.of(Violation("header", "REQUIRED", "the first message must be the header"))
        return wire.report(
            await self._library.create(wire.header_from(first.header), _batches(request_iterator))
        )


def service(library: ReportLibrary, exports: Exports) -> Service:
    """The service for the evaluator's server."""
    return Service(
        servicer=ReportServicer(library, exports),
        add_to_server=report_service_pb2_grpc.add_ReportServiceServicer_to_server,
        descriptor=report_service_pb2.DESCRIPTOR.services_by_name["ReportService"],
    )


async def _batches(
    requests: AsyncIterator[report_service_pb2.CreateReportRequest],
) -> AsyncIterator[Sequence[SampleResult]]:
    while (request := await _next(requests)) is not None:
        if request.WhichOneof("content") != "batch":
            raise ReportInvalid.of(Violation("batch", "REQUIRED", "only batches may follow the header"))
        yield [wire.result_from(result) for result in request.batch.results]


async def _next(
    requests: AsyncIterator[report_service_pb2.CreateReportRequest],
) -> report_service_pb2.CreateReportRequest | None:
    try:
        async with asyncio.timeout(_MAX_PAUSE_S):
            return await anext(requests, None)
    except TimeoutError:
        raise DeadlineExceeded(f"no sample came for {_MAX_PAUSE_S:g} s; send the report again") from None
