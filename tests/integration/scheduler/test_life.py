"""The life of a task, with the test as its worker (rules T, R1; invariants 2 to 4)."""

import asyncio
import csv
import io
import re
import secrets
from typing import Any

import pytest
from loupe.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    LoupeError,
    NotFound,
    OutOfRange,
    PermissionDenied,
)
from loupe.events.v1 import events_pb2
from loupe.registry.v1 import model_pb2, model_service_pb2
from loupe.scheduler.v1 import job_pb2, job_service_pb2, task_pb2, task_service_pb2

from services.failure_codes import FailureCode, remedy_of
from services.kit.messaging import Messaging

from .conftest import sha

_TIMESTAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


async def _log_of(
    bench: Any, task: task_pb2.Task, network: task_pb2.Network = task_pb2.NETWORK_CLASSIFICATION
) -> list[str]:
    request = task_service_pb2.ReadLogRequest(name=task.name, network=network)
    return [line async for news in bench.engineer.tasks.ReadLog(request) for line in news.lines]


async def test_a_training_goes_from_submission_to_a_version(  # noqa: PLR0915 -- a whole life
    bench: Any,
) -> None:
    """T1, R1: WAITING, TRAINING in phases, COMPLETED with weights and report, RELEASED with a number."""
    task = await bench.submit(acknowledge_missing_training_paths=True)
    assert task.state == task_pb2.TASK_STATE_WAITING
    assert task.training.target_major == 3
    assert len(task.training.snapshots) == 1
    assert task.training.seed > 0
    assert list(task.training.model_params["code_list"]) == ["TPFIP", "TTFBS", "TTMUD"]

    held = await bench.worker.acquire()
    assert held.lease.task == task.name
    assert held.lease.kind == job_pb2.JOB_KIND_TRAIN
    work = held.lease.train
    assert list(work.code_list) == ["TPFIP", "TTFBS", "TTMUD"]
    assert work.num_of_classes == 3
    assert work.manifests[0].data_path == bench.data_path
    assert task.training.snapshots[0].endswith(work.manifests[0].sha256)
    assert work.training_params["classification"]["max_iter"] == 1000
    assert work.training_params["classification"]["base_lr"] > 0  # the image's default
    assert work.seed == task.training.seed
    assert work.input.width == 64
    task = await bench.get(task)
    assert task.state == task_pb2.TASK_STATE_TRAINING
    assert task.phase == task_pb2.PHASE_PREPROCESSING

    split = task_pb2.Stage(
        name=task_pb2.STAGE_NAME_SPLIT, state=task_pb2.STAGE_STATE_DONE, train_count=9, validation_count=3
    )
    with pytest.raises(NotFound, match="no contact sheet"):
        await bench.engineer.tasks.LinkContactSheet(task_service_pb2.LinkContactSheetRequest(name=task.name))
    await held.report(stages=[split])
    await held.report(
        phase=task_pb2.PHASE_TRAINING,
        progress=task_pb2.Progress(
            fraction=0.5, iteration=500, max_iteration=1000, learning_rate=float("nan")
        ),
        loss_points=[job_pb2.LossPoints(network=1, first_iteration=0, losses=[1.0, 0.5])],
        logs=[job_pb2.LogLines(network=1, first_line=0, lines=["one", "two\x00"])],
        validations=[
            job_pb2.ValidationReport(network=1, point=task_pb2.ValidationPoint(iteration=2, accuracy=0.75))
        ],
        nonconforming_samples=[
            task_pb2.NonconformingSample(
                file="TPFIP/0.png", data_path=bench.data_path, reason="RESOLUTION_TOO_LOW"
            )
        ],
    )
    task = await bench.get(task)
    assert [stage.name for stage in task.stages] == [1, 2, 3]
    assert task.stages[1].train_count == 9
    assert task.progress.iteration == 500
    assert 0.45 < task.progress.overall_fraction < 0.55

    # E4: task, report and version say of which look the weights are.
    looked = model_pb2.NetworkLooks(
        max_iteration=1000,
        look_count=16,
        best_iteration=650,
        best_score=0.972,
        last_iteration=800,
        last_score=0.951,
        looks_since_best=3,
    )
    looks = model_pb2.TrainingLooks(classification=looked)
    looked.last_iteration = 600
    with pytest.raises(InvalidArgument, match="looks contradict themselves"):
        await held.trained(looks=model_pb2.TrainingLooks(segmentation=looked))
    await held.trained(looks=looks)
    task = await bench.get(task)
    assert (task.state, task.phase) == (task_pb2.TASK_STATE_TRAINING, task_pb2.PHASE_EVALUATING)
    assert task.looks == looks
    evaluating = await bench.worker.acquire()
    assert evaluating.lease.kind == job_pb2.JOB_KIND_EVALUATE
    assert evaluating.lease.evaluate.looks == looks
    assert evaluating.lease.evaluate.weights_sha256 == task.weights_sha256
    await evaluating.reported("reports/final")
    task = await bench.get(task)
    assert (task.state, task.report) == (task_pb2.TASK_STATE_COMPLETED, "reports/final")
    assert task.progress.overall_fraction == 1.0

    listed = await bench.engineer.tasks.ListNonconformingSamples(
        task_service_pb2.ListNonconformingSamplesRequest(name=task.name)
    )
    assert [sample.file for sample in listed.samples] == ["TPFIP/0.png"]

    released = await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task.name))
    assert released.state == task_pb2.TASK_STATE_RELEASED
    assert released.model_version == f"models/{task.training.model_name}/versions/v3.01"
    version = await bench.engineer.models.GetModelVersion(
        model_service_pb2.GetModelVersionRequest(name=released.model_version)
    )
    assert (version.task, version.report, version.weights_sha256) == (
        task.name,
        "reports/final",
        task.weights_sha256,
    )
    assert list(version.snapshots) == list(task.training.snapshots)
    assert version.seed == task.training.seed
    assert version.releaser == bench.releaser.name
    assert version.training_params["classification"]["max_iter"] == 1000
    assert version.looks == looks

    history = await bench.engineer.tasks.ListTaskTransitions(
        task_service_pb2.ListTaskTransitionsRequest(name=task.name)
    )
    assert [(getattr(one, "from"), one.to) for one in history.transitions] == [(0, 1), (1, 2), (2, 4), (4, 6)]
    assert [one.cause for one in history.transitions] == [
        bench.engineer.name,
        "workers/test",
        "workers/test",
        bench.releaser.name,
    ]


async def test_a_worker_that_lost_its_lease_changes_nothing(bench: Any) -> None:
    """T6: a paused machine may wake after its job was leased again; its late calls must change nothing."""
    task = await bench.submit()
    stale = await bench.worker.acquire()
    await stale.points(0, [1.0, 2.0])
    await bench.worker.lose_lease(stale)
    recovering = await bench.get(task)
    assert recovering.state == task_pb2.TASK_STATE_TRAINING
    assert recovering.wait.reason == "RECOVERING"
    assert recovering.recoveries == 1
    fresh = await bench.worker.acquire()
    assert fresh.lease.fencing_token > stale.lease.fencing_token
    before = await bench.get(task)
    for late in (
        stale.points(0, [9.0]),
        stale.report(),
        stale.trained(),
        stale.failed("NAN_LOSS"),
        stale.terminated(),
        stale.give_back(),
    ):
        with pytest.raises(Aborted) as lost:
            await late
        assert lost.value.reason == "LEASE_LOST"
    assert await bench.get(task) == before
    await fresh.points(0, [3.0])
    curve = await bench.engineer.tasks.GetLossCurve(task_service_pb2.GetLossCurveRequest(name=task.name))
    assert list(curve.losses) == [3.0]
    # Its evaluation has lost no worker.
    await fresh.trained()
    waiting = (await bench.get(task)).wait
    assert waiting.reason == "ALL_WORKERS_BUSY"
    assert "evaluator worker" in waiting.message


async def test_a_resumed_training_doubles_and_misses_no_point(bench: Any) -> None:
    """T5, M5: the curve is cut back to the checkpoint, and later points are reported again."""
    task = await bench.submit()
    first = await bench.worker.acquire()
    assert not first.lease.train.HasField("resume")
    await first.points(0, [float(i) for i in range(1000)])
    await first.report(
        validations=[
            job_pb2.ValidationReport(network=1, point=task_pb2.ValidationPoint(iteration=i, accuracy=0.5))
            for i in (500, 1000)
        ]
    )
    await first.checkpoint(700, "a" * 64)
    with pytest.raises(OutOfRange, match="1000"):
        await first.checkpoint(1200, "b" * 64)
    await bench.worker.lose_lease(first)
    second = await bench.worker.acquire()
    resume = second.lease.train.resume
    assert (resume.sha256, resume.next_iteration, second.lease.recoveries) == ("a" * 64, 700, 1)
    positions = (await second.report()).positions
    assert {one.network: one.next_iteration for one in positions} == {1: 700, 2: 0}
    with pytest.raises(OutOfRange) as gap:
        await second.points(701, [0.0])
    assert (gap.value.reason, gap.value.facts["expected"]) == ("LOSS_GAP", "700")
    await second.points(700, [float(i) for i in range(700, 1100)])
    # The answer was lost and the worker says it again.
    await second.points(1000, [float(i) for i in range(1000, 1100)])
    curve = await bench.engineer.tasks.GetLossCurve(task_service_pb2.GetLossCurveRequest(name=task.name))
    assert list(curve.iterations) == list(range(1100))
    assert list(curve.losses) == [float(i) for i in range(1100)]
    assert [one.iteration for one in curve.validation] == [500]


async def test_a_draining_worker_hands_its_job_on(bench: Any) -> None:
    """A drain is no fault: it is not counted, and the next worker resumes from the checkpoint."""
    task = await bench.submit()
    held = await bench.worker.acquire()
    await held.points(0, [1.0] * 10)
    await held.checkpoint(10, "c" * 64)
    await held.give_back()
    again = await bench.worker.acquire()
    assert again.lease.train.resume.next_iteration == 10
    assert (await bench.get(task)).recoveries == 0


async def test_infrastructure_faults_are_retried_up_to_a_limit(bench: Any) -> None:
    """T5: infrastructure faults are retried, but not for ever."""
    task = await bench.submit()
    for recovery in range(6):
        held = await bench.worker.acquire()
        assert held.lease.recoveries == recovery
        await held.failed("STORAGE_AWAY", retryable=True)
        # The same word again changes nothing.
        await held.failed("STORAGE_AWAY", retryable=True)
        await bench.stack.execute("UPDATE jobs SET available_time = now() WHERE state = 'QUEUED'")
    failed = await bench.get(task)
    assert failed.state == task_pb2.TASK_STATE_FAILED
    assert failed.failure.code == "INFRASTRUCTURE_RETRIES"
    assert "STORAGE_AWAY" in failed.failure.message
    assert failed.failure.log_tail == "the last line"
    log = await _log_of(bench, task)
    assert len(log) == 2 * 6
    for english, chinese in zip(log[0:10:2], log[1:10:2], strict=True):
        assert re.fullmatch(_TIMESTAMP + " TAKEN UP AGAIN STORAGE_AWAY: it went wrong", english)
        assert re.fullmatch(_TIMESTAMP + " 重新接续 STORAGE_AWAY：出错了", chinese)
    assert "FAILED INFRASTRUCTURE_RETRIES: " in log[-2]
    assert "失败 INFRASTRUCTURE_RETRIES：基础设施出现了 6 次故障" in log[-1]


async def test_recoveries_are_forgotten_when_a_checkpoint_advances(bench: Any) -> None:
    """T5: a long training on bad infrastructure goes on as long as it gets further, and only so long."""
    task = await bench.submit()
    for round_ in range(1, 10):
        held = await bench.worker.acquire()
        await held.points(10 * (round_ - 1), [1.0] * 10)
        await held.checkpoint(10 * round_, sha(f"{task.name} {round_}"))
        await held.failed("STORAGE_AWAY", retryable=True)
        await bench.stack.execute("UPDATE jobs SET available_time = now() WHERE state = 'QUEUED'")
    assert (await bench.get(task)).recoveries == 9
    for recovery in range(1, 6):
        held = await bench.worker.acquire()
        assert held.lease.recoveries == recovery
        # The same point again, by other bytes, is no progress.
        await held.checkpoint(90, sha(f"{task.name} again {recovery}"))
        await held.failed("STORAGE_AWAY", retryable=True)
        await bench.stack.execute("UPDATE jobs SET available_time = now() WHERE state = 'QUEUED'")
    failed = await bench.get(task)
    assert (failed.state, failed.failure.code) == (task_pb2.TASK_STATE_FAILED, "INFRASTRUCTURE_RETRIES")


async def test_recoveries_of_an_evaluation_are_forgotten_when_it_gets_further(bench: Any) -> None:
    """T5: an evaluation has no checkpoint; a tenth of its work more than ever before counts as progress."""
    task = await bench.submit()
    await (await bench.worker.acquire()).trained()
    recoveries = []
    for fraction in (0.05, 0.3, 0.35, 0.45, 0.45, 0.45, 0.45, 0.45, 0.45):
        held = await bench.worker.acquire()
        recoveries.append(held.lease.recoveries)
        await held.report(progress=task_pb2.Progress(fraction=fraction))
        await held.failed("STORAGE_AWAY", retryable=True)
        await bench.stack.execute("UPDATE jobs SET available_time = now() WHERE state = 'QUEUED'")
    assert recoveries == [0, 1, 1, 2, 1, 2, 3, 4, 5]
    failed = await bench.get(task)
    assert (failed.state, failed.failure.code) == (task_pb2.TASK_STATE_FAILED, "INFRASTRUCTURE_RETRIES")


async def test_the_log_of_a_failed_task_ends_with_the_cause(bench: Any) -> None:
    """M6: the log of a failed training ends with the cause, in both languages."""
    task = await bench.submit()
    # As if its data had masks and its image a second network.
    await bench.stack.execute(
        "UPDATE tasks SET spec = jsonb_set(spec, '{train_segmentation}', 'true') WHERE id = :id",
        id=task.name.removeprefix("tasks/"),
    )
    held = await bench.worker.acquire()
    lines = job_pb2.LogLines(network=task_pb2.NETWORK_CLASSIFICATION, first_line=0, lines=["one", "two"])
    await held.report(logs=[lines])
    await held.failed("NAN_LOSS")
    for network, before in (("NETWORK_CLASSIFICATION", ["one", "two"]), ("NETWORK_SEGMENTATION", [])):
        log = await _log_of(bench, task, task_pb2.Network.Value(network))
        assert log[:-2] == before
        remedy = remedy_of("NAN_LOSS")
        assert re.fullmatch(_TIMESTAMP + f" FAILED NAN_LOSS: it went wrong; {remedy.english}", log[-2])
        assert re.fullmatch(_TIMESTAMP + f" 失败 NAN_LOSS：出错了；{remedy.chinese}", log[-1])


async def test_every_failure_names_its_remedy_in_both_languages(bench: Any) -> None:
    """M6: whatever a worker ends with, also one of another version, the engineer reads what to do."""
    task = await bench.submit()
    seen = {}
    for code in (*FailureCode, "OF_A_NEWER_WORKER"):
        held = await bench.worker.acquire()
        await held.failed(code)
        failure = (await bench.get(task)).failure
        assert failure.code == code
        assert failure.remedy.isascii()
        assert re.search("[一-鿿]", failure.remedy_zh)
        seen[code] = (failure.remedy, failure.remedy_zh)
        await bench.engineer.tasks.StartTask(task_service_pb2.StartTaskRequest(name=task.name))
    assert seen["NAN_LOSS"] != seen["OUT_OF_MEMORY"] != seen["OF_A_NEWER_WORKER"]


async def test_what_an_attempt_set_aside_is_listed_and_downloaded(bench: Any) -> None:
    """M1a, M6: with size and rule in both languages, also of an earlier attempt, and as a file."""
    task = await bench.submit()
    held = await bench.worker.acquire()
    told = [
        task_pb2.NonconformingSample(
            file=f"TPFIP/{name}.png",
            data_path=bench.data_path,
            reason="RESOLUTION_TOO_LOW",
            message="178×12: the shorter side is under 32 px",
            message_zh="178×12：短边小于 32 像素",
            width=178,
            height=12,
        )
        for name in ("=1+1", "strip")
    ]
    await held.report(nonconforming_samples=told)
    await held.failed("NAN_LOSS")
    await bench.engineer.tasks.StartTask(task_service_pb2.StartTaskRequest(name=task.name))
    for attempt, expected in ((1, told), (0, [])):
        listed = await bench.engineer.tasks.ListNonconformingSamples(
            task_service_pb2.ListNonconformingSamplesRequest(name=task.name, attempt=attempt)
        )
        assert list(listed.samples) == expected
        request = task_service_pb2.DownloadNonconformingSamplesRequest(name=task.name, attempt=attempt)
        parts = [part async for part in bench.engineer.tasks.DownloadNonconformingSamples(request)]
        assert parts[0].content_type == "text/csv; charset=utf-8"
        text = b"".join(part.data for part in parts).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [(row["file"], row["width"], row["height"], row["message_zh"]) for row in rows] == [
            (one.file, "178", "12", one.message_zh) for one in expected
        ]
    with pytest.raises(InvalidArgument, match="attempts 1 to 2, not 3"):
        await bench.engineer.tasks.ListNonconformingSamples(
            task_service_pb2.ListNonconformingSamplesRequest(name=task.name, attempt=3)
        )


async def test_a_user_fault_fails_at_once_and_can_be_started_again(bench: Any) -> None:
    """T1, T5: FAILED with a code; a start makes a new attempt from 0, the old curve stays readable."""
    task = await bench.submit()
    held = await bench.worker.acquire()
    await held.points(0, [5.0, 6.0])
    await held.failed("NAN_LOSS")
    failed = await bench.get(task)
    assert (failed.state, failed.failure.code) == (task_pb2.TASK_STATE_FAILED, "NAN_LOSS")
    with pytest.raises(FailedPrecondition) as refused:
        await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task.name))
    assert refused.value.reason == "NOT_RELEASABLE"
    assert "FAILED" in refused.value.message
    started = await bench.engineer.tasks.StartTask(
        task_service_pb2.StartTaskRequest(name=task.name, etag=failed.etag)
    )
    assert (started.state, started.attempt) == (task_pb2.TASK_STATE_WAITING, 2)
    assert not started.HasField("failure")
    assert not started.HasField("progress")
    again = await bench.worker.acquire()
    assert (again.lease.attempt, again.lease.recoveries) == (2, 0)
    await again.points(0, [7.0])
    for attempt, losses in ((0, [7.0]), (1, [5.0, 6.0])):
        curve = await bench.engineer.tasks.GetLossCurve(
            task_service_pb2.GetLossCurveRequest(name=task.name, attempt=attempt)
        )
        assert list(curve.losses) == losses


async def test_termination_is_confirmed_by_the_worker(bench: Any) -> None:
    """T2: terminating at once, TERMINATED when the process has ended."""
    task = await bench.submit()
    with pytest.raises(FailedPrecondition) as refused:
        await bench.engineer.tasks.TerminateTask(task_service_pb2.TerminateTaskRequest(name=task.name))
    assert refused.value.reason == "NOT_TERMINABLE"
    held = await bench.worker.acquire()
    assert not (await held.report()).cancel_requested
    asked = await bench.engineer.tasks.TerminateTask(task_service_pb2.TerminateTaskRequest(name=task.name))
    assert (asked.state, asked.terminating) == (task_pb2.TASK_STATE_TRAINING, True)
    assert (await held.report()).cancel_requested
    await held.terminated()
    ended = await bench.get(task)
    assert (ended.state, ended.terminating) == (task_pb2.TASK_STATE_TERMINATED, False)


async def test_m6_who_asked_for_an_end_that_came_otherwise_is_in_the_history(bench: Any) -> None:
    """The worker was done before it heard of the request: that somebody asked, and when, is not forgotten."""
    task = await bench.submit()
    await (await bench.worker.acquire()).trained()
    held = await bench.worker.acquire()
    await bench.engineer.tasks.TerminateTask(task_service_pb2.TerminateTaskRequest(name=task.name))
    await held.reported()
    history = await bench.engineer.tasks.ListTaskTransitions(
        task_service_pb2.ListTaskTransitionsRequest(name=task.name)
    )
    assert [(one.termination_requested, one.to, one.cause) for one in history.transitions[2:]] == [
        (True, task_pb2.TASK_STATE_TRAINING, bench.engineer.name),
        (False, task_pb2.TASK_STATE_COMPLETED, "workers/test"),
    ]


async def test_a_terminated_task_says_who_ended_it(bench: Any) -> None:
    """M6: the task, its history and the end of its log name the person, not the worker that obeyed."""
    admin = bench.stack.admin
    request = task_service_pb2.TerminateTaskRequest
    obeyed = await bench.submit()
    held = await bench.worker.acquire()
    assert (await admin.tasks.TerminateTask(request(name=obeyed.name))).terminator == admin.name
    await held.terminated()
    silent = await bench.submit()
    lost = await bench.worker.acquire()
    await admin.tasks.TerminateTask(request(name=silent.name))
    await bench.worker.lose_lease(lost)
    queued = await bench.submit()
    await bench.worker.lose_lease(await bench.worker.acquire())
    await admin.tasks.TerminateTask(request(name=queued.name))
    for task in (obeyed, silent, queued):
        ended = await bench.get(task)
        assert (ended.state, ended.terminator) == (task_pb2.TASK_STATE_TERMINATED, admin.name)
        history = await bench.engineer.tasks.ListTaskTransitions(
            task_service_pb2.ListTaskTransitionsRequest(name=task.name)
        )
        *begun, request_row, end = history.transitions
        assert [one.cause for one in begun] == [bench.engineer.name, "workers/test"]
        assert not any(one.termination_requested for one in (*begun, end))
        assert (request_row.termination_requested, request_row.cause) == (True, admin.name)
        assert getattr(request_row, "from") == request_row.to == task_pb2.TASK_STATE_TRAINING
        assert begun[-1].revision < request_row.revision < end.revision
        assert request_row.time.ToNanoseconds() <= end.time.ToNanoseconds()
        assert (end.to, end.cause) == (task_pb2.TASK_STATE_TERMINATED, admin.name)
        english, chinese = (await _log_of(bench, task))[-2:]
        assert re.fullmatch(_TIMESTAMP + f" TERMINATED: {admin.name} ended the task", english)
        assert re.fullmatch(_TIMESTAMP + f" 训练终止：任务由 {admin.name} 终止", chinese)
    request = task_service_pb2.ListTasksRequest(creator=bench.engineer.name, page_size=3)
    listed = (await bench.engineer.tasks.ListTasks(request)).tasks
    assert {task.terminator for task in listed} == {admin.name}
    started = await bench.engineer.tasks.StartTask(task_service_pb2.StartTaskRequest(name=obeyed.name))
    assert started.terminator == ""


async def test_termination_needs_no_worker_that_is_gone(bench: Any) -> None:
    """T2: if the lease expires meanwhile, the sweeper confirms; a queued job is terminated at once."""
    lost = await bench.submit()
    held = await bench.worker.acquire()
    await bench.engineer.tasks.TerminateTask(task_service_pb2.TerminateTaskRequest(name=lost.name))
    await bench.worker.lose_lease(held)
    assert (await bench.get(lost)).state == task_pb2.TASK_STATE_TERMINATED

    queued = await bench.submit()
    held = await bench.worker.acquire()
    await bench.worker.lose_lease(held)
    ended = await bench.engineer.tasks.TerminateTask(task_service_pb2.TerminateTaskRequest(name=queued.name))
    assert ended.state == task_pb2.TASK_STATE_TERMINATED
    assert await bench.worker.ask() is None


async def test_twenty_releases_make_one_version(bench: Any) -> None:
    """R1: of concurrent callers one succeeds, the others get an error."""
    task = await bench.completed()
    request = task_service_pb2.ReleaseTaskRequest(name=task.name)
    answers = await asyncio.gather(
        *(bench.releaser.tasks.ReleaseTask(request) for _ in range(20)), return_exceptions=True
    )
    won = [answer for answer in answers if isinstance(answer, task_pb2.Task)]
    refused = [answer for answer in answers if isinstance(answer, LoupeError)]
    assert len(won) == 1
    assert {answer.reason for answer in refused} == {"NOT_RELEASABLE"}
    assert len(refused) == 19
    versions = await bench.engineer.models.ListModelVersions(
        model_service_pb2.ListModelVersionsRequest(parent=f"models/{task.training.model_name}")
    )
    assert [version.task for version in versions.versions] == [task.name]
    with pytest.raises(FailedPrecondition) as kept:
        await bench.stack.admin.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name))
    assert kept.value.reason == "NOT_DELETABLE"


async def test_the_number_comes_by_the_stream_if_the_answer_is_lost(bench: Any, eventually: Any) -> None:
    """R1: the registry consumes releases from TASKS, and the scheduler their numbers from MODELS."""
    task = await bench.completed()
    released = await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task.name))
    assert released.model_version
    # As if the answer had been lost and the consumer had not come by yet.
    await bench.stack.execute(
        "UPDATE tasks SET model_version = '' WHERE id = :id", id=task.name.removeprefix("tasks/")
    )
    messaging = await Messaging.connect(bench.stack.environment["LOUPE_NATS_URL"])
    try:
        async for message in messaging.follow("loupe.models.*.released", replay=True):
            event = message.parse(events_pb2.ModelVersionReleased)
            if event.version.task == task.name:
                await messaging.publish(message.subject, message.payload, message_id=secrets.token_hex(8))
                break
    finally:
        await messaging.close()

    async def numbered() -> bool:
        return bool((await bench.get(task)).model_version)

    await eventually(numbered)


async def test_one_request_id_makes_one_task(bench: Any) -> None:
    """W12: a client without an answer may repeat its request; a reused request id is an error."""
    request = task_service_pb2.CreateTaskRequest(task=bench.training(), request_id=secrets.token_hex(8))
    answers = await asyncio.gather(*(bench.engineer.tasks.CreateTask(request) for _ in range(5)))
    assert len({answer.name for answer in answers}) == 1
    other = task_service_pb2.CreateTaskRequest(task=bench.training(), request_id=request.request_id)
    with pytest.raises(AlreadyExists) as reused:
        await bench.engineer.tasks.CreateTask(other)
    assert reused.value.reason == "REQUEST_ID_REUSED"


async def test_a_name_is_held_from_submission(bench: Any) -> None:
    """W1: two users choose one name at once; a deleted task frees its name."""
    request = task_service_pb2.CreateTaskRequest(task=bench.training())
    answers = await asyncio.gather(
        *(bench.engineer.tasks.CreateTask(request) for _ in range(4)), return_exceptions=True
    )
    (task,) = (answer for answer in answers if isinstance(answer, task_pb2.Task))
    assert {answer.reason for answer in answers if isinstance(answer, LoupeError)} == {"MODEL_NAME_TAKEN"}
    await bench.engineer.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name))
    again = await bench.engineer.tasks.CreateTask(request)
    assert again.name != task.name


async def test_deleting_leaves_nothing(bench: Any) -> None:
    """T7: rows, job and name are gone; the worker that held the job gets LEASE_LOST."""
    task = await bench.submit()
    held = await bench.worker.acquire()
    await held.points(0, [1.0])
    with pytest.raises(FailedPrecondition) as running:
        await bench.engineer.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name))
    assert running.value.reason == "NOT_DELETABLE"
    await held.failed("NAN_LOSS")
    await bench.engineer.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name))
    with pytest.raises(NotFound):
        await bench.get(task)
    with pytest.raises(Aborted):
        await held.report()
    task_id = task.name.removeprefix("tasks/")
    for table in ("jobs", "curves", "loss_chunks", "log_chunks", "transitions"):
        assert await bench.stack.scalar(f"SELECT count(*) FROM {table} WHERE task = :id", id=task_id) == 0  # noqa: S608


async def test_only_the_creator_or_an_administrator_acts_on_a_task(bench: Any, viewer: Any) -> None:
    """A2: an engineer cannot change a colleague's task; a viewer cannot submit."""
    task = await bench.submit()
    for wish in (
        bench.releaser.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name)),
        bench.releaser.tasks.TerminateTask(task_service_pb2.TerminateTaskRequest(name=task.name)),
        bench.releaser.tasks.StartTask(task_service_pb2.StartTaskRequest(name=task.name)),
    ):
        with pytest.raises(PermissionDenied) as denied:
            await wish
        assert denied.value.reason == "NOT_OWNER"
    with pytest.raises(PermissionDenied) as low:
        await bench.submit(viewer)
    assert low.value.reason == "ROLE_TOO_LOW"
    with pytest.raises(PermissionDenied):
        await bench.engineer.jobs.AcquireJob(job_service_pb2.AcquireJobRequest())
    assert (await viewer.get(task.name)).name == task.name
    await bench.stack.admin.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name))


async def test_an_etag_guards_against_acting_on_what_was_not_seen(bench: Any) -> None:
    """Of two users who act on the same page, the second one's click was meant for another state."""
    task = await bench.submit()
    held = await bench.worker.acquire()
    with pytest.raises(Aborted) as changed:
        await bench.engineer.tasks.TerminateTask(
            task_service_pb2.TerminateTaskRequest(name=task.name, etag=task.etag)
        )
    assert changed.value.reason == "ETAG_MISMATCH"
    seen = await bench.get(task)
    # Progress changes ten times a second and must not make what was seen stale.
    await held.report(progress=task_pb2.Progress(fraction=0.1))
    await bench.engineer.tasks.TerminateTask(
        task_service_pb2.TerminateTaskRequest(name=task.name, etag=seen.etag)
    )


async def test_a_prediction_runs_and_is_never_released(bench: Any, path_importer: Any) -> None:
    """P1: an alias is resolved to the exact version, the data is pinned, the report completes the task."""
    released = await bench.released()
    bank = await path_importer(bench.engineer, "banks", secrets.token_hex(4), {"TPFIP": 2, "OTHER": 1})
    model = f"models/{released.training.model_name}/versions/latest"
    request = task_pb2.Task(
        prediction=task_pb2.PredictionSpec(
            model_version=model, data_paths=[bank], compute_resource=bench.resource
        )
    )
    checked = await bench.engineer.tasks.ValidateTask(task_service_pb2.ValidateTaskRequest(task=request))
    assert [(one.reason, one.warning) for one in checked.findings] == [("SAMPLES_OF_UNKNOWN_CODES", True)]
    task = await bench.engineer.tasks.CreateTask(task_service_pb2.CreateTaskRequest(task=request))
    assert task.prediction.model_version == released.model_version
    assert len(task.prediction.snapshots) == 1
    held = await bench.worker.acquire()
    assert held.lease.kind == job_pb2.JOB_KIND_PREDICT
    assert held.lease.predict.weights_sha256 == released.weights_sha256
    assert held.lease.predict.batch_size == 32
    assert (await bench.get(task)).state == task_pb2.TASK_STATE_PREDICTING
    with pytest.raises(InvalidArgument) as misfit:
        await held.trained()
    assert misfit.value.reason == "OUTCOME_DOES_NOT_FIT"
    await held.reported("reports/bank")
    assert (await bench.get(task)).state == task_pb2.TASK_STATE_COMPLETED
    with pytest.raises(FailedPrecondition):
        await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task.name))
    found = await bench.engineer.tasks.ListTasks(
        task_service_pb2.ListTasksRequest(model_version=released.model_version)
    )
    assert [one.name for one in found.tasks] == [task.name]
    assert found.tasks[0].prediction.HasField("training_overlap")
    assert held.lease.predict.training_overlap == task.prediction.training_overlap
    assert task.prediction.training_overlap == model_pb2.TrainingOverlap(sample_count=3)


async def test_p7_a_prediction_on_training_data_is_acknowledged_and_marked(bench: Any, stack: Any) -> None:
    """P7: a prediction on training data must be acknowledged, and the task shows it for ever."""
    released = await bench.released()
    spec = task_pb2.PredictionSpec(
        model_version=released.model_version, data_paths=[bench.data_path], compute_resource=bench.resource
    )
    request = task_pb2.Task(prediction=spec)
    checked = await bench.engineer.tasks.ValidateTask(
        task_service_pb2.ValidateTaskRequest(task=request, step=2)
    )
    (finding,) = checked.findings
    assert (finding.reason, finding.warning) == ("UNACKNOWLEDGED_TRAINING_OVERLAP", True)
    assert finding.acknowledge_with == finding.field == "acknowledge_training_overlap"
    assert "12 of 12" in finding.message
    assert "12" in finding.message_zh
    with pytest.raises(InvalidArgument) as refused:
        await bench.engineer.tasks.CreateTask(task_service_pb2.CreateTaskRequest(task=request))
    assert [one.reason for one in refused.value.violations] == ["UNACKNOWLEDGED_TRAINING_OVERLAP"]
    request.prediction.acknowledge_training_overlap = True
    checked = await bench.engineer.tasks.ValidateTask(task_service_pb2.ValidateTaskRequest(task=request))
    assert [(one.reason, one.acknowledge_with) for one in checked.findings] == [("TRAINING_OVERLAP", "")]
    task = await bench.engineer.tasks.CreateTask(task_service_pb2.CreateTaskRequest(task=request))
    overlap = model_pb2.TrainingOverlap(sample_count=12, trained_sample_count=12, affected_sample_count=12)
    held = await bench.worker.acquire()
    assert held.lease.predict.training_overlap == overlap
    found = await bench.engineer.tasks.ListTasks(
        task_service_pb2.ListTasksRequest(model_version=released.model_version)
    )
    for shown in (task, await bench.get(task), *found.tasks):
        assert shown.prediction.training_overlap == overlap
    # A prediction from before this was looked at: nobody knows.
    await stack.execute(
        "UPDATE tasks SET spec = spec - 'training_overlap' - 'acknowledge_training_overlap' WHERE id = :id",
        id=task.name.removeprefix("tasks/"),
    )
    assert not (await bench.get(task)).prediction.HasField("training_overlap")


async def test_a_retraining_becomes_the_next_version(bench: Any) -> None:
    """W6, W13: name, codes and environment are the parent's; the version number continues."""
    parent = await bench.released()
    retraining = bench.training(
        model_name="",
        parent_version=parent.model_version,
        production_environment="",
        training_params_json="",
        warm_start=True,
    )
    without = task_pb2.Task()
    without.CopyFrom(retraining)
    del without.training.data_paths[:]
    with pytest.raises(InvalidArgument) as removed:
        await bench.engineer.tasks.CreateTask(task_service_pb2.CreateTaskRequest(task=without))
    assert "PARENT_PATH_REMOVED" in {one.reason for one in removed.value.violations}
    task = await bench.engineer.tasks.CreateTask(task_service_pb2.CreateTaskRequest(task=retraining))
    assert task.training.model_name == parent.training.model_name
    held = await bench.worker.acquire()
    assert held.lease.train.warm_start_weights_sha256 == parent.weights_sha256
    assert held.lease.train.training_params["classification"]["max_iter"] == 1000
    await held.trained()
    await (await bench.worker.acquire()).reported()
    released = await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task.name))
    assert released.model_version.endswith("/v3.02")


async def test_faults_of_a_submission_come_together_field_by_field(bench: Any) -> None:
    """W3, W8: all findings at once, in both languages; a missing comma by line and column."""
    params = '{\n  "classification": {\n    "name": "ResNet18",\n    "num_of_classes": 2\n  }\n'
    params += '  "code_list": []\n}'
    task = bench.training(
        model_name="9bad-",
        model_params_json=params,
        training_params_json='{"classification": {"momentun": 0.9, "base_lr": -1}}',
        production_environment="productionEnvironments/nowhere",
        data_paths=[bench.data_path, "datasets/panels/paths/nothing"],
    )
    with pytest.raises(InvalidArgument) as refused:
        await bench.engineer.tasks.CreateTask(task_service_pb2.CreateTaskRequest(task=task))
    by_field = {one.field: one for one in refused.value.violations}
    assert set(by_field) == {
        "model_name",
        "production_environment",
        "model_params",
        "data_paths[1]",
        "training_params.classification.momentun",
        "training_params.classification.base_lr",
    }
    assert by_field["model_params"].message == "line 6, column 3: expected ',' before \"code_list\""
    assert by_field["model_params"].message_zh
    assert '"momentum"' in by_field["training_params.classification.momentun"].message
    step = await bench.engineer.tasks.ValidateTask(task_service_pb2.ValidateTaskRequest(task=task, step=3))
    assert {one.field for one in step.findings} == {
        "training_params.classification.momentun",
        "training_params.classification.base_lr",
    }


async def test_a_business_image_brings_its_parameters(bench: Any, path_importer: Any) -> None:
    """W2: a business image's parameters are fixed; giving some is an error."""
    codes = ("TPFIP", "TTFBS", "TTMUD", "TGGS0", "TPOTS", "TSFAS", "TSDFS")
    path = await path_importer(bench.engineer, "business", secrets.token_hex(4), dict.fromkeys(codes, 2))
    business = {
        "algorithm_image_version": "algorithmImages/cell-array-classification/versions/v3.0",
        "data_paths": [path],
    }
    with pytest.raises(InvalidArgument) as refused:
        await bench.submit(**business, model_params_json="{}")
    assert {one.reason for one in refused.value.violations} == {"FIXED_BY_IMAGE"}
    task = await bench.submit(**business, production_environment="")
    assert task.training.production_environment == "productionEnvironments/demo-fab-cell-array"
    assert list(task.training.model_params["code_list"]) == list(codes)
    assert task.training.model_params["classification"]["num_of_classes"] == 5


async def test_validate_only_submits_nothing(bench: Any) -> None:
    """The wizard's last page shows the task as it would be created."""
    request = task_service_pb2.CreateTaskRequest(task=bench.training(), validate_only=True)
    shown = await bench.engineer.tasks.CreateTask(request)
    assert shown.training.target_major == 3
    with pytest.raises(NotFound):
        await bench.get(shown)
    assert await bench.worker.ask() is None
