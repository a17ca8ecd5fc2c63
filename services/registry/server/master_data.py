# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""MasterDataService."""

from typing import Any

from google.protobuf.empty_pb2 import Empty
from loupe.registry.v1 import master_data_pb2 as pb
from loupe.registry.v1 import master_data_service_pb2 as rpc
from loupe.registry.v1 import master_data_service_pb2_grpc as rpc_grpc

from services.registry.application.master_data import MasterData
from services.registry.wire import master_data as wire
from services.registry.wire import names, paging

Context = Any  # grpc.aio's context; no handler touches it


class MasterDataServicer(rpc_grpc.MasterDataServiceServicer):
    """Production environments and compute resources."""

    def __init__(self, master_data: MasterData) -> None:
        self._master_data = master_data

    async def CreateProductionEnvironment(
        self, request: rpc.CreateProductionEnvironmentRequest, _: Context
    ) -> pb.ProductionEnvironment:
        environment = wire.environment_in(request.production_environment_id, request.production_environment)
        return wire.environment_out(await self._master_data.create_environment(environment))

    async def GetProductionEnvironment(
        self, request: rpc.GetProductionEnvironmentRequest, _: Context
    ) -> pb.ProductionEnvironment:
        environment = names.parse_one(names.ENVIRONMENT, request.name)
        return wire.environment_out(await self._master_data.environment(environment))

    async def ListProductionEnvironments(
        self, request: rpc.ListProductionEnvironmentsRequest, _: Context
    ) -> rpc.ListProductionEnvironmentsResponse:
        page = await self._master_data.environments(paging.BY_ID.page(request))
        return rpc.ListProductionEnvironmentsResponse(
            production_environments=[wire.environment_out(environment) for environment in page.items],
            next_page_token=paging.BY_ID.token(request, page.last_key),
        )

    async def DeleteProductionEnvironment(
        self, request: rpc.DeleteProductionEnvironmentRequest, _: Context
    ) -> Empty:
        await self._master_data.delete_environment(names.parse_one(names.ENVIRONMENT, request.name))
        return Empty()

    async def CreateComputeResource(
        self, request: rpc.CreateComputeResourceRequest, _: Context
    ) -> pb.ComputeResource:
        resource = wire.resource_in(request.compute_resource_id, request.compute_resource)
        return wire.resource_out(await self._master_data.create_resource(resource))

    async def GetComputeResource(
        self, request: rpc.GetComputeResourceRequest, _: Context
    ) -> pb.ComputeResource:
        resource = names.parse_one(names.RESOURCE, request.name)
        return wire.resource_out(await self._master_data.resource(resource))

    async def ListComputeResources(
        self, request: rpc.ListComputeResourcesRequest, _: Context
    ) -> rpc.ListComputeResourcesResponse:
        page = await self._master_data.resources(paging.BY_ID.page(request))
        return rpc.ListComputeResourcesResponse(
            compute_resources=[wire.resource_out(resource) for resource in page.items],
            next_page_token=paging.BY_ID.token(request, page.last_key),
        )
