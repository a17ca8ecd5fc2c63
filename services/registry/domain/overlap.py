"""Overlap of data with the training data of a version (P7)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from loupe.errors import Violation
from loupe.translation import sentence

MAX_COMPARED = 500


@dataclass(frozen=True, slots=True)
class TrainingOverlap:
    """How many samples of some data, or of their groups, a version was trained or validated with."""

    sample_count: int
    trained_sample_count: int
    trained_group_count: int
    affected_sample_count: int
    """Samples that were in the training data, or whose group was."""


@dataclass(slots=True)
class Listings:
    """Samples to compare: pinned listings by the hash of their manifest, present ones by dataset and path."""

    manifests: set[str] = field(default_factory=set)
    paths: set[tuple[str, str]] = field(default_factory=set)


def compared_faults(data: Sequence[str]) -> list[Violation]:
    """What is wrong with a list of data to compare."""
    if len(data) <= MAX_COMPARED:
        return []
    return [
        Violation(
            "data",
            "TOO_MANY",
            sentence(
                "{count} data paths and snapshots; send at most {limit} a call",
                count=len(data),
                limit=MAX_COMPARED,
            ),
        )
    ]
