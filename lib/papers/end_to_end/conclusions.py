"""What the tables of the notebook `end_to_end_sparse` say, in sentences made from their numbers."""

from collections.abc import Sequence

import pandas as pd

from lib.metrics.scores import words
from lib.papers.end_to_end import EndToEnd
from lib.papers.end_to_end.study import Corpora
from lib.papers.end_to_end.tables import ALWAYS, NEVER
from lib.reporting.words import deciding, interval, number, over_what, plan, told


def floor(overview: pd.DataFrame) -> list[str]:
    """The models against the constant answer."""
    found = overview.set_index("variant")
    never, always, models = found.loc[NEVER], found.loc[ALWAYS], found.drop([NEVER, ALWAYS])
    listed = "; ".join(
        f"{name} accuracy {row['acc']:.3f} ({100 * (row['acc'] - never['acc']):+.1f} points), F1 "
        f"{row['f1_positive']:.3f}, AUC {number(row['auc'], '.3f')}"
        if row["n"]
        else f"{name} without a score"
        for name, row in models.iterrows()
    )
    scored = models[models["n"] > 0]
    above = int((scored["f1_positive"] > always["f1_positive"]).sum())
    weighted = number(never["weighted_acc"], ".3f")
    return [
        f"Answering no to everything has accuracy {never['acc']:.3f}, weighted accuracy {weighted} "
        f"and F1 {never['f1_positive']:.3f}. The models, means over the seeds: {listed}.",
        f"{above} of {len(scored)} models have a better F1 than answering yes to everything, which has "
        f"{always['f1_positive']:.3f}.",
    ]


def likeliest(overview: pd.DataFrame, label_names: Sequence[str]) -> list[str]:
    """How often the likeliest emotion is the right one, where each utterance has one."""
    if "class_acc" not in overview:
        return []
    listed = "; ".join(
        f"{row['variant']} {row['class_acc']:.3f}" for row in overview.dropna(subset="class_acc").to_dict("records")
    )
    many = len(label_names)
    return [f"How often the likeliest of {many} emotions is right, where a guess is in 1 of {many} cases: {listed}."]


def gains(table: pd.DataFrame) -> list[str]:
    """A sentence per row of a gain table, in points, by the interval that decides."""
    sentences = []
    for row in table.to_dict("records"):
        low, high = (100 * end for end in deciding(row))
        between = interval(low, high, "+.1f", name=f"95 % interval over {over_what(row)} ")
        gain = f"{number(100 * row['gain'], '+.1f')} points ({between})"
        sentences.append(f"{row['variant']}, {words(row['metric'])}: {gain}, {told(row)} {row['baseline']}{plan(row)}.")
    return sentences


def thresholds(dense: pd.DataFrame, costs: pd.DataFrame) -> list[str]:
    """Does part of the computation give the same score, and does it save time here?"""
    return gains(dense[dense["metric"] == "f1_positive"]) + savings(costs)


def savings(costs: pd.DataFrame) -> list[str]:
    """Operations and time of the saving form, as shares of the dense model's."""
    gathered = costs[costs["form"] == "gathered"].dropna(subset="nominal_ratio").sort_values("threshold")
    if gathered.empty:
        return []
    listed = "; ".join(
        f"{row['threshold']:g}: {row['nominal_ratio']:.2f} nominal, {row['counted_ratio']:.2f} counted, "
        f"{row['seconds_ratio']:.2f} of the time"
        for row in gathered.to_dict("records")
    )
    slower = gathered[(gathered["nominal_ratio"] < 1) & (gathered["seconds_ratio"] >= 1)]["threshold"]
    sentences = [f"Shares of the dense model's cost by threshold: {listed}."]
    if len(slower):
        where = ", ".join(f"{t:g}" for t in slower)
        sentences.append(f"At {where} the saving exists on paper only: a step is no faster than the dense model's.")
    else:
        sentences.append("At every threshold a step takes less time than the dense model's.")
    return sentences


def attention(masses: pd.DataFrame) -> list[str]:
    """How much of the first stage's attention lies where the cue is."""
    return [
        f"Attention ({row['attention']}), {row['modality']}, first stage: {100 * row['mass']:.1f} % of it lies in "
        f"the informative region, {row['times_chance']:.2f} times chance ({100 * row['chance']:.1f} %): "
        f"{row['verdict']}."
        for row in masses[masses["stage"] == 0].to_dict("records")
    ]


def baselines(over: pd.DataFrame) -> list[str]:
    """The best model over the best on hand-crafted features, by the mean F1 of each; `over` is `handcrafted_table`."""
    if over.empty:
        return []
    rows = over[over["metric"] == "f1_positive"].dropna(subset="gain")
    rows = rows.sort_values(["baseline_score", "score"], ascending=False).head(1)
    return [f"The best model over the best on hand-crafted features: {sentence}" for sentence in gains(rows)]


def provenance(p: EndToEnd, corpora: Corpora) -> str:
    """What the numbers stand for."""
    if corpora.any.source.synthetic:
        return (
            "Every number here is measured on rendered faces, tones and template sentences with a text encoder from "
            "random weights: it shows that the pipeline and the mechanism work, and says nothing about the real "
            "corpora."
        )
    source, folds = corpora.any.source, len(corpora.tested)
    if folds > 1:
        return f"Measured on {source.name}, {folds} folds in turns, of which the first is {source.split_rule}."
    return f"Measured on {source.name}; {source.split_rule}."
