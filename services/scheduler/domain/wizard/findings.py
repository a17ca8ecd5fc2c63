"""Findings of the wizard: errors refuse a submission, warnings do not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from loupe.errors import Violation
from loupe.translation import Sentence, sentence

# As a step's number: all steps.
ALL_STEPS = 0

# W4, P7: findings that refuse a submission until the user acknowledges them, and the field that does so.
ACKNOWLEDGED_WITH: Mapping[str, str] = {
    "UNACKNOWLEDGED_MISSING_TRAINING_PATHS": "acknowledge_missing_training_paths",
    "UNACKNOWLEDGED_TRAINING_OVERLAP": "acknowledge_training_overlap",
    "BANK_TRAINED_WITH": "exclude_training_overlap",
}

Spec = TypeVar("Spec")


@dataclass(frozen=True, slots=True)
class Examination(Generic[Spec]):
    """All findings by step, and the spec that the submission resolves to; None if a finding is an error."""

    by_step: Mapping[int, tuple[Violation, ...]]
    spec: Spec | None

    @property
    def findings(self) -> tuple[Violation, ...]:
        """Of all steps that were examined, in their order."""
        return tuple(one for findings in self.by_step.values() for one in findings)

    @property
    def errors(self) -> tuple[Violation, ...]:
        """The findings that refuse the submission."""
        return tuple(one for one in self.findings if one.severity == "error")


def not_found(field: str, name: str, kind: Sentence) -> Violation:
    """The error for a name of nothing that exists, or for no name."""
    if not name:
        return Violation(field, "NOT_FOUND", sentence("no {kind} is chosen", kind=kind))
    return Violation(field, "NOT_FOUND", sentence('there is no {kind} "{name}"', kind=kind, name=name[:200]))


def no_version(name: str, field: str = "model_version") -> Violation:
    """The error for a name of a version that does not exist, or of the latest where all are archived (R4)."""
    if not name.endswith("/versions/latest"):
        return not_found(field, name, sentence("model version"))
    told = sentence(
        "{name} leads to no version: there is no such model, or all its versions are archived; name a "
        "version itself, or restore one",
        name=name[:200],
    )
    return Violation(field, "NOT_FOUND", told)


def of_step(found: Mapping[int, Sequence[Violation]], step: int) -> dict[int, tuple[Violation, ...]]:
    """The findings of one step, or of all steps."""
    return {number: tuple(findings) for number, findings in found.items() if step in (ALL_STEPS, number)}


def has_error(by_step: Mapping[int, Sequence[Violation]]) -> bool:
    """Whether a finding refuses the submission."""
    return any(one.severity == "error" for findings in by_step.values() for one in findings)
