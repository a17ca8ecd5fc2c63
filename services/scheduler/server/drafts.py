# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""DraftService."""

from typing import Any

import grpc
from google.protobuf import empty_pb2
from loupe.scheduler.v1 import draft_pb2 as pb
from loupe.scheduler.v1 import draft_service_pb2 as rpc
from loupe.scheduler.v1 import draft_service_pb2_grpc as rpc_grpc

from services.audit import current_caller
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.application.drafts import DraftKeeping
from services.scheduler.wire import drafts

Context = grpc.aio.ServicerContext[Any, Any]


class DraftServicer(rpc_grpc.DraftServiceServicer):
    """For the console."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._keeping = DraftKeeping(dependencies.sessions)

    async def GetDraft(self, request: rpc.GetDraftRequest, _: Context) -> pb.Draft:
        return drafts.draft(await self._keeping.get(current_caller().name, drafts.draft_id(request.name)))

    async def UpdateDraft(self, request: rpc.UpdateDraftRequest, _: Context) -> pb.Draft:
        wanted = drafts.draft_of(request.draft, current_caller().name)
        return drafts.draft(await self._keeping.update(wanted, request.etag))

    async def DeleteDraft(self, request: rpc.DeleteDraftRequest, _: Context) -> empty_pb2.Empty:
        await self._keeping.delete(current_caller().name, drafts.draft_id(request.name), request.etag)
        return empty_pb2.Empty()
