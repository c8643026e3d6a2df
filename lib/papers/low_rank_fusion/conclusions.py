"""What the tables say, in sentences made from their numbers."""

from collections.abc import Mapping, Sequence

import pandas as pd

from lib.metrics.scores import direction
from lib.papers.low_rank_fusion.study import FUSIONS, LMF
from lib.papers.low_rank_fusion.tables import BAG_OF_WORDS
from lib.reporting.words import gain, interval, number, unseen
from lib.study import Task

_NAMED = {BAG_OF_WORDS: "The bag of words"}
_SHARED = "the sub-networks, the loss, the optimiser and the seeds are the same"


def comparisons(found: Mapping[tuple[str, str], pd.DataFrame]) -> list[str]:
    """Each network against each baseline; `found` holds gains by (metric, over)."""
    sentences = []
    for (metric, _), table in found.items():
        for row in table.to_dict("records"):
            verdict = {"positive": "better", "negative": "worse"}.get(row["verdict"], "not told apart")
            ours, theirs = number(row["score"]), number(row["baseline_score"])
            told = f"{metric}: {row['variant']} {ours}, {row['baseline']} {theirs}"
            sentences.append(f"{told}: {gain(row)}: {verdict}{unseen(row)}.")
    return [*sentences, f"LMF, TFN and concatenation differ in the fusion alone: {_SHARED}."]


def ranks(table: pd.DataFrame, metric: str) -> list[str]:
    """Whether the rank matters here, and what it costs; of the ranks that have a score."""
    table = table.dropna(subset="score").reset_index(drop=True)
    if len(table) < 2:
        return []
    best = table["score"].idxmin() if direction(metric) == "lower" else table["score"].idxmax()
    top, first, last = table.loc[best], table.iloc[0], table.iloc[-1]
    rivals = table[(table["t_interval_low"] <= top["score"]) & (table["score"] != top["score"])]
    inside = [f"{rank:g}" for rank in rivals.loc[rivals["t_interval_high"] >= top["score"], "rank"]]
    weights = " and ".join(f"{int(row['parameters']):,} weights at rank {row['rank']:g}" for row in (first, last))
    time = f"{1000 * first['seconds_per_epoch']:.0f} and {1000 * last['seconds_per_epoch']:.0f} ms per epoch"
    near = (
        f"its {metric} lies within the intervals of rank {', '.join(inside)}" if inside else "no other rank reaches it"
    )
    return [
        f"Best rank here: {top['rank']:g} ({metric} {top['score']:.4f}); {near}.",
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


def against_reference(
    reference: pd.DataFrame, scores: Mapping[str, pd.DataFrame], words: int, vectors: str = ""
) -> list[str]:
    """LMF beside linear models; empty without a reference, or a score of LMF.

    Where LMF learns its words, why it or the bag of words is better; where it reads `vectors`, beside ridge regression
    on the same ones.
    """
    mae, acc = (scores[m].set_index("variant").loc[LMF] for m in ("mae", "acc2_nonneg"))
    if reference.empty or pd.isna(mae["score"]):
        return []
    rows = reference.set_index("model")
    theirs, short, single = (rows.iloc[i] for i in range(3))
    between = interval(mae["t_interval_low"], mae["t_interval_high"], ".3f", name="")
    lmf = f"LMF: MAE {mae['score']:.3f} ({between}), accuracy {acc['score']:.3f}"

    def against(name: str, row: pd.Series) -> tuple[str, str]:
        verdict = "The two are not told apart"
        if mae["t_interval_low"] > row["mae"]:
            verdict = f"{_NAMED.get(name, 'The linear model')} is better"
        elif mae["t_interval_high"] < row["mae"]:
            verdict = "LMF is better"
        return f"{name}: MAE {row['mae']:.3f}, accuracy {row['acc2_nonneg']:.3f}", f"{verdict} by MAE"

    said, winner = against(BAG_OF_WORDS, theirs)
    sentences = [f"{lmf}. {said}."]
    if vectors:
        linear = [against(name, row) for name, row in rows.iterrows() if name.startswith("ridge")]
        return [*sentences, f"{winner}.", *(f"{said}. {verdict}." for said, verdict in linear)]
    cut, pairs = short["mae"] - theirs["mae"], single["mae"] - short["mae"]
    network = mae["score"] - single["mae"]
    sentences.append(
        f"{winner}. Of the difference of {mae['score'] - theirs['mae']:+.3f}, reading only the last {words} "
        f"words makes {cut:+.3f} and doing without pairs of words {pairs:+.3f} (both measured with ridge regression); "
        f"the other {network:+.3f} are the network itself, which learns word vectors and their order from 1284 "
        "utterances, and reads audio besides, where ridge regression shrinks one weight per word."
    )
    return sentences


def against_linear(linear: pd.DataFrame, scores: pd.DataFrame, metric: str) -> list[str]:
    """The fusions beside logistic regression on the same vectors, and what a second modality is worth to each."""
    own = linear.set_index("model")[metric]
    *singles, both = own
    found = [f"{', '.join(f'{name}: {metric} {score:.4f}' for name, score in own.items())}."]
    found.append(f"To logistic regression the second modality is worth {both - max(singles):+.4f} {metric}.")
    for row in scores[scores["variant"].isin(FUSIONS)].dropna(subset="t_interval_low").to_dict("records"):
        side = "below" if row["t_interval_high"] < both else "above" if row["t_interval_low"] > both else "around"
        ours = f"{metric} {row['score']:.4f} ({interval(row['t_interval_low'], row['t_interval_high'], '.4f')})"
        found.append(f"{row['variant']} lies {side} logistic regression on all: {ours}.")
    return found


def floors(tasks: Sequence[Task], floor: pd.DataFrame, scores: Mapping[str, pd.DataFrame]) -> list[str]:
    """LMF against a constant prediction; `floor` holds its scores by the task's name."""
    sentences = []
    for task in tasks:
        (metric, *_), row, name = task.metrics, floor.loc[task.name], task.variant(LMF)
        ours = scores[metric].set_index("variant").loc[name, "score"]
        sentences.append(f"{name} has {metric} {number(ours)}; {row['prediction']} has {row[metric]:.4f}.")
    return sentences
