"""Leased work between its plain values and `loupe.scheduler.v1`."""

from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration
from loupe.scheduler.v1 import job_pb2, job_service_pb2, task_pb2

from services.worker import values as v

_KINDS: Mapping[v.JobKind, job_pb2.JobKind.ValueType] = {
    v.JobKind.TRAIN: job_pb2.JOB_KIND_TRAIN,
    v.JobKind.EVALUATE: job_pb2.JOB_KIND_EVALUATE,
    v.JobKind.PREDICT: job_pb2.JOB_KIND_PREDICT,
    v.JobKind.PACKAGE: job_pb2.JOB_KIND_PACKAGE,
}
_NETWORKS: Mapping[v.Network, task_pb2.Network.ValueType] = {
    v.Network.CLASSIFICATION: task_pb2.NETWORK_CLASSIFICATION,
    v.Network.SEGMENTATION: task_pb2.NETWORK_SEGMENTATION,
}
_PHASES: Mapping[v.Phase | None, task_pb2.Phase.ValueType] = {
    None: task_pb2.PHASE_UNSPECIFIED,
    v.Phase.PREPROCESSING: task_pb2.PHASE_PREPROCESSING,
    v.Phase.TRAINING: task_pb2.PHASE_TRAINING,
    v.Phase.EVALUATING: task_pb2.PHASE_EVALUATING,
    v.Phase.PREDICTING: task_pb2.PHASE_PREDICTING,
    v.Phase.PACKAGING: task_pb2.PHASE_PACKAGING,
}
_STAGES: Mapping[v.StageName, task_pb2.StageName.ValueType] = {
    v.StageName.RESOLUTION_FILTER: task_pb2.STAGE_NAME_RESOLUTION_FILTER,
    v.StageName.SPLIT: task_pb2.STAGE_NAME_SPLIT,
    v.StageName.AUGMENTATION: task_pb2.STAGE_NAME_AUGMENTATION,
}
_STAGE_STATES: Mapping[v.StageState, task_pb2.StageState.ValueType] = {
    v.StageState.PENDING: task_pb2.STAGE_STATE_PENDING,
    v.StageState.RUNNING: task_pb2.STAGE_STATE_RUNNING,
    v.StageState.DONE: task_pb2.STAGE_STATE_DONE,
    v.StageState.SKIPPED: task_pb2.STAGE_STATE_SKIPPED,
    v.StageState.FAILED: task_pb2.STAGE_STATE_FAILED,
}
_KINDS_BACK = {number: kind for kind, number in _KINDS.items()}
_NETWORKS_BACK = {number: network for network, number in _NETWORKS.items()}


def acquire_request(
    announced: v.Announced, kinds: tuple[v.JobKind, ...], wait_s: float
) -> job_service_pb2.AcquireJobRequest:
    """The wish for a job."""
    request = job_service_pb2.AcquireJobRequest(
        worker=f"workers/{announced.name}",
        kinds=[_KINDS[kind] for kind in kinds],
        compute_resources=[f"computeResources/{announced.compute_resource}"],
        wait=_duration(wait_s),
        capacity=job_pb2.Amounts(
            gpus=announced.gpus, cpus=announced.cpus, memory_bytes=announced.memory_bytes
        ),
        version=announced.version,
        torch_version=announced.torch_version,
        device=announced.device,
    )
    request.start_time.FromDatetime(announced.start_time)
    return request


def lease_from(message: job_pb2.JobLease) -> v.Lease:
    """The lease with its work still in the contract's message."""
    return v.Lease(
        job=message.job,
        task=message.task,
        attempt=message.attempt,
        fencing_token=message.fencing_token,
        duration_s=message.duration.ToTimedelta().total_seconds(),
        kind=_KINDS_BACK[message.kind],
        work=getattr(message, message.WhichOneof("work") or "train"),
    )


def report_request(lease: v.Lease, report: v.Report) -> job_service_pb2.ReportJobRequest:
    """One heartbeat with all that it carries."""
    request = job_service_pb2.ReportJobRequest(
        job=lease.job,
        fencing_token=lease.fencing_token,
        phase=_PHASES[report.phase],
        stages=[_stage(stage) for stage in report.stages],
        loss_points=[_loss_points(points) for points in report.losses],
        logs=[
            job_pb2.LogLines(network=_NETWORKS[log.network], first_line=log.first_line, lines=log.lines)
            for log in report.logs
        ],
        validations=[
            job_pb2.ValidationReport(
                network=_NETWORKS[validation.network],
                point=task_pb2.ValidationPoint(iteration=validation.iteration, accuracy=validation.accuracy),
            )
            for validation in report.validations
        ],
        nonconforming_samples=[_nonconforming(sample) for sample in report.nonconforming],
    )
    if report.progress is not None:
        request.progress.CopyFrom(_progress(report.progress))
    if report.checkpoint is not None:
        request.checkpoint.CopyFrom(
            job_pb2.Checkpoint(
                sha256=report.checkpoint.sha256,
                next_iteration=report.checkpoint.next_iteration,
                network=_NETWORKS[report.checkpoint.network],
            )
        )
    return request


def answer_from(message: job_service_pb2.ReportJobResponse) -> v.ReportAnswer:
    """What the scheduler said to a report."""
    return v.ReportAnswer(
        cancel_requested=message.cancel_requested,
        positions=tuple(
            v.Position(_NETWORKS_BACK[position.network], position.next_iteration, position.next_line)
            for position in message.positions
            if position.network in _NETWORKS_BACK
        ),
    )


def finish_request(lease: v.Lease, outcome: v.Outcome) -> job_service_pb2.FinishJobRequest:
    """The end of a job."""
    request = job_service_pb2.FinishJobRequest(job=lease.job, fencing_token=lease.fencing_token)
    match outcome:
        case v.Trained():
            request.trained.weights_sha256 = outcome.weights_sha256
            request.trained.split_sha256 = outcome.split_sha256
        case v.Reported():
            request.reported.report = outcome.report
        case v.Packaged():
            package = request.packaged.package
            package.sha256, package.size_bytes = outcome.sha256, outcome.size_bytes
            package.abi_version, package.format_version = outcome.abi_version, outcome.format_version
        case v.Failed():
            request.failed.retryable = outcome.retryable
            request.failed.failure.CopyFrom(
                task_pb2.Failure(
                    code=outcome.code,
                    message=outcome.message,
                    message_zh=outcome.message_zh,
                    log_tail=outcome.log_tail,
                )
            )
        case v.Terminated():
            request.terminated.SetInParent()
    return request


def release_request(lease: v.Lease) -> job_service_pb2.ReleaseJobRequest:
    """The job given back."""
    return job_service_pb2.ReleaseJobRequest(job=lease.job, fencing_token=lease.fencing_token)


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(max(seconds, 0.0) * 1e9))
    return duration


def _stage(stage: v.Stage) -> task_pb2.Stage:
    return task_pb2.Stage(
        name=_STAGES[stage.name],
        state=_STAGE_STATES[stage.state],
        duration=_duration(stage.duration_s),
        sample_count=stage.sample_count,
        nonconforming_count=stage.nonconforming_count,
        train_count=stage.train_count,
        validation_count=stage.validation_count,
        contact_sheet_sha256=stage.contact_sheet_sha256,
    )


def _loss_points(points: v.LossPoints) -> job_pb2.LossPoints:
    message = job_pb2.LossPoints(
        network=_NETWORKS[points.network],
        first_iteration=points.first_iteration,
        losses=points.values,
    )
    message.step_time.FromDatetime(points.step_time)
    return message


def _nonconforming(sample: v.Nonconforming) -> task_pb2.NonconformingSample:
    return task_pb2.NonconformingSample(
        file=sample.file,
        data_path=sample.data_path,
        sha256=sample.sha256,
        reason=sample.reason,
        message=sample.message,
        width=sample.width,
        height=sample.height,
    )


def _progress(progress: v.Progress) -> task_pb2.Progress:
    message = task_pb2.Progress(
        fraction=progress.fraction,
        iteration=progress.iteration,
        max_iteration=progress.max_iteration,
        images_per_s=progress.images_per_s,
        learning_rate=progress.learning_rate,
        overall_fraction=progress.overall_fraction,
    )
    if progress.remaining_s is not None:
        message.remaining.CopyFrom(_duration(progress.remaining_s))
    if progress.remaining_low_s is not None:
        message.remaining_low.CopyFrom(_duration(progress.remaining_low_s))
    if progress.remaining_high_s is not None:
        message.remaining_high.CopyFrom(_duration(progress.remaining_high_s))
    return message
