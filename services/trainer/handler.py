"""What a trainer makes of a TRAIN job. No torch: that is its child's (`services.trainer.child`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loupe.scheduler.v1 import job_pb2

from services.trainer import wire
from services.worker.held_job import JobInHand
from services.worker.values import JobKind, Lease, Network, Outcome, Trained


@dataclass(frozen=True, slots=True)
class Training:
    """One TRAIN job."""

    order: Mapping[str, Any]
    data_paths: Mapping[str, str]
    max_iterations: Mapping[Network, int]

    async def hear(self, event: Mapping[str, Any], job: JobInHand) -> bool:
        """All events of a training are common ones."""
        del event, job
        return False

    async def conclude(self, event: Mapping[str, Any], job: JobInHand) -> Outcome:
        """Store weights and split; only then are they named."""
        split_sha256 = await job.store("splits", Path(event["split_path"]), ".jsonl")
        weights_sha256 = await job.store("weights", Path(event["weights_path"]), ".safetensors")
        return Trained(weights_sha256=weights_sha256, split_sha256=split_sha256)


class TrainerCraft:
    """Trains."""

    kinds = (JobKind.TRAIN,)

    def __init__(self, *, threads: int, checkpoint_interval_s: float) -> None:
        self._threads = threads
        self._checkpoint_interval_s = checkpoint_interval_s

    def assign(self, lease: Lease, folder: Path) -> Training:
        """The order of a TRAIN job; its files are in the child's own folder."""
        del folder
        work = lease.work
        if not isinstance(work, job_pb2.TrainWork):
            raise TypeError(f"{lease.job} is no training")
        return Training(
            order={
                "order": "train",
                "work": {
                    "task": lease.task,
                    "attempt": lease.attempt,
                    "job": lease.job,
                    "threads": self._threads,
                    "checkpoint_interval_s": self._checkpoint_interval_s,
                    **wire.train_work(work),
                },
            },
            data_paths=wire.data_paths(work),
            max_iterations=wire.max_iterations(work),
        )
