"""The versions that were tested with one revision of a question bank, ranked (P8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from loupe.translation import Sentence, sentence

from services.evaluator.domain.comparison import Changes
from services.evaluator.domain.metrics import MeasuredReport
from services.evaluator.domain.significance import holm

MAX_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class BankRevision:
    """A revision of a question bank, and the production environment of the bank."""

    name: str
    production_environment: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A version with its newest report over the revision."""

    rank: int
    measured: MeasuredReport
    in_production: bool
    compared_with: str = ""
    """The version in production; empty if there is none, and for itself."""
    outcome: Changes | Sentence | None = None
    """The comparison with that version, or why there is none; None for a version in production."""

    @property
    def version(self) -> str:
        """`models/{model}/versions/{version}`."""
        return self.measured.report.header.model_version


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The entries, best first."""

    revision: BankRevision
    entries: tuple[Entry, ...]
    left_out: int
    """Versions with older reports, beyond MAX_ENTRIES."""


def model_of(version: str) -> str:
    """`models/{model}` of a version's name."""
    return version.partition("/versions/")[0]


def ranked(reports: Sequence[MeasuredReport], in_production: Mapping[str, str]) -> tuple[Entry, ...]:
    """The entries in their order, each with the version to compare with.

    `in_production`: of each model of the environment that has one, the version with the alias `production`.
    """
    ordered = sorted(reports, key=lambda one: one.report.header.model_version)
    ordered.sort(key=_accuracy, reverse=True)
    return tuple(_entry(measured, ordered, in_production) for measured in ordered)


def adjusted(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries with p-values that are corrected for having compared all of them."""
    compared = [entry.outcome for entry in entries if isinstance(entry.outcome, Changes)]
    corrected = iter(holm([changes.p_value for changes in compared]))
    return tuple(
        replace(entry, outcome=replace(entry.outcome, adjusted_p_value=next(corrected)))
        if isinstance(entry.outcome, Changes)
        else entry
        for entry in entries
    )


def _entry(
    measured: MeasuredReport, ordered: Sequence[MeasuredReport], in_production: Mapping[str, str]
) -> Entry:
    version = measured.report.header.model_version
    rank = 1 + sum(_accuracy(other) > _accuracy(measured) for other in ordered)
    if version in in_production.values():
        return Entry(rank, measured, in_production=True)
    others = set(in_production.values())
    base = in_production.get(model_of(version)) or (others.pop() if len(others) == 1 else "")
    if base:
        return Entry(rank, measured, in_production=False, compared_with=base)
    if others:
        why = sentence(
            "its model has no version in production, and other models of the environment have several"
        )
    else:
        why = sentence("no version has the alias production in the environment of the bank")
    return Entry(rank, measured, in_production=False, outcome=why)


def _accuracy(measured: MeasuredReport) -> float:
    # A report whose samples are all nonconforming comes last.
    return -1.0 if measured.metrics.accuracy is None else measured.metrics.accuracy
