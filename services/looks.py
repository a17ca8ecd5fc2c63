"""Looks at the validation split during a training, and which one gave the weights (E4).

A value of the domains of scheduler, evaluator and registry, and of the trainer.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

MOST_LOOKS = 20
"""A training looks at the validation split so often at most; less often where a look takes long."""
SEGMENTATION_WINDOWS = 4
"""A look at an image with detail costs segmentation as much as so many of its windows."""


def look_interval(max_iter: int, batch_size: int, validation_inputs: int) -> int:
    """Iterations between looks: at most MOST_LOOKS in all, and never more than some 5 % of the time.

    A validation input costs about a third of a training input: forward only.
    """
    affordable = validation_inputs / 3 / (0.05 * batch_size)
    return max(1, -(-max_iter // MOST_LOOKS), round(affordable))


def look_count(max_iter: int, interval: int) -> int:
    """Looks of a training that does not end early; the last one is after its last iteration."""
    return -(-max_iter // interval)


def can_end_early(patience: int, looks: int) -> bool:
    """The first look is always the best so far, and the last one ends the training anyway."""
    return 0 < patience <= looks - 2


@dataclass(frozen=True, slots=True)
class NetworkLooks:
    """The looks at one network. The last one is after its last iteration."""

    max_iteration: int
    """After which the training ends, if not early."""
    look_count: int = 0
    best_iteration: int = 0
    """Iterations that the weights of the best look have; of equal looks the first. Where there is nothing to
    judge the network on, those of the last look."""
    best_score: float | None = None
    """Accuracy, or of segmentation IoU of any defect; None where there is nothing to judge it on."""
    last_iteration: int = 0
    last_score: float | None = None
    looks_since_best: int = 0

    def after(self, iteration: int, score: float | None) -> Self:
        """With one more look, after so many iterations."""
        looked = replace(self, look_count=self.look_count + 1, last_iteration=iteration, last_score=score)
        if score is None:
            return looked if self.best_score is not None else replace(looked, best_iteration=iteration)
        if self.best_score is None or score > self.best_score:
            return replace(looked, best_iteration=iteration, best_score=score, looks_since_best=0)
        return replace(looked, looks_since_best=self.looks_since_best + 1)

    @property
    def is_best(self) -> bool:
        """Whether the last look is the best one."""
        return self.best_iteration == self.last_iteration

    @property
    def is_possible(self) -> bool:
        """Whether its numbers do not contradict each other."""
        scores = [score for score in (self.best_score, self.last_score) if score is not None]
        return (
            0 <= self.best_iteration <= self.last_iteration <= self.max_iteration
            and 0 <= self.looks_since_best < max(self.look_count, 1)
            and all(0 <= score <= 1 for score in scores)
        )


@dataclass(frozen=True, slots=True)
class TrainingLooks:
    """The looks at the networks of a training; None: it was not trained, or before looks were kept."""

    classification: NetworkLooks | None = None
    segmentation: NetworkLooks | None = None

    def to_json(self) -> dict[str, Any]:
        """For `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self | None:
        """The value of `to_json`; None stays None."""
        if value is None:
            return None
        return cls(**{network: looks and NetworkLooks(**looks) for network, looks in value.items()})
