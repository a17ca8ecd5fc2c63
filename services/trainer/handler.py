"""TRAIN jobs of a trainer worker. No torch: it is loaded in the child (`services.trainer.child`)."""

from dataclasses import dataclass
from pathlib import Path

from loupe.scheduler.v1 import job_pb2
from loupe.worker.v1 import event_pb2, order_pb2

from services.worker.held_job import HeldJob
from services.worker.outcomes import Outcome

CHILD = "services.trainer.child"
"""The program of the child, of trainers and followers."""


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One TRAIN job."""

    order: order_pb2.Order

    async def prepare(self) -> None:
        """Nothing: the child does it all."""

    async def add_sample_results(self, batch: bytes, job: HeldJob) -> None:
        """Refuse them: a training has none."""
        del batch
        raise ValueError(f"{job.lease.job} is a training; it has no sample results")

    async def conclude(self, event: event_pb2.Event, job: HeldJob) -> Outcome:
        """Store split and weights; the outcome names both."""
        split_sha256 = await job.store("splits", Path(event.trained.split_path), ".jsonl")
        weights_sha256 = await job.store("weights", Path(event.trained.weights_path), ".safetensors")
        trained = Outcome.Trained(
            weights_sha256=weights_sha256,
            split_sha256=split_sha256,
            throughputs=event.trained.throughputs,
            looks=event.trained.looks if event.trained.HasField("looks") else None,
        )
        return Outcome(trained=trained)


class TrainerHandler:
    """Handles trainings."""

    kinds = (job_pb2.JOB_KIND_TRAIN,)

    def __init__(self, *, threads: int, checkpoint_interval_s: float) -> None:
        self._threads = threads
        self._checkpoint_interval_s = checkpoint_interval_s

    def start(self, lease: job_pb2.JobLease, folder: Path) -> TrainingRun:
        """The order of a TRAIN job; its files are in the child's own folder."""
        del folder
        if not lease.HasField("train"):
            raise ValueError(f"{lease.job} is no training")
        order = order_pb2.Order(
            task=lease.task,
            job=lease.job,
            attempt=lease.attempt,
            threads=self._threads,
            train=order_pb2.Train(work=lease.train, checkpoint_interval_s=self._checkpoint_interval_s),
        )
        return TrainingRun(order)
