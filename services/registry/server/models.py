# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""ModelService."""

from typing import Any

from loupe.registry.v1 import model_pb2 as pb
from loupe.registry.v1 import model_service_pb2 as rpc
from loupe.registry.v1 import model_service_pb2_grpc as rpc_grpc
from loupe.signatures import PublicKeys

from services.kit.auth import current_principal
from services.registry.application.models import ModelCatalogue
from services.registry.application.overlap import Judged, Overlaps
from services.registry.domain.models import Release
from services.registry.wire import models as wire
from services.registry.wire import names, paging
from services.registry.wire.images import task_type_in
from services.registry.wire.values import timestamp
from services.service_tokens import SCHEDULER, require_process

Context = Any  # grpc.aio's context; no handler touches it


class ModelServicer(rpc_grpc.ModelServiceServicer):
    """The library of released models."""

    def __init__(self, models: ModelCatalogue, overlaps: Overlaps, signing_keys: PublicKeys) -> None:
        self._models = models
        self._overlaps = overlaps
        self._signing_keys = wire.signing_keys_out(signing_keys.pem())

    async def GetModel(self, request: rpc.GetModelRequest, _: Context) -> pb.Model:
        return wire.model_out(await self._models.get(names.parse_one(names.MODEL, request.name)))

    async def ListModels(self, request: rpc.ListModelsRequest, _: Context) -> rpc.ListModelsResponse:
        page = await self._models.list(
            paging.BY_ID.page(request),
            name_contains=request.name_contains,
            production_environment=names.parse_optional(
                names.ENVIRONMENT, request.production_environment, "production_environment"
            ),
            task_type=task_type_in(request.task_type),
        )
        return rpc.ListModelsResponse(
            models=[wire.model_out(model) for model in page.items],
            next_page_token=paging.BY_ID.token(request, page.last_key),
        )

    async def GetModelVersion(self, request: rpc.GetModelVersionRequest, _: Context) -> pb.ModelVersion:
        return wire.version_out(await self._models.version(*names.parse_model_version(request.name)))

    async def ListModelVersions(
        self, request: rpc.ListModelVersionsRequest, _: Context
    ) -> rpc.ListModelVersionsResponse:
        page = await self._models.versions(
            names.parse_one(names.MODEL, request.parent, "parent"),
            paging.BY_VERSION.page(request),
            show_archived=request.show_archived,
        )
        return rpc.ListModelVersionsResponse(
            versions=[wire.version_out(version) for version in page.items],
            next_page_token=paging.BY_VERSION.token(request, page.last_key),
        )

    async def MeasureTrainingOverlap(
        self, request: rpc.MeasureTrainingOverlapRequest, _: Context
    ) -> pb.TrainingOverlap:
        return wire.overlap_out(
            await self._overlaps.measure(names.parse_model_version(request.name), request.data)
        )

    async def MeasureOverlapOfTraining(
        self, request: rpc.MeasureOverlapOfTrainingRequest, _: Context
    ) -> pb.TrainingOverlap:
        require_process(SCHEDULER)
        return wire.overlap_out(await self._overlaps.measure(_release(request.training), request.data))

    async def ExcludeTrainingOverlap(
        self, request: rpc.ExcludeTrainingOverlapRequest, _: Context
    ) -> rpc.ExcludeTrainingOverlapResponse:
        require_process(SCHEDULER)
        judged: Judged
        if request.HasField("training"):
            judged = _release(request.training)
        else:
            judged = names.parse_model_version(request.name)
        snapshots, overlap = await self._overlaps.exclude(judged, request.snapshots)
        return rpc.ExcludeTrainingOverlapResponse(
            snapshots=snapshots, training_overlap=wire.overlap_out(overlap)
        )

    async def CreateModelVersion(self, request: rpc.CreateModelVersionRequest, _: Context) -> pb.ModelVersion:
        require_process(SCHEDULER)
        return wire.version_out(await self._models.number(_release(request)))

    async def ArchiveModelVersion(
        self, request: rpc.ArchiveModelVersionRequest, _: Context
    ) -> pb.ModelVersion:
        name, caller = names.parse_model_version(request.name), current_principal().name
        if request.restore:
            version = await self._models.restore(*name, etag=request.etag, caller=caller)
        else:
            version = await self._models.archive(
                *name, keep_aliases=request.keep_aliases, etag=request.etag, caller=caller
            )
        return wire.version_out(version)

    async def SetAlias(self, request: rpc.SetAliasRequest, _: Context) -> pb.ModelVersion:
        version = await self._models.set_alias(
            *names.parse_model_version(request.name),
            request.alias,
            etag=request.etag,
            caller=current_principal().name,
        )
        return wire.version_out(version)

    async def RecordPackage(self, request: rpc.RecordPackageRequest, _: Context) -> pb.Package:
        require_process(SCHEDULER)
        package = await self._models.record_package(
            *names.parse_model_version(request.name), wire.package_in(request.package)
        )
        return wire.package_out(package)

    async def LinkPackage(self, request: rpc.LinkPackageRequest, _: Context) -> rpc.LinkPackageResponse:
        package, link = await self._models.link_package(
            *names.parse_model_version(request.name), wire.format_in(request.format)
        )
        return rpc.LinkPackageResponse(
            url=link.url,
            expire_time=timestamp(link.expire_time),
            package=wire.package_out(package),
            file_name=link.file_name,
        )

    async def LinkWeights(self, request: rpc.LinkWeightsRequest, _: Context) -> rpc.LinkWeightsResponse:
        sha256, link = await self._models.link_weights(*names.parse_model_version(request.name))
        return rpc.LinkWeightsResponse(url=link.url, expire_time=timestamp(link.expire_time), sha256=sha256)

    async def GetSigningKeys(self, _: rpc.GetSigningKeysRequest, _context: Context) -> pb.SigningKeys:
        return self._signing_keys


def _release(request: rpc.CreateModelVersionRequest) -> Release:
    """What a training is, or would be, released as."""
    return wire.release_in(request.parent, request.version)
