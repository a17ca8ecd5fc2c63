# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""`loupe.evaluator.v1.ComparisonService`."""

from typing import Any

from loupe.evaluator.v1 import comparison_pb2
from loupe.evaluator.v1 import comparison_service_pb2 as rpc
from loupe.evaluator.v1 import comparison_service_pb2_grpc as rpc_grpc

from services.evaluator.application.comparing import Comparisons
from services.evaluator.wire import comparison as wire
from services.evaluator.wire import paging
from services.evaluator.wire.names import report_id
from services.kit.grpc_server import Service

Context = Any  # grpc.aio's context; no handler reads it


class ComparisonServicer(rpc_grpc.ComparisonServiceServicer):
    """Comparison of two reports."""

    def __init__(self, comparisons: Comparisons) -> None:
        self._comparisons = comparisons

    async def CompareReports(
        self, request: rpc.CompareReportsRequest, _: Context
    ) -> comparison_pb2.Comparison:
        return wire.comparison(
            await self._comparisons.compare(report_id(request.base), report_id(request.candidate))
        )

    async def ListComparedSamples(
        self, request: rpc.ListComparedSamplesRequest, _: Context
    ) -> rpc.ListComparedSamplesResponse:
        page = await self._comparisons.list_samples(
            report_id(request.base),
            report_id(request.candidate),
            paging.COMPARED.page(request),
            true_code=request.true_code,
            change=wire.change_filter(request.change),
        )
        return rpc.ListComparedSamplesResponse(
            samples=[wire.compared_sample(sample) for sample in page.items],
            next_page_token=paging.COMPARED.token(request, page.last_key),
        )


def service(comparisons: Comparisons) -> Service:
    """The service for the evaluator's server."""
    return Service(
        servicer=ComparisonServicer(comparisons),
        add_to_server=rpc_grpc.add_ComparisonServiceServicer_to_server,
        descriptor=rpc.DESCRIPTOR.services_by_name["ComparisonService"],
    )
