"""What the tables say, in sentences made from their numbers."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.data.corpus import Corpus
from lib.papers.self_paced_balance.over_fewer import BETTER, CHANGE
from lib.papers.self_paced_balance.study import NUMBERS, ceiling, floor
from lib.reporting import statistics
from lib.reporting.gains import by_chance
from lib.reporting.modality_figures import metric_name
from lib.reporting.verdicts import NO_DIFFERENCE, UNDECIDED
from lib.reporting.words import deciding, interval, number, over_what

ANSWERS = ("better", "worse", NO_DIFFERENCE, UNDECIDED)


def _counted(answers: pd.Series) -> str:
    counts = answers.value_counts()
    return ", ".join(f"{counts[name]} {name}" for name in ANSWERS if counts.get(name, 0))


def effects(table: pd.DataFrame) -> list[str]:
    """With and without SPCL."""
    metric, gain = metric_name(table["metric"].iloc[0]), 100 * table["gain"].dropna()
    counted = f"SPCL against plain training, test {metric}, {len(table)} comparisons: {_counted(table['answer'])}."
    if gain.empty:
        return [f"{counted} No seed has a score with SPCL and without."]
    best, worst = table.loc[gain.idxmax()], table.loc[gain.idxmin()]
    sentences = [
        f"{counted} "
        f"The mean gains lie between {gain.min():+.2f} points ({worst['backbone']} {worst['modalities']}) and "
        f"{gain.max():+.2f} points ({best['backbone']} {best['modalities']}); their average is {gain.mean():+.2f}."
    ]
    for backbone, rows in table.groupby("backbone", sort=False):
        listed = "; ".join(f"{row['modalities']} {_points(row)}" for row in rows.to_dict("records"))
        sentences.append(f"{backbone}, gain in points with 95 % interval over {over_what(rows.iloc[0])}: {listed}.")
    ends = np.array([deciding(row) for row in table.to_dict("records")])
    reach = pd.Series(50 * (ends[:, 1] - ends[:, 0])).dropna()
    if len(reach):
        sentences.append(
            f"The intervals reach {number(reach.min(), '.2f')} to {number(reach.max(), '.2f')} points to both sides "
            f"(median {number(reach.median(), '.2f')}): a smaller gain than that could not have been told from none."
        )
    return [*sentences, by_chance(table)]


def _points(row: Mapping[str, object]) -> str:
    """A gain in points and the interval that decides."""
    ends = (100 * end for end in deciding(row))
    return f"{number(100 * row['gain'], '+.2f')} ({interval(*ends, '+.2f', name='')})"


def over_fewer(table: pd.DataFrame) -> list[str]:
    """All modalities against fewer, and what SPCL changes; two are set against the better one."""
    sentences, count = [], len(table["modalities"].iloc[0])
    better = table["over"].str.startswith(BETTER)
    for spcl, words in (("without", "Without SPCL"), ("with", "With SPCL")):
        rows = table[(table["spcl"] == spcl) & (better | (not better.any()))]
        below = int((rows["gain"] < 0).sum())
        fewer = "the better one" if better.any() else NUMBERS[count - 1].split()[0]
        sentences.append(
            f"{words}, {NUMBERS[count]} score below {fewer} in {below} of {rows['gain'].count()} comparisons by "
            f"the mean; by the interval: {_counted(rows['answer'])}."
        )
        if better.any():
            listed = "; ".join(f"{row['backbone']} {_points(row)}" for row in rows.to_dict("records"))
            over = over_what(rows.iloc[0])
            sentences.append(f"{words}, points gained over the better one, with 95 % interval over {over}: {listed}.")
    change = table[table["spcl"] == CHANGE]
    if change.empty:
        return sentences
    mean, least, most = (number(100 * change["gain"].agg(how), "+.2f") for how in ("mean", "min", "max"))
    sentences.append(
        f"What SPCL changes in these gains: {mean} points on average, from {least} to {most}; by the interval: "
        f"{_counted(change['answer'])}. The paper's claim that SPCL restores the worth of the third modality asks for "
        "better ones."
    )
    return sentences


def balance(curves: pd.DataFrame) -> list[str]:
    """Modality ratios with and without SPCL, and how long anything is left out."""
    ratios = [column for column in curves if column.startswith("ratio_")]
    sentences = []
    for backbone, rows in curves.groupby("backbone", sort=False):
        if set(rows["spcl"]) != {0, 1}:
            there = "without" if 0 in set(rows["spcl"]) else "with"
            sentences.append(
                f"{backbone}, {NUMBERS[len(ratios)]}: only runs {there} SPCL have a score, so no balance to compare."
            )
            continue
        last = rows[rows["epoch"] == rows.groupby(["spcl", "seed"])["epoch"].transform("max")]
        strongest = last.set_index(["spcl", "seed"])[ratios].max(axis=1)
        top = {spcl: strongest[spcl] for spcl in (0, 1)}
        changed = (top[1] - top[0]).dropna().to_numpy()
        share = rows[rows["spcl"] == 1].groupby("epoch")["selected_share"].mean()
        full = share[share >= 0.99].index.min()
        until = "in no epoch" if pd.isna(full) else f"from epoch {int(full)} on"
        sentences.append(
            f"{backbone}, {NUMBERS[len(ratios)]}: in the first epoch {100 * share.iloc[0]:.0f} % of the utterances are "
            f"selected, {until} 99 % or more. The strongest modality's ratio ends at {top[1].mean():.2f} with SPCL and "
            f"{top[0].mean():.2f} without (1 is balance; {number(statistics.mean(changed), '+.2f')}, "
            f"{interval(*statistics.t_interval(changed), '+.2f')}, paired over the seeds)."
        )
    return sentences


def mends(scores: pd.DataFrame) -> list[str]:
    """What the mends do to the scores; from `mend_scores`."""
    sentences = []
    for mend, own in scores.groupby("mend", sort=False) if len(scores) else ():
        ends = (number(100 * own["gain"].agg(how), "+.2f") for how in ("min", "max"))
        sentences.append(f"Mend `{mend}`: scores change by {' to '.join(ends)} points ({_counted(own['answer'])}).")
    return sentences


def bounds(corpus: Corpus, effect: pd.DataFrame) -> list[str]:
    """The best network beside a constant answer and, on a stand-in, beside the ceiling."""
    whole = max(effect["modalities"], key=len)
    rows = effect[(effect["modalities"] == whole) & effect[["without", "with_spcl"]].notna().any(axis=1)]
    if rows.empty:
        return [f"No run on {NUMBERS[len(whole)]} has a score."]
    top = rows[["without", "with_spcl"]].max(axis=1)
    best, metric, constant = rows["backbone"][top.idxmax()], effect["metric"].iloc[0], floor(corpus).iloc[0]
    sentence = (
        f"The best backbone on {NUMBERS[len(whole)]}, {best}, has a test {metric_name(metric)} of {top.max():.3f}; "
        f"{constant['prediction']} has {constant[metric]:.3f}"
    )
    best_possible = ceiling(corpus, whole).get(metric)
    return [sentence + (f", the best possible decision {best_possible:.3f}." if best_possible else ".")]


def published_reasons(comparison: pd.DataFrame) -> str:
    """Why the published gains are or are not compared."""
    counts = comparison["verdict"].value_counts().items()
    return f"Published gains: {'; '.join(f'{verdict} ({count})' for verdict, count in counts)}."
