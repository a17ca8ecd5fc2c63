"""Progress of a task: phases, stages, and the fraction that a list shows as a bar (rules T3, M1, M2)."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


class Phase(enum.StrEnum):
    """Where inside TRAINING, PREDICTING or PACKAGING a task is."""

    PREPROCESSING = "PREPROCESSING"
    TRAINING = "TRAINING"
    EVALUATING = "EVALUATING"
    PREDICTING = "PREDICTING"
    PACKAGING = "PACKAGING"


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of the current phase, as the worker reported it. Remaining times are None while unknown."""

    fraction: float = 0.0
    iteration: int = 0
    max_iteration: int = 0
    images_per_s: float = 0.0
    learning_rate: float = 0.0
    remaining_s: float | None = None
    remaining_low_s: float | None = None
    remaining_high_s: float | None = None


class StageName(enum.StrEnum):
    """The three preprocessing stages, in order (M1)."""

    RESOLUTION_FILTER = "RESOLUTION_FILTER"
    SPLIT = "SPLIT"
    AUGMENTATION = "AUGMENTATION"


class StageState(enum.StrEnum):
    """SKIPPED: the user did not choose this stage."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Stage:
    """One preprocessing stage."""

    name: StageName
    state: StageState
    duration_s: float | None = None
    sample_count: int = 0
    nonconforming_count: int = 0
    train_count: int = 0
    validation_count: int = 0
    contact_sheet_sha256: str = ""
    """Of stage AUGMENTATION: the stored contact sheet; empty while there is none."""


# Share of the whole task at which a phase begins and ends. Training takes nearly all of the time. The other
# shares let the bar move while a pack is built, and keep it below 100 % while the report is made.
_SPANS: Mapping[Phase, tuple[float, float]] = {
    Phase.PREPROCESSING: (0.0, 0.05),
    Phase.TRAINING: (0.05, 0.95),
    Phase.EVALUATING: (0.95, 1.0),
    Phase.PREDICTING: (0.0, 1.0),
    Phase.PACKAGING: (0.0, 1.0),
}


def overall_fraction(phase: Phase | None, fraction: float) -> float:
    """The fraction of the whole task that is done, from the fraction of its current phase."""
    if phase is None:
        return 0.0
    begin, end = _SPANS[phase]
    return begin + (end - begin) * min(1.0, max(0.0, fraction))


def merged(stages: Iterable[Stage], changed: Iterable[Stage]) -> tuple[Stage, ...]:
    """The stages with the changed ones replaced, in their order. All three, or none if none was reported."""
    by_name = {stage.name: stage for stage in (*stages, *changed)}
    if not by_name:
        return ()
    return tuple(by_name.get(name, Stage(name, StageState.PENDING)) for name in StageName)
