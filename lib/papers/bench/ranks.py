"""Mean ranks of methods over corpora, and which of them can be told apart (Demšar, "Statistical comparisons of
classifiers over multiple data sets", JMLR 2006)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

ALPHA = 0.05
FEWEST_CORPORA, FEWEST_METHODS = 10, 5
"""Above so many the chi-square distribution holds for Friedman's statistic (Demšar, section 3.2.2)."""


@dataclass(frozen=True)
class Ranking:
    """`mean_ranks` by method, best first (1 is best, equal scores share the mean of their ranks), over `corpora`.

    `p` is Friedman's, NaN for fewer than three methods or two corpora, or where all scores are equal. `least_p` is the
    smallest that so few can give: that of corpora which all rank the methods alike. `difference` is Nemenyi's critical
    difference at 5 %, NaN for fewer than two corpora or methods.
    """

    mean_ranks: Mapping[str, float]
    corpora: tuple[str, ...]
    p: float
    least_p: float
    difference: float

    @property
    def decidable(self) -> bool:
        """Whether the test could ever reach 5 %."""
        return self.least_p < ALPHA

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """The largest sets of methods whose mean ranks differ by less than the critical difference, best first."""
        names, ranks = list(self.mean_ranks), list(self.mean_ranks.values())
        found: list[tuple[str, ...]] = []
        for start, rank in enumerate(ranks):
            mine = tuple(
                name for name, other in zip(names[start:], ranks[start:], strict=True) if other - rank < self.difference
            )
            if len(mine) > 1 and not (found and mine[-1] == found[-1][-1]):
                found.append(mine)
        return found


def ranking(scores: pd.DataFrame) -> Ranking:
    """Of `scores`, methods (rows) by corpora (columns), where more is better and none is missing."""
    from scipy import stats

    methods, corpora = scores.shape
    ranks = stats.rankdata(-scores.to_numpy(np.float64), axis=0)
    means = pd.Series(ranks.mean(axis=1), index=scores.index).sort_values(kind="stable")
    p = np.nan
    if methods > 2 and corpora > 1 and np.ptp(ranks, axis=0).any():
        p = float(stats.friedmanchisquare(*scores.to_numpy(np.float64)).pvalue)
    least = float(stats.chi2.sf(corpora * (methods - 1), methods - 1)) if methods > 1 else np.nan
    return Ranking(means.to_dict(), tuple(scores.columns), p, least, critical_difference(methods, corpora))


def critical_difference(methods: int, corpora: int, alpha: float = ALPHA) -> float:
    """Nemenyi's: mean ranks that differ by this or more are told apart, all pairs at once.

    The studentized range for infinitely many degrees of freedom, over the square root of 2. NaN for fewer than two
    methods or corpora.
    """
    from scipy import stats

    if methods < 2 or corpora < 2:
        return np.nan
    q = stats.studentized_range.ppf(1 - alpha, methods, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(methods * (methods + 1) / (6 * corpora)))
