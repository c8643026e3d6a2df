"""Scores of the held-out emotion, whether they are above chance, and what a few samples of it change.

Everything is a gain: over an answer that tells no sample from any other, which is chance, over a random vector, or over
the zero-shot network. So seeds and test units count as in every gain table (docs/statistics.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.data.stand_ins import synthetic_emotions
from lib.papers.unseen_emotions.answers import CHANCE, RANDOM, TOGETHER, on_others, shots, tuned
from lib.papers.unseen_emotions.study import CLEAN, LEAKING, METRICS, Setting, zero_shot, zero_shot_in_turns
from lib.reporting import gains
from lib.reporting.statistics import mean, std
from lib.reporting.verdicts import NO_DIFFERENCE, SOURCES, UNDECIDED, has_units
from lib.run_table import by_seed, run_table
from lib.study import Runs, Study

HALF = 0.5
"""Chance of the area under the ROC curve and of weighted accuracy, whatever the share of the emotion."""
WORDS, RANDOM_ONES, DIFFERENCE = "of the words", "random", "of the words minus random"
ABOVE, BELOW, NEITHER = "above chance", "below chance", "not distinguishable from chance"
AT_CHANCE = "at chance, within the margin"
UNDEFINED = "undefined"
_AGAINST_CHANCE = {"better": ABOVE, "worse": BELOW, NO_DIFFERENCE: AT_CHANCE, UNDECIDED: NEITHER}
_INTERVALS = {"t_interval": "seeds", "new_units": "new_units", "combined": "combined"}
Row = Mapping[str, object]


def verdict(row: Row) -> str:
    """Of a gain over chance, by the combined interval: the seeds alone share the accidents of one test split."""
    if np.isnan(row["score"]):
        return UNDEFINED
    return _AGAINST_CHANCE[row["answer"]] if has_units(row) else NEITHER


def over_chance(emotions: Sequence[str], judged: Runs) -> pd.DataFrame:
    """AUC that each emotion's word vector gains over chance and over a random vector, and a random one over chance.

    `judged` is from `answers.beside_chance`.
    """
    pairs = [(CLEAN, CHANCE), (CLEAN, RANDOM), (RANDOM, CHANCE)]
    over = [(f"{emotion}: {ours}", f"{emotion}: {theirs}") for emotion in emotions for ours, theirs in pairs]
    return gains.pairs(judged.table, "auc", over, judged)


def zero_shot_table(judged: Runs, found: pd.DataFrame) -> pd.DataFrame:
    """One row per held-out emotion: its AUC from the word vector and, as a control, from a random vector, each with
    three intervals and a verdict; weighted accuracy; and the scores of networks that had the emotion in training.

    `judged` and `found` are from `answers.beside_chance` and `over_chance`.
    """
    p, table, rows = judged.study.p, judged.table, []
    gain = found.set_index(["variant", "baseline"])
    for settings in zero_shot_in_turns(judged.study):
        case = settings[0].case
        share = np.concatenate([setting.case.present("test") for setting in settings]).mean()
        row: dict[str, object] = {"emotion": case.emotion, "share_present": float(share)}
        for kind, prefix in ((CLEAN, ""), (RANDOM, "random_")):
            over = gain.loc[(f"{case.emotion}: {kind}", f"{case.emotion}: {CHANCE}")]
            row |= {"n": over["n"], f"{prefix}auc": over["score"], f"{prefix}auc_std": over["score_std"]}
            row |= {f"{prefix}{name}": value for name, value in _scores_between(over).items()}
            row[f"{prefix}verdict"] = verdict(over)
        row |= {"unit": over["unit"], "units": over["units"]}
        row |= _moments(_values(table, case.emotion, LEAKING, "auc"), "auc_in_training")
        for kind, name in ((CLEAN, "weighted_acc"), (LEAKING, "weighted_acc_in_training")):
            row[name] = mean(_values(table, case.emotion, kind, "weighted_acc"))
        if stand_in := synthetic_emotions.KINDS.get(p.dataset):
            row["auc_ceiling"] = float(synthetic_emotions.best_scores(stand_in, p.modalities)["auc"][case.column])
        rows.append(row)
    return pd.DataFrame(rows)


def _scores_between(over: Row) -> dict[str, float]:
    """The intervals of a score, from those of its gain over chance."""
    return {
        f"{name}_{end}": HALF + over[f"{stem}_{end}"] for stem, name in _INTERVALS.items() for end in ("low", "high")
    }


def pooled_gains(emotions: Sequence[str], judged: Runs) -> pd.DataFrame:
    """Zero-shot AUC averaged over the held-out emotions within each seed: of words and random vectors over chance, and
    of words over random vectors.

    Of the emotions that any seed has a score for (`emotions` says how many), and of the seeds that have one for each of
    these.
    """
    scores = by_seed(judged.table, "auc")
    scored = [emotion for emotion in emotions if scores[f"{emotion}: {CLEAN}"].notna().any()]
    parts = {f"{TOGETHER}: {kind}": [f"{e}: {kind}" for e in scored] for kind in (CLEAN, RANDOM, CHANCE)}
    means = {name: scores[variants].mean(axis=1, skipna=False) for name, variants in parts.items()}
    table = run_table(
        {"variant": name, "seed": seed, "selected_on": "", "status": "", "metrics": {"test": {"auc": value}}}
        for name, values in means.items()
        for seed, value in values.items()
    )
    words, random, chance = parts
    found = gains.pairs(
        table, "auc", [(words, chance), (random, chance), (words, random)], replace(judged, means=parts)
    )
    return found.assign(emotions=len(scored))


def pooled_table(found: pd.DataFrame) -> pd.DataFrame:
    """`pooled_gains` as scores: of the words and of random vectors with their intervals, and their difference.

    The verdict on the difference is its answer; the columns of what it is worth are those of the gain in each row.
    """
    rows = []
    for name, row in zip((WORDS, RANDOM_ONES, DIFFERENCE), found.to_dict("records"), strict=True):
        alone = name != DIFFERENCE
        value, spread = ("score", "score_std") if alone else ("gain", "gain_std")
        ends = _scores_between(row) if alone else {f"seeds_{e}": row[f"t_interval_{e}"] for e in ("low", "high")}
        said = verdict(row) if alone else UNDEFINED if np.isnan(row["gain"]) else row["answer"]
        about = {"vectors": name, "emotions": row["emotions"], "n": row["n"], "auc": row[value], "auc_std": row[spread]}
        rows.append(about | {column: row[column] for column in SOURCES} | ends | {"verdict": said})
    return pd.DataFrame(rows)


def _values(table: pd.DataFrame, emotion: str, setting: str, metric: str) -> np.ndarray:
    return by_seed(table, metric)[f"{emotion}: {setting}"].dropna().to_numpy()


def _moments(values: np.ndarray, name: str) -> dict[str, float]:
    return {name: mean(values), f"{name}_std": std(values)}


def few_shot_gains(answered: Runs) -> pd.DataFrame:
    """What each number of an emotion's training samples gains in AUC over none, by emotion and ascending; the last has
    all. Empty without `few_shot`, as all tables below."""
    study = answered.study
    over = [
        (each.variant(each.kind), f"{emotion}: {CLEAN}")
        for emotion in study.p.few_shot
        for each in _by_shots(study, emotion)
        if each.kind != CLEAN
    ]
    return gains.pairs(answered.table, "auc", list(dict.fromkeys(over)), answered)


def few_shot_table(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """AUC and weighted accuracy by the number of an emotion's training samples, ascending; 0 is zero-shot."""
    return _summary(
        table,
        {
            each.variant(each.kind): {"emotion": emotion, "setting": each.kind, "shots": each.shots}
            for emotion in study.p.few_shot
            for each in _by_shots(study, emotion)
        },
    )


def _by_shots(study: Study, emotion: str) -> list[Setting]:
    """The settings of an emotion by their number of its training samples."""
    return sorted((each for each in study.tasks if each.case.emotion == emotion), key=lambda each: each.shots)


def fine_tuning_gains(answered: Runs) -> dict[str, pd.DataFrame]:
    """What fine-tuning gains in AUC over the zero-shot network: on the held-out emotion, and on the mean of the others
    (`auc_others`)."""
    p, table = answered.study.p, answered.table
    over = [(f"{e}: {tuned(regime)}", f"{e}: {CLEAN}") for e in p.few_shot for regime in p.fine_tuning.regimes]
    of_others = table[table["metric"] == "auc_others"].assign(metric="auc")
    own, others = gains.pairs(table, "auc", over, answered), gains.pairs(of_others, "auc", over, on_others(answered))
    return {"auc": own, "auc_others": others.assign(metric="auc_others")}


def fine_tuning_table(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """The held-out emotion and the mean of the others, before fine-tuning and after it on so many `shots`."""
    few = {setting.case.emotion: shots(study.p, setting.case) for setting in zero_shot(study)}
    variants = {}
    for emotion in study.p.few_shot:
        variants[f"{emotion}: {CLEAN}"] = {"emotion": emotion, "setting": CLEAN, "shots": 0}
        for kind in map(tuned, study.p.fine_tuning.regimes):
            variants[f"{emotion}: {kind}"] = {"emotion": emotion, "setting": kind, "shots": few[emotion]}
    return _summary(table, variants, others=True)


def _summary(
    table: pd.DataFrame, variants: Mapping[str, Mapping[str, object]], *, others: bool = False
) -> pd.DataFrame:
    if not variants:
        return pd.DataFrame()
    own = table[table["variant"].isin(variants)]
    rows = []
    found = {m: gains.summary(own, m).set_index("variant") for m in (*METRICS, *(("auc_others",) if others else ()))}
    for variant, about in variants.items():
        row = {**about, "n": found["auc"].loc[variant, "n"]}
        for metric, means in found.items():
            row |= {metric: means.loc[variant, "score"], f"{metric}_std": means.loc[variant, "score_std"]}
        low, high = (found["auc"].loc[variant, f"t_interval_{end}"] for end in ("low", "high"))
        rows.append({**row, "auc_seeds_low": low, "auc_seeds_high": high})
    return pd.DataFrame(rows)


def score_table(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean and interval over the seeds of every variant."""
    return gains.summary(table, metric)
