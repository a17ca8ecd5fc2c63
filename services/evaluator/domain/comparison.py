"""What became of the samples that two reports have in common, and whether it is more than chance (P2)."""

import enum
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, lgamma, log

from services.evaluator.domain.errors import NotComparable
from services.evaluator.domain.report import Report, StoredSample, Verdict

SIGNIFICANCE = 0.05
LEAST_CHANGED = 6
"""Fewer changed samples prove nothing at SIGNIFICANCE, even if all went one way: 2 · 0.5⁵ is 0.0625."""


class Change(enum.IntEnum):
    """What became of a sample that both reports judged."""

    REGRESSED = 1
    FIXED = 2
    UNCHANGED_WRONG = 3
    UNCHANGED_RIGHT = 4

    @property
    def verdicts(self) -> tuple[Verdict, Verdict]:
        """In base and in candidate."""
        return _VERDICTS[self]


_VERDICTS = {
    Change.REGRESSED: (Verdict.CORRECT, Verdict.MISJUDGED),
    Change.FIXED: (Verdict.MISJUDGED, Verdict.CORRECT),
    Change.UNCHANGED_WRONG: (Verdict.MISJUDGED, Verdict.MISJUDGED),
    Change.UNCHANGED_RIGHT: (Verdict.CORRECT, Verdict.CORRECT),
}
_CHANGES = {verdicts: change for change, verdicts in _VERDICTS.items()}


class Conclusion(enum.IntEnum):
    """What the changes prove."""

    NO_DIFFERENCE_SHOWN = 1
    CANDIDATE_BETTER = 2
    BASE_BETTER = 3


@dataclass(frozen=True, slots=True)
class Changes:
    """How many samples changed, and how probable that is between equally good models."""

    fixed: int
    regressed: int
    unchanged_right: int
    unchanged_wrong: int
    p_value: float
    adjusted_p_value: float

    @property
    def conclusion(self) -> Conclusion:
        """Of the adjusted p-value."""
        if self.adjusted_p_value >= SIGNIFICANCE:
            return Conclusion.NO_DIFFERENCE_SHOWN
        return Conclusion.CANDIDATE_BETTER if self.fixed > self.regressed else Conclusion.BASE_BETTER

    def sentence(self) -> tuple[str, str]:
        """What it means, in English and Chinese."""
        changed, chance = self.fixed + self.regressed, _percent(self.adjusted_p_value)
        counts = f"{self.fixed} fixed against {self.regressed} regressed"
        counts_zh = f"修正 {self.fixed} 个、退步 {self.regressed} 个"
        if changed == 0:
            return "No sample changed between right and wrong.", "没有样本在判对与判错之间变化。"
        told, told_zh = {
            Conclusion.NO_DIFFERENCE_SHOWN: ("No difference is shown", "未显示差异"),
            Conclusion.CANDIDATE_BETTER: ("The candidate is better", "候选模型更好"),
            Conclusion.BASE_BETTER: ("The candidate is worse", "候选模型更差"),
        }[self.conclusion]
        why = f"of comparisons of equally good models, {chance} come out so uneven by chance"
        why_zh = f"两个同样好的模型相比，仅凭偶然出现这样悬殊结果的概率为 {chance}"
        if changed < LEAST_CHANGED:
            why = f"fewer than {LEAST_CHANGED} changed samples prove nothing, whichever way they went"
            why_zh = f"变化样本少于 {LEAST_CHANGED} 个时，无论方向如何都不能说明问题"
        return f"{told}: {counts}; {why}.", f"{told_zh}：{counts_zh}；{why_zh}。"


@dataclass(frozen=True, slots=True)
class Pair:
    """What two reports say of one sample; None where a report does not have it."""

    base: tuple[str, Verdict] | None
    """True code and verdict."""
    candidate: tuple[str, Verdict] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two reports side by side."""

    base: Report
    candidate: Report
    compared: int
    base_only: int
    candidate_only: int
    not_judged: int
    relabelled: int
    overall: Changes
    per_code: Mapping[str, Changes]
    """In the order of the candidate's codes, then those of the base alone."""

    @property
    def base_only_codes(self) -> tuple[str, ...]:
        """Codes that the candidate's list lacks."""
        return _beyond(self.base, self.candidate)

    @property
    def candidate_only_codes(self) -> tuple[str, ...]:
        """Codes that the base's list lacks."""
        return _beyond(self.candidate, self.base)


@dataclass(frozen=True, slots=True)
class ComparedSample:
    """One sample in both reports."""

    change: Change
    base: StoredSample
    candidate: StoredSample


@dataclass(frozen=True, slots=True)
class ComparedKey:
    """A sample's place in the list of compared ones."""

    change: Change
    rank: float
    """Minus the candidate's confidence."""
    file: str
    ordinal: int
    """In the candidate's report."""


def require_common_codes(base: Report, candidate: Report) -> None:
    """NotComparable if the two classifiers know no code in common."""
    known, other = (set(its.header.code_list[: its.header.num_of_classes]) for its in (base, candidate))
    if not known & other:
        raise NotComparable(
            f"{base.name} is of a model for {_some(known)}, {candidate.name} of one for {_some(other)}: "
            "they know no code in common, so neither can do better at the other's task",
            base=base.name,
            candidate=candidate.name,
        )


def compare(base: Report, candidate: Report, pairs: Iterable[tuple[Pair, int]]) -> Comparison:
    """Count what became of the samples; NotComparable if the reports have none in common."""
    apart: Counter[str] = Counter()
    changes: dict[str, Counter[Change]] = {
        code: Counter() for code in dict.fromkeys((*candidate.header.code_list, *base.header.code_list))
    }
    for pair, count in pairs:
        if pair.base is None or pair.candidate is None:
            apart["base" if pair.candidate is None else "candidate"] += count
            continue
        (code, before), (code_now, after) = pair.base, pair.candidate
        change = _CHANGES.get((before, after))
        if change is None:
            apart["not judged"] += count
        elif code != code_now:
            apart["relabelled"] += count
        else:
            changes[code][change] += count
    compared = sum(counted.total() for counted in changes.values())
    if compared == 0:
        raise NotComparable(
            f"{base.name} and {candidate.name} have judged no sample in common: {apart['base']} samples are "
            f"in the first alone, {apart['candidate']} in the second; predict one question bank with both",
            base=base.name,
            candidate=candidate.name,
        )
    p_values = {code: mcnemar_p(its[Change.FIXED], its[Change.REGRESSED]) for code, its in changes.items()}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    total: Counter[Change] = sum(changes.values(), Counter())
    overall_p = mcnemar_p(total[Change.FIXED], total[Change.REGRESSED])
    return Comparison(
        base=base,
        candidate=candidate,
        compared=compared,
        base_only=apart["base"],
        candidate_only=apart["candidate"],
        not_judged=apart["not judged"],
        relabelled=apart["relabelled"],
        overall=_changes(total, overall_p, overall_p),
        per_code={code: _changes(its, p_values[code], adjusted[code]) for code, its in changes.items()},
    )


def mcnemar_p(fixed: int, regressed: int) -> float:
    """McNemar's exact test, two-sided: the binomial probability of so uneven a split, or a more uneven one.

    Source: McNemar, Psychometrika 12 (1947) 153-157, with the binomial in place of the chi-squared.
    """
    if fixed == regressed:
        return 1.0
    changed, fewer = fixed + regressed, min(fixed, regressed)
    # The tail from its greatest term down, in units of that term, until nothing is added any more.
    term = tail = 1.0
    for successes in range(fewer, 0, -1):
        term *= successes / (changed - successes + 1)
        tail += term
        if term < tail * 1e-17:
            break
    greatest = lgamma(changed + 1) - lgamma(fewer + 1) - lgamma(changed - fewer + 1) - changed * log(2)
    return min(1.0, 2 * exp(greatest) * tail)


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value corrected for having made all these tests.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.
    """
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _changes(counted: Counter[Change], p_value: float, adjusted: float) -> Changes:
    return Changes(
        fixed=counted[Change.FIXED],
        regressed=counted[Change.REGRESSED],
        unchanged_right=counted[Change.UNCHANGED_RIGHT],
        unchanged_wrong=counted[Change.UNCHANGED_WRONG],
        p_value=p_value,
        adjusted_p_value=adjusted,
    )


def _beyond(report: Report, other: Report) -> tuple[str, ...]:
    return tuple(code for code in report.header.code_list if code not in other.header.code_list)


def _some(codes: set[str]) -> str:
    shown = ", ".join(sorted(codes)[:5])
    return shown if len(codes) <= 5 else f"{shown} and {len(codes) - 5} more"


def _percent(share: float) -> str:
    return "<0.01 %" if share < 1e-4 else f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
