"""Scores of the held-out emotion, whether they are above chance, and what a few samples of it change."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lib.data.stand_ins import synthetic_emotions
from lib.metrics import scores as metrics
from lib.metrics.presence import probabilities
from lib.papers.unseen_emotions.answers import RANDOM, logits, tuned
from lib.papers.unseen_emotions.study import CLEAN, LEAKING, METRICS, Case, zero_shot_in_turns
from lib.reporting import gains
from lib.reporting.statistics import NO_INTERVAL, mean, std, t_interval
from lib.run_table import by_seed
from lib.study import Runs, Study

CHANCE = 0.5
"""Of the area under the ROC curve and of weighted accuracy, whatever the share of the emotion."""
DIFFERENCE = "of the words minus random"
RESAMPLES = 1000
ABOVE, BELOW, NEITHER = "above chance", "below chance", "not distinguishable from chance"
UNDEFINED = "undefined"


def sample_interval(*tested: tuple[Case, Sequence[np.ndarray]], level: float = 0.95) -> tuple[float, float]:
    """Bootstrap interval over the test samples, drawn within present and absent, of the AUC averaged over the seeds.

    `tested` holds a case and the logits of its networks `(N, C)` for each fold; samples are drawn within their fold.
    NaN without networks, and where all samples or none of a fold show the emotion.
    """
    tested = [(case, found) for case, found in tested if len(found)]
    truths = [case.present("test") for case, _ in tested]
    if not tested or any(true.all() or not true.any() for true in truths):
        return NO_INTERVAL
    columns = [probabilities(np.stack([out[:, case.column] for out in found], axis=1)) for case, found in tested]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES):
        scores = []
        for true, likelihood in zip(truths, columns, strict=True):
            present, absent = np.flatnonzero(true), np.flatnonzero(~true)
            rows = np.concatenate([rng.choice(present, len(present)), rng.choice(absent, len(absent))])
            chosen = np.broadcast_to(true[rows][:, None], (len(rows), likelihood.shape[1]))
            scores.append(metrics.auc(likelihood[rows], chosen))
        drawn.append(np.concatenate(scores).mean())
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def verdict(*intervals: tuple[float, float]) -> str:
    """Above or below chance if all intervals are; one that is missing (a single seed) supports neither.

    Undefined if all are missing.
    """
    if np.isnan(intervals).all():
        return UNDEFINED
    if all(low > CHANCE for low, _ in intervals):
        return ABOVE
    if all(high < CHANCE for _, high in intervals):
        return BELOW
    return NEITHER


def zero_shot_table(answered: Runs, table: pd.DataFrame) -> pd.DataFrame:
    """One row per held-out emotion: its AUC from the word vector and, as a control, from a random vector, each with
    both intervals and a verdict; weighted accuracy; and the scores of networks that had the emotion in training.
    """
    p, rows = answered.study.p, []
    for settings in zero_shot_in_turns(answered.study):
        case = settings[0].case
        share = np.concatenate([setting.case.present("test") for setting in settings]).mean()
        row: dict[str, object] = {"emotion": case.emotion, "share_present": float(share)}
        for kind, prefix in ((CLEAN, ""), (RANDOM, "random_")):
            values = _values(table, case, kind, "auc")
            row |= {"n": len(values)} | _moments(values, f"{prefix}auc")
            tested = ((setting.case, logits(answered, setting, kind)) for setting in settings)
            seeds, samples = t_interval(values), sample_interval(*tested)
            row |= {f"{prefix}seeds_low": seeds[0], f"{prefix}seeds_high": seeds[1]}
            row |= {f"{prefix}samples_low": samples[0], f"{prefix}samples_high": samples[1]}
            row[f"{prefix}verdict"] = verdict(seeds, samples)
        row |= _moments(_values(table, case, LEAKING, "auc"), "auc_in_training")
        for kind, name in ((CLEAN, "weighted_acc"), (LEAKING, "weighted_acc_in_training")):
            row[name] = _moments(_values(table, case, kind, "weighted_acc"), name)[name]
        if stand_in := synthetic_emotions.KINDS.get(p.dataset):
            row["auc_ceiling"] = float(synthetic_emotions.best_scores(stand_in, p.modalities)["auc"][case.column])
        rows.append(row)
    return pd.DataFrame(rows)


def pooled_table(emotions: Sequence[str], table: pd.DataFrame) -> pd.DataFrame:
    """Zero-shot AUC averaged over the held-out emotions within each seed, from their word vectors and random ones.

    Of the emotions that any seed has a score for (`emotions` says how many), and of the seeds that have one for each of
    these. The last row is their difference, paired over the seeds, and its verdict whether it excludes 0. The verdicts
    rest on the seeds alone: the emotions share their test samples.
    """
    rows, pooled, by_variant = [], {}, by_seed(table, "auc")
    scored = [emotion for emotion in emotions if by_variant[f"{emotion}: {CLEAN}"].notna().any()]
    for setting, words in ((CLEAN, "of the words"), (RANDOM, "random")):
        complete = by_variant[[f"{emotion}: {setting}" for emotion in scored]].dropna()
        pooled[words] = complete.mean(axis=1)
    pooled[DIFFERENCE] = (pooled["of the words"] - pooled["random"]).dropna()
    for words, by_run in pooled.items():
        values = by_run.to_numpy()
        low, high = t_interval(values)
        said = verdict((low, high))
        if words == DIFFERENCE:
            said = "words better" if low > 0 else "words worse" if high < 0 else "not told apart"
            said = UNDEFINED if np.isnan(low) else said
        row = {"vectors": words, "emotions": len(scored), "n": len(values), **_moments(values, "auc")}
        rows.append({**row, "seeds_low": low, "seeds_high": high, "verdict": said})
    return pd.DataFrame(rows)


def _values(table: pd.DataFrame, case: Case, setting: str, metric: str) -> np.ndarray:
    return by_seed(table, metric)[f"{case.emotion}: {setting}"].dropna().to_numpy()


def _moments(values: np.ndarray, name: str) -> dict[str, float]:
    return {name: mean(values), f"{name}_std": std(values)}


def few_shot_table(study: Study, table: pd.DataFrame, emotion: str) -> pd.DataFrame:
    """AUC and weighted accuracy by the number of the emotion's training samples, ascending; 0 is zero-shot."""
    own = sorted((each for each in study.tasks if each.case.emotion == emotion), key=lambda each: each.shots)
    return _summary(table, {each.variant(each.kind): {"setting": each.kind, "shots": each.shots} for each in own})


def fine_tuning_table(study: Study, table: pd.DataFrame, emotion: str) -> pd.DataFrame:
    """The held-out emotion and the mean of the others, before fine-tuning and after it, and the paired gains."""
    settings = [CLEAN, *map(tuned, study.p.fine_tuning.regimes)]
    variants = {f"{emotion}: {setting}": {"setting": setting} for setting in settings}
    found = _summary(table, variants, others=True)
    own = table[table["variant"].isin(variants)]
    for metric in ("auc", "auc_others"):
        gain = gains.gain_table(own, metric, f"{emotion}: {CLEAN}").set_index("variant").reindex(variants)
        found[f"{metric}_gain"] = gain["gain"].to_numpy()
        for end in ("low", "high"):
            found[f"{metric}_gain_{end}"] = gain[f"t_interval_{end}"].to_numpy()
    return found


def _summary(
    table: pd.DataFrame, variants: Mapping[str, Mapping[str, object]], *, others: bool = False
) -> pd.DataFrame:
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
