"""What the tables of the bench say, in sentences made from their numbers."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.metrics.scores import direction
from lib.papers.bench.ranks import ALPHA, FEWEST_CORPORA, FEWEST_METHODS, Ranking
from lib.reporting.gains import by_chance
from lib.reporting.verdicts import NO_DIFFERENCE, UNDECIDED
from lib.reporting.words import decision

SAME = 1e-9
"""Relative difference below which two scores are one."""
_ORDER = ("better", "worse", NO_DIFFERENCE, UNDECIDED)
_MOST = 6
"""Comparisons that a sentence names one by one."""


def of_test(found: Ranking) -> str:
    """What Friedman's test comes to, or why so few corpora cannot tell."""
    n, k = len(found.corpora), len(found.mean_ranks)
    if not found.decidable:
        return (
            f"{n} corpora are too few for {k} methods: even the same order on all has p {found.least_p:.2g}, so these "
            "ranks are a description"
        )
    if np.isnan(found.p):
        return "no test: two methods, or equal scores everywhere"
    told = "the ranks differ" if found.p < ALPHA else "the ranks are not told from a random order"
    rough = "" if n > FEWEST_CORPORA and k > FEWEST_METHODS else "; with so few corpora p and difference are rough"
    return f"Friedman p {found.p:.2g}: {told}{rough}"


def ranks(found: Mapping[str, Ranking]) -> list[str]:
    """The first of each ranking, and what the test says of it."""
    if not found:
        return ["No ranks: they need two corpora of one kind, and two methods that ran on all of them."]
    sentences = []
    for words, each in found.items():
        best = next(iter(each.mean_ranks))
        sentences.append(
            f"Over {len(each.corpora)} {words} {best} has the best mean rank of {len(each.mean_ranks)} methods "
            f"({each.mean_ranks[best]:.2f}): {of_test(each)}."
        )
    return sentences


def single(gains: pd.DataFrame) -> list[str]:
    """Each gain that is decided, and how many are not."""
    if gains.empty:
        return []
    decided = gains[gains["answer"].isin(("better", "worse"))]
    return [f"{_where(row)}: {decision(row)}." for row in decided.to_dict("records")] + [by_chance(gains)]


def where_it_helps(gains: pd.DataFrame, absent: pd.DataFrame) -> list[str]:
    """Of each strategy, where it is better than plain training and where worse, with all modalities and without one.

    What outlasts Holm's adjustment over its table is said beside.
    """
    if gains.empty:
        return ["No strategy was set against plain training, so nothing can be said of the papers' ideas."]
    sentences = []
    for strategy in gains["strategy"].unique():
        parts = []
        for words, table in (("with all modalities", gains), ("with one absent at test time", absent)):
            mine = table[table["strategy"] == strategy] if len(table) else table
            if len(mine):
                parts.append(f"{words} {_counted(mine)}")
        sentences.append(f"{strategy} against plain training: {'; '.join(parts)}.")
    return [*sentences, _summary(gains, absent)]


def _counted(rows: pd.DataFrame) -> str:
    """By answer how many comparisons, those that are decided with their places."""
    parts = []
    for answer in _ORDER:
        mine = rows[rows["answer"] == answer]
        if mine.empty:
            continue
        places = f" ({_listed(mine)})" if answer in ("better", "worse") else ""
        parts.append(f"{answer} in {len(mine)} of {len(rows)}{places}")
    return ", ".join(parts)


def _listed(rows: pd.DataFrame) -> str:
    shown = [_where(row) + (", also after Holm" if row["holm_p"] < ALPHA else "") for row in rows.to_dict("records")]
    more = f"; and {len(shown) - _MOST} more" if len(shown) > _MOST else ""
    return "; ".join(shown[:_MOST]) + more


def _where(row: Mapping[str, object]) -> str:
    gone = f" without {row['absent']}" if row["absent"] else ""
    return f"{row['model']} on {row['dataset']}{gone} under {row['optimiser']}"


def _summary(gains: pd.DataFrame, absent: pd.DataFrame) -> str:
    """The last sentence: which strategies help anywhere, which hurt, and which do nothing that could be seen."""
    every = pd.concat([gains, absent], ignore_index=True) if len(absent) else gains
    helps, hurts, neither = [], [], []
    for strategy, rows in every.groupby("strategy", sort=False):
        said = set(rows["answer"])
        if "better" in said:
            helps.append(f"{strategy} ({_corpora(rows, 'better')})")
        if "worse" in said:
            hurts.append(f"{strategy} ({_corpora(rows, 'worse')})")
        if not said & {"better", "worse"}:
            neither.append(strategy)
    ends = (("better than plain training somewhere", helps), ("worse somewhere", hurts), ("neither anywhere", neither))
    said = "; ".join(f"{words}: {', '.join(names)}" for words, names in ends if names)
    decided = every[every["answer"].isin(("better", "worse"))]
    after = int((decided["holm_p"] < ALPHA).sum())
    outlast = f"{after} outlast{'s' if after == 1 else ''}"
    remain = f" Of these {len(decided)} answers {outlast} Holm's adjustment." if len(decided) else ""
    return f"In short, by the intervals that decide, {said}.{remain}"


def _corpora(rows: pd.DataFrame, answer: str) -> str:
    return ", ".join(dict.fromkeys(rows["dataset"][rows["answer"] == answer]))


def floors(scores: pd.DataFrame, floor: pd.DataFrame) -> list[str]:
    """The best method of each corpus by its mean test score, beside a constant answer: a description, since choosing
    by the test set flatters."""
    sentences = []
    for row in floor.to_dict("records"):
        mine = scores[scores["dataset"] == row["dataset"]].dropna(subset="score")
        if mine.empty:
            continue
        lower = direction(row["metric"]) == "lower"
        best = mine.loc[mine["score"].idxmin() if lower else mine["score"].idxmax()]
        worse = mine["score"] > row["score"] if lower else mine["score"] < row["score"]
        worse &= ~np.isclose(mine["score"], row["score"], rtol=SAME)  # constant answers, up to the rounding of a mean
        sentences.append(
            f"{row['dataset']}: {row['prediction']} scores {row['metric']} {row['score']:.4f}; means of {len(mine)} "
            f"methods reach {best['score']:.4f}, and {worse.sum()} of them are worse than that."
        )
    return sentences
