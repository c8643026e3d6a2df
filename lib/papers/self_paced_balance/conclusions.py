"""What the tables say, in sentences made from their numbers."""

import pandas as pd

from lib.data.corpus import Corpus
from lib.papers.self_paced_balance.study import TRI, floor
from lib.reporting.modality_figures import metric_name
from lib.reporting.words import interval, number

VERDICTS = ("positive", "negative", "neutral", "no verdict")


def _counted(verdicts: pd.Series) -> str:
    counts = verdicts.value_counts()
    return ", ".join(f"{counts[name]} {name}" for name in VERDICTS if counts.get(name, 0))


def effects(table: pd.DataFrame) -> list[str]:
    """With and without SPCL."""
    metric, gain = metric_name(table["metric"].iloc[0]), 100 * table["gain"].dropna()
    counted = f"SPCL against plain training, test {metric}, {len(table)} comparisons: {_counted(table['verdict'])}."
    if gain.empty:
        return [f"{counted} No seed has a score with SPCL and without."]
    best, worst = table.loc[gain.idxmax()], table.loc[gain.idxmin()]
    sentences = [
        f"{counted} "
        f"The mean gains lie between {gain.min():+.2f} points ({worst['backbone']} {worst['modalities']}) and "
        f"{gain.max():+.2f} points ({best['backbone']} {best['modalities']}); their average is {gain.mean():+.2f}."
    ]
    for backbone, rows in table.groupby("backbone", sort=False):
        listed = "; ".join(
            f"{row['modalities']} {number(100 * row['gain'], '+.2f')} ({_between(row)})"
            for row in rows.to_dict("records")
        )
        sentences.append(f"{backbone}, gain in points with 95 % interval: {listed}.")
    sentences.append(
        f"Intervals are per comparison: of {len(table)} without any effect, about {0.05 * len(table):.1f} would leave "
        "out 0 by chance."
    )
    return sentences


def _between(row: dict) -> str:
    """Both ends of the interval of a gain in points."""
    return interval(100 * row["t_interval_low"], 100 * row["t_interval_high"], "+.2f", name="")


def trimodal(table: pd.DataFrame) -> list[str]:
    """Three modalities against two, and what SPCL changes."""
    sentences = []
    for spcl, words in (("without", "Without SPCL"), ("with", "With SPCL")):
        rows = table[table["spcl"] == spcl]
        below = int((rows["gain_points"] < 0).sum())
        sentences.append(
            f"{words}, three modalities score below two in {below} of {rows['gain_points'].count()} comparisons by the "
            f"mean; by the interval: {_counted(rows['verdict'])}."
        )
    change = table[table["spcl"] == "with - without"]
    mean, least, most = (number(change["gain_points"].agg(how), "+.2f") for how in ("mean", "min", "max"))
    sentences.append(
        f"What SPCL changes in these gains: {mean} points on average, from {least} to {most}; by the interval: "
        f"{_counted(change['verdict'])}. The paper's claim that SPCL restores the worth of the third modality asks for "
        "positive ones."
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
                f"{backbone}, three modalities: only runs {there} SPCL have a score, so no balance to compare."
            )
            continue
        last = rows[rows["epoch"] == rows.groupby(["spcl", "seed"])["epoch"].transform("max")]
        top = last.groupby("spcl")[ratios].mean().max(axis=1)
        share = rows[rows["spcl"] == 1].groupby("epoch")["selected_share"].mean()
        full = share[share >= 0.99].index.min()
        until = "in no epoch" if pd.isna(full) else f"from epoch {int(full)} on"
        sentences.append(
            f"{backbone}, three modalities: in the first epoch {100 * share.iloc[0]:.0f} % of the utterances are "
            f"selected, {until} 99 % or more. The strongest modality's ratio ends at {top[1]:.2f} with SPCL and "
            f"{top[0]:.2f} without (1 is balance)."
        )
    return sentences


def mends(claims: pd.DataFrame, scores: pd.DataFrame) -> list[str]:
    """What the mends do to the scores and to the claims' verdicts."""
    sentences = []
    for mend, rows in claims.groupby("mend", sort=False) if len(claims) else ():
        own = scores[scores["mend"] == mend]
        other = rows[rows["verdict_published"] != rows["verdict_mended"]]
        ends = (number(100 * own["gain"].agg(how), "+.2f") for how in ("min", "max"))
        spread = f"{' to '.join(ends)} points ({_counted(own['verdict'])})"
        changed = "; ".join(
            f"{row['backbone']} {row['quantity']} from {row['verdict_published']} to {row['verdict_mended']}"
            for row in other.to_dict("records")
        )
        sentences.append(
            f"Mend `{mend}`: scores change by {spread}; "
            f"{len(other)} of {len(rows)} verdicts on the claims change{': ' + changed if changed else ''}."
        )
    return sentences


def bounds(corpus: Corpus, effect: pd.DataFrame) -> list[str]:
    """The best network beside a constant answer and, on a stand-in, beside the ceiling."""
    rows = effect[(effect["modalities"] == TRI) & effect[["without", "with_spcl"]].notna().any(axis=1)]
    if rows.empty:
        return ["No run on three modalities has a score."]
    top = rows[["without", "with_spcl"]].max(axis=1)
    best, metric, constant = rows["backbone"][top.idxmax()], effect["metric"].iloc[0], floor(corpus).iloc[0]
    sentence = (
        f"The best backbone on three modalities, {best}, has a test {metric_name(metric)} of {top.max():.3f}; "
        f"{constant['prediction']} has {constant[metric]:.3f}"
    )
    ceiling = corpus.source.ceilings.get("text+audio+video", {}).get(metric)
    return [sentence + (f", the best possible decision {ceiling:.3f}." if ceiling else ".")]


def published_reasons(comparison: pd.DataFrame) -> str:
    """Why the published gains are or are not compared."""
    counts = comparison["verdict"].value_counts().items()
    return f"Published gains: {'; '.join(f'{verdict} ({count})' for verdict, count in counts)}."
