"""What the scheduler asks of the registry."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.spec import (
    ExportSpec,
    PinnedPath,
    PredictionRequest,
    TrainingOverlap,
    TrainingRequest,
)
from services.scheduler.domain.task import Task
from services.scheduler.domain.wizard.summary import Facts
from services.scheduler.domain.work import Packaged


class Library(Protocol):
    """The registry, in the scheduler's words. Unavailable where it is away."""

    async def training_facts(self, request: TrainingRequest) -> Facts:
        """What it knows about all that a training names."""
        ...

    async def prediction_facts(self, request: PredictionRequest) -> Facts:
        """What it knows about all that a prediction names."""
        ...

    async def training_overlap(self, model_version: str, data: Sequence[str]) -> TrainingOverlap | None:
        """How much of data paths or snapshots the version was trained with (P7); None if it cannot tell."""
        ...

    async def part_counts(self, data_paths: Sequence[str], codes: Sequence[str]) -> Mapping[str, int]:
        """How many parts the samples of each code make, over all these paths together (D3, D9)."""
        ...

    async def pin(self, data_path: str) -> PinnedPath:
        """Pin the path's present listing for ever (W12)."""
        ...

    async def amounts(self, compute_resource: str) -> Amounts:
        """What a task takes of the resource as it is now (W7)."""
        ...

    async def number(self, task: Task, releaser: str) -> str:
        """The version of a released task; the same for every call (R1)."""
        ...

    async def record_package(self, spec: ExportSpec, package: Packaged) -> None:
        """Name a stored package of a version; one that is named already stays (X)."""
        ...
