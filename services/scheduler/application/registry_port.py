"""The port to the registry."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.scheduler.domain.amounts import ComputeResource
from services.scheduler.domain.spec import (
    BankToRun,
    ExportSpec,
    PinnedPath,
    PredictionRequest,
    TrainingOverlap,
    TrainingRequest,
)
from services.scheduler.domain.task import Task
from services.scheduler.domain.wizard.registry_data import CodeParts, Judged, RegistryData
from services.scheduler.domain.work import Packaged


class RegistryPort(Protocol):
    """The registry as the use cases need it. Unavailable if the registry cannot be reached."""

    async def training_facts(self, request: TrainingRequest) -> RegistryData:
        """The registry's data about everything that a training request names."""
        ...

    async def prediction_facts(self, request: PredictionRequest, judged: Judged) -> RegistryData:
        """The registry's data about everything that a prediction request names, and what it judges."""
        ...

    async def training_overlap(self, judged: Judged, data: Sequence[str]) -> TrainingOverlap | None:
        """How much of the data paths or snapshots the weights were trained with (P7); None if unknown."""
        ...

    async def exclude_training_overlap(
        self, judged: Judged, snapshots: Sequence[str]
    ) -> tuple[tuple[PinnedPath, ...], TrainingOverlap]:
        """Pin what is left of the snapshots without what the weights were trained with (P7).

        Also returns the overlap of the snapshots themselves.
        """
        ...

    async def banks_to_run(self, environment: str, *, after_training: bool) -> Sequence[BankToRun]:
        """The question banks of an environment that run after each training, or each release (P8)."""
        ...

    async def bank_paths(self, bank: str) -> Sequence[str]:
        """The data paths of a question bank's current revision, or the named one; NotFound (P7)."""
        ...

    async def part_counts(self, data_paths: Sequence[str], codes: Sequence[str]) -> Mapping[str, CodeParts]:
        """The parts that a split cannot divide, by code, over all these data paths (D3, D9)."""
        ...

    async def pin(self, data_path: str) -> PinnedPath:
        """Pin the data path's current listing for ever (W12)."""
        ...

    async def resource(self, compute_resource: str) -> ComputeResource:
        """What a task takes of the compute resource, as it is defined now (W7)."""
        ...

    async def compute_resources(self) -> Sequence[str]:
        """The names of all compute resources that are defined now (W7)."""
        ...

    async def number(self, task: Task, releaser: str) -> str:
        """The model version of a released task; the same for every call (R1)."""
        ...

    async def record_package(self, spec: ExportSpec, package: Packaged) -> None:
        """Record a stored package of a version; one that is recorded already stays (X)."""
        ...
