"""The client of the registry: its messages as domain values of the scheduler, and back."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import grpc
from loupe.errors import FailedPrecondition, InvalidArgument, NotFound
from loupe.registry.v1 import (
    algorithm_image_pb2,
    algorithm_image_service_pb2,
    algorithm_image_service_pb2_grpc,
    dataset_pb2,
    dataset_service_pb2,
    dataset_service_pb2_grpc,
    master_data_service_pb2,
    master_data_service_pb2_grpc,
    model_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
    question_bank_pb2,
    question_bank_service_pb2,
    question_bank_service_pb2_grpc,
)

from services import input_messages, look_messages
from services.scheduler.domain.amounts import Amounts, ComputeResource
from services.scheduler.domain.spec import (
    BankToRun,
    ExportSpec,
    PinnedPath,
    PredictionRequest,
    TrainingOverlap,
    TrainingRequest,
    TrainingSpec,
)
from services.scheduler.domain.task import Task
from services.scheduler.domain.wizard.data import MAX_DATA_PATHS
from services.scheduler.domain.wizard.registry_data import (
    AlgorithmImageFacts,
    BankFacts,
    CodeCount,
    CodeParts,
    DataPathFacts,
    Judged,
    ModelVersionFacts,
    RegistryData,
)
from services.scheduler.domain.work import Packaged
from services.scheduler.wire.values import dict_of, struct

T = TypeVar("T")

# A wizard with hundreds of data paths must not use all database connections of the registry.
_PARALLEL = 16
# With 500 data paths each, a page stays below the limit of a message.
_VERSIONS_A_PAGE = 25
_BANKS_A_PAGE = 25
# The first comparison with a listing of a million samples reads the whole listing.
_OVERLAP_WITHIN_S = 60.0


class RegistryClient:
    """`application.registry_port.RegistryPort`, over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._images = algorithm_image_service_pb2_grpc.AlgorithmImageServiceStub(channel)
        self._datasets = dataset_service_pb2_grpc.DatasetServiceStub(channel)
        self._master_data = master_data_service_pb2_grpc.MasterDataServiceStub(channel)
        self._banks = question_bank_service_pb2_grpc.QuestionBankServiceStub(channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)
        self._parallel = asyncio.Semaphore(_PARALLEL)

    async def training_facts(self, request: TrainingRequest) -> RegistryData:
        """The registry's data about everything that a training request names."""
        image, environment, resource, (paths, deleted), version = await asyncio.gather(
            self._image(request.algorithm_image_version),
            self._environment_exists(request.production_environment),
            self._resource_exists(request.compute_resource),
            self._paths(request.data_paths),
            self._parent(request.parent_version),
        )
        if version is not None:
            # Those that the request leaves out may belong to a question bank by now (P7).
            left_out = [path for path in version.data_paths if path not in paths]
            paths |= (await self._paths(left_out))[0]
        return RegistryData(
            image=image,
            environment_exists=environment,
            resource_exists=resource,
            paths=paths,
            deleted_paths=deleted,
            version=version,
        )

    async def prediction_facts(self, request: PredictionRequest, judged: Judged) -> RegistryData:
        """The registry's data about everything that a prediction request names, and what it judges."""
        bank = await self._bank(request.question_bank)
        data = [one.snapshot for one in bank.pinned] if bank else request.data_paths
        resource, (paths, deleted), version, overlap = await asyncio.gather(
            self._resource_exists(request.compute_resource),
            self._paths(request.data_paths),
            self._version(judged),
            self.training_overlap(judged, data),
        )
        return RegistryData(
            resource_exists=resource,
            paths=paths,
            deleted_paths=deleted,
            version=version,
            training_overlap=overlap,
            bank=bank,
        )

    async def training_overlap(self, judged: Judged, data: Sequence[str]) -> TrainingOverlap | None:
        """How much of the data paths or snapshots the weights were trained with (P7); None if unknown."""
        if not data:
            return None
        if isinstance(judged, Task):
            order = release_order(judged, releaser="")
            of_training = model_service_pb2.MeasureOverlapOfTrainingRequest(training=order, data=data)
            overlap = await self._known(
                judged.name,
                lambda: self._models.MeasureOverlapOfTraining(of_training, timeout=_OVERLAP_WITHIN_S),
            )
        else:
            request = model_service_pb2.MeasureTrainingOverlapRequest(name=judged, data=data)
            overlap = await self._known(
                judged,
                lambda: self._models.MeasureTrainingOverlap(request, timeout=_OVERLAP_WITHIN_S),
            )
        return None if overlap is None else _overlap_of(overlap)

    async def exclude_training_overlap(
        self, judged: Judged, snapshots: Sequence[str]
    ) -> tuple[tuple[PinnedPath, ...], TrainingOverlap]:
        """Pin what is left of the snapshots without what the weights were trained with (P7)."""
        request = model_service_pb2.ExcludeTrainingOverlapRequest(snapshots=snapshots, **_field_of(judged))
        answer = await self._models.ExcludeTrainingOverlap(request, timeout=_OVERLAP_WITHIN_S)
        return tuple(_pinned_of(name) for name in answer.snapshots), _overlap_of(answer.training_overlap)

    async def banks_to_run(self, environment: str, *, after_training: bool) -> list[BankToRun]:
        """The question banks of an environment that run after each training, or each release (P8)."""
        found: list[BankToRun] = []
        if not environment:
            return found
        request = question_bank_service_pb2.ListQuestionBanksRequest(
            page_size=_BANKS_A_PAGE, production_environment=environment
        )
        while True:
            answer = await self._banks.ListQuestionBanks(request)
            found += [
                BankToRun(bank.revision.name, bank.compute_resource)
                for bank in answer.question_banks
                if (bank.run_after_training if after_training else bank.run_after_release)
            ]
            request.page_token = answer.next_page_token
            if not request.page_token:
                return found

    async def bank_paths(self, bank: str) -> list[str]:
        """The data paths of a question bank's current revision, or the named one; NotFound (P7)."""
        facts = await self._bank(bank)
        if facts is None:
            raise NotFound(
                f"there is no question bank {bank[:200]}; list the question banks", resource=bank[:200]
            )
        return [one.data_path for one in facts.pinned]

    async def part_counts(self, data_paths: Sequence[str], codes: Sequence[str]) -> dict[str, CodeParts]:
        """The parts that a split cannot divide, by code, over all these data paths (D3, D9)."""
        request = dataset_service_pb2.CountPartsRequest(data_paths=data_paths, codes=codes)
        counted = await self._datasets.CountParts(request)
        return {one.code: CodeParts(one.part_count, tuple(one.tied_codes)) for one in counted.codes}

    async def pin(self, data_path: str) -> PinnedPath:
        """Pin the data path's current listing for ever (W12)."""
        async with self._parallel:
            snapshot = await self._datasets.SnapshotDataPath(
                dataset_service_pb2.SnapshotDataPathRequest(name=data_path)
            )
        return _pinned_of(snapshot.name)

    async def resource(self, compute_resource: str) -> ComputeResource:
        """What a task takes of the compute resource, as it is defined now (W7)."""
        request = master_data_service_pb2.GetComputeResourceRequest(name=compute_resource)
        resource = await self._master_data.GetComputeResource(request)
        # A registry from before knows no nodes.
        takes = Amounts(resource.gpus, resource.cpus, resource.memory_bytes)
        return ComputeResource(takes, resource.nodes or 1)

    async def compute_resources(self) -> list[str]:
        """The names of all compute resources that are defined now (W7)."""
        names: list[str] = []
        request = master_data_service_pb2.ListComputeResourcesRequest()
        while True:
            page = await self._master_data.ListComputeResources(request)
            names += [resource.name for resource in page.compute_resources]
            if not page.next_page_token:
                return names
            request.page_token = page.next_page_token

    async def number(self, task: Task, releaser: str) -> str:
        """The model version of a released task; the same for every call (R1)."""
        version = await self._models.CreateModelVersion(release_order(task, releaser))
        return str(version.name)

    async def record_package(self, spec: ExportSpec, package: Packaged) -> None:
        """Record a stored package of a version; one that is recorded already stays (X)."""
        message = model_pb2.Package(
            format=model_pb2.PackageFormat.Value(f"PACKAGE_FORMAT_{spec.format}"),
            sha256=package.sha256,
            size_bytes=package.size_bytes,
            abi_version=package.abi_version,
            format_version=package.format_version,
        )
        await self._models.RecordPackage(
            model_service_pb2.RecordPackageRequest(name=spec.model_version, package=message)
        )

    async def _bank(self, name: str) -> BankFacts | None:
        """The named revision of a question bank; the current one if only the bank is named."""
        bank_name = name.partition("/revisions/")[0]
        bank = await self._known(
            bank_name,
            lambda: self._banks.GetQuestionBank(
                question_bank_service_pb2.GetQuestionBankRequest(name=bank_name)
            ),
        )
        if bank is None:
            return None
        revision: question_bank_pb2.QuestionBankRevision | None = bank.revision
        if name not in (bank_name, bank.revision.name):
            request = question_bank_service_pb2.GetQuestionBankRevisionRequest(name=name)
            revision = await self._known(name, lambda: self._banks.GetQuestionBankRevision(request))
        if revision is None:
            return None
        return BankFacts(
            revision=revision.name,
            production_environment=bank.production_environment,
            archived=bank.archived,
            pinned=tuple(_pinned_of(snapshot) for snapshot in revision.snapshots),
            codes={one.code: CodeCount(one.sample_count, one.mask_count) for one in revision.code_counts},
        )

    async def _image(self, name: str) -> AlgorithmImageFacts | None:
        parent, _, _ = name.partition("/versions/")
        version, image = await asyncio.gather(
            self._known(
                name,
                lambda: self._images.GetAlgorithmImageVersion(
                    algorithm_image_service_pb2.GetAlgorithmImageVersionRequest(name=name)
                ),
            ),
            self._known(
                parent,
                lambda: self._images.GetAlgorithmImage(
                    algorithm_image_service_pb2.GetAlgorithmImageRequest(name=parent)
                ),
            ),
        )
        if version is None or image is None:
            return None
        return AlgorithmImageFacts(
            major=version.major,
            input=input_messages.from_message(version.input),
            classification_networks=tuple(version.classification_networks),
            default_model_params=dict_of(version.default_model_params),
            default_training_params=dict_of(version.default_training_params),
            training_paths=tuple(version.training_paths),
            business=image.kind == algorithm_image_pb2.IMAGE_KIND_BUSINESS,
            production_environment=image.production_environment,
            segmentation=image.task_type == algorithm_image_pb2.TASK_TYPE_SEGMENTATION_CLASSIFICATION,
        )

    async def _environment_exists(self, name: str) -> bool:
        request = master_data_service_pb2.GetProductionEnvironmentRequest(name=name)
        return (
            await self._known(name, lambda: self._master_data.GetProductionEnvironment(request)) is not None
        )

    async def _resource_exists(self, name: str) -> bool:
        request = master_data_service_pb2.GetComputeResourceRequest(name=name)
        return await self._known(name, lambda: self._master_data.GetComputeResource(request)) is not None

    async def _paths(self, names: Iterable[str]) -> tuple[dict[str, DataPathFacts | None], frozenset[str]]:
        """The paths, and which of them are in the bin."""
        # The wizard refuses a longer list anyway, so the rest is not asked for.
        wanted = list(dict.fromkeys(names))[:MAX_DATA_PATHS]
        deleted: set[str] = set()
        found = await asyncio.gather(*(self._path(name, deleted) for name in wanted))
        return dict(zip(wanted, found, strict=True)), frozenset(deleted)

    async def _path(self, name: str, deleted: set[str]) -> DataPathFacts | None:
        async def read() -> dataset_pb2.DataPath:
            try:
                return await self._datasets.GetDataPath(dataset_service_pb2.GetDataPathRequest(name=name))
            except NotFound as error:
                if error.reason == "DATA_PATH_DELETED":
                    deleted.add(name)
                raise

        async with self._parallel:
            path = await self._known(name, read)
        if path is None:
            return None
        return DataPathFacts(
            valid=path.status == dataset_pb2.DATA_PATH_STATUS_VALID,
            codes={one.code: CodeCount(one.sample_count, one.mask_count) for one in path.code_counts},
            banks=tuple(path.question_banks),
        )

    async def _parent(self, name: str) -> ModelVersionFacts | None:
        """The version, with the data paths that any version of its model binds (W6)."""
        parent = await self._version(name)
        if parent is None:
            return None
        bound = dict.fromkeys(parent.data_paths)
        request = model_service_pb2.ListModelVersionsRequest(
            parent=f"models/{parent.model_name}", page_size=_VERSIONS_A_PAGE
        )
        while True:
            answer = await self._models.ListModelVersions(request)
            for version in answer.versions:
                bound.update(dict.fromkeys(_paths_of(version)))
            request.page_token = answer.next_page_token
            if not request.page_token:
                return replace(parent, data_paths=tuple(bound))

    async def _version(self, judged: Judged) -> ModelVersionFacts | None:
        version: model_pb2.ModelVersion | None
        if isinstance(judged, Task):
            version = release_order(judged, releaser="").version
        else:
            request = model_service_pb2.GetModelVersionRequest(name=judged)
            version = await self._known(judged, lambda: self._models.GetModelVersion(request))
        if version is None:
            return None
        return ModelVersionFacts(
            name=version.name,
            code_list=tuple(version.code_list),
            num_of_classes=version.num_of_classes,
            weights_sha256=version.weights_sha256,
            task=version.task,
            algorithm_image_version=version.algorithm_image_version,
            production_environment=version.production_environment,
            data_paths=_paths_of(version),
            model_params=dict_of(version.model_params),
            training_params=dict_of(version.training_params),
            archived=version.archived,
        )

    async def _known(self, name: str, call: Callable[[], Awaitable[T]]) -> T | None:
        """The answer; None if there is no resource of this name, or the name is not valid."""
        if not name:
            return None
        try:
            return await call()
        except (NotFound, InvalidArgument, FailedPrecondition):
            return None


def _overlap_of(message: model_pb2.TrainingOverlap) -> TrainingOverlap:
    return TrainingOverlap(
        sample_count=message.sample_count,
        trained_sample_count=message.trained_sample_count,
        trained_group_count=message.trained_group_count,
        affected_sample_count=message.affected_sample_count,
    )


def _field_of(judged: Judged) -> dict[str, Any]:
    """The field of a request for overlaps that names what is judged."""
    if isinstance(judged, Task):
        return {"training": release_order(judged, releaser="")}
    return {"name": judged}


def _pinned_of(snapshot: str) -> PinnedPath:
    data_path, _, sha256 = snapshot.partition("/snapshots/")
    return PinnedPath(data_path, snapshot, sha256)


def _paths_of(version: model_pb2.ModelVersion) -> tuple[str, ...]:
    return tuple(snapshot.partition("/snapshots/")[0] for snapshot in version.snapshots)


def release_order(task: Task, releaser: str) -> model_service_pb2.CreateModelVersionRequest:
    """The request that numbers a release: the version with its whole lineage."""
    spec = task.spec
    if not isinstance(spec, TrainingSpec):  # pragma: no cover -- the state machine releases trainings only
        raise TypeError(f"{task.name} is no training")
    version = model_pb2.ModelVersion(
        major=spec.target_major,
        task=task.name,
        algorithm_image_version=spec.algorithm_image_version,
        parent_version=spec.parent_version,
        weights_sha256=task.weights_sha256,
        snapshots=[pinned.snapshot for pinned in spec.pinned],
        code_list=spec.code_list,
        num_of_classes=spec.num_of_classes,
        input=input_messages.to_message(spec.input),
        model_params=struct(spec.model_params),
        training_params=struct(spec.training_params),
        preprocessing_params=struct(
            {
                "train_fraction": spec.preprocessing.train_fraction,
                "filter_resolution": spec.preprocessing.filter_resolution,
                "augmentations": [str(one) for one in spec.preprocessing.augmentations],
                "train_segmentation": spec.train_segmentation,
                "warm_start": spec.warm_start,
            }
        ),
        seed=spec.seed,
        report=task.report,
        looks=look_messages.to_message(task.looks),
        releaser=releaser,
        production_environment=spec.production_environment,
        task_type=algorithm_image_pb2.TASK_TYPE_SEGMENTATION_CLASSIFICATION
        if spec.segmentation_image
        else algorithm_image_pb2.TASK_TYPE_CLASSIFICATION,
    )
    return model_service_pb2.CreateModelVersionRequest(parent=f"models/{spec.model_name}", version=version)
