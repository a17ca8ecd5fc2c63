"""TRAIN jobs of a trainer's worker, without the child."""

from pathlib import Path
from typing import Any

from loupe.registry.v1 import model_pb2
from loupe.scheduler.v1 import job_pb2, task_pb2
from loupe.worker.v1 import event_pb2, order_pb2

from services.trainer.handler import TrainingRun


class HeldJobDouble:
    """Stores nothing, and answers with what it was given."""

    async def store(self, folder: str, path: Path, suffix: str) -> str:
        return f"{folder}/{path.name}{suffix}"


async def test_the_outcome_names_the_files_and_how_fast_the_networks_were_trained() -> None:
    """W14: the scheduler estimates later trainings from it. E4: it shows of which look the weights are."""
    throughput = job_pb2.Throughput(network=task_pb2.NETWORK_SEGMENTATION, images_per_s=12.5)
    looks = model_pb2.TrainingLooks(
        classification=model_pb2.NetworkLooks(max_iteration=40, best_iteration=30)
    )
    finished = event_pb2.TrainingFinished(
        weights_path="w", split_path="s", throughputs=[throughput], looks=looks
    )
    job: Any = HeldJobDouble()
    outcome = await TrainingRun(order_pb2.Order()).conclude(event_pb2.Event(trained=finished), job)
    assert outcome.trained.weights_sha256 == "weights/w.safetensors"
    assert outcome.trained.split_sha256 == "splits/s.jsonl"
    assert list(outcome.trained.throughputs) == [throughput]
    assert outcome.trained.looks == looks  # E4
