"""Numbering releases (R1, R2), versions, aliases and archive (R3, R4)."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
from loupe.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from loupe.events.v1 import events_pb2
from loupe.registry.v1 import algorithm_image_pb2, model_pb2, model_service_pb2
from loupe.scheduler.v1 import task_pb2

from services.kit.messaging import Messaging
from services.kit.streams import ensure_stream
from tests.support.waiting import DEADLINE_S

from .conftest import Caller, Registry, version_of


def task() -> str:
    return f"tasks/{secrets.token_hex(8)}"


async def release(
    registry: Registry, model: str, task_name: str | None = None, major: int = 3, **changes: object
) -> model_pb2.ModelVersion:
    return await registry.service.models.CreateModelVersion(
        model_service_pb2.CreateModelVersionRequest(
            parent=f"models/{model}", version=version_of(task_name or task(), major, **changes)
        )
    )


async def get(caller: Caller, name: str) -> model_pb2.ModelVersion:
    return await caller.models.GetModelVersion(model_service_pb2.GetModelVersionRequest(name=name))


def a_model() -> str:
    return f"m-{secrets.token_hex(4)}"


@pytest.fixture
async def messaging(registry: Registry) -> AsyncIterator[Messaging]:
    async with await Messaging.connect(registry.environment["LOUPE_NATS_URL"]) as connected:
        yield connected


async def next_event(messaging: Messaging, model: str) -> events_pb2.ModelVersionReleased:
    async with asyncio.timeout(DEADLINE_S):
        async for message in messaging.follow(f"loupe.models.{model}.released", replay=True):
            return message.parse(events_pb2.ModelVersionReleased)
    raise AssertionError("the stream ended")


async def test_fifty_releases_at_once_are_numbered_without_gap_or_double(registry: Registry) -> None:
    """R2: a number missing or given twice cannot be put right once machines have loaded it."""
    model = a_model()
    versions = await asyncio.gather(*(release(registry, model) for _ in range(50)))
    assert sorted(version.release_number for version in versions) == list(range(1, 51))
    assert len({version.name for version in versions}) == 50
    assert f"models/{model}/versions/v3.01" in {version.name for version in versions}


async def test_one_task_is_one_version(registry: Registry) -> None:
    """R1: the direct call, its retries and the event all end in the same version, even at once."""
    model, name = a_model(), task()
    versions = await asyncio.gather(*(release(registry, model, name) for _ in range(10)))
    assert {version.name for version in versions} == {f"models/{model}/versions/v3.01"}
    with pytest.raises(FailedPrecondition) as refused:
        await release(registry, a_model(), name)
    assert refused.value.reason == "TASK_RELEASED_ELSEWHERE"


async def test_the_hundredth_release_comes_after_the_ninety_ninth(registry: Registry, viewer: Caller) -> None:
    """R2: v3.100 sorts after v3.99, by number and never as text; pages go on where the last one ended."""
    model = a_model()
    for _ in range(101):
        await release(registry, model)
    await release(registry, model, major=4)
    request = model_service_pb2.ListModelVersionsRequest(parent=f"models/{model}", page_size=40)
    listed = []
    while True:
        answer = await viewer.models.ListModelVersions(request)
        listed += [version.name.rpartition("/")[2] for version in answer.versions]
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert listed == ["v4.01", *(f"v3.{n:02d}" for n in range(101, 0, -1))]
    assert (await get(viewer, f"models/{model}/versions/latest")).name.endswith("/v4.01")
    told = await viewer.models.GetModel(model_service_pb2.GetModelRequest(name=f"models/{model}"))
    assert told.latest_version == f"models/{model}/versions/v4.01"


async def test_a_version_keeps_what_the_task_handed_over(registry: Registry, viewer: Caller) -> None:
    """R3: lineage is what a fab needs when a machine misjudges; the order of codes is the classes' own."""
    model, name = a_model(), task()
    sent = version_of(name)
    made = await release(registry, model, name)
    kept = await get(viewer, made.name)
    assert kept == made
    for field in (
        "task",
        "algorithm_image_version",
        "weights_sha256",
        "snapshots",
        "code_list",
        "num_of_classes",
        "model_params",
        "seed",
        "report",
        "releaser",
        "production_environment",
        "task_type",
    ):
        assert getattr(kept, field) == getattr(sent, field), field
    assert kept.input.width == 128
    assert len(kept.input.mean) == 3


async def test_a_release_is_published_once(registry: Registry, messaging: Messaging) -> None:
    """I2: MES systems load what is published; the event says everything of the version."""
    model, name = a_model(), task()
    made = await release(registry, model, name)
    await release(registry, model, name)
    assert (await next_event(messaging, model)).version == made
    second = await release(registry, model)
    async with asyncio.timeout(DEADLINE_S):
        seen = []
        async for message in messaging.follow(f"loupe.models.{model}.released", replay=True):
            seen.append(message.parse(events_pb2.ModelVersionReleased).version.name)
            if len(seen) == 2:
                break
    assert seen == [made.name, second.name]


async def test_x_of_many_packages_the_first_is_recorded_and_published_once(
    registry: Registry, viewer: Caller, messaging: Messaging
) -> None:
    """Machines load what is published: one file a version and format, for ever."""
    model = a_model()
    made = await release(registry, model)

    async def record(digit: int) -> model_pb2.Package:
        package = model_pb2.Package(
            format=model_pb2.PACKAGE_FORMAT_CSOT_ARTIFACT,
            sha256=f"{digit}" * 64,
            size_bytes=digit,
            abi_version=1,
        )
        return await registry.service.models.RecordPackage(
            model_service_pb2.RecordPackageRequest(name=made.name, package=package)
        )

    answers = await asyncio.gather(*(record(digit) for digit in range(1, 9)))
    (first,) = {answer.sha256 for answer in answers}
    assert [one.sha256 for one in (await get(viewer, made.name)).packages] == [first]
    async with asyncio.timeout(DEADLINE_S):
        async for message in messaging.follow(f"loupe.models.{model}.packaged", replay=True):
            event = message.parse(events_pb2.ModelVersionPackaged)
            break
    assert (event.model_version, event.package) == (made.name, answers[0])
    with pytest.raises(PermissionDenied):
        await viewer.models.RecordPackage(model_service_pb2.RecordPackageRequest(name=made.name))
    with pytest.raises(InvalidArgument) as refused:
        await registry.service.models.RecordPackage(
            model_service_pb2.RecordPackageRequest(name=made.name, package=model_pb2.Package(sha256="x"))
        )
    assert {one.field for one in refused.value.violations} == {"package.sha256", "package.size_bytes"}


async def test_the_event_numbers_a_task_whose_direct_call_was_lost(
    registry: Registry, viewer: Caller, messaging: Messaging
) -> None:
    """R1: a scheduler that dies between its commit and its call has released all the same."""
    model, name = a_model(), task()
    await ensure_stream(messaging, "TASKS", ("loupe.tasks.*.state",), max_age_s=3600)
    event = events_pb2.TaskStateChanged(
        transition=task_pb2.TaskTransition(task=name, to=task_pb2.TASK_STATE_RELEASED),
        release=events_pb2.ReleaseOrder(parent=f"models/{model}", version=version_of(name)),
    )
    other = events_pb2.TaskStateChanged(
        transition=task_pb2.TaskTransition(task=task(), to=task_pb2.TASK_STATE_COMPLETED)
    )
    for number, message in enumerate((other, event, event)):
        await messaging.publish(
            f"loupe.tasks.{name.removeprefix('tasks/')}.state",
            message.SerializeToString(),
            message_id=f"{name}-{number}",
        )
    event = await next_event(messaging, model)
    assert event.version.name == f"models/{model}/versions/v3.01"
    assert (await get(viewer, event.version.name)).task == name
    assert (await release(registry, model, name)).name == event.version.name


async def test_an_alias_stands_for_one_version_and_moves(
    registry: Registry, releaser: Caller, viewer: Caller
) -> None:
    """R4: machines follow `production`; at no moment may two versions, or none, be it."""
    model = a_model()
    first, second = await release(registry, model), await release(registry, model)
    alias = f"models/{model}/versions/production"

    async def put(version: str) -> model_pb2.ModelVersion:
        return await releaser.models.SetAlias(
            model_service_pb2.SetAliasRequest(name=version, alias="production")
        )

    with pytest.raises(NotFound):
        await get(viewer, alias)
    assert list((await put(first.name)).aliases) == ["production"]
    assert (await get(viewer, alias)).name == first.name
    await put(second.name)
    assert (await get(viewer, alias)).name == second.name
    assert not (await get(viewer, first.name)).aliases
    # I1: who still sees the first as production is told that it is no longer.
    seen = await put(first.name)
    await put(second.name)
    with pytest.raises(Aborted) as changed:
        await releaser.models.ArchiveModelVersion(
            model_service_pb2.ArchiveModelVersionRequest(name=first.name, etag=seen.etag)
        )
    assert changed.value.reason == "RESOURCE_CHANGED"
    now = await get(viewer, first.name)
    assert now.etag == first.etag
    archived = await releaser.models.ArchiveModelVersion(
        model_service_pb2.ArchiveModelVersionRequest(name=first.name, etag=now.etag)
    )
    assert (archived.archived, archived.etag) == (True, (await get(viewer, first.name)).etag)
    with pytest.raises(PermissionDenied):
        await viewer.models.SetAlias(model_service_pb2.SetAliasRequest(name=first.name, alias="production"))


@pytest.mark.parametrize("alias", ["latest", "v3.01", "v3", "Production", "", "-a", "a" * 33, "a b"])
async def test_an_alias_cannot_look_like_a_version(registry: Registry, releaser: Caller, alias: str) -> None:
    """Otherwise a name could mean two things."""
    made = await release(registry, a_model())
    with pytest.raises(InvalidArgument) as refused:
        await releaser.models.SetAlias(model_service_pb2.SetAliasRequest(name=made.name, alias=alias))
    assert refused.value.violations[0].field == "alias"


async def test_a_version_that_carries_an_alias_is_archived_only_on_request(
    registry: Registry, releaser: Caller, viewer: Caller
) -> None:
    """R4: who asks for production would be given what somebody put away."""
    version = await release(registry, a_model())
    alias = model_service_pb2.SetAliasRequest(name=version.name, alias="production")
    await releaser.models.SetAlias(alias)
    request = model_service_pb2.ArchiveModelVersionRequest(name=version.name)
    with pytest.raises(FailedPrecondition) as refused:
        await releaser.models.ArchiveModelVersion(request)
    assert (refused.value.reason, refused.value.facts["aliases"]) == ("HAS_ALIASES", "production")
    assert not (await get(viewer, version.name)).archived
    request.keep_aliases = True
    archived = await releaser.models.ArchiveModelVersion(request)
    assert (archived.archived, list(archived.aliases)) == (True, ["production"])
    restore = model_service_pb2.ArchiveModelVersionRequest(name=version.name, restore=True)
    assert not (await releaser.models.ArchiveModelVersion(restore)).archived


async def test_an_archived_version_is_hidden_but_not_gone(
    registry: Registry, releaser: Caller, viewer: Caller
) -> None:
    """R4: lineage must outlive fashion; `latest` never leads to what was put away."""
    model = a_model()
    first, second = await release(registry, model), await release(registry, model)
    archived = await releaser.models.ArchiveModelVersion(
        model_service_pb2.ArchiveModelVersionRequest(name=second.name)
    )
    assert archived.archived

    async def listed(*, show_archived: bool) -> list[str]:
        answer = await viewer.models.ListModelVersions(
            model_service_pb2.ListModelVersionsRequest(parent=f"models/{model}", show_archived=show_archived)
        )
        return [version.name for version in answer.versions]

    assert await listed(show_archived=False) == [first.name]
    assert await listed(show_archived=True) == [second.name, first.name]
    assert (await get(viewer, second.name)).archived
    assert (await get(viewer, f"models/{model}/versions/latest")).name == first.name
    with pytest.raises(FailedPrecondition):
        await releaser.models.SetAlias(model_service_pb2.SetAliasRequest(name=second.name, alias="candidate"))
    assert (await release(registry, model)).release_number == 3
    restored = await releaser.models.ArchiveModelVersion(
        model_service_pb2.ArchiveModelVersionRequest(name=second.name, restore=True)
    )
    assert not restored.archived


async def test_a_faulty_release_says_all_that_is_wrong(registry: Registry) -> None:
    """It is an order between services: whoever debugs it should need one look."""
    with pytest.raises(InvalidArgument) as refused:
        await release(
            registry,
            "9-bad-",
            "not-a-task",
            code_list=["A", "A", "bad code"],
            num_of_classes=9,
            weights_sha256="x",
            task_type=0,
        )
    fields = {violation.field for violation in refused.value.violations}
    assert fields >= {"parent"}
    with pytest.raises(InvalidArgument) as refused:
        await release(
            registry,
            "good",
            "not-a-task",
            code_list=["A", "A", "bad code"],
            num_of_classes=9,
            weights_sha256="x",
            task_type=0,
            algorithm_image_version="algorithmImages/i/versions/v5.0",
        )
    assert {violation.field for violation in refused.value.violations} == {
        "version.task",
        "version.major",
        "version.task_type",
        "version.weights_sha256",
        "version.code_list",
        "version.code_list[2]",
        "version.num_of_classes",
    }


async def test_the_library_lists_what_tells_models_apart(registry: Registry, viewer: Caller) -> None:
    """R3: latest version by number, type, environment, last modifier and time, for every model."""
    model = a_model()
    await release(registry, model)
    first = await viewer.models.GetModel(model_service_pb2.GetModelRequest(name=f"models/{model}"))
    made = await release(registry, model, releaser="users/li-si")
    answer = await viewer.models.ListModels(model_service_pb2.ListModelsRequest(name_contains=model))
    (listed,) = answer.models
    assert (listed.name, listed.latest_version) == (f"models/{model}", made.name)
    assert (listed.task_type, listed.production_environment) == (made.task_type, made.production_environment)
    assert listed.last_modifier == "users/li-si"
    assert listed.create_time == first.create_time
    assert listed.update_time.ToDatetime() > first.update_time.ToDatetime()


async def test_models_are_found_by_part_of_their_name_and_by_type(registry: Registry, viewer: Caller) -> None:
    """R3: whatever the case; a percent sign is a character, not a wildcard."""
    mark = secrets.token_hex(4)
    for name in (f"Alpha-{mark}", f"beta-{mark}"):
        made = await release(registry, name)
    other = algorithm_image_pb2.TASK_TYPE_SEGMENTATION_CLASSIFICATION
    assert made.task_type == algorithm_image_pb2.TASK_TYPE_CLASSIFICATION

    async def found(
        text: str,
        task_type: algorithm_image_pb2.TaskType.ValueType = algorithm_image_pb2.TASK_TYPE_UNSPECIFIED,
    ) -> list[str]:
        request = model_service_pb2.ListModelsRequest(name_contains=text, task_type=task_type)
        return [model.name for model in (await viewer.models.ListModels(request)).models]

    assert await found(f"ALPHA-{mark}") == [f"models/Alpha-{mark}"]
    assert len(await found(mark)) == 2
    assert await found(f"%{mark}") == []
    assert len(await found(mark, made.task_type)) == 2
    assert await found(mark, other) == []
