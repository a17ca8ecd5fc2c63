"""Requests of users, and the specs that tasks pin for ever (rule W12)."""

import enum
from dataclasses import dataclass, field
from typing import Any

from services.input_specification import InputSpecification


class Augmentation(enum.StrEnum):
    """W10."""

    COLOUR = "COLOUR"
    SCALE = "SCALE"
    FLIP = "FLIP"
    RANDOM = "RANDOM"


class PackageFormat(enum.StrEnum):
    """The formats of an export (X)."""

    CSOT_ARTIFACT = "CSOT_ARTIFACT"
    ONNX = "ONNX"


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """W10. `train_fraction` 0.8 means 80 % train, 20 % validation."""

    train_fraction: float = 0.8
    filter_resolution: bool = False
    augmentations: tuple[Augmentation, ...] = ()


@dataclass(frozen=True, slots=True)
class PinnedPath:
    """A data path's listing at the moment of submission."""

    data_path: str
    # `datasets/{dataset}/paths/{path}/snapshots/{sha256}`.
    snapshot: str
    sha256: str


@dataclass(frozen=True, slots=True)
class TrainingOverlap:
    """How much of a prediction's data its version was trained or validated with (P7)."""

    sample_count: int
    trained_sample_count: int
    trained_group_count: int
    # Samples that the version was trained with, or whose group it was trained with.
    affected_sample_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """The wizard's answers as the user gave them."""

    model_name: str = ""
    algorithm_image_version: str = ""
    production_environment: str = ""
    data_paths: tuple[str, ...] = ()
    compute_resource: str = ""
    model_params_json: str = ""
    training_params_json: str = ""
    # None: the user left it to the default.
    train_fraction: float | None = None
    filter_resolution: bool = False
    # Names as received; the wizard reports an unknown one as a finding.
    augmentations: tuple[str, ...] = ()
    train_segmentation: bool = False
    seed: int = 0
    parent_version: str = ""
    warm_start: bool = False
    acknowledge_missing_training_paths: bool = False
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRequest:
    """A run over labelled data or a question bank, as the user requested it (P1)."""

    model_version: str = ""
    # `tasks/{task}`, in place of a version (P8).
    training_task: str = ""
    data_paths: tuple[str, ...] = ()
    # `questionBanks/{bank}`, or one of its revisions, in place of data paths (P7).
    question_bank: str = ""
    compute_resource: str = ""
    batch_size: int = 0
    confidence_threshold: float = 0.0
    filter_resolution: bool = False
    classification_only: bool = False
    acknowledge_training_overlap: bool = False
    exclude_training_overlap: bool = False
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSpec:
    """A training task's answers, and the values that they resolved to."""

    model_name: str
    algorithm_image_version: str
    production_environment: str
    data_paths: tuple[str, ...]
    compute_resource: str
    model_params_json: str
    training_params_json: str
    preprocessing: Preprocessing
    train_segmentation: bool
    seed: int
    parent_version: str
    warm_start: bool
    acknowledge_missing_training_paths: bool

    segmentation_image: bool
    target_major: int
    input: InputSpecification
    classification_network: str
    code_list: tuple[str, ...]
    num_of_classes: int
    training_params: dict[str, Any] = field(hash=False)
    warm_start_weights_sha256: str = ""
    # The parent's split: its samples keep their sides (D3).
    prior_split_sha256: str = ""
    pinned: tuple[PinnedPath, ...] = ()

    @property
    def model_params(self) -> dict[str, Any]:
        """The model parameters (W3) as parsed and completed."""
        return {
            "classification": {
                "name": self.classification_network,
                "num_of_classes": self.num_of_classes,
            },
            "code_list": list(self.code_list),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionSpec:
    """A prediction task's request, and the values that it resolved to.

    It judges a version, whose name is never an alias, or a training that had none yet (P8).
    """

    model_version: str
    data_paths: tuple[str, ...]
    compute_resource: str
    batch_size: int
    confidence_threshold: float
    filter_resolution: bool

    production_environment: str
    weights_sha256: str
    code_list: tuple[str, ...]
    num_of_classes: int
    pinned: tuple[PinnedPath, ...] = ()
    classification_only: bool = False
    acknowledge_training_overlap: bool = False
    # Of the pinned data; None if it was not measured.
    training_overlap: TrainingOverlap | None = None
    # `questionBanks/{bank}/revisions/{number}`; empty: the data paths were named themselves.
    question_bank: str = ""
    # P7: only what the version was not trained with is pinned, and so many samples are left out.
    exclude_training_overlap: bool = False
    excluded_sample_count: int = 0
    # `tasks/{task}` and the id of its model; empty: a version is judged.
    training_task: str = ""
    training_model: str = ""

    @property
    def model_name(self) -> str:
        """The model that is judged."""
        return self.training_model or self.model_version.split("/")[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSpec:
    """An export task's version and format, with the values they resolved to. `model_version` is no alias."""

    model_version: str
    format: PackageFormat
    compute_resource: str
    production_environment: str
    weights_sha256: str

    @property
    def model_name(self) -> str:
        """The model whose version is packaged."""
        return self.model_version.split("/")[1]


@dataclass(frozen=True, slots=True)
class BankRunDue:
    """A training or a version that is still to be tested with the question banks of its environment (P8)."""

    # `tasks/{task}` or `models/{model}/versions/{version}`.
    judged: str
    # The training itself, or the one that the version was released from.
    task: str
    production_environment: str
    # Who submitted the training, or released the version.
    caller: str

    @property
    def after_training(self) -> bool:
        """Whether it is a training."""
        return self.judged == self.task


@dataclass(frozen=True, slots=True)
class BankToRun:
    """A question bank that new trainings or versions are tested with."""

    # `questionBanks/{bank}/revisions/{number}`.
    revision: str
    # Empty: that of the training.
    compute_resource: str

    @property
    def name(self) -> str:
        """`questionBanks/{bank}`."""
        return self.revision.partition("/revisions/")[0]


Spec = TrainingSpec | PredictionSpec | ExportSpec
