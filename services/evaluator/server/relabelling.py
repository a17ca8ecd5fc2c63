# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""`loupe.evaluator.v1.RelabelService`."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.empty_pb2 import Empty
from loupe.errors import Violation
from loupe.evaluator.v1 import relabel_pb2
from loupe.evaluator.v1 import relabel_service_pb2 as rpc
from loupe.evaluator.v1 import relabel_service_pb2_grpc as rpc_grpc
from loupe.translation import Sentence

from services.evaluator.application.relabelling import RegistryPort, RelabelMarks
from services.evaluator.domain.errors import FilterInvalid
from services.evaluator.wire import paging
from services.evaluator.wire import relabelling as wire
from services.evaluator.wire.names import mark_id, sample_name
from services.kit.auth import current_principal, token_of
from services.kit.grpc_server import Service

Context = Any  # grpc.aio's context; only ApplyRelabelMarks reads it, for the token of the caller


class RelabelServicer(rpc_grpc.RelabelServiceServicer):
    """Marks of wrong labels."""

    def __init__(self, marks: RelabelMarks, registry: Callable[[str], RegistryPort]) -> None:
        """`registry` makes a client of the registry that has the rights of a token."""
        self._marks = marks
        self._registry = registry

    async def CreateRelabelMark(
        self, request: rpc.CreateRelabelMarkRequest, _: Context
    ) -> relabel_pb2.RelabelMark:
        mark = await self._marks.mark(
            *sample_name(request.sample_result),
            request.right_code,
            request.note,
            current_principal().name,
        )
        return wire.mark(mark)

    async def GetRelabelMark(self, request: rpc.GetRelabelMarkRequest, _: Context) -> relabel_pb2.RelabelMark:
        return wire.mark(await self._marks.get(mark_id(request.name)))

    async def ListRelabelMarks(
        self, request: rpc.ListRelabelMarksRequest, _: Context
    ) -> rpc.ListRelabelMarksResponse:
        page = await self._marks.list(wire.mark_filter(request), paging.MARKS.page(request))
        return rpc.ListRelabelMarksResponse(
            marks=[wire.mark(mark) for mark in page.items],
            next_page_token=paging.MARKS.token(request, page.last_key),
        )

    async def DeleteRelabelMark(self, request: rpc.DeleteRelabelMarkRequest, _: Context) -> Empty:
        await self._marks.delete(mark_id(request.name))
        return Empty()

    async def ExportRelabelMarks(
        self, request: rpc.ExportRelabelMarksRequest, _: Context
    ) -> AsyncIterator[HttpBody]:
        mark_filter = wire.mark_filter(request)
        if request.format == rpc.RELABEL_FORMAT_JSON_LINES:
            content_type, header, rows = "application/jsonl", b"", wire.json_lines
        elif request.format in {rpc.RELABEL_FORMAT_UNSPECIFIED, rpc.RELABEL_FORMAT_CSV}:
            content_type, header, rows = "text/csv; charset=utf-8", wire.csv_head(), wire.csv_lines
        else:
            raise FilterInvalid.of(
                Violation("format", "INVALID", Sentence(f"{request.format} is no format", ""))
            )
        # Sent first, so that an empty list has a content type too.
        yield HttpBody(content_type=content_type, data=header)
        async for batch in self._marks.batches(mark_filter):
            yield HttpBody(content_type=content_type, data=rows(batch))

    async def ApplyRelabelMarks(
        self, request: rpc.ApplyRelabelMarksRequest, context: Context
    ) -> rpc.ApplyRelabelMarksResponse:
        # The registry decides what the caller may do with the data path: call it with the caller's token.
        registry = self._registry(token_of(context.invocation_metadata()))
        marks, revision = await self._marks.apply(request.data_path, request.revision, registry)
        return rpc.ApplyRelabelMarksResponse(marks=[wire.mark(mark) for mark in marks], revision=revision)


def service(marks: RelabelMarks, registry: Callable[[str], RegistryPort]) -> Service:
    """The service for the evaluator's server."""
    return Service(
        servicer=RelabelServicer(marks, registry),
        add_to_server=rpc_grpc.add_RelabelServiceServicer_to_server,
        descriptor=rpc.DESCRIPTOR.services_by_name["RelabelService"],
    )
