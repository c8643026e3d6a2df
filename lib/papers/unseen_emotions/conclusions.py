"""What the tables say, in sentences made from their numbers."""

from collections.abc import Mapping
from math import isnan

import pandas as pd

from lib.papers.unseen_emotions.answers import TOGETHER
from lib.papers.unseen_emotions.tables import ABOVE, BELOW, CHANCE, DIFFERENCE, NEITHER, UNDEFINED
from lib.reporting.words import interval, number


def of(
    never_seen: pd.DataFrame,
    pooled: pd.DataFrame,
    places: pd.DataFrame,
    curves: Mapping[str, pd.DataFrame],
    tuned: Mapping[str, pd.DataFrame],
) -> list[str]:
    """All that the tables of a run say: zero-shot, averaged, among random vectors, by samples, after fine-tuning."""
    sentences = [*zero_shot(never_seen), *all_together(never_seen, pooled), *among_random(places)]
    sentences += [few_shot(emotion, curve) for emotion, curve in curves.items()]
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
        over = (f"over the {what} {_between(row, what)}" for what in ("seeds", "test samples"))
        sentences.append(
            f"{row['emotion']}, never seen: AUC {row['auc']:.3f} (95 % {', '.join(over)}), **{row['verdict']}**; with "
            f"a random vector {row['random_auc']:.3f}, {row['random_verdict']}; with the emotion in training "
            f"{number(row['auc_in_training'], '.3f')}."
        )
    return sentences


def _why(row: dict) -> str:
    """Of an emotion without an AUC."""
    if row["share_present"] in (0, 1):
        return f"{'no' if row['share_present'] == 0 else 'every'} test sample shows it"
    return "no training of it has a score"


def _between(row: dict, what: str) -> str:
    """Both ends of the interval over the seeds or the test samples."""
    stem = what.split()[-1]
    return interval(row[f"{stem}_low"], row[f"{stem}_high"], ".3f", name="")


def all_together(table: pd.DataFrame, pooled: pd.DataFrame) -> list[str]:
    """All emotions at once, with their word vectors and with random ones; from `zero_shot_table`, `pooled_table`."""
    verdicts = (ABOVE, BELOW, NEITHER, UNDEFINED)
    groups = ((name, table.loc[table["verdict"] == name, "emotion"]) for name in verdicts)
    found = [f"{len(emotions)} {name} ({', '.join(emotions)})" for name, emotions in groups if len(emotions)]
    both = table.dropna(subset=["auc", "auc_in_training"])
    share = (both["auc"].mean() - CHANCE) / (both["auc_in_training"].mean() - CHANCE)
    sentences = [
        f"Of {len(table)} emotions: {'; '.join(found)}. On average the word vector alone gives {number(share, '.0%')} "
        "of the distance from chance that training on the emotion gives."
    ]
    for row in pooled.to_dict("records"):
        emotions = "the emotions" if row["emotions"] == len(table) else f"{row['emotions']} of {len(table)} emotions"
        sentences.append(
            f"Vectors {row['vectors']}, averaged over {emotions}: AUC {number(row['auc'], '.3f')} (95 % over the seeds "
            f"{_between(row, 'seeds')}), **{row['verdict']}**."
        )
        if row["vectors"] == DIFFERENCE and not isnan(row["seeds_low"]):
            sentences[-1] += (
                f" With this spread over the seeds a difference of {(row['seeds_high'] - row['seeds_low']) / 2:.3f} is "
                "the smallest that would have been told apart."
            )
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


def few_shot(emotion: str, table: pd.DataFrame) -> str:
    """Where the curve leaves zero-shot; from `few_shot_table`."""
    rows = table.sort_values("shots")
    first, last, few = rows.iloc[0], rows.iloc[-1], rows.iloc[1:-1]
    above = rows.iloc[1:]["auc_seeds_low"] > first["auc_seeds_high"]
    lasting = rows.iloc[1:][above[::-1].cummin()[::-1]]
    said = (
        f"{emotion}, never seen: AUC {number(first['auc'], '.3f')}; with all {last['shots']} samples: "
        f"{number(last['auc'], '.3f')}. "
    )
    if isnan(first["auc_seeds_high"]) or rows.iloc[1:]["auc_seeds_low"].isna().all():
        return f"{said}Without intervals nothing is said of the number of samples that helps."
    if lasting.empty:
        return f"{said}Even then the interval of the AUC does not lie above zero-shot's."
    least = lasting.iloc[0]
    if least["shots"] == last["shots"]:
        return (
            f"{said}Up to {few['shots'].max()} samples the interval of the AUC does not lie above zero-shot's for good."
        )
    samples = "1 sample" if least["shots"] == 1 else f"{least['shots']} samples"
    return f"{said}From {samples} on ({least['auc']:.3f}) its interval lies above zero-shot's."


def fine_tuning(emotion: str, table: pd.DataFrame) -> list[str]:
    """What each regime gains on the emotion and costs on the others; from `fine_tuning_table`."""
    return [
        f"{emotion}, {row['setting']}: AUC {_gain(row, 'auc')}; of the other emotions {_gain(row, 'auc_others')}."
        for row in table.iloc[1:].to_dict("records")
    ]


def _gain(row: dict, metric: str) -> str:
    """Against the zero-shot network, paired over the seeds."""
    low, high = (row[f"{metric}_gain_{end}"] for end in ("low", "high"))
    if isnan(row[f"{metric}_gain"]):
        return "undefined"
    if isnan(low):
        return f"{row[f'{metric}_gain']:+.3f} (one seed)"
    found = "better" if low > 0 else "worse" if high < 0 else "not told apart"
    return f"{row[f'{metric}_gain']:+.3f} (95 % {low:+.3f} to {high:+.3f}), {found}"
