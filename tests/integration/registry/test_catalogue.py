"""Algorithm images (W2), master data (W7), names, pages, and the server itself."""

import asyncio
import json
import os
import secrets
import signal
import sys

import grpc
import pytest
import sqlalchemy as sa
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from loupe.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from loupe.registry.v1 import (
    algorithm_image_pb2,
    algorithm_image_service_pb2,
    dataset_service_pb2,
    master_data_pb2,
    master_data_service_pb2,
    model_service_pb2,
)

from services.input_messages import to_message
from services.input_specification import InputSpecification
from tests.support.waiting import DEADLINE_S

from .conftest import Caller, Registry

GENERAL = "algorithmImages/surface-classification"
SEGMENTATION = "algorithmImages/surface-segmentation"
BUSINESS = "algorithmImages/cell-array-classification"


async def version(caller: Caller, name: str) -> algorithm_image_pb2.AlgorithmImageVersion:
    return await caller.images.GetAlgorithmImageVersion(
        algorithm_image_service_pb2.GetAlgorithmImageVersionRequest(name=name)
    )


async def new_image(registry: Registry) -> str:
    image = algorithm_image_pb2.AlgorithmImage(
        kind=algorithm_image_pb2.IMAGE_KIND_GENERAL, task_type=algorithm_image_pb2.TASK_TYPE_CLASSIFICATION
    )
    created = await registry.admin.images.CreateAlgorithmImage(
        algorithm_image_service_pb2.CreateAlgorithmImageRequest(
            algorithm_image_id=f"i-{secrets.token_hex(4)}", algorithm_image=image
        )
    )
    return created.name


def version_request(image: str, minor: int) -> algorithm_image_service_pb2.CreateAlgorithmImageVersionRequest:
    described = algorithm_image_pb2.AlgorithmImageVersion(
        major=3,
        minor=minor,
        classification_networks=["ResNet18"],
        input=algorithm_image_pb2.InputSpecification(width=64, height=64),
        training_paths=["datasets/d/paths/p"],
    )
    return algorithm_image_service_pb2.CreateAlgorithmImageVersionRequest(parent=image, version=described)


async def images(caller: Caller, **filters: object) -> list[str]:
    answer = await caller.images.ListAlgorithmImages(
        algorithm_image_service_pb2.ListAlgorithmImagesRequest(**filters)
    )
    return [image.name for image in answer.algorithm_images]


async def test_a_new_installation_has_something_to_train_with(viewer: Caller) -> None:
    """The wizard's first step must offer an image of either kind, with the source's defaults (W2, W3, W8)."""
    assert await images(viewer, kind=algorithm_image_pb2.IMAGE_KIND_GENERAL) == [GENERAL, SEGMENTATION]
    assert await images(viewer, production_environment="productionEnvironments/demo-fab-cell-array") == [
        BUSINESS
    ]
    assert await images(viewer, task_type=algorithm_image_pb2.TASK_TYPE_SEGMENTATION_CLASSIFICATION) == [
        SEGMENTATION
    ]
    assert await images(viewer, site="Demo Fab", process_step="Cell array") == [BUSINESS]
    assert await images(viewer, product="LCD panel", equipment="AOI-02") == []
    general = await version(viewer, f"{GENERAL}/versions/v3.0")
    params = json_format.MessageToDict(general.default_model_params)
    assert params["classification"] == {"name": "ResNet18", "num_of_classes": 5}
    assert params["code_list"] == ["TPFIP", "TTFBS", "TTMUD", "TGGS0", "TPOTS", "TSFAS", "TSDFS"]
    training = json_format.MessageToDict(general.default_training_params)
    keys = {"base_lr", "batch_size", "max_iter", "weight_decay", "momentum", "lr_policy", "power", "gamma"}
    assert set(training["classification"]) == set(training["segmentation"]) == keys
    assert (general.input.width, general.input.height) == (64, 64)
    assert (await version(viewer, f"{BUSINESS}/versions/v3.0")).input.width == 224
    resources = await viewer.master_data.ListComputeResources(
        master_data_service_pb2.ListComputeResourcesRequest()
    )
    assert [item.name for item in resources.compute_resources] == [
        "computeResources/cpu",
        "computeResources/gpu",
    ]
    assert [item.nodes for item in resources.compute_resources] == [1, 1]


async def test_an_image_version_tells_the_defaults_that_it_was_created_with(registry: Registry) -> None:
    """What a network is fed stands in the answer, whatever a later release takes for a default."""
    image = await new_image(registry)
    created = await registry.admin.images.CreateAlgorithmImageVersion(version_request(image, 0))
    assert created.input == to_message(InputSpecification(64, 64))
    assert (await version(registry.admin, created.name)).input == created.input


async def test_an_image_version_of_before_is_read(registry: Registry, viewer: Caller) -> None:
    """0 stood for the default, in columns too."""
    image = await new_image(registry)
    created = await registry.admin.images.CreateAlgorithmImageVersion(version_request(image, 0))
    of_before = {"min_side": 0, "max_aspect_ratio": 0.0, "detail": 0}
    async with registry.database.sessions.begin() as session:
        changed = await session.execute(
            sa.text(
                "UPDATE algorithm_image_versions SET input = input || CAST(:input AS jsonb) "
                "WHERE image = :image"
            ),
            {"input": json.dumps(of_before), "image": image.partition("/")[2]},
        )
    assert changed.rowcount == 1
    assert (await version(viewer, created.name)).input == created.input


async def test_image_versions_sort_by_number_and_never_change(registry: Registry, viewer: Caller) -> None:
    """v3.10 is newer than v3.9; what a task was trained with must be readable for ever."""
    image = await new_image(registry)
    for minor in (9, 10, 2):
        await registry.admin.images.CreateAlgorithmImageVersion(version_request(image, minor))
    with pytest.raises(AlreadyExists):
        await registry.admin.images.CreateAlgorithmImageVersion(version_request(image, 10))
    listed = await viewer.images.ListAlgorithmImageVersions(
        algorithm_image_service_pb2.ListAlgorithmImageVersionsRequest(parent=image)
    )
    assert [item.name.rpartition("/")[2] for item in listed.versions] == ["v3.10", "v3.9", "v3.2"]
    told = await viewer.images.GetAlgorithmImage(
        algorithm_image_service_pb2.GetAlgorithmImageRequest(name=image)
    )
    assert told.latest_version == f"{image}/versions/v3.10"
    broken = version_request(image, 11)
    broken.version.input.width = 0
    broken.version.input.std.extend([0.1, 0.0, 0.1])
    del broken.version.classification_networks[:]
    with pytest.raises(InvalidArgument) as refused:
        await registry.admin.images.CreateAlgorithmImageVersion(broken)
    assert {violation.field for violation in refused.value.violations} == {
        "version.input.width",
        "version.input.std",
        "version.classification_networks",
    }


async def test_only_a_business_image_is_bound_to_an_environment(registry: Registry) -> None:
    """W2: general images leave the choice to the user, business images take it away."""

    async def create(kind: int, environment: str) -> algorithm_image_pb2.AlgorithmImage:
        image = algorithm_image_pb2.AlgorithmImage(
            kind=kind,
            task_type=algorithm_image_pb2.TASK_TYPE_CLASSIFICATION,
            production_environment=environment,
        )
        return await registry.admin.images.CreateAlgorithmImage(
            algorithm_image_service_pb2.CreateAlgorithmImageRequest(
                algorithm_image_id=f"i-{secrets.token_hex(4)}", algorithm_image=image
            )
        )

    there = "productionEnvironments/demo-fab-color-filter"
    for kind, environment in (
        (algorithm_image_pb2.IMAGE_KIND_GENERAL, there),
        (algorithm_image_pb2.IMAGE_KIND_BUSINESS, ""),
        (algorithm_image_pb2.IMAGE_KIND_UNSPECIFIED, ""),
    ):
        with pytest.raises(InvalidArgument):
            await create(kind, environment)
    with pytest.raises(NotFound):
        await create(algorithm_image_pb2.IMAGE_KIND_BUSINESS, "productionEnvironments/nowhere")


async def test_an_environment_in_use_stays(registry: Registry) -> None:
    """What an image or a model refers to must not vanish under it."""
    environment_id = f"e-{secrets.token_hex(4)}"
    made = await registry.admin.master_data.CreateProductionEnvironment(
        master_data_service_pb2.CreateProductionEnvironmentRequest(
            production_environment_id=environment_id,
            production_environment=master_data_pb2.ProductionEnvironment(site="深圳", product="LCD"),
        )
    )
    got = await registry.admin.master_data.GetProductionEnvironment(
        master_data_service_pb2.GetProductionEnvironmentRequest(name=made.name)
    )
    assert got == made
    delete = master_data_service_pb2.DeleteProductionEnvironmentRequest(name=made.name)
    await registry.admin.master_data.DeleteProductionEnvironment(delete)
    with pytest.raises(NotFound):
        await registry.admin.master_data.DeleteProductionEnvironment(delete)
    with pytest.raises(FailedPrecondition) as refused:
        await registry.admin.master_data.DeleteProductionEnvironment(
            master_data_service_pb2.DeleteProductionEnvironmentRequest(
                name="productionEnvironments/demo-fab-cell-array"
            )
        )
    assert refused.value.reason == "ENVIRONMENT_IN_USE"
    assert "cell-array-classification" in refused.value.message


async def test_pages_go_on_where_the_last_one_ended(engineer: Caller, viewer: Caller) -> None:
    """T3's promise for every list: what is added meanwhile shifts nothing, and the last page says so."""
    prefix = secrets.token_hex(4)
    dataset = f"paged-{prefix}"
    await engineer.data.CreateDataset(dataset_service_pb2.CreateDatasetRequest(dataset_id=dataset))
    for number in range(7):
        await engineer.data.CreateDataPath(
            dataset_service_pb2.CreateDataPathRequest(parent=f"datasets/{dataset}", data_path_id=f"p{number}")
        )
    request = dataset_service_pb2.ListDataPathsRequest(parent=f"datasets/{dataset}", page_size=3)
    first = await viewer.data.ListDataPaths(request)
    request.page_token = first.next_page_token
    request.page_size = 10
    rest = await viewer.data.ListDataPaths(request)
    assert [path.name[-2:] for path in (*first.data_paths, *rest.data_paths)] == [f"p{n}" for n in range(7)]
    assert not rest.next_page_token
    everywhere = await viewer.data.ListDataPaths(
        dataset_service_pb2.ListDataPathsRequest(parent="datasets/-", page_size=1000)
    )
    assert {path.name for path in first.data_paths} <= {path.name for path in everywhere.data_paths}
    request.parent = "datasets/-"
    with pytest.raises(InvalidArgument) as refused:
        await viewer.data.ListDataPaths(request)
    assert refused.value.violations[0].reason == "BAD_PAGE_TOKEN"


@pytest.mark.parametrize("token", ["x", "é", "bnVsbA", "W10", "eyJhIjoxfQ", "WyJhIiwxXQ", "=" * 9])
async def test_a_made_up_page_token_is_refused(viewer: Caller, token: str) -> None:
    """It is opaque: nothing one puts into it may reach a query."""
    with pytest.raises(InvalidArgument):
        await viewer.data.ListDatasets(dataset_service_pb2.ListDatasetsRequest(page_token=token))
    with pytest.raises(InvalidArgument):
        await viewer.data.ListDatasets(dataset_service_pb2.ListDatasetsRequest(page_size=-1))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "datasets",
        "datasets/",
        "datasets/a/paths/b/c",
        "models/a/paths/b",
        "datasets/a b/paths/c",
        "x/../y/z",
    ],
)
async def test_a_bad_name_is_told_at_its_field(viewer: Caller, name: str) -> None:
    """A caller with a typing error should read what a name looks like, not NOT_FOUND."""
    with pytest.raises(InvalidArgument) as refused:
        await viewer.data.GetDataPath(dataset_service_pb2.GetDataPathRequest(name=name))
    violation = refused.value.violations[0]
    assert violation.field == "name"
    assert violation.message
    assert violation.message_zh


async def test_absent_things_are_not_found(viewer: Caller) -> None:
    """NOT_FOUND names the thing."""
    with pytest.raises(NotFound) as missing:
        await viewer.data.GetDataPath(dataset_service_pb2.GetDataPathRequest(name="datasets/a/paths/b"))
    assert missing.value.facts["resource"] == "datasets/a/paths/b"
    with pytest.raises(NotFound):
        await viewer.models.GetModel(model_service_pb2.GetModelRequest(name="models/none"))
    for version_id in ("v3.01", "latest", "production"):
        with pytest.raises(NotFound):
            await viewer.models.GetModelVersion(
                model_service_pb2.GetModelVersionRequest(name=f"models/none/versions/{version_id}")
            )
    with pytest.raises(InvalidArgument):
        await viewer.models.GetModelVersion(
            model_service_pb2.GetModelVersionRequest(name="models/none/versions/v3.1")
        )


async def test_a_text_that_cannot_be_stored_is_the_callers_fault(viewer: Caller, engineer: Caller) -> None:
    """U+0000 in a filter or a description must not read as a bug of ours."""
    with pytest.raises(InvalidArgument):
        await viewer.models.ListModels(model_service_pb2.ListModelsRequest(name_contains="a\0b"))
    request = dataset_service_pb2.CreateDatasetRequest(dataset_id="nul")
    request.dataset.description = "a\0b"
    with pytest.raises(InvalidArgument) as refused:
        await engineer.data.CreateDataset(request)
    assert refused.value.violations[0].field == "dataset.description"


async def test_health_and_reflection_need_no_token(registry: Registry) -> None:
    """I1: load balancers and generic clients come without one."""
    async with grpc.aio.insecure_channel(registry.address) as channel:
        health = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service="loupe.registry.v1.DatasetService")
        )
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([asked]))
        names = {
            service.name async for answer in answers for service in answer.list_services_response.service
        }
    assert {
        f"loupe.registry.v1.{name}Service"
        for name in ("AlgorithmImage", "Dataset", "MasterData", "Model", "Identity")
    } <= names


async def test_the_process_serves_and_ends_in_order(service_environment: dict[str, str]) -> None:
    """`python -m services.registry` turns SERVING by itself, and SIGTERM ends it with 0."""
    from deploy.embedded.ports import assign  # noqa: PLC0415 -- the only test that picks a port

    port = assign(["registry"], {})["registry"]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.registry",
        env={**os.environ, **service_environment, "LOUPE_LISTEN": f"127.0.0.1:{port}"},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel, asyncio.timeout(DEADLINE_S):
            await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), wait_for_ready=True
            )
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 20) == 0
    finally:
        if child.returncode is None:
            child.kill()
