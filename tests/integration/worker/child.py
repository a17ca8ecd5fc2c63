"""A child that speaks the protocol and misbehaves as its order says: real ones rarely do.

The behaviour is the entry `behaviour` of the order's origin; `iterations` says how long it trains.
"""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from loupe.scheduler.v1 import job_pb2, job_service_pb2, task_pb2
from loupe.worker.v1 import event_pb2, order_pb2

from services.kit.child_process import ParentLink

NETWORK = task_pb2.NETWORK_CLASSIFICATION

link = ParentLink.from_environ()
folder = Path(tempfile.mkdtemp(prefix="child-"))


def emit(event: event_pb2.Event) -> None:
    link.emit(json_format.MessageToDict(event))


def losses(first: int, count: int) -> None:
    values = [float(n) for n in range(first, first + count)]
    points = job_pb2.LossPoints(network=NETWORK, first_iteration=first, losses=values)
    emit(event_pb2.Event(loss_points=points))


def progress(phase: task_pb2.Phase.ValueType) -> None:
    whole = task_pb2.Progress(fraction=1.0, remaining=Duration())
    emit(event_pb2.Event(progress=event_pb2.JobProgress(phase=phase, progress=whole)))


def checkpoint(iteration: int) -> None:
    path = folder / f"checkpoint-{iteration}"
    path.write_bytes(b"checkpoint %d" % iteration)
    message = job_pb2.Checkpoint(network=NETWORK, next_iteration=iteration)
    emit(event_pb2.Event(checkpoint=event_pb2.CheckpointFile(path=str(path), checkpoint=message)))


def preprocess() -> None:
    progress(task_pb2.PHASE_PREPROCESSING)
    split = task_pb2.Stage(
        name=task_pb2.STAGE_NAME_SPLIT,
        state=task_pb2.STAGE_STATE_DONE,
        duration=Duration(seconds=1),
        train_count=80,
        validation_count=20,
    )
    emit(event_pb2.Event(stage=event_pb2.StageReport(stage=split)))
    sheet = folder / "contact-sheet"
    sheet.write_bytes(b"contact sheet")
    augmentation = task_pb2.Stage(
        name=task_pb2.STAGE_NAME_AUGMENTATION,
        state=task_pb2.STAGE_STATE_DONE,
        duration=Duration(seconds=1),
    )
    report = event_pb2.StageReport(stage=augmentation, contact_sheet_path=str(sheet))
    emit(event_pb2.Event(stage=report))


def finished() -> None:
    weights, split = folder / "weights", folder / "split"
    weights.write_bytes(b"weights")
    split.write_bytes(b"split")
    trained = event_pb2.TrainingFinished(weights_path=str(weights), split_path=str(split))
    emit(event_pb2.Event(trained=trained))


def train(work: job_pb2.TrainWork) -> None:  # noqa: C901 -- a list of behaviours
    options = work.origin
    iterations = int(options.get("iterations", "100"))
    begin = work.resume.next_iteration
    preprocess()
    emit(event_pb2.Event(log=event_pb2.LogText(network=NETWORK, text=f"from {begin} in {os.getpid()}")))
    behaviour = options.get("behaviour", "train")
    if behaviour == "ignore-sigterm":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        losses(begin, 1)
        time.sleep(3600)
    if behaviour == "until-sigterm":
        done = [begin]

        def stop(*_: object) -> None:
            checkpoint(done[0])
            os._exit(143)

        signal.signal(signal.SIGTERM, stop)
        while True:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            losses(done[0], 5)
            done[0] += 5
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            time.sleep(0.02)
    if behaviour == "silent":
        time.sleep(3600)
    for first in range(begin, iterations, 50):
        losses(first, min(50, iterations - first))
        if behaviour == "checkpoint-and-die" and first == begin + 50:
            checkpoint(first + 50)
            losses(first + 50, 7)
            time.sleep(0.5)
            print("something is wrong", file=sys.stderr, flush=True)  # noqa: T201
            os.kill(os.getpid(), signal.SIGKILL)
        if behaviour == "gap":
            losses(first + 500, 1)
    if behaviour == "nonsense":
        link.emit({"noSuchEvent": {}})
    if behaviour == "user-fault":
        failure = task_pb2.Failure(
            code="NAN_LOSS", message="the loss is not a number", message_zh="loss 不是有效数字"
        )
        emit(event_pb2.Event(failed=job_service_pb2.FinishJobRequest.JobFailed(failure=failure)))
        return
    progress(task_pb2.PHASE_TRAINING)
    finished()


emit(event_pb2.Event(ready=event_pb2.Ready()))
for line in link.orders():
    train(json_format.ParseDict(line, order_pb2.Order()).train.work)
