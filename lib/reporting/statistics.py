"""Intervals, paired tests and robust summaries over seeds, or over the seeds and tasks of a benchmark.

`scipy.stats` takes half a second to load, which the page over all papers, a reader of intervals, need not spend.
"""

from collections.abc import Callable

import numpy as np
from scipy import special

RESAMPLES = 9999
Interval = tuple[float, float]
NO_INTERVAL = (float("nan"), float("nan"))


def mean(values: np.ndarray) -> float:
    """NaN without values."""
    return float(np.mean(values)) if len(values) else np.nan


def std(values: np.ndarray) -> float:
    """With ddof=1; NaN for fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan


def t_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """Student's t interval of the mean of `values` (n,); NaN for fewer than two.

    Exact for normal values. Over 1000 simulated normal samples of n=5 the 95 % interval covered the mean in
    94 %.
    """
    if len(values) < 2:
        return NO_INTERVAL
    return t_interval_of(np.mean(values), np.std(values, ddof=1), len(values), level)


def t_interval_of(mean: float, std: float, n: int, level: float = 0.95) -> Interval:
    """The same from mean, standard deviation (ddof=1) and number of values; NaN for fewer than two."""
    if n < 2:
        return NO_INTERVAL
    half = special.stdtrit(n - 1, (1 + level) / 2) * std / np.sqrt(n)
    return float(mean - half), float(mean + half)


def bootstrap_interval(values: np.ndarray, level: float = 0.95, seed: int = 0) -> Interval:
    """Percentile bootstrap interval of the mean of `values` (n,); NaN for fewer than two.

    For paired seeds, give the differences. Percentile rather than BCa because BCa is undefined for equal
    values and gains nothing here: over 1000 simulated normal samples of n=5 both covered the mean in 84 % of
    cases instead of 95 % (n=10: 90 % and 89 %). A bootstrap cannot see beyond the n values it has, so with
    five seeds this interval is too narrow and no verdict is built on it. The resampling is fixed by `seed`.
    """
    from scipy import stats

    if len(values) < 2:
        return NO_INTERVAL
    result = stats.bootstrap(
        (np.asarray(values),),
        np.mean,
        confidence_level=level,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def t_test(differences: np.ndarray) -> float:
    """Two-sided p of the paired t test on differences (n,).

    It assumes normal differences, which five seeds cannot check. NaN for fewer than two, or if all are zero.
    """
    from scipy import stats

    n = len(differences)
    if n < 2 or not np.any(differences):
        return float("nan")
    error = np.std(differences, ddof=1) / np.sqrt(n)
    return float(2 * stats.t.sf(abs(np.mean(differences)) / error, n - 1)) if error > 0 else 0.0


def wilcoxon_test(differences: np.ndarray) -> float:
    """Two-sided p of the Wilcoxon signed-rank test on differences (n,).

    It assumes only symmetry, and pays for it: the smallest p at n=5 is 2/32 = 0.0625, so five seeds can never
    reach 0.05. NaN for fewer than two, or if all are zero.
    """
    from scipy import stats

    if len(differences) < 2 or not np.any(differences):
        return float("nan")
    return float(stats.wilcoxon(differences).pvalue)


def iqm(scores: np.ndarray) -> float:
    """Interquartile mean: the mean after a quarter of the values is cut from each end (Agarwal et al. 2021).

    `scores` of any shape are pooled. With n=5 one value is cut from each end.
    """
    from scipy import stats

    return float(stats.trim_mean(np.asarray(scores), 0.25, axis=None))


def probability_of_improvement(scores: np.ndarray, baseline: np.ndarray, better: str = "higher") -> float:
    """P(a random run beats a random baseline run), ties counted half; unpaired (Agarwal et al. 2021).

    `scores` (n,) and `baseline` (m,), or (n, tasks) and (m, tasks): the probabilities of the tasks are
    averaged, runs of different tasks are never compared. Raises ValueError for different numbers of tasks.
    """
    sign = {"higher": 1.0, "lower": -1.0}[better]
    ours, theirs = (sign * np.asarray(x, np.float64).reshape(len(x), -1) for x in (scores, baseline))
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(f"{ours.shape[1]} tasks against {theirs.shape[1]}")
    above = ours[:, None, :] > theirs[None, :, :]
    equal = ours[:, None, :] == theirs[None, :, :]
    return float(np.mean(above + 0.5 * equal))


def stratified_interval(
    statistic: Callable[..., float], *samples: np.ndarray, level: float = 0.95, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval of `statistic(*samples)`; each sample is (runs,) or (runs, tasks).

    Runs are drawn with replacement within each task and sample, so every resample keeps the design. NaN if a
    sample has fewer than two runs. With few runs the interval is too narrow, as in `bootstrap_interval`.
    """
    samples = tuple(np.asarray(x, np.float64).reshape(len(x), -1) for x in samples)
    if any(len(x) < 2 for x in samples):
        return NO_INTERVAL
    rng = np.random.default_rng(seed)
    drawn = [
        statistic(*(np.take_along_axis(x, rng.integers(len(x), size=x.shape), axis=0) for x in samples))
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
