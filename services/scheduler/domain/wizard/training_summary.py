"""What a training resolves to before it is submitted: the last page of the wizard (W14)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.scheduler.domain.amounts import Amounts
from services.scheduler.domain.job import JobKind, Network
from services.scheduler.domain.queue import WaitCause, wait_cause
from services.scheduler.domain.spec import TrainingSpec
from services.scheduler.domain.throughput import InputSize, MeasuredThroughput
from services.scheduler.domain.wizard.registry_data import CodeCount, CodeParts, RegistryData
from services.scheduler.domain.wizard.run_length import epochs, expected_sides, network_sides
from services.scheduler.domain.wizard.training_params import NetworkParams
from services.scheduler.domain.workers import KnownWorker, Presence

_LEVELS = {"classification": Network.CLASSIFICATION, "segmentation": Network.SEGMENTATION}


@dataclass(frozen=True, slots=True)
class CodeSamples:
    """The samples of a code over all data paths, and their expected sides."""

    code: str
    special: bool
    samples: int
    parts: int
    train: int
    validation: int
    masks: int


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """How one network will be trained, and how fast it was with the same resource."""

    network: Network
    # Empty for segmentation, whose network the user does not choose.
    name: str
    max_iter: int
    batch_size: int
    train: int
    epochs: float
    # Median of the latest trainings; 0 while none was measured.
    images_per_s: float
    measured: int
    # With which these were measured, where it is another input: images_per_s is scaled by its pixels.
    scaled_from: InputSize | None = None

    @property
    def estimated_s(self) -> float | None:
        """How long it takes; None while no training with a similar input was measured."""
        return self.max_iter * self.batch_size / self.images_per_s if self.images_per_s else None


@dataclass(frozen=True, slots=True)
class WorkersThere:
    """Which workers could do a kind of job of the task now."""

    kind: JobKind
    present: int
    free: int
    # None: one is free.
    cause: WaitCause | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSummary:
    """A training as it would be submitted."""

    spec: TrainingSpec
    codes: tuple[CodeSamples, ...]
    # Of codes that are not listed.
    unlisted: int
    # Samples by data path, in order.
    paths: tuple[tuple[str, int], ...]
    networks: tuple[NetworkPlan, ...]
    # Of each host, and how many hosts train together.
    takes: Amounts
    nodes: int
    workers: tuple[WorkersThere, ...]
    # Jobs of the resource that wait already.
    waiting: int

    @property
    def estimated_s(self) -> float | None:
        """How long training takes; None while one of the networks was not measured."""
        parts = [plan.estimated_s for plan in self.networks]
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None


def code_samples(spec: TrainingSpec, facts: RegistryData) -> tuple[CodeSamples, ...]:
    """The samples of each code of the list, in its order."""
    counts = facts.code_counts(spec.data_paths)
    found = []
    for index, code in enumerate(spec.code_list):
        count = counts.get(code, CodeCount(0))
        parts = facts.parts.get(code, CodeParts(count.samples)).count
        train, validation = expected_sides(count.samples, spec.preprocessing.train_fraction)
        special = index >= spec.num_of_classes
        found.append(CodeSamples(code, special, count.samples, parts, train, validation, count.masks))
    return tuple(found)


def network_plans(
    spec: TrainingSpec, facts: RegistryData, measured: Mapping[Network, MeasuredThroughput]
) -> tuple[NetworkPlan, ...]:
    """The networks in the order of training; `measured` has the images/s of earlier trainings."""
    counts = facts.code_counts(spec.data_paths)
    sides = network_sides(spec.code_list, spec.num_of_classes, counts, spec.preprocessing.train_fraction)
    size = InputSize.of(spec.input)
    plans = []
    for level, network in _LEVELS.items():
        if level not in spec.training_params:
            continue
        params = NetworkParams(**spec.training_params[level])
        known = measured.get(network)
        plans.append(
            NetworkPlan(
                network=network,
                name=spec.classification_network if network is Network.CLASSIFICATION else "",
                max_iter=params.max_iter,
                batch_size=params.batch_size,
                train=sides[level].train,
                epochs=epochs(params, sides[level].train),
                images_per_s=known.at(size) if known else 0.0,
                measured=len(known.images_per_s) if known else 0,
                scaled_from=known.size if known and known.size != size else None,
            )
        )
    return tuple(plans)


def workers_there(
    resource: str, kind: JobKind, takes: Amounts, workers: Iterable[tuple[KnownWorker, Presence]]
) -> WorkersThere:
    """Which of the workers could do a job of this kind now, and else what keeps it waiting (T4)."""
    there = [
        worker
        for worker, presence in workers
        if presence is not Presence.GONE
        and resource in worker.announced.compute_resources
        and kind in worker.announced.kinds
    ]
    serving = [worker for worker in there if worker.drain is None]
    free = sum(takes.within(worker.free) for worker in serving)
    fits = any(takes.within(worker.announced.capacity) for worker in serving)
    cause = None
    if not free:
        cause = wait_cause(served=bool(serving), fits=fits, recovering=False, drained=bool(there))
    return WorkersThere(kind, len(serving), free, cause)
