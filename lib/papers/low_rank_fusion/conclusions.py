"""What the tables say, in sentences made from their numbers."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from lib.metrics.scores import direction
from lib.papers.low_rank_fusion.study import LMF, alone
from lib.papers.low_rank_fusion.tables import LOGISTIC, SENTENCE_VECTOR
from lib.reporting.words import decision, number
from lib.study import Task

SAME_BUT_FUSION = (
    "LMF, TFN and concatenation differ in the fusion alone: the sub-networks, the loss, the optimiser and the seeds "
    "are the same."
)


def comparisons(tables: Iterable[pd.DataFrame]) -> list[str]:
    """Each row of gain tables, by the interval that decides."""
    return [
        f"{row['metric']}: {row['variant']} {number(row['score'])}, {row['baseline']} {number(row['baseline_score'])}: "
        f"{decision(row)}."
        for table in tables
        for row in table.to_dict("records")
    ]


def ranks(table: pd.DataFrame, metric: str) -> list[str]:
    """Which rank scores best, and what the rank costs; of the ranks that have a score. Gains say if it matters."""
    table = table.dropna(subset="score").reset_index(drop=True)
    if len(table) < 2:
        return []
    best = table["score"].idxmin() if direction(metric) == "lower" else table["score"].idxmax()
    top, first, last = table.loc[best], table.iloc[0], table.iloc[-1]
    weights = " and ".join(f"{int(row['parameters']):,} weights at rank {row['rank']:g}" for row in (first, last))
    time = f"{1000 * first['seconds_per_epoch']:.0f} and {1000 * last['seconds_per_epoch']:.0f} ms per epoch"
    return [
        f"Best mean over the seeds at rank {top['rank']:g} ({metric} {top['score']:.4f}).",
        f"Cost of the rank: {weights}; {time}.",
    ]


def selection(table: pd.DataFrame, metric: str) -> list[str]:
    """How much of the search's own number is selection."""
    if table.empty:
        return []
    score = table.set_index("choice")["score"]
    sign = -1 if direction(metric) == "lower" else 1
    once, again = score["best draw by validation, as searched"], score["its setting, other seeds"]
    peeked = score["best draw by test, as searched"]
    if pd.isna(again):
        return [
            f"Search: the draw chosen by validation reports {metric} {once:.4f}; none of the trainings of its setting "
            "with other seeds has a score, so what of it is selection is not known."
        ]
    flattery, peeking = sign * (once - again), sign * (peeked - again)
    how = {True: "better", False: "worse"}
    return [
        f"Search: the draw chosen by validation reports {metric} {once:.4f}; the same setting averages "
        f"{again:.4f} with other seeds. The search's own number is {abs(flattery):.4f} {how[flattery > 0]} than that.",
        f"Choosing by the test set would have reported {peeked:.4f}, {abs(peeking):.4f} {how[peeking > 0]} than that "
        "average. Where a paper does not say what chose its row, this is the doubt.",
    ]


def why_not_linear(reference: pd.DataFrame, scores: pd.DataFrame, words: int) -> list[str]:
    """Where LMF learns its words: what makes its distance from the bag of words, in MAE; empty without its score."""
    lmf = scores.set_index("variant").loc[LMF, "score"]
    if pd.isna(lmf):
        return []
    whole, short, single = reference["mae"].iloc[:3]
    return [
        f"Of the difference of {lmf - whole:+.3f} MAE between LMF and the bag of words, reading only the last {words} "
        f"words makes {short - whole:+.3f} and doing without pairs of words {single - short:+.3f} (both measured with "
        f"ridge regression); the other {lmf - single:+.3f} are the network itself, which learns word vectors and their "
        "order from 1284 utterances, and reads audio besides, where ridge regression shrinks one weight per word."
    ]


def second_modality(linear: pd.DataFrame, metric: str) -> list[str]:
    """What logistic regression scores by modality, and what a second one is worth to it."""
    own = linear.set_index("model")[metric]
    *singles, both = own
    return [
        f"{', '.join(f'{name}: {metric} {score:.4f}' for name, score in own.items())}.",
        f"To logistic regression the second modality is worth {both - max(singles):+.4f} {metric}.",
    ]


def over_one_modality(
    found: Mapping[tuple[str, str], pd.DataFrame], over_linear: pd.DataFrame, metric: str, modalities: Sequence[str]
) -> list[str]:
    """What the fusions gain over a network or logistic regression on one modality, and over the latter on all.

    Where the network is the weaker of the two, part of the gain over it is its weakness.
    """
    sentences, logistic = [], over_linear.groupby("baseline", sort=False)
    for modality in modalities:
        linear = logistic.get_group(LOGISTIC.format(modality))
        said = f"{_gains(linear, metric)} over logistic regression on {modality} alone"
        network = found.get((metric, alone(modality)), pd.DataFrame())
        if len(network):
            said = f"{_gains(network, metric)} over the network that is fed {modality} alone, {said}"
            weakness = linear["baseline_score"].iloc[0] - network["baseline_score"].iloc[0]
            if weakness > 0:
                said += f": {weakness:.4f} of the gain over that network is its own weakness, not fusion"
        sentences.append(f"The fusions gain {said}.")
    both = " and ".join(modalities)
    linear = logistic.get_group(LOGISTIC.format(both))
    return [*sentences, f"The fusions gain {_gains(linear, metric)} over logistic regression on {both}."]


def _gains(table: pd.DataFrame, metric: str) -> str:
    """From the smallest to the largest, beside the score that they are over."""
    gain, score = table["gain"], table["baseline_score"].iloc[0]
    return f"{gain.min():+.4f} to {gain.max():+.4f} {metric} (from {number(score)})"


def anchors(reference: pd.DataFrame, scores: pd.DataFrame, paper: pd.DataFrame, metric: str) -> list[str]:
    """LMF on CMU-MOSI's words beside the linear anchor and the published LMF."""
    own = reference.set_index("model")[metric]
    if SENTENCE_VECTOR not in own:
        return [f"The linear anchor, {SENTENCE_VECTOR}, was not measured: ./run_all.sh data get minilm."]
    lmf = number(scores.set_index("variant").loc[LMF, "score"])
    published = paper[(paper["variant"] == LMF) & (paper["metric"] == metric)]["value"].iloc[0]
    return [
        f"Anchors in {metric}: {SENTENCE_VECTOR}, which reads no audio, {own[SENTENCE_VECTOR]:.4f}; LMF here {lmf}; "
        f"published LMF, with three modalities, {published:g}."
    ]


def floors(tasks: Sequence[Task], floor: pd.DataFrame, scores: Mapping[str, pd.DataFrame]) -> list[str]:
    """LMF against a constant prediction; `floor` holds its scores by the task's name."""
    sentences = []
    for task in tasks:
        (metric, *_), row, name = task.metrics, floor.loc[task.name], task.variant(LMF)
        ours = scores[metric].set_index("variant").loc[name, "score"]
        sentences.append(f"{name} has {metric} {number(ours)}; {row['prediction']} has {row[metric]:.4f}.")
    return sentences
