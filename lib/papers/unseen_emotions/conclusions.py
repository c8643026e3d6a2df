"""What the tables say, in sentences made from their numbers."""

from collections.abc import Mapping
from itertools import takewhile
from math import isnan

import pandas as pd

from lib.papers.unseen_emotions.answers import TOGETHER
from lib.papers.unseen_emotions.tables import ABOVE, AT_CHANCE, BELOW, DIFFERENCE, HALF, NEITHER, UNDEFINED
from lib.reporting.words import between, decision, interval, number, seeds


def of(
    never_seen: pd.DataFrame,
    pooled: pd.DataFrame,
    places: pd.DataFrame,
    curves: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    tuned: Mapping[str, Mapping[str, pd.DataFrame]],
) -> list[str]:
    """All that the tables of a run say: zero-shot, averaged, among random vectors, by samples (scores and gains), after
    fine-tuning (gains)."""
    sentences = [*zero_shot(never_seen), *all_together(never_seen, pooled), *among_random(places)]
    sentences += [few_shot(emotion, *curve) for emotion, curve in curves.items()]
    return sentences + [sentence for emotion, found in tuned.items() for sentence in fine_tuning(emotion, found)]


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
    """The place of each word among random vectors, and of all words together; from `random_table`."""
    alone, together = table[table["emotion"] != TOGETHER], table[table["emotion"] == TOGETHER].dropna(subset="auc")
    sentences = [
        f"{row['emotion']}: undefined, so its word has no place among the random vectors."
        if isnan(row["auc"])
        else f"{row['emotion']}: {row['at_least_as_high']} of {row['random_vectors']} random vectors score at least as "
        f"high as its word (p {row['random_p']:.3f}; the middle 95 % of them {row['middle_of_random_low']:.3f} to "
        f"{row['middle_of_random_high']:.3f}): the word "
        f"{'matters' if row['random_p'] < 0.05 else 'is not told apart from any other vector'}."
        for row in alone.to_dict("records")
    ]
    return sentences + [
        f"All emotions together, AUC {row['auc']:.3f}: of {row['random_vectors']} draws of a random vector for each of "
        f"them {row['at_least_as_high']} score at least as high on average as the words (p {row['random_p']:.3f}; the "
        f"middle 95 % of them {row['middle_of_random_low']:.3f} to {row['middle_of_random_high']:.3f}): the words "
        f"{'matter' if row['random_p'] < 0.05 else 'are not told apart from any other vectors'}."
        for row in together.to_dict("records")
    ]


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


def fine_tuning(emotion: str, found: Mapping[str, pd.DataFrame]) -> list[str]:
    """What each regime gains on the emotion and costs on the others; from `fine_tuning_gains`."""
    pairs = zip(found["auc"].to_dict("records"), found["auc_others"].to_dict("records"), strict=True)
    return [
        f"{own['variant']}: AUC, {decision(own)}; of the other emotions, {decision(others)}." for own, others in pairs
    ]
