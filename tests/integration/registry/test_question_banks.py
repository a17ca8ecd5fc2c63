"""Question banks: frozen revisions of data that is never trained on (P7)."""

import secrets
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from loupe.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)
from loupe.registry.v1 import (
    dataset_service_pb2,
    master_data_service_pb2,
    model_service_pb2,
    question_bank_pb2,
    question_bank_service_pb2,
)

from .conftest import Caller, Importer, Registry, new_path, png, version_of

ENVIRONMENT = "productionEnvironments/demo-fab-cell-array"


def pictures(*seeds: int) -> dict[str, bytes]:
    return {f"TPFIP/{seed}.png": png(seed) for seed in seeds}


async def filled(caller: Caller, *seeds: int) -> str:
    """A new data path with these pictures."""
    path = await new_path(caller)
    await Importer(caller, path).import_files(pictures(*seeds))
    return path


def a_bank(*paths: str, environment: str = ENVIRONMENT, **texts: str) -> Any:  # noqa: ANN401 -- a request
    return question_bank_service_pb2.CreateQuestionBankRequest(
        question_bank_id=f"b-{secrets.token_hex(4)}",
        question_bank=question_bank_pb2.QuestionBank(
            production_environment=environment,
            revision=question_bank_pb2.QuestionBankRevision(data_paths=paths),
            **texts,
        ),
    )


async def made(caller: Caller, *paths: str, **fields: str) -> question_bank_pb2.QuestionBank:
    bank: question_bank_pb2.QuestionBank = await caller.banks.CreateQuestionBank(a_bank(*paths, **fields))
    return bank


async def revised(
    caller: Caller, bank: question_bank_pb2.QuestionBank, *paths: str, etag: str = ""
) -> question_bank_pb2.QuestionBank:
    request = question_bank_service_pb2.CreateQuestionBankRevisionRequest(
        parent=bank.name, data_paths=paths, etag=etag
    )
    answer: question_bank_pb2.QuestionBank = await caller.banks.CreateQuestionBankRevision(request)
    return answer


async def archived(
    caller: Caller, bank: question_bank_pb2.QuestionBank, *, restore: bool = False
) -> question_bank_pb2.QuestionBank:
    request = question_bank_service_pb2.ArchiveQuestionBankRequest(name=bank.name, restore=restore)
    answer: question_bank_pb2.QuestionBank = await caller.banks.ArchiveQuestionBank(request)
    return answer


async def trainable(caller: Caller, path: str) -> bool:
    """Whether the list of paths to train with has it; the whole list must have it in any case."""
    request = dataset_service_pb2.ListDataPathsRequest(parent=path.rpartition("/paths/")[0])
    assert path in {one.name for one in (await caller.data.ListDataPaths(request)).data_paths}
    request.trainable = True
    return path in {one.name for one in (await caller.data.ListDataPaths(request)).data_paths}


async def banks_of(caller: Caller, path: str) -> list[str]:
    found = await caller.data.GetDataPath(dataset_service_pb2.GetDataPathRequest(name=path))
    return list(found.question_banks)


async def test_p7_a_revision_stays_as_it_was(engineer: Caller, viewer: Caller) -> None:
    """A report names a revision: what it was made over must be readable for ever."""
    path = await filled(engineer, 1, 2)
    first = await made(engineer, path, display_name="June", description="line 3")
    assert (first.revision.number, first.revision.sample_count) == (1, 2)
    assert list(first.revision.data_paths) == [path]
    assert first.revision.name == f"{first.name}/revisions/1"
    assert first.revision.creator == first.creator == first.last_modifier
    # The same listing is the same revision, however often it is asked for.
    assert await revised(engineer, first) == first
    await Importer(engineer, path).import_files(pictures(3))
    second = await revised(engineer, first)
    assert (second.revision.number, second.revision.sample_count) == (2, 3)
    other = await filled(engineer, 4)
    third = await revised(engineer, first, other, path)
    assert list(third.revision.data_paths) == [other, path]
    listing = question_bank_service_pb2.ListQuestionBankRevisionsRequest(parent=first.name, page_size=2)
    page = await viewer.banks.ListQuestionBankRevisions(listing)
    listing.page_token = page.next_page_token
    rest = await viewer.banks.ListQuestionBankRevisions(listing)
    assert [one.number for one in (*page.revisions, *rest.revisions)] == [3, 2, 1]
    assert not rest.next_page_token
    assert rest.revisions[0] == first.revision
    one = question_bank_service_pb2.GetQuestionBankRevisionRequest(name=second.revision.name)
    assert await viewer.banks.GetQuestionBankRevision(one) == second.revision
    one.name = f"{first.name}/revisions/9"
    with pytest.raises(NotFound, match="revisions/9"):
        await viewer.banks.GetQuestionBankRevision(one)
    # The listing of a revision is pinned: nobody takes its path away.
    with pytest.raises(FailedPrecondition):
        await engineer.data.DeleteDataPath(dataset_service_pb2.DeleteDataPathRequest(name=path))


async def test_p7_a_path_of_a_current_revision_is_offered_to_no_training(
    engineer: Caller, releaser: Caller, viewer: Caller
) -> None:
    """What a version was trained with says nothing of how good it is."""
    path, later = await filled(engineer, 11), await filled(engineer, 12)
    assert await trainable(viewer, path)
    bank = await made(engineer, path)
    assert not await trainable(viewer, path)
    assert await banks_of(viewer, path) == [bank.name]
    # Earlier revisions hold nothing back.
    await revised(engineer, bank, later)
    assert await trainable(viewer, path)
    assert not await trainable(viewer, later)
    await archived(releaser, bank)
    assert await banks_of(viewer, later) == []
    with pytest.raises(FailedPrecondition) as refused:
        await revised(engineer, bank, path)
    assert refused.value.reason == "BANK_ARCHIVED"
    await archived(releaser, bank, restore=True)
    assert not await trainable(viewer, later)


async def test_p7_versions_that_were_trained_with_a_bank_are_told(
    registry: Registry, engineer: Caller
) -> None:
    """Such a bank tests the versions that come; who makes it must know which ones it does not."""
    path = await filled(engineer, 21)
    snapshot = await engineer.data.SnapshotDataPath(dataset_service_pb2.SnapshotDataPathRequest(name=path))
    version = await registry.service.models.CreateModelVersion(
        model_service_pb2.CreateModelVersionRequest(
            parent=f"models/m-{secrets.token_hex(4)}",
            version=version_of(f"tasks/{secrets.token_hex(8)}", snapshots=[snapshot.name]),
        )
    )
    bank = await made(engineer, await filled(engineer, 22), path)
    assert list(bank.trained_versions) == [version.name]

    async def retrained(parent: str, *, warm_start: bool) -> str:
        elsewhere = version_of(f"tasks/{secrets.token_hex(8)}", parent_version=parent)
        elsewhere.preprocessing_params.update({"warm_start": warm_start})
        request = model_service_pb2.CreateModelVersionRequest(
            parent=version.name.partition("/versions/")[0], version=elsewhere
        )
        return (await registry.service.models.CreateModelVersion(request)).name

    child = await retrained(version.name, warm_start=True)
    grandchild = await retrained(child, warm_start=True)
    await retrained(grandchild, warm_start=False)
    bank = await engineer.banks.GetQuestionBank(
        question_bank_service_pb2.GetQuestionBankRequest(name=bank.name)
    )
    assert list(bank.trained_versions) == [grandchild, child, version.name]
    assert not (await revised(engineer, bank, bank.revision.data_paths[0])).trained_versions


async def test_p7_a_change_builds_on_what_was_seen(engineer: Caller) -> None:
    """Two people who revise a bank at once must not undo each other's work."""
    bank = await made(engineer, await filled(engineer, 31), display_name="old", description="kept")
    update = question_bank_service_pb2.UpdateQuestionBankRequest(
        question_bank=question_bank_pb2.QuestionBank(name=bank.name, display_name="new"),
        update_mask=FieldMask(paths=["display_name"]),
        etag=bank.etag,
    )
    changed = await engineer.banks.UpdateQuestionBank(update)
    assert (changed.display_name, changed.description) == ("new", "kept")
    assert changed.revision == bank.revision
    with pytest.raises(Aborted):
        await engineer.banks.UpdateQuestionBank(update)
    with pytest.raises(Aborted):
        await revised(engineer, bank, await filled(engineer, 32), etag=bank.etag)
    update.etag = ""
    update.update_mask.paths[:] = ["run_after_training", "run_after_release", "compute_resource"]
    update.question_bank.run_after_training = True
    update.question_bank.run_after_release = True
    update.question_bank.compute_resource = "computeResources/cpu"
    changed = await engineer.banks.UpdateQuestionBank(update)
    assert (changed.display_name, changed.run_after_release) == ("new", True)
    assert changed.run_after_training
    assert changed.compute_resource == "computeResources/cpu"
    update.question_bank.compute_resource = "computeResources/nowhere"
    with pytest.raises(NotFound, match="nowhere"):
        await engineer.banks.UpdateQuestionBank(update)
    update.question_bank.compute_resource = ""
    update.update_mask.paths[:] = ["revision", "display_name"]
    with pytest.raises(InvalidArgument) as refused:
        await engineer.banks.UpdateQuestionBank(update)
    assert [(one.field, one.reason) for one in refused.value.violations] == [
        ("update_mask", "NOT_CHANGEABLE")
    ]


async def test_p7_banks_are_listed_by_environment(
    registry: Registry, engineer: Caller, releaser: Caller, viewer: Caller
) -> None:
    """A bank is an environment's: its site's pictures, which stay as long as the bank names it."""
    environment = f"e-{secrets.token_hex(4)}"
    await registry.admin.master_data.CreateProductionEnvironment(
        master_data_service_pb2.CreateProductionEnvironmentRequest(production_environment_id=environment)
    )
    name = f"productionEnvironments/{environment}"
    path = await filled(engineer, 41)
    banks = [await made(engineer, path, environment=name) for _ in range(3)]
    listing = question_bank_service_pb2.ListQuestionBanksRequest(production_environment=name, page_size=2)
    first = await viewer.banks.ListQuestionBanks(listing)
    listing.page_token = first.next_page_token
    last = await viewer.banks.ListQuestionBanks(listing)
    listed = [bank.name for bank in (*first.question_banks, *last.question_banks)]
    assert listed == sorted(bank.name for bank in banks)
    assert await banks_of(viewer, path) == listed
    await archived(releaser, banks[0])
    listing = question_bank_service_pb2.ListQuestionBanksRequest(production_environment=name)
    assert len((await viewer.banks.ListQuestionBanks(listing)).question_banks) == 2
    listing.show_archived = True
    assert len((await viewer.banks.ListQuestionBanks(listing)).question_banks) == 3
    with pytest.raises(FailedPrecondition) as refused:
        await registry.admin.master_data.DeleteProductionEnvironment(
            master_data_service_pb2.DeleteProductionEnvironmentRequest(name=name)
        )
    assert refused.value.reason == "ENVIRONMENT_IN_USE"


async def test_p7_a_bank_that_cannot_be_is_refused_by_name(engineer: Caller) -> None:
    """Nothing is left out silently of what tests a version."""
    path, empty = await filled(engineer, 51), await new_path(engineer)
    with pytest.raises(InvalidArgument) as none:
        await made(engineer)
    assert [one.reason for one in none.value.violations] == ["NO_DATA_PATHS"]
    with pytest.raises(InvalidArgument) as twice:
        await made(engineer, path, path)
    assert [one.field for one in twice.value.violations] == ["question_bank.revision.data_paths[1]"]
    with pytest.raises(FailedPrecondition, match=empty):
        await made(engineer, path, empty)
    with pytest.raises(NotFound, match="nowhere"):
        await made(engineer, path, environment="productionEnvironments/nowhere")
    with pytest.raises(NotFound, match="no-path"):
        await made(engineer, "datasets/d/paths/no-path")
    request = a_bank(path)
    await engineer.banks.CreateQuestionBank(request)
    with pytest.raises(AlreadyExists):
        await engineer.banks.CreateQuestionBank(request)


async def test_p7_who_tests_and_who_gives_back_differ(engineer: Caller, viewer: Caller) -> None:
    """A2: viewers change nothing; a bank, which judges what engineers train, is archived by releasers."""
    path = await filled(engineer, 61)
    with pytest.raises(PermissionDenied):
        await made(viewer, path)
    bank = await made(engineer, path)
    with pytest.raises(PermissionDenied):
        await archived(engineer, bank)
