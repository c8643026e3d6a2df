"""What the tables of the notebook `end_to_end_sparse` say, in sentences made from their numbers."""

import pandas as pd

from lib.papers.end_to_end import Corpora, variant
from lib.papers.end_to_end_tables import NEVER
from lib.params.end_to_end import EndToEnd

_TOLD = {"positive": "better than", "negative": "worse than"}
_NEITHER = "not told apart from"


def floor(overview: pd.DataFrame) -> list[str]:
    """The models against the constant answer."""
    found = overview.set_index("variant")
    never, models = found.loc[NEVER], found.drop(NEVER)
    listed = "; ".join(
        f"{name} accuracy {row['acc']:.3f} ({100 * (row['acc'] - never['acc']):+.1f} points), F1 "
        f"{row['f1_positive']:.3f}, AUC {row['auc']:.3f}"
        for name, row in models.iterrows()
    )
    above = [name for name, row in models.iterrows() if row["f1_positive"] > never["f1_positive"]]
    return [
        f"Answering no to everything has accuracy {never['acc']:.3f}, weighted accuracy {never['weighted_acc']:.3f} "
        f"and F1 {never['f1_positive']:.3f}. The models, means over the seeds: {listed}.",
        f"{len(above)} of {len(models)} models have a better F1 than the constant answer.",
    ]


def thresholds(dense: pd.DataFrame, costs: pd.DataFrame) -> list[str]:
    """Does part of the computation give the same score, and does it save time here?"""
    sentences = []
    for row in dense[dense["metric"] == "f1_positive"].to_dict("records"):
        sentences.append(
            f"{row['variant']}, F1: {100 * row['gain']:+.1f} points (95 % interval "
            f"{100 * row['t_interval_low']:+.1f} to {100 * row['t_interval_high']:+.1f}), "
            f"{_TOLD.get(row['verdict'], _NEITHER)} {row['baseline']}."
        )
    return sentences + savings(costs)


def savings(costs: pd.DataFrame) -> list[str]:
    """Operations and time of the saving form, as shares of the dense model's."""
    if "nominal_ratio" not in costs:
        return []
    gathered = costs[costs["form"] == "gathered"].sort_values("threshold")
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
    sentences = []
    for row in masses[masses["stage"] == 0].to_dict("records") if len(masses) else ():
        sentences.append(
            f"Attention ({row['attention']}), {row['modality']}, first stage: {100 * row['mass']:.1f} % of it lies in "
            f"the informative region, {row['times_chance']:.2f} times chance ({100 * row['chance']:.1f} %): "
            f"{row['verdict']}."
        )
    return sentences


def changes(table: pd.DataFrame) -> list[str]:
    """What the sparse model's changes do."""
    return [
        f"{row['variant']}, {'F1' if row['metric'] == 'f1_positive' else 'accuracy'}: {100 * row['gain']:+.1f} points "
        f"({100 * row['t_interval_low']:+.1f} to {100 * row['t_interval_high']:+.1f}), "
        f"{_TOLD.get(row['verdict'], _NEITHER)} {row['baseline']}."
        for row in table.to_dict("records")
    ]


def baselines(p: EndToEnd, overview: pd.DataFrame) -> list[str]:
    """The end-to-end models beside those on hand-crafted features; not paired, because the inputs differ."""
    found = overview.set_index("variant")["f1_positive"]
    hand = [name for name in ("LF-LSTM", "LF-TRANS") if name in found]
    ends = [name for name in (variant("mme2e"), variant("mme2e_sparse", p.threshold)) if name in found]
    if not hand or not ends:
        return []
    best_hand, best_end = max(hand, key=found.get), max(ends, key=found.get)
    gap = 100 * (found[best_end] - found[best_hand])
    return [
        f"The better end-to-end model ({best_end}) lies {abs(gap):.1f} points of F1 {'above' if gap > 0 else 'below'} "
        f"the better one on hand-crafted features ({best_hand}); means over the seeds, without a test."
    ]


def provenance(p: EndToEnd, corpora: Corpora) -> str:
    """What the numbers stand for."""
    if corpora.any.source.synthetic:
        return (
            "Every number here is measured on rendered faces, tones and template sentences with a text encoder from "
            "random weights: it shows that the pipeline and the mechanism work, and says nothing about the real "
            "corpora."
        )
    return f"Measured on {corpora.any.source.name}; {corpora.any.source.split_rule}."
