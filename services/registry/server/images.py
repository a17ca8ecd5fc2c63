# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""AlgorithmImageService."""

from typing import Any

from loupe.registry.v1 import algorithm_image_pb2 as pb
from loupe.registry.v1 import algorithm_image_service_pb2 as rpc
from loupe.registry.v1 import algorithm_image_service_pb2_grpc as rpc_grpc

from services.registry.application.images import ImageCatalogue
from services.registry.domain.master_data import CONDITIONS
from services.registry.wire import images as wire
from services.registry.wire import names, paging

Context = Any  # grpc.aio's context; no handler touches it


class AlgorithmImageServicer(rpc_grpc.AlgorithmImageServiceServicer):
    """Algorithm images and their versions."""

    def __init__(self, images: ImageCatalogue) -> None:
        self._images = images

    async def CreateAlgorithmImage(
        self, request: rpc.CreateAlgorithmImageRequest, _: Context
    ) -> pb.AlgorithmImage:
        return wire.image_out(
            await self._images.create(wire.image_in(request.algorithm_image_id, request.algorithm_image))
        )

    async def GetAlgorithmImage(self, request: rpc.GetAlgorithmImageRequest, _: Context) -> pb.AlgorithmImage:
        return wire.image_out(await self._images.get(names.parse_one(names.IMAGE, request.name)))

    async def ListAlgorithmImages(
        self, request: rpc.ListAlgorithmImagesRequest, _: Context
    ) -> rpc.ListAlgorithmImagesResponse:
        page = await self._images.list(
            paging.BY_ID.page(request),
            kind=wire.kind_in(request.kind),
            task_type=wire.task_type_in(request.task_type),
            production_environment=names.parse_optional(
                names.ENVIRONMENT, request.production_environment, "production_environment"
            ),
            conditions={word: getattr(request, word) for word in CONDITIONS if getattr(request, word)},
        )
        return rpc.ListAlgorithmImagesResponse(
            algorithm_images=[wire.image_out(image) for image in page.items],
            next_page_token=paging.BY_ID.token(request, page.last_key),
        )

    async def CreateAlgorithmImageVersion(
        self, request: rpc.CreateAlgorithmImageVersionRequest, _: Context
    ) -> pb.AlgorithmImageVersion:
        image = names.parse_one(names.IMAGE, request.parent, "parent")
        return wire.version_out(await self._images.create_version(wire.version_in(image, request.version)))

    async def GetAlgorithmImageVersion(
        self, request: rpc.GetAlgorithmImageVersionRequest, _: Context
    ) -> pb.AlgorithmImageVersion:
        return wire.version_out(await self._images.version(*names.parse_image_version(request.name)))

    async def ListAlgorithmImageVersions(
        self, request: rpc.ListAlgorithmImageVersionsRequest, _: Context
    ) -> rpc.ListAlgorithmImageVersionsResponse:
        image = names.parse_one(names.IMAGE, request.parent, "parent")
        page = await self._images.versions(image, paging.BY_VERSION.page(request))
        return rpc.ListAlgorithmImageVersionsResponse(
            versions=[wire.version_out(version) for version in page.items],
            next_page_token=paging.BY_VERSION.token(request, page.last_key),
        )
