"""The last page of the wizard on real servers: what the check answers, and drafts (W14, W15)."""

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from loupe.access.v1 import access_pb2
from loupe.errors import Aborted, NotFound
from loupe.scheduler.v1 import draft_pb2, draft_service_pb2, job_pb2, summary_pb2, task_pb2, task_service_pb2


async def check(bench: Any, task: task_pb2.Task, step: int = 0) -> task_service_pb2.ValidateTaskResponse:
    request = task_service_pb2.ValidateTaskRequest(task=task, step=step)
    return await bench.engineer.tasks.ValidateTask(request)


async def test_the_check_answers_with_what_the_submission_makes(bench: Any) -> None:
    """W3a, W14: who confirms the last page gets the training that stood there, to the seed."""
    task = bench.training()
    checked = await check(bench, task)
    assert {one.reason for one in checked.findings} == {"CODES_OF_THE_DATA"}
    shown = checked.summary
    assert [(c.code, c.special, c.sample_count, c.train_count, c.validation_count) for c in shown.codes] == [
        (code, False, 4, 3, 1) for code in ("TPFIP", "TTFBS", "TTMUD")
    ]
    assert [(one.data_path, one.sample_count) for one in shown.data_paths] == [(bench.data_path, 12)]
    (network,) = shown.networks
    assert (network.name, network.max_iter, network.batch_size, network.train_count) == (
        "ResNet18",
        1000,
        4,
        9,
    )
    assert network.epochs == pytest.approx(4000 / 9)
    assert shown.takes == job_pb2.Amounts(gpus=0, cpus=1, memory_bytes=2**30)
    assert shown.input.width
    assert not shown.warm_start_weights_sha256
    task.training.seed = shown.training.seed
    made = await bench.engineer.tasks.CreateTask(task_service_pb2.CreateTaskRequest(task=task))
    expected = task_pb2.TrainingSpec()
    expected.CopyFrom(made.training)
    expected.ClearField("snapshots")
    shown.training.seed = made.training.seed
    assert MessageToDict(shown.training) == MessageToDict(expected)


async def test_one_step_and_faults_have_no_summary(bench: Any) -> None:
    """There is nothing to show of what would be refused."""
    assert not (await check(bench, bench.training(), step=3)).HasField("summary")
    refused = await check(bench, bench.training(compute_resource="computeResources/none"))
    assert not refused.HasField("summary")
    faults = [(one.reason, one.step) for one in refused.findings if not one.warning]
    assert faults == [("NOT_FOUND", 3)]


async def test_every_finding_tells_its_step(bench: Any) -> None:
    """The last page leads back to where a warning can be mended."""
    text = '{"classification": {"max_iter": 1, "batch_size": 64}}'
    found = (await check(bench, bench.training(training_params_json=text))).findings
    assert {(one.reason, one.step, one.warning) for one in found} == {
        ("CODES_OF_THE_DATA", 1, True),
        ("BATCH_LARGER_THAN_TRAINING_SIDE", 3, True),
    }
    text = '{"classification": {"max_iter": 1, "batch_size": 4}}'
    found = (await check(bench, bench.training(training_params_json=text))).findings
    assert {(one.reason, one.step) for one in found} == {("CODES_OF_THE_DATA", 1), ("FEW_EPOCHS", 3)}


async def test_a_duration_is_estimated_once_a_training_was_measured(bench: Any) -> None:
    """Without a measurement there is no number; with one, of this resource and input alone."""
    task = bench.training()
    assert not (await check(bench, task)).summary.HasField("estimated_duration")
    await bench.submit()
    await (await bench.worker.acquire()).trained(classification=80.0)
    shown = (await check(bench, task)).summary
    assert shown.estimated_duration.ToMilliseconds() == 4000 / 80 * 1000
    assert (shown.networks[0].images_per_s, shown.networks[0].measured_count) == (80.0, 1)
    elsewhere = bench.training(compute_resource=await bench.stack.new_resource())
    assert not (await check(bench, elsewhere)).summary.HasField("estimated_duration")


async def test_a_duration_is_estimated_from_the_nearest_other_input(bench: Any) -> None:
    """W14: a new input size is no blank page; where the number is from stands beside it."""
    task = bench.training()
    await bench.submit()
    await (await bench.worker.acquire()).trained(classification=80.0)
    assert not (await check(bench, task)).summary.networks[0].HasField("scaled_from")
    size = (await check(bench, task)).summary.input
    for measured, factor in ((2, 4), (3, 9)):
        await bench.stack.execute(
            "INSERT INTO throughputs SELECT task, attempt + :factor, network, compute_resource, "
            "width * :side, height * :side, detail, 10, measure_time FROM throughputs WHERE attempt = 1 "
            "AND compute_resource = :resource",
            factor=factor, side=measured, resource=task.training.compute_resource,
        )  # fmt: skip
    await bench.stack.execute(
        "DELETE FROM throughputs WHERE attempt = 1 AND compute_resource = :resource",
        resource=task.training.compute_resource,
    )
    (network,) = (await check(bench, task)).summary.networks
    expected = summary_pb2.InputSize(width=2 * size.width, height=2 * size.height, detail=size.detail or 1)
    assert (network.scaled_from, network.images_per_s, network.measured_count) == (expected, 40.0, 1)


async def test_the_workers_that_are_there_are_told(bench: Any) -> None:
    """T4 before the submission: nobody, then one that is free."""
    task = bench.training()
    before = (await check(bench, task)).summary
    assert [(one.kind, one.worker_count, one.reason) for one in before.workers] == [
        (job_pb2.JOB_KIND_TRAIN, 0, "NO_WORKER_WITH_RESOURCE"),
        (job_pb2.JOB_KIND_EVALUATE, 0, "NO_WORKER_WITH_RESOURCE"),
    ]
    assert all(one.message and one.message_zh for one in before.workers)
    await bench.worker.ask(job_pb2.JOB_KIND_TRAIN)
    training, evaluation = (await check(bench, task)).summary.workers
    assert (training.worker_count, training.free_count, training.reason) == (1, 1, "")
    assert evaluation.reason == "NO_WORKER_WITH_RESOURCE"


def _kept(training: task_pb2.TrainingSpec, step: int = 1, etag: str = "", draft: str = "new") -> Any:
    message = draft_pb2.Draft(name=f"drafts/{draft}", training=training, step=step)
    return draft_service_pb2.UpdateDraftRequest(draft=message, etag=etag)


async def test_answers_are_kept_for_who_gave_them(stack: Any) -> None:
    """W14: a shared PC, another PC, a second window: each sees the drafts of who is logged in."""
    anna, bert = [await stack.with_role(access_pb2.ROLE_ENGINEER) for _ in range(2)]
    get = draft_service_pb2.GetDraftRequest(name="drafts/new")
    assert not (await anna.drafts.GetDraft(get)).etag
    answers = task_pb2.TrainingSpec(model_name="panel", model_params_json='{"half')
    first = await anna.drafts.UpdateDraft(_kept(answers, step=2))
    assert first.etag
    assert first.HasField("update_time")
    assert await anna.drafts.GetDraft(get) == first
    assert first.training == answers
    assert not (await bert.drafts.GetDraft(get)).etag

    # The same answers again are no change: the answer to the first call may have been lost.
    assert await anna.drafts.UpdateDraft(_kept(answers, step=2)) == first
    answers.model_name = "panel-2"
    second = await anna.drafts.UpdateDraft(_kept(answers, step=3, etag=first.etag))
    for stale in ("", first.etag):
        answers.model_name = f"another {stale}"
        with pytest.raises(Aborted):
            await anna.drafts.UpdateDraft(_kept(answers, etag=stale))
    assert (await anna.drafts.GetDraft(get)).training.model_name == "panel-2"

    delete = draft_service_pb2.DeleteDraftRequest(name="drafts/new", etag=second.etag)
    await anna.drafts.DeleteDraft(delete)
    await anna.drafts.DeleteDraft(delete)
    assert not (await anna.drafts.GetDraft(get)).HasField("training")
    # What is kept anew is not what was seen before.
    assert (await anna.drafts.UpdateDraft(_kept(answers))).etag not in {first.etag, second.etag}


async def test_the_draft_that_rested_longest_makes_room(stack: Any) -> None:
    """Nobody fills the database by opening wizards; what one works at stays."""
    anna = await stack.with_role(access_pb2.ROLE_ENGINEER)
    for number in range(51):
        await anna.drafts.UpdateDraft(_kept(task_pb2.TrainingSpec(model_name="m"), draft=f"m.v1.{number:02}"))
    kept = [
        bool(
            (
                await anna.drafts.GetDraft(draft_service_pb2.GetDraftRequest(name=f"drafts/m.v1.{number:02}"))
            ).etag
        )
        for number in (0, 1, 50)
    ]
    assert kept == [False, True, True]


async def test_measurements_go_with_their_task(bench: Any) -> None:
    """T7: what a deleted task measured is no longer there."""
    task = await bench.completed()
    assert (
        await bench.stack.scalar("SELECT count(*) FROM throughputs WHERE task = :t", t=task.name[6:])
    ) == 0
    other = await bench.submit()
    held = await bench.worker.acquire()
    await held.trained(classification=50.0)
    await (await bench.worker.acquire()).reported()
    await bench.engineer.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=other.name))
    assert (
        await bench.stack.scalar("SELECT count(*) FROM throughputs WHERE task = :t", t=other.name[6:])
    ) == 0
    with pytest.raises(NotFound):
        await bench.get(other)
