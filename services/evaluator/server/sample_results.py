# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""`loupe.evaluator.v1.SampleResultService`."""

from collections.abc import AsyncIterator
from typing import Any

from google.api.httpbody_pb2 import HttpBody
from loupe.errors import Violation
from loupe.evaluator.v1 import report_pb2
from loupe.evaluator.v1 import sample_result_service_pb2 as rpc
from loupe.evaluator.v1 import sample_result_service_pb2_grpc as rpc_grpc
from loupe.translation import Sentence

from services.evaluator.application.drilldown import DrillDown
from services.evaluator.domain.errors import FilterInvalid
from services.evaluator.wire import paging
from services.evaluator.wire import sample_results as wire
from services.evaluator.wire.names import report_id, sample_name
from services.kit.grpc_server import Service

Context = Any  # grpc.aio's context; no handler reads it


class SampleResultServicer(rpc_grpc.SampleResultServiceServicer):
    """Samples of reports: pictures, downloads, suspected labels."""

    def __init__(self, samples: DrillDown) -> None:
        self._samples = samples
        self._links = {
            rpc.SAMPLE_PICTURE_UNSPECIFIED: samples.link_thumbnail,
            rpc.SAMPLE_PICTURE_THUMBNAIL: samples.link_thumbnail,
            rpc.SAMPLE_PICTURE_ORIGINAL: samples.link_original,
            rpc.SAMPLE_PICTURE_OVERLAY: samples.link_overlay,
        }

    async def GetSampleResult(
        self, request: rpc.GetSampleResultRequest, _: Context
    ) -> report_pb2.SampleResult:
        return wire.stored_sample(await self._samples.get(*sample_name(request.name)))

    async def LinkSamplePicture(
        self, request: rpc.LinkSamplePictureRequest, _: Context
    ) -> rpc.LinkSamplePictureResponse:
        link = self._links.get(request.picture)
        if link is None:
            raise FilterInvalid.of(
                Violation("picture", "INVALID", Sentence(f"{request.picture} is no picture", ""))
            )
        response = rpc.LinkSamplePictureResponse(url=await link(*sample_name(request.name)))
        response.expire_time.FromDatetime(await self._samples.link_expire_time())
        return response

    async def DownloadSampleResults(
        self, request: rpc.DownloadSampleResultsRequest, _: Context
    ) -> AsyncIterator[HttpBody]:
        chunks = self._samples.download(report_id(request.parent), wire.sample_filter(request))
        async for chunk in chunks:
            yield HttpBody(content_type="application/zip", data=chunk)

    async def ListSuspectedLabels(
        self, request: rpc.ListSuspectedLabelsRequest, _: Context
    ) -> rpc.ListSuspectedLabelsResponse:
        page = await self._samples.suspects(
            report_id(request.parent),
            wire.suspect_filter(request),
            paging.SUSPECTS.page(request),
        )
        return rpc.ListSuspectedLabelsResponse(
            labels=[wire.suspected_label(label) for label in page.items],
            next_page_token=paging.SUSPECTS.token(request, page.last_key),
        )


def service(samples: DrillDown) -> Service:
    """The service for the evaluator's server."""
    return Service(
        servicer=SampleResultServicer(samples),
        add_to_server=rpc_grpc.add_SampleResultServiceServicer_to_server,
        descriptor=rpc.DESCRIPTOR.services_by_name["SampleResultService"],
    )
