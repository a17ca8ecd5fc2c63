"""The registry's data about the things that a submission names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from services.input_specification import InputSpecification
from services.scheduler.domain.spec import PinnedPath, TrainingOverlap
from services.scheduler.domain.task import Task


@dataclass(frozen=True, slots=True)
class CodeCount:
    """How many samples a code has, and how many of them have a mask."""

    samples: int
    masks: int = 0


@dataclass(frozen=True, slots=True)
class DataPathFacts:
    """A data path as the registry knows it."""

    valid: bool
    codes: Mapping[str, CodeCount] = field(default_factory=dict)
    # `questionBanks/{bank}` that are tested with it now (P7).
    banks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmImageFacts:
    """An image version as the registry knows it."""

    major: int
    input: InputSpecification
    classification_networks: tuple[str, ...]
    default_model_params: Mapping[str, Any] = field(default_factory=dict)
    default_training_params: Mapping[str, Any] = field(default_factory=dict)
    training_paths: tuple[str, ...] = ()
    # W2: bound to one production environment, parameters fixed.
    business: bool = False
    production_environment: str = ""
    segmentation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionFacts:
    """A released version as the registry knows it, or what a training would be released as (P8)."""

    # Exact even if an alias was asked for; empty: of a training.
    name: str
    code_list: tuple[str, ...]
    num_of_classes: int
    weights_sha256: str
    # `tasks/{task}` that it was released from.
    task: str = ""
    algorithm_image_version: str = ""
    production_environment: str = ""
    # Of a parent: all data paths that versions of its model are bound to (W6), its own first.
    data_paths: tuple[str, ...] = ()
    model_params: Mapping[str, Any] = field(default_factory=dict)
    training_params: Mapping[str, Any] = field(default_factory=dict)
    archived: bool = False

    @property
    def model_name(self) -> str:
        """The id of its model."""
        return self.name.split("/")[1]


Judged = str | Task
"""What a prediction judges: a version's name, or a training that has no version (P8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankFacts:
    """A revision of a question bank as the registry knows it."""

    # `questionBanks/{bank}/revisions/{number}`.
    revision: str
    production_environment: str
    archived: bool
    pinned: tuple[PinnedPath, ...]
    codes: Mapping[str, CodeCount]

    @property
    def name(self) -> str:
        """`questionBanks/{bank}`."""
        return self.revision.partition("/revisions/")[0]


@dataclass(frozen=True, slots=True)
class CodeParts:
    """How the samples of a code can be split (D3)."""

    # Parts, which are not divided.
    count: int
    # Codes, this one among them, that no split can give both sides each (D9).
    tied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryData:
    """Data about everything that a submission names. None or False: it does not exist.

    `prior_split_sha256`, `name_taken` and `training` are the scheduler's own.
    """

    image: AlgorithmImageFacts | None = None
    environment_exists: bool = False
    resource_exists: bool = False
    paths: Mapping[str, DataPathFacts | None] = field(default_factory=dict)
    # Those that do not exist because they are in the bin (D8).
    deleted_paths: frozenset[str] = frozenset()
    # By code, over all paths together.
    parts: Mapping[str, CodeParts] = field(default_factory=dict)
    # The parent (W6), or what a prediction judges (P1, P8).
    version: ModelVersionFacts | None = None
    # The split of the parent: its samples keep their sides (D3).
    prior_split_sha256: str = ""
    # How much of a prediction's data its version was trained with (P7).
    training_overlap: TrainingOverlap | None = None
    # The question bank that a prediction names (P7).
    bank: BankFacts | None = None
    # The task that a prediction names in place of a version (P8).
    training: Task | None = None
    name_taken: bool = False

    def banks_of(self, data_path: str) -> tuple[str, ...]:
        """The question banks that are tested with a data path; no training takes it then (P7)."""
        known = self.paths.get(data_path)
        return known.banks if known else ()

    def code_counts(self, data_paths: Iterable[str]) -> dict[str, CodeCount]:
        """Samples and masks by code, over these data paths together; codes without samples are left out."""
        total: dict[str, CodeCount] = {}
        for path in dict.fromkeys(data_paths):
            known = self.paths.get(path)
            for code, count in (known.codes if known else {}).items():
                before = total.get(code, CodeCount(0))
                total[code] = replace(
                    before, samples=before.samples + count.samples, masks=before.masks + count.masks
                )
        return {code: count for code, count in total.items() if count.samples}
