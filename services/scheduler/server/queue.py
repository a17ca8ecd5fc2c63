# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""QueueService."""

from typing import Any

import grpc
from loupe.scheduler.v1 import queue_pb2 as pb
from loupe.scheduler.v1 import queue_service_pb2 as rpc
from loupe.scheduler.v1 import queue_service_pb2_grpc as rpc_grpc

from services.audit import current_caller
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.application.workers import QueueOverview
from services.scheduler.wire import paging, queue

Context = grpc.aio.ServicerContext[Any, Any]


class QueueServicer(rpc_grpc.QueueServiceServicer):
    """For operators."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._overview = QueueOverview(dependencies)

    async def ListWorkers(self, request: rpc.ListWorkersRequest, _: Context) -> rpc.ListWorkersResponse:
        requested = paging.WORKERS.page(request)
        (after,) = requested.after or ("",)
        found = await self._overview.workers(after=after, limit=requested.limit)
        page = requested.cut(found, lambda one: (one[0].announced.name,))
        return rpc.ListWorkersResponse(
            workers=[queue.worker(*one) for one in page.items],
            next_page_token=paging.WORKERS.token(request, page.last_key),
        )

    async def DrainWorker(self, request: rpc.DrainWorkerRequest, _: Context) -> pb.Worker:
        return queue.worker(*await self._overview.drain(request.name, current_caller().name))

    async def UndrainWorker(self, request: rpc.UndrainWorkerRequest, _: Context) -> pb.Worker:
        return queue.worker(*await self._overview.undrain(request.name))

    async def GetQueue(self, _request: rpc.GetQueueRequest, _: Context) -> pb.Queue:
        return pb.Queue(resources=[queue.resource_queue(one) for one in await self._overview.figures()])
