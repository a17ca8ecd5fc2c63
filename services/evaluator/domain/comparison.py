"""Two reports compared over the samples that they have in common (P2)."""

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loupe.translation import Sentence, sentence

from services.evaluator.domain.errors import NotComparable
from services.evaluator.domain.report import EvaluationReport, StoredSample, Verdict
from services.evaluator.domain.significance import holm, mcnemar_p

SIGNIFICANCE = 0.05
MIN_CHANGED = 6
"""Fewer changed samples are never significant, even if all changed in one direction: 2 · 0.5⁵ = 0.0625."""


class Change(enum.IntEnum):
    """How the verdicts of a sample differ between base and candidate."""

    REGRESSED = 1
    FIXED = 2
    UNCHANGED_WRONG = 3
    UNCHANGED_RIGHT = 4

    @property
    def verdicts(self) -> tuple[Verdict, Verdict]:
        """The verdict in the base and in the candidate."""
        return _VERDICTS[self]


_VERDICTS = {
    Change.REGRESSED: (Verdict.CORRECT, Verdict.MISJUDGED),
    Change.FIXED: (Verdict.MISJUDGED, Verdict.CORRECT),
    Change.UNCHANGED_WRONG: (Verdict.MISJUDGED, Verdict.MISJUDGED),
    Change.UNCHANGED_RIGHT: (Verdict.CORRECT, Verdict.CORRECT),
}
_CHANGES = {verdicts: change for change, verdicts in _VERDICTS.items()}


class Conclusion(enum.IntEnum):
    """Which model is better, if the difference is significant."""

    NO_DIFFERENCE_SHOWN = 1
    CANDIDATE_BETTER = 2
    BASE_BETTER = 3


@dataclass(frozen=True, slots=True)
class Changes:
    """How many samples changed, and how probable so uneven a split is between equally good models."""

    fixed: int
    regressed: int
    unchanged_right: int
    unchanged_wrong: int
    p_value: float
    adjusted_p_value: float
    """Corrected for having tested several codes."""

    @property
    def conclusion(self) -> Conclusion:
        """The conclusion from the adjusted p-value."""
        if self.adjusted_p_value >= SIGNIFICANCE:
            return Conclusion.NO_DIFFERENCE_SHOWN
        return Conclusion.CANDIDATE_BETTER if self.fixed > self.regressed else Conclusion.BASE_BETTER

    def sentence(self) -> Sentence:
        """The conclusion as a sentence, in English and Chinese."""
        changed = self.fixed + self.regressed
        if changed == 0:
            return sentence("No sample changed between right and wrong.")
        verdict = {
            Conclusion.NO_DIFFERENCE_SHOWN: sentence("No difference is shown"),
            Conclusion.CANDIDATE_BETTER: sentence("The candidate is better"),
            Conclusion.BASE_BETTER: sentence("The candidate is worse"),
        }[self.conclusion]
        if changed < MIN_CHANGED:
            why = sentence(
                "fewer than {count} changed samples prove nothing, whichever way they went", count=MIN_CHANGED
            )
        else:
            why = sentence(
                "of comparisons of equally good models, {share} come out so uneven by chance",
                share=_percent(self.adjusted_p_value),
            )
        return sentence(
            "{verdict}: {fixed} fixed against {regressed} regressed; {why}.",
            verdict=verdict,
            fixed=self.fixed,
            regressed=self.regressed,
            why=why,
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """True code and verdict of one sample in two reports; None where a report does not have the sample."""

    base: tuple[str, Verdict] | None
    candidate: tuple[str, Verdict] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The counts of two reports over their common samples."""

    base: EvaluationReport
    candidate: EvaluationReport
    compared: int
    """Samples that both reports judged under one true code; the following counts are of the others."""
    base_only: int
    candidate_only: int
    not_judged: int
    """Nonconforming in at least one report."""
    relabelled: int
    """The reports have different true codes."""
    overall: Changes
    per_code: Mapping[str, Changes]
    """The codes of the candidate in its order, then those of the base alone."""

    @property
    def base_only_codes(self) -> tuple[str, ...]:
        """Codes of the base that the candidate does not have."""
        return _codes_only_in(self.base, self.candidate)

    @property
    def candidate_only_codes(self) -> tuple[str, ...]:
        """Codes of the candidate that the base does not have."""
        return _codes_only_in(self.candidate, self.base)


@dataclass(frozen=True, slots=True)
class ComparedSample:
    """One sample as both reports have it."""

    change: Change
    base: StoredSample
    candidate: StoredSample


@dataclass(frozen=True, slots=True)
class ComparedKey:
    """The key of a sample in the list of compared samples."""

    change: Change
    rank: float
    """The negative of the confidence in the candidate."""
    file: str
    ordinal: int
    """In the candidate."""


def require_common_codes(base: EvaluationReport, candidate: EvaluationReport) -> None:
    """NotComparable if the classifiers of the two models have no code in common."""
    base_codes, candidate_codes = set(base.header.classes), set(candidate.header.classes)
    if not base_codes & candidate_codes:
        raise NotComparable(
            f"{base.name} is of a model for {_some(base_codes)}, "
            f"{candidate.name} of one for {_some(candidate_codes)}: "
            "they know no code in common, so neither can do better at the other's task",
            base=base.name,
            candidate=candidate.name,
        )


def compare(
    base: EvaluationReport, candidate: EvaluationReport, pairs: Iterable[tuple[Pair, int]]
) -> Comparison:
    """Count the samples by how their verdicts changed; NotComparable if no sample was judged in both."""
    excluded: Counter[str] = Counter()
    changes: dict[str, Counter[Change]] = {
        code: Counter() for code in dict.fromkeys((*candidate.header.code_list, *base.header.code_list))
    }
    for pair, count in pairs:
        if pair.base is None or pair.candidate is None:
            excluded["base only" if pair.candidate is None else "candidate only"] += count
            continue
        (base_code, base_verdict), (candidate_code, candidate_verdict) = pair.base, pair.candidate
        change = _CHANGES.get((base_verdict, candidate_verdict))
        if change is None:
            excluded["not judged"] += count
        elif base_code != candidate_code:
            excluded["relabelled"] += count
        else:
            changes[base_code][change] += count
    compared = sum(counted.total() for counted in changes.values())
    if compared == 0:
        raise NotComparable(
            f"{base.name} and {candidate.name} have judged no sample in common: "
            f"{excluded['base only']} samples are in the first alone, "
            f"{excluded['candidate only']} in the second; predict one question bank with both",
            base=base.name,
            candidate=candidate.name,
        )
    p_values = {code: _p_value(counted) for code, counted in changes.items()}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    total: Counter[Change] = sum(changes.values(), Counter())
    overall_p = _p_value(total)
    return Comparison(
        base=base,
        candidate=candidate,
        compared=compared,
        base_only=excluded["base only"],
        candidate_only=excluded["candidate only"],
        not_judged=excluded["not judged"],
        relabelled=excluded["relabelled"],
        overall=_changes(total, overall_p, overall_p),
        per_code={
            code: _changes(counted, p_values[code], adjusted[code]) for code, counted in changes.items()
        },
    )


def _p_value(counted: Counter[Change]) -> float:
    return mcnemar_p(counted[Change.FIXED], counted[Change.REGRESSED])


def _changes(counted: Counter[Change], p_value: float, adjusted: float) -> Changes:
    return Changes(
        fixed=counted[Change.FIXED],
        regressed=counted[Change.REGRESSED],
        unchanged_right=counted[Change.UNCHANGED_RIGHT],
        unchanged_wrong=counted[Change.UNCHANGED_WRONG],
        p_value=p_value,
        adjusted_p_value=adjusted,
    )


def _codes_only_in(report: EvaluationReport, other: EvaluationReport) -> tuple[str, ...]:
    return tuple(code for code in report.header.code_list if code not in other.header.code_list)


def _some(codes: set[str]) -> str:
    shown = ", ".join(sorted(codes)[:5])
    return shown if len(codes) <= 5 else f"{shown} and {len(codes) - 5} more"


def _percent(share: float) -> str:
    return "<0.01 %" if share < 1e-4 else f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
