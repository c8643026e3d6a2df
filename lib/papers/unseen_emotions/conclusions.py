"""What the tables say, in sentences made from their numbers."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from math import isnan

import pandas as pd

from lib.metrics.scores import words
from lib.papers.unseen_emotions.answers import TOGETHER
from lib.papers.unseen_emotions.tables import ABOVE, AT_CHANCE, BELOW, DIFFERENCE, HALF, NEITHER, UNDEFINED
from lib.reporting.verdicts import outcome
from lib.reporting.words import between, decision, interval, number, seeds

LEVEL = 0.05
"""Of the place of a word among random vectors."""


def of(
    never_seen: pd.DataFrame,
    pooled: pd.DataFrame,
    places: pd.DataFrame,
    beside: pd.DataFrame,
    curves: pd.DataFrame,
    over_none: pd.DataFrame,
    tuned: Mapping[str, pd.DataFrame],
) -> list[str]:
    """All that the tables of a run say: zero-shot, averaged, among random vectors, beside the published numbers, by
    samples (scores and gains), after fine-tuning (gains)."""
    sentences = [*zero_shot(never_seen), *all_together(never_seen, pooled), *among_random(places)]
    sentences += beside_published(beside)
    for emotion, curve in curves.groupby("emotion", sort=False) if len(curves) else ():
        own = over_none["variant"].str.startswith(f"{emotion}: ")
        sentences.append(few_shot(emotion, curve, over_none[own]))
    return sentences + fine_tuning(tuned)


def zero_shot(table: pd.DataFrame) -> list[str]:
    """A sentence per emotion, from `zero_shot_table`."""
    sentences = []
    for row in table.to_dict("records"):
        if isnan(row["auc"]):
            sentences.append(
                f"{row['emotion']}, never seen: AUC undefined: {_why(row)}; with the emotion in training "
                f"{number(row['auc_in_training'], '.3f')}."
            )
            continue
        sentences.append(
            f"{row['emotion']}, never seen: AUC {row['auc']:.3f} ({_between(row)}), **{row['verdict']}**; with "
            f"a random vector {row['random_auc']:.3f}, {row['random_verdict']}; with the emotion in training "
            f"{number(row['auc_in_training'], '.3f')}."
        )
    return sentences


def _why(row: dict) -> str:
    """Of an emotion without an AUC."""
    if row["share_present"] in (0, 1):
        return f"{'no' if row['share_present'] == 0 else 'every'} test sample shows it"
    return "no training of it has a score"


def _between(row: dict) -> str:
    """The interval that decides and what it is over; else that over the seeds."""
    if isnan(row["combined_low"]):
        return f"{interval(row['seeds_low'], row['seeds_high'], '.3f')} over {seeds(row['n'])} alone"
    over = f"{seeds(row['n'])} and {row['units']} {row['unit']}s"
    return f"{interval(row['combined_low'], row['combined_high'], '.3f')} over {over}"


def all_together(table: pd.DataFrame, pooled: pd.DataFrame) -> list[str]:
    """All emotions at once, with their word vectors and with random ones; from `zero_shot_table`, `pooled_table`."""
    verdicts = (ABOVE, BELOW, AT_CHANCE, NEITHER, UNDEFINED)
    groups = ((name, table.loc[table["verdict"] == name, "emotion"]) for name in verdicts)
    found = [f"{len(emotions)} {name} ({', '.join(emotions)})" for name, emotions in groups if len(emotions)]
    both = table.dropna(subset=["auc", "auc_in_training"])
    share = (both["auc"].mean() - HALF) / (both["auc_in_training"].mean() - HALF)
    sentences = [
        f"Of {len(table)} emotions: {'; '.join(found)}. On average the word vector alone gives {number(share, '.0%')} "
        "of the distance from chance that training on the emotion gives."
    ]
    for row in pooled.to_dict("records"):
        emotions = "the emotions" if row["emotions"] == len(table) else f"{row['emotions']} of {len(table)} emotions"
        sentences.append(
            f"Vectors {row['vectors']}, averaged over {emotions}: AUC {number(row['auc'], '.3f')} ({_between(row)}), "
            f"**{row['verdict']}**"
        )
        plan = row["would_decide"] if row["vectors"] == DIFFERENCE else ""
        sentences[-1] += f"; {plan}." if plan else "."
    return sentences


def among_random(table: pd.DataFrame) -> list[str]:
    """The place of each word among random vectors, how many are told from these, and the place of all words together;
    from `random_table`."""
    alone, together = table[table["emotion"] != TOGETHER], table[table["emotion"] == TOGETHER].dropna(subset="auc")
    sentences = [
        f"{row['emotion']}: undefined, so its word has no place among the random vectors."
        if isnan(row["auc"])
        else f"{row['emotion']}: {row['at_least_as_high']} of {row['random_vectors']} random vectors score at least as "
        f"high as its word (p {row['random_p']:.3f}; the middle 95 % of them {row['middle_of_random_low']:.3f} to "
        f"{row['middle_of_random_high']:.3f}): the word "
        f"{'matters' if row['random_p'] < LEVEL else 'is not told apart from any other vector'}."
        for row in alone.to_dict("records")
    ]
    raw, after = (alone.loc[alone[name] < LEVEL, "emotion"].tolist() for name in ("random_p", "holm_p"))
    sentences.append(
        f"Words told from {alone['random_vectors'].iloc[0]} random vectors (p by rank below {LEVEL:g}): "
        f"{_counted(raw)} of {len(alone)} emotions; after Holm's adjustment for that many words {_counted(after)}."
    )
    return sentences + [
        f"All held-out emotions together, AUC {row['auc']:.3f}: of {row['random_vectors']} draws of a random vector "
        f"for each of them {row['at_least_as_high']} score at least as high on average as the words (p "
        f"{row['random_p']:.3f}; the middle 95 % of them {row['middle_of_random_low']:.3f} to "
        f"{row['middle_of_random_high']:.3f}): the words "
        f"{'matter' if row['random_p'] < LEVEL else 'are not told apart from any other vectors'}."
        for row in together.to_dict("records")
    ]


def _counted(emotions: Sequence[str]) -> str:
    """How many, and which."""
    return f"{len(emotions)} ({', '.join(emotions)})" if len(emotions) else "none"


def beside_published(table: pd.DataFrame) -> list[str]:
    """The range of each score of the seen emotions, published and ours, and how they stand; from
    `seen.beside_published`."""
    sentences = []
    for metric, rows in table.groupby("quantity", sort=False) if len(table) else ():
        ours, paper = (_range(rows[side].dropna()) for side in ("reproduced", "paper"))
        found = rows["verdict"].value_counts()
        standing = "; ".join(f"{said} ({n} of {len(rows)})" if len(found) > 1 else said for said, n in found.items())
        sentences.append(
            f"{words(metric)[:1].upper()}{words(metric)[1:]} of the emotions that a zero-shot network was trained on: "
            f"{ours}, published {paper}: {standing}."
        )
    return sentences


def _range(values: pd.Series) -> str:
    return f"{values.min():.3f} to {values.max():.3f}" if len(values) else "undefined"


def few_shot(emotion: str, table: pd.DataFrame, gain: pd.DataFrame) -> str:
    """From how many samples on the network is better than zero-shot; from `few_shot_table` and `few_shot_gains`."""
    first, last = table.iloc[0], table.iloc[-1]
    said = (
        f"{emotion}, never seen: AUC {number(first['auc'], '.3f')}; with all {last['shots']} samples: "
        f"{number(last['auc'], '.3f')}. "
    )
    if gain["gain_std"].isna().all():
        return f"{said}Without intervals nothing is said of the number of samples that helps."
    shots = table.set_index("setting")["shots"]
    better = [(shots[row["variant"].removeprefix(f"{emotion}: ")], row) for row in gain.to_dict("records")]
    lasting = list(takewhile(lambda pair: pair[1]["answer"] == "better", reversed(better)))
    if not lasting:
        return f"{said}Even that is not better than zero-shot: {decision(better[-1][1])}."
    if len(lasting) == 1 and len(better) > 1:
        return f"{said}Up to {better[-2][0]} samples it is not better than zero-shot for good."
    least, row = lasting[-1]
    samples = "1 sample" if least == 1 else f"{least} samples"
    return f"{said}From {samples} on it is better than zero-shot ({row['gain']:+.3f}, {between(row)})."


def fine_tuning(found: Mapping[str, pd.DataFrame]) -> list[str]:
    """Of each regime, for which emotions it gains, and for which it costs the others; from `fine_tuning_gains`."""
    own, others = found["auc"], found["auc_others"]
    if own.empty:
        return []
    regime = own["variant"].str.partition(": ")[2]
    return [
        f"{name[:1].upper()}{name[1:]}, over zero-shot: AUC of the new emotion {_answers(own[regime == name])}; mean "
        f"AUC of the others {_answers(others[regime == name])}."
        for name in regime.unique()
    ]


def _answers(rows: pd.DataFrame) -> str:
    """How many gains come to what, and of which emotions; then the least and the greatest gain."""
    said = [outcome(row)[0] for row in rows.to_dict("records")]
    emotions = rows["variant"].str.split(": ").str[0].groupby(said, sort=False)
    told = "; ".join(f"{answer} for {_counted(names.tolist())}" for answer, names in emotions)
    return f"{told} ({number(rows['gain'].min(), '+.3f')} to {number(rows['gain'].max(), '+.3f')})"
