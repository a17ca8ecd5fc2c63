"""What a child's events become: heartbeats and outcomes."""

# ruff: noqa: D102 -- doubles of classes that document their methods

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from loupe.scheduler.v1 import job_pb2, job_service_pb2, task_pb2
from loupe.worker.v1 import event_pb2, order_pb2

from services.kit.clock import timestamp
from services.worker.held_job import HeldJob
from services.worker.job_execution import JobExecution
from services.worker.outcomes import Outcome
from services.worker.report_buffer import Heartbeat
from services.worker.warm_child import Child

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class ProcessDouble:
    """A process that sends these lines and is gone."""

    pid = 0

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self._lines = lines

    async def send(self, order: dict[str, Any]) -> None:
        json_format.ParseDict(order, order_pb2.Order())

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        for line in self._lines:
            yield line

    async def terminate(self, _grace_s: float) -> int:
        return 1


class WarmChildDouble:
    """Gives the one child."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        process: Any = ProcessDouble(lines)
        self._child = Child(process)
        self.kept: bool | None = None

    async def take(self) -> Child:
        return self._child

    async def give_back(self, _child: Child, *, keep: bool) -> None:
        self.kept = keep


class HandlerDouble:
    """Takes every job, and stores nothing."""

    kinds = (job_pb2.JOB_KIND_TRAIN,)
    order = order_pb2.Order(train=order_pb2.Train())

    def start(self, _lease: job_pb2.JobLease, _folder: Path) -> "HandlerDouble":
        return self

    async def prepare(self) -> None:
        """Nothing."""

    async def add_sample_results(self, batch: bytes, job: HeldJob) -> None:
        raise ValueError(f"{job.lease.job} has no results of {len(batch)} bytes")

    async def conclude(self, _event: event_pb2.Event, _job: HeldJob) -> Outcome:
        return Outcome(trained=Outcome.Trained(weights_sha256="ab"))


async def execute(*events: event_pb2.Event | dict[str, Any]) -> tuple[Heartbeat, Outcome, bool | None]:
    """What is to be reported, the outcome, and whether the child was kept."""
    nothing: Any = None
    job = HeldJob(job_pb2.JobLease(job="jobs/1"), nothing, nothing, max_unreported_bytes=1 << 20, folders=())
    job._started.set()
    lines = [one if isinstance(one, dict) else json_format.MessageToDict(one) for one in events]
    warm: Any = WarmChildDouble(lines)
    clock = SimpleNamespace(now=lambda: NOW)
    execution = JobExecution(job, HandlerDouble(), warm, folder=Path(), clock=clock, max_silence_s=10)
    outcome = await execution.run()
    return job.buffer.next_heartbeat(), outcome, warm.kept


async def test_events_reach_the_scheduler_as_they_are() -> None:
    """M1 to M3: the scheduler's messages pass through; only points get the time at which they came."""
    points = job_pb2.LossPoints(
        network=task_pb2.NETWORK_CLASSIFICATION, first_iteration=40, losses=[0.5, 0.1]
    )
    progress = task_pb2.Progress(
        fraction=0.5, iteration=42, max_iteration=100, images_per_s=27.5, learning_rate=0.01,
        remaining=Duration(seconds=10), remaining_low=Duration(seconds=8),
        remaining_high=Duration(seconds=14),
    )  # fmt: skip
    stage = task_pb2.Stage(
        name=task_pb2.STAGE_NAME_SPLIT, state=task_pb2.STAGE_STATE_DONE, train_count=8, validation_count=2
    )
    sample = task_pb2.NonconformingSample(file="TPFIP/1.jpg", data_path="datasets/d/paths/p", reason="EMPTY")
    point = task_pb2.ValidationPoint(iteration=42, accuracy=0.9)
    validation = job_pb2.ValidationReport(network=points.network, point=point)
    heartbeat, outcome, kept = await execute(
        event_pb2.Event(loss_points=points),
        event_pb2.Event(progress=event_pb2.JobProgress(phase=task_pb2.PHASE_TRAINING, progress=progress)),
        event_pb2.Event(stage=event_pb2.StageReport(stage=stage)),
        event_pb2.Event(nonconforming=event_pb2.NonconformingSamples(samples=[sample])),
        event_pb2.Event(validation=validation),
        event_pb2.Event(trained=event_pb2.TrainingFinished()),
    )
    points.step_time.FromDatetime(NOW)
    assert heartbeat == Heartbeat(
        phase=task_pb2.PHASE_TRAINING,
        progress=progress,
        stages=[stage],
        loss_points=[points],
        validations=[validation],
        nonconforming_samples=[sample],
    )
    assert outcome.trained.weights_sha256 == "ab"
    assert kept


async def test_a_log_event_of_several_lines_is_several_lines() -> None:
    """M6: each line begins with its time in UTC."""
    text = event_pb2.LogText(network=task_pb2.NETWORK_SEGMENTATION, text="a\nb")
    heartbeat, _, _ = await execute(event_pb2.Event(log=text))
    (log,) = heartbeat.logs
    assert log.network == task_pb2.NETWORK_SEGMENTATION
    assert list(log.lines) == [f"{timestamp(NOW)} a", f"{timestamp(NOW)} b"]


@pytest.mark.parametrize(
    "line",
    [
        {"lossPoints": {"network": "NETWORK_OTHER"}},
        {"lossPoints": {"losses": "many"}},
        {"progress": {"phase": "PHASE_SLEEPING"}},
        {"stage": {"stage": {"name": "SPLIT"}}},
        {"nonconforming": {"samples": [{"colour": "red"}]}},
        {"sampleResults": "not base64"},
        {"sampleResults": "AAAA"},
        {"ready": {}},
        {"no": "event"},
        {},
    ],
    ids=str,
)
async def test_what_cannot_be_read_fails_the_job(line: dict[str, Any]) -> None:
    """Worker and child are of one tree: an event that does not fit is a defect, not a newer child."""
    _, outcome, kept = await execute(line)
    assert outcome.failed.failure.code == "CHILD_PROTOCOL"
    assert outcome.failed.retryable
    assert not kept


@pytest.mark.parametrize("retryable", [True, False])
async def test_a_fault_is_the_childs_with_the_end_of_the_log(retryable: bool) -> None:  # noqa: FBT001
    """T5, M6."""
    failure = task_pb2.Failure(
        code="OUT_OF_MEMORY", message="lower batch_size", message_zh="请减小 batch_size"
    )
    failed = job_service_pb2.FinishJobRequest.JobFailed(failure=failure, retryable=retryable)
    _, outcome, kept = await execute(
        event_pb2.Event(log=event_pb2.LogText(network=task_pb2.NETWORK_CLASSIFICATION, text="the last line")),
        event_pb2.Event(failed=failed),
    )
    failure.log_tail = "the last line"
    assert outcome == Outcome(failed=Outcome.JobFailed(failure=failure, retryable=retryable))
    assert not kept


async def test_a_child_that_ends_without_an_outcome_died() -> None:
    """T5: the job goes on elsewhere."""
    _, outcome, kept = await execute()
    assert (outcome.failed.failure.code, outcome.failed.retryable) == ("CHILD_DIED", True)
    assert not kept
