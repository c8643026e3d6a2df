"""What a mean paired difference is worth: its spread over seeds, over test units, and over both (docs/statistics.md).

A unit is what test samples cluster by: a video, a dialogue, a speaker. The differences of S seeds on U units are a
table, of which the analysis of variance gives the components of the variance: of seeds, of units, and the rest, that of
single networks on single units. The variance of the mean is their sum, each over how many there are; its degrees of
freedom are Satterthwaite's (1946). That is exact for means and, by the jackknife's pseudo-values, holds for any smooth
score, F1 and AUC among them. The crossed bootstrap (Owen 2007) asks the same, and covers too seldom with five seeds:
`benchmarks/statistics_simulation.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy import special

from lib.params import MOST_SEEDS
from lib.reporting.statistics import NO_INTERVAL, Interval

if TYPE_CHECKING:  # the page over all papers does without what trains
    from lib.study import WithoutUnits

FEWEST = 3
"""Seeds, and units, that a combined error needs: with two seeds 95 % intervals held the truth in 90 %."""
MOST_UNITS = 100_000
"""Beyond these, and `MOST_SEEDS`, nobody plans."""


@dataclass(frozen=True)
class Error:
    """Squared standard error of a mean, and its degrees of freedom; NaN where nothing is known of it."""

    variance: float = np.nan
    freedom: float = np.nan

    def interval(self, mean: float, level: float = 0.95) -> Interval:
        """Student's, around `mean`; NaN without a variance."""
        if np.isnan(self.variance):
            return NO_INTERVAL
        half = special.stdtrit(self.freedom, (1 + level) / 2) * np.sqrt(self.variance)
        return float(mean - half), float(mean + half)

    def p(self, mean: float) -> float:
        """Two-sided, of a true mean of 0; NaN without a variance, or where there is neither mean nor variance."""
        if np.isnan(self.variance) or (self.variance == 0 and mean == 0):
            return np.nan
        return float(2 * special.stdtr(self.freedom, -abs(mean) / np.sqrt(self.variance))) if self.variance else 0.0

    def smallest_seen(self, chance: float = 0.8) -> float:
        """The true mean above which the 95 % interval leaves out 0, on its side, in at least `chance` of repetitions.

        From the noncentral t distribution, as if the variance were known to be this one; NaN without a variance.
        """
        if np.isnan(self.variance):
            return np.nan
        limit = special.stdtrit(self.freedom, 0.975)
        return float(special.nctdtrinc(self.freedom, 1 - chance, limit) * np.sqrt(self.variance))


@dataclass(frozen=True)
class Components:
    """Variances of one difference: between seeds, between units, and the rest, of one network on one unit.

    `folds` is in how many turns the units are tested, each by seeds of its own; 1 where every seed tests all units.
    `apart` says whether units and rest can be told apart: not with one seed per fold, where `unit` holds both.
    """

    seed: float
    unit: float
    rest: float
    folds: int = 1
    apart: bool = True

    def error(self, seeds: int, units: int, pilot: int | None = None) -> Error:
        """That of the mean over so many of them; of a `pilot` of seeds that says how many, see `spread`."""
        each = seeds / self.folds
        variance = self.seed / seeds + self.unit / units + self.rest / (each * units)
        if self.folds > 1:
            return Error(variance, self.folds - 1)
        squares = {"seed": units * self.seed + self.rest, "unit": seeds * self.unit + self.rest, "rest": self.rest}
        return Error(variance, _freedom(squares, pilot or seeds, units))


@dataclass(frozen=True)
class Spread:
    """A mean difference and its error for new seeds on these units, for new units under these seeds, and for both."""

    mean: float
    seeds: int
    units: int
    of_seeds: Error
    of_units: Error
    combined: Error
    components: Components


Values = Float[np.ndarray, "seeds units"]


def pseudo_values(scores: Float[np.ndarray, seeds], left_out: Values) -> Values:
    """The jackknife's: what each unit contributes to a score of each seed, from the score without it.

    The mean over the units is the score itself. Of a mean over units of one size they are the units' own means. A
    single unit contributes all of a score, of which nothing is left without it.
    """
    scores, units = np.asarray(scores, np.float64), left_out.shape[1]
    if units == 1:
        return scores[:, None]
    return scores[:, None] + (units - 1) * (left_out.mean(axis=1, keepdims=True) - left_out)


def spread(folds: Sequence[Values], pilot: int = 0) -> Spread:
    """Of differences (or their pseudo-values) by seed and unit: one table, or one per fold of units with own seeds.

    With folds the error of both is that of the folds' means, which differ in seeds, units and training sets at once
    (training sets overlap, which no estimate accounts for: Bengio & Grandvalet 2004). Nothing is known of a source with
    fewer than two values, nor of both with fewer than `FEWEST` of either, where there is one table.

    Where the spread of the first seeds, the `pilot`, said how many to run, the mean square of the seeds that counts for
    both is the pilot's alone (Stein 1945): over all seeds it is too small on average, as a pilot that happens to spread
    little asks for few more. With folds, whose number is fixed, it hardly matters.
    """
    return _crossed(folds[0], pilot or len(folds[0])) if len(folds) == 1 else _in_turns(folds)


def _crossed(values: Values, pilot: int) -> Spread:
    seeds, units = values.shape
    squares = _mean_squares(values)
    combined = Error()
    if min(pilot, units) >= FEWEST:
        both = squares | {"seed": _mean_squares(values[:pilot])["seed"]}
        variance = (_above(both, "seed") + _above(both, "unit") + both["rest"]) / (seeds * units)
        combined = Error(variance, _freedom(both, pilot, units))
    return Spread(
        mean=float(values.mean()),
        seeds=seeds,
        units=units,
        of_seeds=Error(squares["seed"] / (seeds * units), seeds - 1),
        of_units=Error(squares["unit"] / (seeds * units), units - 1),
        combined=combined,
        components=Components(_above(squares, "seed") / units, _above(squares, "unit") / seeds, squares["rest"]),
    )


def _in_turns(folds: Sequence[Values]) -> Spread:
    counts = np.array([len(values) for values in folds])
    means = np.array([values.mean() for values in folds])
    shares, number = counts / counts.sum(), len(folds)
    mean = float(shares @ means)
    seeds, units = int(counts.sum()), sum(values.shape[1] for values in folds)
    combined = Error(float(number / (number - 1) * shares**2 @ (means - mean) ** 2), number - 1)
    return Spread(
        mean=mean,
        seeds=seeds,
        units=units,
        of_seeds=_pooled([values.mean(axis=1) for values in folds], shares),
        of_units=_pooled([values.mean(axis=0) for values in folds], shares),
        combined=combined,
        components=_components_in_turns(folds, combined, seeds, units),
    )


def _pooled(groups: Sequence[np.ndarray], shares: np.ndarray) -> Error:
    """Of the weighted mean of the groups' means, each group's values independent."""
    freedom = sum(len(group) - 1 for group in groups)
    if not freedom or any(len(group) < 2 for group in groups):
        return Error()
    return Error(float(sum(w**2 * np.var(g, ddof=1) / len(g) for w, g in zip(shares, groups, strict=True))), freedom)


def _components_in_turns(folds: Sequence[Values], combined: Error, seeds: int, units: int) -> Components:
    """Units take what lies between the folds beyond seeds and rest: more seeds on the same folds do not lower it.

    Of single units in each fold the rest cannot be told from what the seeds bring.
    """
    number = len(folds)
    whole = combined.variance
    if min(len(values) for values in folds) < 2:
        within = [np.var(values.mean(axis=0), ddof=1) for values in folds if values.shape[1] > 1]
        unit = min(float(np.mean(within)), whole * units) if within else whole * units
        return Components((whole - unit / units) * seeds, unit, 0.0, folds=number, apart=False)
    if min(values.shape[1] for values in folds) < 2:
        seed = float(np.mean([np.var(values.mean(axis=1), ddof=1) for values in folds]))
        return Components(seed, max(0.0, whole - seed / seeds) * units, 0.0, folds=number)
    squares = [_mean_squares(values) for values in folds]
    seed = float(np.mean([_above(s, "seed") / v.shape[1] for s, v in zip(squares, folds, strict=True)]))
    rest = float(np.mean([s["rest"] for s in squares]))
    unit = max(0.0, whole - seed / seeds - rest * number / (seeds * units)) * units
    return Components(seed, unit, rest, folds=number)


def _mean_squares(values: Values) -> dict[str, float]:
    """Of the two-way analysis of variance without replication; NaN where there are fewer than two rows or columns."""
    seeds, units = values.shape
    mean, rows, columns = values.mean(), values.mean(axis=1), values.mean(axis=0)
    rest = values - rows[:, None] - columns + mean

    def square(total: float, freedom: int) -> float:
        return float(total / freedom) if freedom else np.nan

    return {
        "seed": square(units * ((rows - mean) ** 2).sum(), seeds - 1),
        "unit": square(seeds * ((columns - mean) ** 2).sum(), units - 1),
        "rest": square((rest**2).sum(), (seeds - 1) * (units - 1)),
    }


def _above(squares: dict[str, float], source: str) -> float:
    """A mean square beyond the rest's; 0 where it is smaller, as no variance is negative."""
    return max(squares[source] - squares["rest"], 0.0) if not np.isnan(squares["rest"]) else np.nan


def _freedom(squares: dict[str, float], seeds: int, units: int) -> float:
    """Satterthwaite's, of the sum of the mean squares that count: a source that is smaller than the rest does not."""
    freedoms = {"seed": seeds - 1, "unit": units - 1}
    counted = [name for name in freedoms if squares[name] > squares["rest"]]
    terms = {name: squares[name] for name in counted} | {"rest": (1 - len(counted)) * squares["rest"]}
    freedoms["rest"] = freedoms["seed"] * freedoms["unit"]
    uncertain = sum(term**2 / freedoms[name] for name, term in terms.items())
    return sum(terms.values()) ** 2 / uncertain if uncertain else float(min(seeds, units) - 1)


@dataclass(frozen=True)
class Need:
    """How many seeds and units would decide, None where nobody could run as many.

    `units_limit`: more seeds on these units would not.
    """

    seeds: int | None
    units: int | None
    units_limit: bool


def need(found: Spread, margin: float, *, power: float = 0.8, one_sided: bool = False, of_pilot: bool = False) -> Need:
    """What it takes to show, where there is no difference, that there is none beyond `margin`, with this `power`.

    Two one-sided tests at 5 % (Schuirmann 1987), or one of them. A true difference as large as the margin is then seen
    with about the same power (83 %). Only the spread enters, never the mean. `of_pilot`: what is found is that of a
    pilot to which further seeds are added. Raises ValueError without a spread.
    """
    parts = found.components
    if np.isnan(found.combined.variance):
        raise ValueError("nothing is known of the spread")

    def enough(seeds: int, units: int) -> bool:
        error = parts.error(seeds, units, found.seeds if of_pilot else None)
        reach = special.stdtrit(error.freedom, 0.95) + special.stdtrit(
            error.freedom, power if one_sided else _half(power)
        )
        return reach * np.sqrt(error.variance) <= margin

    step = parts.folds  # whole turns
    seeds = _first(lambda n: enough(n * step, found.units), -(-found.seeds // step), MOST_SEEDS // step)
    if seeds:
        return Need(seeds * step, found.units, units_limit=False)
    tried, most = [found.seeds], max(found.seeds, MOST_SEEDS // step * step)
    while tried[-1] < most:
        tried.append(min(2 * tried[-1], most))
    for seeds in tried:
        if units := _first(lambda n, seeds=seeds: enough(seeds, n), found.units, MOST_UNITS):
            return Need(seeds, units, units_limit=True)
    return Need(None, None, units_limit=True)


def paired(
    ours: Mapping[int, WithoutUnits], theirs: Mapping[int, WithoutUnits], gains: Mapping[int, float], sign: float
) -> Spread | None:
    """Of the gains by seed, from both sides' scores without each unit; `sign` -1 where a lower score is better.

    Seeds that test the same units are one fold. None where a seed lacks either side or a score is undefined without a
    unit, where there is one unit, or where test splits overlap in parts, of which nothing is computed here.
    """
    folds: dict[tuple[str, ...], list[np.ndarray]] = {}
    for seed, gain in gains.items():
        if seed not in ours or seed not in theirs or ours[seed].names != theirs[seed].names:
            return None
        left = sign * (ours[seed].scores - theirs[seed].scores)
        folds.setdefault(ours[seed].names, []).append(pseudo_values(np.array([gain]), left[None])[0])
    names = [name for fold in folds for name in fold]
    values = [np.stack(rows) for rows in folds.values()]
    if len(names) < 2 or len(set(names)) < len(names) or not all(np.isfinite(each).all() for each in values):
        return None
    return spread(values, sum(ours[seed].pilot for seed in gains))


def _half(power: float) -> float:
    """Power of each of two one-sided tests of which both must reject, at no difference."""
    return (1 + power) / 2


def _first(enough: Callable[[int], bool], least: int, most: int) -> int | None:
    """The smallest number from `least` to `most` that is enough; None if the largest is not."""
    if most < least or not enough(most):
        return None
    low, high = least, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def holm(p: Float[np.ndarray, comparisons]) -> Float[np.ndarray, comparisons]:
    """Adjusted p values (Holm 1979): below 5 % for any true null in at most 5 % of such tables. NaN stays NaN."""
    p = np.asarray(p, np.float64)
    order = np.argsort(p)[: np.isfinite(p).sum()]
    adjusted = np.full(p.shape, np.nan)
    steps = p[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
