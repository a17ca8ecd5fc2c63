"""Tasks and question banks: what is tested with is not trained on, and tested apart from what was (P7)."""

import asyncio
import secrets
from typing import Any

import pytest
from loupe.errors import InvalidArgument, NotFound
from loupe.events.v1 import events_pb2
from loupe.registry.v1 import model_pb2, question_bank_pb2, question_bank_service_pb2
from loupe.scheduler.v1 import bank_run_pb2, task_pb2, task_service_pb2
from loupe.settings import load

from services.kit.messaging import Messaging
from services.scheduler.application.bank_runs import AutomaticRuns
from services.scheduler.application.dependencies import Dependencies
from services.scheduler.domain.spec import BankRunDue
from services.scheduler.settings import Settings
from services.scheduler.storage.bank_runs import BankRuns
from services.scheduler.storage.orphan_candidates import WEIGHTS, OrphanCandidates, object_key
from services.scheduler.wire.registry import RegistryClient
from tests.support.waiting import eventually

from .conftest import CODES, ENVIRONMENT, Bench, Worker, import_path

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


async def test_p7_trainings_under_way_with_data_of_a_bank_are_told(bench: Bench) -> None:
    """P7: no version names them yet; who makes the bank must know that one will."""
    path, other = await a_path(bench), await a_path(bench)
    waiting = await bench.submit(data_paths=[other, path])
    apart = await bench.submit(data_paths=[other])
    deleted = await bench.submit(data_paths=[path])
    await bench.engineer.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=deleted.name))
    bank = await a_bank(bench, await a_path(bench), path)
    assert not bank.trained_versions

    async def told(name: str = bank.name, **fields: Any) -> list[str]:
        request = task_service_pb2.ListTasksRequest(training_with_bank=name, **fields)
        return [task.name for task in (await bench.engineer.tasks.ListTasks(request)).tasks]

    assert await told() == await told(bank.revision.name) == [waiting.name]
    assert await told(model_name_contains=waiting.training.model_name, creator=bench.engineer.name) == [
        waiting.name
    ]
    assert await told(kind=task_service_pb2.TASK_KIND_PREDICTION) == []
    assert await told(states=[task_pb2.TASK_STATE_TRAINING, task_pb2.TASK_STATE_COMPLETED]) == []
    held = await bench.worker.acquire()
    assert held.lease.task == waiting.name
    assert await told(states=[task_pb2.TASK_STATE_TRAINING]) == await told() == [waiting.name]
    # The bank is revised, and has nothing of the training any more.
    await bench.engineer.banks.CreateQuestionBankRevision(
        question_bank_service_pb2.CreateQuestionBankRevisionRequest(
            parent=bank.name, data_paths=[await a_path(bench)]
        )
    )
    assert await told() == []
    assert await told(bank.revision.name) == [waiting.name]
    await held.failed("NAN_LOSS")
    assert await told(bank.revision.name) == []
    with pytest.raises(NotFound, match="questionBanks/none"):
        await told("questionBanks/none")
    for task in (waiting, apart):
        await bench.engineer.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name))


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
    # Of a bank of nothing else, leaving out is not offered: nothing would be left.
    alone = await a_bank(bench, trained)
    for exclude in (False, True):
        with pytest.raises(InvalidArgument) as refused:
            await created(
                bench,
                model_version=released.model_version,
                question_bank=alone.name,
                exclude_training_overlap=exclude,
            )
        (finding,) = refused.value.violations
        assert (finding.field, finding.reason) == ("question_bank", "NOTHING_LEFT")
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


async def predictions_of(bench: Bench, judged: str) -> list[task_pb2.Task]:
    """Those with a version, or with a training that had none."""
    request = task_service_pb2.ListTasksRequest(
        model_version=judged, kind=task_service_pb2.TASK_KIND_PREDICTION
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


async def runs_of(
    bench: Bench, bank: question_bank_pb2.QuestionBank, **page: Any
) -> task_service_pb2.ListBankRunsResponse:
    answer: task_service_pb2.ListBankRunsResponse = await bench.engineer.tasks.ListBankRuns(
        task_service_pb2.ListBankRunsRequest(question_bank=bank.name, **page)
    )
    return answer


async def a_bank_that_runs(bench: Bench, *paths: str) -> question_bank_pb2.QuestionBank:
    """Its tests wait on a resource of their own, apart from the trainings."""
    return await a_bank(
        bench, *paths, run_after_release=True, compute_resource=await bench.stack.new_resource()
    )


async def run_of(
    bench: Bench, bank: question_bank_pb2.QuestionBank, released: task_pb2.Task
) -> bank_run_pb2.BankRun:
    """What became of the bank's test of a version, as soon as it is known; the bank has no newer run."""

    async def known() -> bool:
        runs = (await runs_of(bench, bank)).runs
        # A test of the training before its release is of the same version by now.
        return bool(runs) and runs[0].model_version == released.model_version and not runs[0].training_task

    await eventually(known)
    return (await runs_of(bench, bank)).runs[0]


async def test_p8_what_became_of_the_run_after_a_release_is_listed(bench: Bench) -> None:
    """P8: the task that was submitted, or why none was; people do not read the scheduler's log."""
    trained = await a_path(bench)
    training = await bench.completed(data_paths=[trained])
    fresh = await a_bank_that_runs(bench, await a_path(bench))
    spent = await a_bank_that_runs(bench, trained)
    silent = await a_bank(bench, await a_path(bench))
    released = await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=training.name))
    submitted, refused = await run_of(bench, fresh, released), await run_of(bench, spent, released)
    (task,) = await predictions_of(bench, released.model_version)
    assert (submitted.question_bank, submitted.task) == (fresh.revision.name, task.name)
    assert submitted.task_state == task_pb2.TASK_STATE_WAITING
    assert submitted.time.seconds >= task.create_time.seconds
    assert not submitted.refusals
    assert (refused.question_bank, refused.task) == (spent.revision.name, "")
    assert refused.task_state == task_pb2.TASK_STATE_UNSPECIFIED
    (why,) = refused.refusals
    assert why.reason == "NOTHING_LEFT"
    assert "all 12 samples" in why.message
    assert "12" in why.message_zh
    assert why.message_zh != why.message
    assert not (await runs_of(bench, silent)).runs
    # A task that was deleted is not there to be looked at.
    await bench.releaser.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name))
    deleted = (await runs_of(bench, fresh)).runs[0]
    assert (deleted.task, deleted.task_state) == (task.name, task_pb2.TASK_STATE_UNSPECIFIED)
    await archived(bench, fresh, spent)


async def test_p8_a_completed_training_is_tested_and_its_release_not_again(bench: Bench) -> None:
    """P8: the same weights over the same revision have the same answers."""
    trained, fresh, resource = await a_path(bench), await a_path(bench), await bench.stack.new_resource()
    always = {"run_after_training": True, "run_after_release": True, "compute_resource": resource}
    kept, revised = await a_bank(bench, fresh, **always), await a_bank(bench, await a_path(bench), **always)
    after_releases = await a_bank_that_runs(bench, fresh)
    training = await bench.completed(data_paths=[trained])

    async def both() -> bool:
        return all([(await runs_of(bench, bank)).runs for bank in (kept, revised)])

    await eventually(both)
    tests = [await bench.get(task) for task in await predictions_of(bench, training.name)]
    assert {task.prediction.question_bank for task in tests} == {kept.revision.name, revised.revision.name}
    for task in tests:
        assert (task.creator, task.prediction.compute_resource) == (bench.engineer.name, resource)
        spec = task.prediction
        assert (spec.model_version, spec.training_task) == ("", training.name)
        assert spec.model == training.training.model_name
        assert spec.training_overlap == OVERLAP(sample_count=12)
    run = (await runs_of(bench, kept)).runs[0]
    assert (run.training_task, run.model_version, run.model) == (training.name, "", spec.model)
    assert not (await runs_of(bench, after_releases)).runs

    await bench.engineer.banks.CreateQuestionBankRevision(
        question_bank_service_pb2.CreateQuestionBankRevisionRequest(
            parent=revised.name, data_paths=[await a_path(bench)]
        )
    )
    released = await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=training.name))
    for bank in (revised, after_releases):
        await run_of(bench, bank, released)
    # One release is handled after another.
    await run_of(bench, after_releases, await bench.released())
    (run,) = (one for one in (await runs_of(bench, kept)).runs if one.model_version == released.model_version)
    assert run.training_task == training.name
    predictions = await predictions_of(bench, released.model_version)
    assert {one.prediction.question_bank for one in predictions} == {
        f"{revised.name}/revisions/2",
        after_releases.revision.name,
    }
    await archived(bench, kept, revised, after_releases)


async def test_p8_a_release_is_tested_if_the_test_of_its_training_failed(bench: Bench) -> None:
    """P8: a failed test is no judgement."""
    own = await bench.stack.new_resource()
    bank = await a_bank(
        bench, await a_path(bench), run_after_training=True, run_after_release=True, compute_resource=own
    )
    training = await bench.completed(data_paths=[await a_path(bench)])

    async def tested() -> bool:
        return bool(await predictions_of(bench, training.name))

    await eventually(tested)
    (test,) = await predictions_of(bench, training.name)
    held = await Worker(bench.stack, own).acquire()
    work = held.lease.predict
    assert held.lease.task == test.name
    assert (work.training_task, work.model_version) == (training.name, "")
    assert work.weights_sha256 == training.weights_sha256
    await held.failed("CHILD_DIED")
    released = await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=training.name))
    assert (await run_of(bench, bank, released)).task != test.name
    await archived(bench, bank)


async def test_p8_what_a_training_was_trained_with_is_left_out_of_a_bank(bench: Bench) -> None:
    """P7, P8: for the weights of a training the rules are those of a version's."""
    trained, fresh = await a_path(bench), await a_path(bench)
    training = await bench.completed(data_paths=[trained])
    bank = await a_bank(bench, trained, fresh)
    wanted = {"training_task": training.name, "question_bank": bank.name}
    with pytest.raises(InvalidArgument) as refused:
        await created(bench, **wanted)
    assert [one.reason for one in refused.value.violations] == ["BANK_TRAINED_WITH"]
    task = await created(bench, **wanted, exclude_training_overlap=True)
    assert task.prediction.excluded_sample_count == 12
    work = (await bench.worker.acquire()).lease.predict
    assert [one.data_path for one in work.manifests] == [fresh]
    assert list(work.code_list) == list(training.training.model_params["code_list"])


async def test_p8_a_prediction_judges_one_version_or_one_completed_training(bench: Bench) -> None:
    """P8: what is refused is named; of a training that is released, the version is judged."""
    released = await bench.released()
    data = {"data_paths": [await a_path(bench)]}
    waiting = await bench.submit()
    judged = await created(bench, training_task=released.name, **data)
    assert judged.prediction.model_version == released.model_version
    assert judged.prediction.training_task == ""
    for fields, reason in (
        ({"training_task": waiting.name}, "TRAINING_NOT_COMPLETED"),
        ({"training_task": judged.name}, "NOT_A_TRAINING"),
        ({"training_task": "tasks/none"}, "NOT_FOUND"),
        ({"training_task": released.name.removeprefix("tasks/")}, "NOT_FOUND"),
        (
            {"training_task": released.name, "model_version": released.model_version},
            "TRAINING_BESIDE_VERSION",
        ),
        ({}, "NOT_FOUND"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await created(bench, **fields, **data)
        assert [one.reason for one in refused.value.violations] == [reason]
    for task in (waiting, judged):
        await bench.engineer.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name))


async def test_t7_weights_are_kept_for_the_predictions_with_a_deleted_training(bench: Bench) -> None:
    """T7, P8: a training may be deleted while a test of it waits."""
    training = await bench.completed(data_paths=[await a_path(bench)])
    weights = object_key(WEIGHTS, training.weights_sha256)
    task = await created(bench, training_task=training.name, data_paths=[await a_path(bench)])
    for deleted, kept in ((training, True), (task, False)):
        await bench.engineer.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=deleted.name))
        async with bench.stack.database.sessions.begin() as session:
            assert (weights in await OrphanCandidates(session).needed([weights])) == kept


async def test_p8_runs_are_listed_newest_first_in_pages(bench: Bench) -> None:
    """P8: also those of all banks, and a bank that is no name is refused."""
    trained = await a_path(bench)
    bank = await a_bank_that_runs(bench, trained, await a_path(bench))
    other = await a_bank_that_runs(bench, await a_path(bench))
    released = []
    for _ in range(2):
        released.append(await bench.released())
        for one in (bank, other):
            await run_of(bench, one, released[-1])
    listed: list[str] = []
    answer = await runs_of(bench, bank, page_size=1)
    while answer.runs:
        assert len(answer.runs) == 1
        listed.append(answer.runs[0].model_version)
        if not answer.next_page_token:
            break
        answer = await runs_of(bench, bank, page_size=1, page_token=answer.next_page_token)
    # A version that another test released a moment before the bank was made may be tested too.
    assert listed[:2] == [released[1].model_version, released[0].model_version]
    assert listed == [run.model_version for run in (await runs_of(bench, bank)).runs]
    newest = await bench.engineer.tasks.ListBankRuns(task_service_pb2.ListBankRunsRequest(page_size=2))
    assert {run.question_bank for run in newest.runs} == {bank.revision.name, other.revision.name}
    with pytest.raises(InvalidArgument) as refused:
        await bench.engineer.tasks.ListBankRuns(task_service_pb2.ListBankRunsRequest(question_bank="june"))
    assert refused.value.reason == "BAD_NAME"
    await archived(bench, bank, other)


async def test_p8_a_release_that_is_told_again_makes_no_second_run(bench: Bench) -> None:
    """P8: the bank may have been revised meanwhile, and what was refused may be possible by then."""
    trained, fresh = await a_path(bench), await a_path(bench)
    training = await bench.completed(data_paths=[trained])
    tested = await a_bank_that_runs(bench, fresh)
    spent = await a_bank_that_runs(bench, trained)
    released = await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=training.name))
    before = [await run_of(bench, bank, released) for bank in (tested, spent)]
    for bank in (tested, spent):
        await bench.engineer.banks.CreateQuestionBankRevision(
            question_bank_service_pb2.CreateQuestionBankRevisionRequest(
                parent=bank.name, data_paths=[await a_path(bench)]
            )
        )
    async with await Messaging.connect(load(Settings, bench.stack.environment).nats.url, name="test") as nats:
        async for message in nats.follow("loupe.models.*.released", replay=True):
            event = message.parse(events_pb2.ModelVersionReleased)
            if event.version.name == released.model_version:
                break
        await nats.publish(message.subject, message.payload, message_id=secrets.token_hex(8))
    # One message is handled after another, and so is what is due.
    later = await bench.released()
    for bank, run in zip((tested, spent), before, strict=True):
        await run_of(bench, bank, later)
        assert [
            one for one in (await runs_of(bench, bank)).runs if one.model_version != later.model_version
        ] == [run]
    predictions = [
        one.prediction.question_bank for one in await predictions_of(bench, released.model_version)
    ]
    assert [one for one in predictions if one.startswith((tested.name, spent.name))] == [tested.revision.name]
    await archived(bench, tested, spent)
