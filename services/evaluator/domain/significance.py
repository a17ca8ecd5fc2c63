"""Significance of a difference between two models on the same samples (P2)."""

from collections.abc import Sequence
from math import exp, lgamma, log


def mcnemar_p(fixed: int, regressed: int) -> float:
    """McNemar's exact test, two-sided: the binomial probability of a split at least as uneven.

    Source: McNemar, Psychometrika 12 (1947) 153-157, with the binomial in place of the chi-squared.
    """
    if fixed == regressed:
        return 1.0
    changed, fewer = fixed + regressed, min(fixed, regressed)
    # Sum the tail from its greatest term down, in units of that term, until terms no longer change the sum.
    term = tail = 1.0
    for successes in range(fewer, 0, -1):
        term *= successes / (changed - successes + 1)
        tail += term
        if term < tail * 1e-17:
            break
    greatest = lgamma(changed + 1) - lgamma(fewer + 1) - lgamma(changed - fewer + 1) - changed * log(2)
    return min(1.0, 2 * exp(greatest) * tail)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for multiple tests.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.
    """
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
