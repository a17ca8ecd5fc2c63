"""Tasks and question banks: what is tested with is not trained on, and tested apart from what was (P7)."""

import asyncio
import secrets
from typing import Any

import pytest
from loupe.errors import InvalidArgument
from loupe.registry.v1 import model_pb2, question_bank_pb2, question_bank_service_pb2
from loupe.scheduler.v1 import task_pb2, task_service_pb2

from services.scheduler.application.bank_runs import AutomaticRuns
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.domain.spec import BankRunDue
from services.scheduler.storage.bank_runs import BankRuns
from services.scheduler.wire.registry import RegistryClient
from tests.support.waiting import eventually

from .conftest import CODES, ENVIRONMENT, Bench, import_path

OVERLAP = model_pb2.TrainingOverlap


async def a_path(bench: Bench, *, count: int = 4) -> str:
    """A data path of its own, with `count` pictures of each code."""
    return await import_path(bench.engineer, f"set-{secrets.token_hex(4)}", "p", dict.fromkeys(CODES, count))


async def a_bank(bench: Bench, *paths: str, **fields: Any) -> question_bank_pb2.QuestionBank:
    bank: question_bank_pb2.QuestionBank = await bench.engineer.banks.CreateQuestionBank(
        question_bank_service_pb2.CreateQuestionBankRequest(
            question_bank_id=f"b-{secrets.token_hex(4)}",
            question_bank=question_bank_pb2.QuestionBank(
                production_environment=ENVIRONMENT,
                **fields,
                revision=question_bank_pb2.QuestionBankRevision(data_paths=paths),
            ),
        )
    )
    return bank


async def created(bench: Bench, **fields: Any) -> task_pb2.Task:
    """A prediction task."""
    spec = task_pb2.PredictionSpec(compute_resource=bench.resource, **fields)
    task: task_pb2.Task = await bench.engineer.tasks.CreateTask(
        task_service_pb2.CreateTaskRequest(task=task_pb2.Task(prediction=spec))
    )
    return task


async def test_p7_a_training_with_data_of_a_bank_is_refused_by_its_name(bench: Bench) -> None:
    """P7: checked step by step and at submission; a retraining does without what a bank holds now."""
    path, other = await a_path(bench), await a_path(bench)
    released = await bench.released(data_paths=[path, other])
    bank = await a_bank(bench, path)
    assert list(bank.trained_versions) == [released.model_version]
    checked = await bench.engineer.tasks.ValidateTask(
        task_service_pb2.ValidateTaskRequest(task=bench.training(data_paths=[other, path]), step=2)
    )
    (finding,) = checked.findings
    assert (finding.field, finding.reason) == ("data_paths[1]", "BANK_IN_TRAINING")
    assert bank.name in finding.message
    assert bank.name in finding.message_zh
    with pytest.raises(InvalidArgument) as refused:
        await bench.submit(data_paths=[path])
    faults = [one.reason for one in refused.value.violations if one.severity == "error"]
    assert faults == ["BANK_IN_TRAINING"]
    draft = await bench.engineer.tasks.DraftRetraining(
        task_service_pb2.DraftRetrainingRequest(parent_version=released.model_version)
    )
    assert list(draft.task.training.data_paths) == list(draft.locked_data_paths) == [other]
    checked = await bench.engineer.tasks.ValidateTask(task_service_pb2.ValidateTaskRequest(task=draft.task))
    assert [(one.reason, one.warning) for one in checked.findings] == [("PARENT_PATH_IN_BANK", True)]


async def test_p7_a_prediction_over_a_bank_pins_its_revision(bench: Bench) -> None:
    """P7: the bank is revised while the task waits; the task goes on over what it was submitted with."""
    released = await bench.released()
    bank = await a_bank(bench, await a_path(bench))
    task = await created(bench, model_version=released.model_version, question_bank=bank.name)
    other = await a_path(bench, count=1)
    await bench.engineer.banks.CreateQuestionBankRevision(
        question_bank_service_pb2.CreateQuestionBankRevisionRequest(parent=bank.name, data_paths=[other])
    )
    spec = (await bench.get(task)).prediction
    assert spec.question_bank == bank.revision.name
    assert list(spec.snapshots) == list(bank.revision.snapshots)
    assert list(spec.data_paths) == list(bank.revision.data_paths)
    assert spec.training_overlap == OVERLAP(sample_count=12)
    held = await bench.worker.acquire()
    assert held.lease.predict.question_bank == bank.revision.name
    assert [one.sha256 for one in held.lease.predict.manifests] == [
        snapshot.rpartition("/")[2] for snapshot in bank.revision.snapshots
    ]
    await held.reported()
    listed = await bench.engineer.tasks.ListTasks(
        task_service_pb2.ListTasksRequest(model_version=released.model_version)
    )
    assert [one.prediction.question_bank for one in listed.tasks] == [bank.revision.name]
    # An earlier revision can be named; the bank alone means the newest.
    for name, revision in ((bank.revision.name, 1), (bank.name, 2)):
        again = await created(bench, model_version=released.model_version, question_bank=name)
        assert again.prediction.question_bank == f"{bank.name}/revisions/{revision}"
        await (await bench.worker.acquire()).reported()


async def test_p7_what_was_trained_with_is_left_out_of_a_bank(bench: Bench) -> None:
    """P7: refused, or judged on what is left; the report is told how much that was."""
    trained, fresh = await a_path(bench), await a_path(bench)
    released = await bench.released(data_paths=[trained])
    bank = await a_bank(bench, trained, fresh)
    wanted = {"model_version": released.model_version, "question_bank": bank.name}
    with pytest.raises(InvalidArgument) as refused:
        await created(bench, **wanted, acknowledge_training_overlap=True)
    assert [one.reason for one in refused.value.violations] == ["BANK_TRAINED_WITH"]
    task = await created(bench, **wanted, exclude_training_overlap=True)
    assert task.prediction.excluded_sample_count == 12
    assert task.prediction.training_overlap == OVERLAP(sample_count=12)
    held = await bench.worker.acquire()
    work = held.lease.predict
    assert [one.data_path for one in work.manifests] == [fresh]
    assert work.excluded_sample_count == 12
    await held.reported()


async def test_p7_a_part_of_a_path_is_left_out(bench: Bench) -> None:
    """P7: pictures are told apart one by one, also where no bank is named."""
    dataset = f"set-{secrets.token_hex(4)}"
    trained = await import_path(bench.engineer, dataset, "p", dict.fromkeys(CODES, 4))
    released = await bench.released(data_paths=[trained])
    # The same pictures, and one of each code that is new.
    mixed = await import_path(bench.engineer, dataset, "mixed", dict.fromkeys(CODES, 5), like="p")
    task = await created(
        bench, model_version=released.model_version, data_paths=[mixed], exclude_training_overlap=True
    )
    assert task.prediction.question_bank == ""
    assert task.prediction.excluded_sample_count == 12
    assert task.prediction.training_overlap == OVERLAP(sample_count=3)
    (manifest,) = (await bench.worker.acquire()).lease.predict.manifests
    assert manifest.data_path == mixed
    # What is left is the same every time.
    again = await created(
        bench, model_version=released.model_version, data_paths=[mixed], exclude_training_overlap=True
    )
    assert list(again.prediction.snapshots) == list(task.prediction.snapshots)
    assert manifest.sha256 == task.prediction.snapshots[0].rpartition("/")[2]
    with pytest.raises(InvalidArgument) as nothing:
        await created(
            bench, model_version=released.model_version, data_paths=[trained], exclude_training_overlap=True
        )
    assert [one.reason for one in nothing.value.violations] == ["NOTHING_LEFT"]


async def predictions_of(bench: Bench, version: str) -> list[task_pb2.Task]:
    request = task_service_pb2.ListTasksRequest(
        model_version=version, kind=task_service_pb2.TASK_KIND_PREDICTION
    )
    return list((await bench.engineer.tasks.ListTasks(request)).tasks)


async def archived(bench: Bench, *banks: question_bank_pb2.QuestionBank) -> None:
    """Other tests release in the same environment."""
    for bank in banks:
        await bench.releaser.banks.ArchiveQuestionBank(
            question_bank_service_pb2.ArchiveQuestionBankRequest(name=bank.name)
        )


async def test_p8_a_released_version_is_tested_with_the_banks_that_want_it(bench: Bench) -> None:
    """P8: once for each bank, in the name of the releaser, without what the version was trained with."""
    trained, fresh = await a_path(bench), await a_path(bench)
    resource = await bench.stack.new_resource()
    wanted = await a_bank(bench, fresh, run_after_release=True, compute_resource=resource)
    silent = await a_bank(bench, fresh)
    training = await bench.completed(data_paths=[trained])
    partly = await a_bank(bench, fresh, trained, run_after_release=True)
    released = await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=training.name))

    async def both() -> bool:
        return len(await predictions_of(bench, released.model_version)) == 2

    await eventually(both)
    tasks = [await bench.get(task) for task in await predictions_of(bench, released.model_version)]
    by_bank = {task.prediction.question_bank: task for task in tasks}
    assert set(by_bank) == {wanted.revision.name, partly.revision.name}
    assert silent.revision.name not in by_bank
    assert {task.creator for task in tasks} == {bench.releaser.name}
    assert by_bank[wanted.revision.name].prediction.compute_resource == resource
    assert by_bank[partly.revision.name].prediction.compute_resource == bench.resource
    assert by_bank[wanted.revision.name].prediction.excluded_sample_count == 0
    assert by_bank[partly.revision.name].prediction.excluded_sample_count == 12
    await archived(bench, wanted, partly)


async def test_p8_a_run_that_is_due_again_is_not_submitted_again(bench: Bench) -> None:
    """P8: a process may die between the submission and the note that it is done; two may do both."""
    fresh = await a_path(bench)
    released = await bench.released()
    bank = await a_bank(bench, fresh, run_after_release=True)
    due = BankRunDue(released.model_version, released.name, ENVIRONMENT, bench.releaser.name)
    unused: Any = None
    runs = AutomaticRuns(
        Dependencies(
            sessions=bench.stack.database.sessions,
            signals=unused,
            registry=RegistryClient(bench.stack.service.registry),
            links=unused,
            scheduling=unused,
        )
    )
    for _ in range(2):
        async with bench.stack.database.sessions.begin() as session:
            await BankRuns(session).add(due)
        await asyncio.gather(runs.run_due(), runs.run_due())
    (task,) = await predictions_of(bench, released.model_version)
    assert (await bench.get(task)).prediction.question_bank == bank.revision.name
    await archived(bench, bank)


async def test_p8_a_bank_that_nothing_is_left_of_ends_no_other_run(bench: Bench) -> None:
    """P8: a version that was trained with all of a bank is not tested with it, and with the others it is."""
    released_with = await a_path(bench)
    spent = await a_bank(bench, await a_path(bench), run_after_release=True)
    task = await bench.completed(data_paths=[released_with])
    await bench.engineer.banks.CreateQuestionBankRevision(
        question_bank_service_pb2.CreateQuestionBankRevisionRequest(
            parent=spent.name, data_paths=[released_with]
        )
    )
    other = await a_bank(bench, await a_path(bench), run_after_release=True)
    released = await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task.name))

    async def tested() -> bool:
        found = await predictions_of(bench, released.model_version)
        return [one.prediction.question_bank for one in found] == [other.revision.name]

    await eventually(tested)
    await archived(bench, spent, other)
