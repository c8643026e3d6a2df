"""Gain tables: what a variant adds to a baseline, paired over seeds.

A gain is always oriented so that positive means better: `variant - baseline` where a higher score is better,
`baseline - variant` where a lower one is (MAE, cross-entropy). Runs of equal seed share split, sample order
and initial weights as far as the training code allows, so their difference is taken seed by seed; an unpaired
comparison would count the spread between seeds as noise. Where predictions are kept, the intervals for other test
units and for both at once stand beside that over the seeds, with a verdict that has a margin
(`lib.reporting.verdicts`). Intervals and p values are per comparison; `holm_p` is adjusted for all rows of the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.metrics.scores import Direction, direction, words
from lib.reporting.statistics import (
    bootstrap_interval,
    iqm,
    mean,
    probability_of_improvement,
    std,
    t_interval,
    t_test,
    wilcoxon_test,
)
from lib.reporting.two_sources import holm, paired
from lib.reporting.verdicts import UNDECIDED, cells, margin, over_seeds
from lib.run_table import by_seed, rates

if TYPE_CHECKING:  # as in two_sources
    from lib.study import Runs, WithoutUnits

COLEARNING_RULE = (
    "positive: the 95 % t-interval of the paired gain over the seeds lies above 0; negative: it lies "
    "below 0; neutral: it holds 0; with one seed there is no interval and no verdict. The paper's rule "
    "is the sign of the mean gain alone, equality being neutral."
)
DECIDED = (
    "metric",
    "variant",
    "baseline",
    "n",
    "units",
    "gain",
    "t_interval",
    "new_units",
    "combined",
    "combined_p",
    "holm_p",
    "answer",
    "smallest_seen",
    "would_decide",
)
"""What is shown of them."""
SHOWN = (
    "variant",
    "n",
    "score",
    "baseline_score",
    "gain",
    "t_interval",
    "t_test_p",
    "seeds_better",
    "verdict",
    "paper_rule",
    "note",
)


def summary(table: pd.DataFrame, metric: str, split: str = "test") -> pd.DataFrame:
    """One row per variant: `score` (mean over seeds), `score_std` (ddof=1), `n`, 95 % t-interval
    `t_interval_low`/`t_interval_high`, interquartile mean `iqm`. Seeds without a value do not count; `n` says
    how many did. As `rated`.
    """
    scores, rate = by_seed(table, metric, split), rates(table)
    rows = []
    for variant in scores.columns:
        values = scores[variant].dropna().to_numpy()
        low, high = t_interval(values)
        rows.append(
            {
                "variant": variant,
                "rate": rate[variant],
                "metric": metric,
                "split": split,
                "n": len(values),
                "score": mean(values),
                "score_std": std(values),
                "t_interval_low": low,
                "t_interval_high": high,
                "iqm": iqm(values) if len(values) else np.nan,
            }
        )
    return rated(rows)


def rated(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """A table without the column `rate` where no row has one."""
    table = pd.DataFrame(rows)
    return table if any(pd.notna(row["rate"]) for row in rows) else table.drop(columns="rate", errors="ignore")


def gain_table(
    table: pd.DataFrame,
    metric: str,
    baseline: str,
    *,
    split: str = "test",
    better: Direction | None = None,
    seed: int = 0,
    runs: Runs | None = None,
) -> pd.DataFrame:
    """One row per variant other than `baseline`, over the `n` seeds that both have.

    `score`, `baseline_score` and `gain` (each with `_std`, ddof=1), the 95 % t-interval
    `t_interval_low`/`t_interval_high` and percentile bootstrap interval `bootstrap_low`/`bootstrap_high` of
    the mean gain (too narrow for few seeds, see `bootstrap_interval`), p of the paired t test and of the
    Wilcoxon test (which cannot fall below 0.0625 at n=5), `iqm_gain`, `probability_of_improvement`
    (unpaired), `seeds_better`, `verdict` by `COLEARNING_RULE`, `paper_rule`, and `note`.

    With `runs`, whose predictions are kept, of the test split also the columns of `verdicts.SOURCES`; `answer` is that
    of the seeds alone where there is no combined interval.

    `better` is needed only for a metric that `lib.metrics.scores` does not define; `seed` fixes the
    bootstrap. Raises InputError for an unknown metric, split or baseline.
    """
    runs = runs if split == "test" else None
    found, rate = sides(table, metric, split, runs), rates(table)
    if baseline not in found:
        raise InputError(f"no variant {baseline!r}", where="gain table", todo=f"there are: {', '.join(found)}")
    better, rows = better or direction(metric), []
    for variant in (name for name in found if name != baseline):
        row = {"variant": variant, "rate": rate[variant]}
        row |= between(found[variant], found[baseline], metric, better=better, split=split, seed=seed, worth=bool(runs))
        rows.append(row)
    return adjusted(rated(rows))


@dataclass(frozen=True)
class Side:
    """What is compared, a variant or something made of several: scores by seed, NaN where there is none, and those
    without single units, by seed, where predictions are kept."""

    name: str
    scores: pd.Series
    left: Mapping[int, WithoutUnits] = field(default_factory=dict)


def sides(table: pd.DataFrame, metric: str, split: str = "test", runs: Runs | None = None) -> dict[str, Side]:
    """Every variant of a run table, by name. Raises InputError for an unknown metric or split."""
    scores, left = by_seed(table, metric, split), _by_variant(runs.without_units(metric)) if runs else {}
    return {name: Side(name, scores[name], left.get(name, {})) for name in scores}


def difference(more: Side, less: Side, name: str = "") -> Side:
    """What the first has more than the second, as a side of its own."""
    left = {seed: replace(one, scores=one.scores - two.scores) for seed, (one, two) in _in_common((more, less))}
    return Side(name or f"{more.name} - {less.name}", more.scores - less.scores, left)


def average(parts: Sequence[Side], name: str = "") -> Side:
    """The mean over several, of the seeds that all of them have."""
    scores = pd.concat([part.scores for part in parts], axis=1).mean(axis=1, skipna=False)
    left = {
        seed: replace(each[0], scores=np.mean([one.scores for one in each], axis=0)) for seed, each in _in_common(parts)
    }
    return Side(name or f"mean of {', '.join(part.name for part in parts)}", scores, left)


def _in_common(parts: Sequence[Side]) -> Iterator[tuple[int, list[WithoutUnits]]]:
    """The scores without each unit of all parts, for seeds in which they have the same units."""
    for seed in parts[0].left:
        each = [part.left[seed] for part in parts if seed in part.left]
        if len(each) == len(parts) and len({one.names for one in each}) == 1:
            yield seed, each


def between(
    ours: Side,
    theirs: Side,
    metric: str,
    *,
    better: Direction | None = None,
    split: str = "test",
    seed: int = 0,
    worth: bool = True,
) -> dict[str, object]:
    """The row of `gain_table` of one side over another; with `worth` the columns of `verdicts.SOURCES` but `holm_p`."""
    better = better or direction(metric)
    both = pd.concat([ours.scores, theirs.scores], axis=1, keys=[ours.name, theirs.name])
    pairs = both.dropna()
    values = pairs[ours.name].to_numpy(), pairs[theirs.name].to_numpy()
    row = {"variant": ours.name, "baseline": theirs.name, "metric": metric, "better": better, "split": split}
    row |= _compare(*values, better, seed) | {"note": _note(both)}
    if worth:
        gains = dict(zip(pairs.index, _gains(*values, better), strict=True))
        row |= two_sources(ours.left, theirs.left, gains, metric, better)
    return row


def adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """With `holm_p`, over the rows of the table, behind `combined_p` where that is there."""
    if "combined_p" not in table:
        return table
    table = table.drop(columns="holm_p", errors="ignore")
    table.insert(table.columns.get_loc("combined_p") + 1, "holm_p", holm(table["combined_p"].to_numpy()))
    return table


def together(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The rows of gain tables made with `runs`, `holm_p` over all of them; the reverse of a pair is left out."""
    rows = pd.concat(tables, ignore_index=True)
    pair = [(metric, *sorted(names)) for metric, *names in rows[["metric", "variant", "baseline"]].to_numpy()]
    return adjusted(rows[~pd.Series(pair, dtype=object).duplicated()].reset_index(drop=True))


def by_chance(gains: pd.DataFrame) -> str:
    """How many gains differ from 0 for themselves, how many would by chance, and how many after Holm's adjustment."""
    p, adjusted_p = (gains[name].dropna() for name in ("combined_p", "holm_p"))
    if p.empty:
        return "No gain has a combined interval: it needs three seeds or more, and predictions of all of them."
    raw, after = int((p < 0.05).sum()), int((adjusted_p < 0.05).sum())
    return (
        f"Of {len(p)} gains {raw} {'has' if raw == 1 else 'have'} a combined 95 % interval that leaves out 0; if there "
        f"were no differences at all, {len(p) / 20:.1f} would by chance. After Holm's adjustment {after} remain."
    )


def seen(gains: pd.DataFrame) -> list[str]:
    """For each metric with undecided gains, how large a true difference would have been seen in most repetitions."""
    sentences = []
    for metric, rows in gains[gains["answer"] == UNDECIDED].groupby("metric", sort=False):
        least, most = rows["smallest_seen"].min(), rows["smallest_seen"].max()
        if np.isnan(least):
            continue
        size = f"{least:.3f}" if f"{least:.3f}" == f"{most:.3f}" else f"{least:.3f} to {most:.3f}"
        sentences.append(
            f"Of {len(rows)} undecided gains in {words(metric)} a true one of {size} would have been told from 0 in "
            "80 % of repetitions (`smallest_seen`)."
        )
    return sentences


def _by_variant(left: Mapping[tuple[str, int], WithoutUnits]) -> dict[str, dict[int, WithoutUnits]]:
    found: dict[str, dict[int, WithoutUnits]] = {}
    for (variant, seed), values in left.items():
        found.setdefault(variant, {})[seed] = values
    return found


def two_sources(
    ours: Mapping[int, WithoutUnits],
    theirs: Mapping[int, WithoutUnits],
    gains: Mapping[int, float],
    metric: str,
    better: Direction,
) -> dict[str, object]:
    """The columns of `verdicts.SOURCES` but `holm_p`, for gains by seed; NaN where nothing is known of units."""
    found = paired(ours, theirs, gains, 1.0 if better == "higher" else -1.0)
    unit, values = next(iter(ours.values())).unit if ours else "", np.array([*gains.values()])
    return cells(found, unit, margin(metric), over_seeds(mean(values), std(values), len(values)))


def pairs(table: pd.DataFrame, metric: str, over: Sequence[tuple[str, str]], runs: Runs | None = None) -> pd.DataFrame:
    """`gain_table` of each (variant, baseline) alone, one row per pair whose variants are both there."""
    there = set(table["variant"])
    asked = [pair for pair in over if there.issuperset(pair)]
    rows = [gain_table(table[table["variant"].isin(pair)], metric, pair[1], runs=runs) for pair in asked]
    return adjusted(pd.concat(rows, ignore_index=True)) if rows else pd.DataFrame()


def verdict(low: float, high: float) -> str:
    """`positive`, `negative` or `neutral` co-learning, from the interval of the gain over the unimodal."""
    if np.isnan(low) or np.isnan(high):
        return "no verdict"
    if low > 0:
        return "positive"
    return "negative" if high < 0 else "neutral"


def paper_rule(gain: float) -> str:
    """The paper's literal rule: the sign of the mean gain (spec colearning, section 1)."""
    if np.isnan(gain):
        return "no verdict"
    return {1.0: "positive", -1.0: "negative", 0.0: "neutral"}[float(np.sign(gain))]


def _compare(ours: np.ndarray, theirs: np.ndarray, better: Direction, seed: int) -> dict[str, object]:
    """The statistics of one row, from paired scores (n,)."""
    gains = _gains(ours, theirs, better)
    t_interval_low, t_interval_high = t_interval(gains)
    bootstrap_low, bootstrap_high = bootstrap_interval(gains, seed=seed)
    some = len(gains) > 0
    return {
        "n": len(gains),
        "score": mean(ours),
        "score_std": std(ours),
        "baseline_score": mean(theirs),
        "baseline_score_std": std(theirs),
        "gain": mean(gains),
        "gain_std": std(gains),
        "t_interval_low": t_interval_low,
        "t_interval_high": t_interval_high,
        "bootstrap_low": bootstrap_low,
        "bootstrap_high": bootstrap_high,
        "t_test_p": t_test(gains),
        "wilcoxon_p": wilcoxon_test(gains),
        "iqm_gain": iqm(gains) if some else np.nan,
        "probability_of_improvement": probability_of_improvement(ours, theirs, better) if some else np.nan,
        "seeds_better": int(np.sum(gains > 0)),
        "verdict": verdict(t_interval_low, t_interval_high),
        "paper_rule": paper_rule(mean(gains)),
    }


def _gains(ours: np.ndarray, theirs: np.ndarray, better: Direction) -> np.ndarray:
    return ours - theirs if better == "higher" else theirs - ours


def _note(pair: pd.DataFrame) -> str:
    """What a reader must know about the seeds of one row; empty if nothing."""
    notes = []
    n = len(pair.dropna())
    if n < 2:
        notes.append("one seed: no interval" if n else "no common seed")
    for variant in pair:
        if absent := [str(seed) for seed in pair.index[pair[variant].isna()]]:
            notes.append(f"{variant} has no value for seed {', '.join(absent)}")
    return "; ".join(notes)
