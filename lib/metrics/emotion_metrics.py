"""Metrics of multi-label emotions and of sentiment, named by what they compute.

Where the emotion-embedding reference computes something unusual, its variant stands beside the standard one
(section 8 of its specification). Emotion metrics take logits `(N, C)` and 0/1 truths `(N, C)`; the score of
an emotion set is the plain mean over emotions.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

Logits = Float[np.ndarray, "samples emotions"]
Truths = Float[np.ndarray, "samples emotions"]
PerEmotion = Float[np.ndarray, "emotions"]
Decisions = Bool[np.ndarray, "samples emotions"]


def probabilities(logits: Logits) -> Logits:
    """Sigmoid in the logits' own precision: where float32 saturates, ties arise that AUC has to see."""
    return torch.sigmoid(torch.from_numpy(np.ascontiguousarray(logits))).numpy()


def decisions(logits: Logits, threshold: float = 0.5) -> Decisions:
    """Present where the probability is strictly above the threshold."""
    return probabilities(logits) > threshold


def emotion_scores(logits: Logits, truths: Truths, threshold: float = 0.5) -> dict[str, PerEmotion]:
    """Every per-emotion metric by name; all NaN if a logit is NaN or infinite, as a diverged run leaves them.

    The reference reports `weighted_acc` on CMU-MOSEI, `acc` on IEMOCAP, and `weighted_f1` as F1 on both.
    """
    likelihood = probabilities(logits)
    predicted, true = likelihood > threshold, truths == 1
    scores = {
        "acc": acc(predicted, true),
        "weighted_acc": weighted_acc(predicted, true),
        "weighted_f1": weighted_f1(predicted, true),
        "f1_positive": f1_positive(predicted, true),
        "auc": auc(likelihood, true),
    }
    if np.isfinite(logits).all():
        return scores
    return {name: np.full_like(values, np.nan) for name, values in scores.items()}


def acc(predicted: Decisions, true: Decisions) -> PerEmotion:
    """Share of right yes/no decisions."""
    return (predicted == true).mean(axis=0)


def weighted_acc(predicted: Decisions, true: Decisions) -> PerEmotion:
    """(TP N/P + TN) / 2N, the mean of the two recalls; NaN for an emotion that is never or always present.

    The reference divides by zero there and stops.
    """
    recall_of_presence = _ratio((predicted & true).sum(0), true.sum(0))
    recall_of_absence = _ratio((~predicted & ~true).sum(0), (~true).sum(0))
    return (recall_of_presence + recall_of_absence) / 2


def f1_positive(predicted: Decisions, true: Decisions) -> PerEmotion:
    """F1 of presence; 0 where the emotion is neither present nor predicted, as in scikit-learn."""
    return np.nan_to_num(_ratio(2 * (predicted & true).sum(0), predicted.sum(0) + true.sum(0)), nan=0.0)


def weighted_f1(predicted: Decisions, true: Decisions) -> PerEmotion:
    """F1 of presence and of absence, weighted by how often each is true; high for any rare emotion.

    scikit-learn's `average="weighted"` over the classes 0 and 1 of each emotion.
    """
    share = true.mean(axis=0)
    return share * f1_positive(predicted, true) + (1 - share) * f1_positive(~predicted, ~true)


def auc(scores: Logits, true: Decisions) -> PerEmotion:
    """Area under the ROC curve, ties counting one half; NaN for an emotion never or always present."""
    from scipy.stats import rankdata  # slow to load, and training needs it seldom

    positives, negatives = true.sum(0), (~true).sum(0)
    rank_sum = np.where(true, rankdata(scores, axis=0), 0.0).sum(0)
    return _ratio(rank_sum - positives * (positives + 1) / 2, positives * negatives)


def emotion_set_scores(predicted: Decisions, true: Decisions) -> dict[str, float]:
    """Scores of a sample's whole emotion set, as shares of samples.

    `strict`: all emotions right. `subset`: strict, or something found and nothing false.
    `intersect_in_order`: strict, or something found before the first false emotion in column order, which is
    what the reference calls intersect. `intersect`: strict, or something found, whatever the order.
    """
    strict = (predicted == true).all(axis=1)
    found, false = predicted & true, predicted & ~true
    before_false = ~np.logical_or.accumulate(false, axis=1)
    return {
        "strict": float(strict.mean()),
        "subset": float((strict | (found.any(1) & ~false.any(1))).mean()),
        "intersect_in_order": float((strict | (found & before_false).any(1)).mean()),
        "intersect": float((strict | found.any(1)).mean()),
    }


def sentiment_scores(
    predictions: Float[np.ndarray, "samples"],
    truths: Float[np.ndarray, "samples"],
    *,
    exclude_zero: bool = False,
) -> dict[str, float]:
    """The reference's scores of sentiment in [-3, 3]; the first four as in `lib.metrics.scores`.

    `acc2_above_zero` and the F1s compare "above 0", with `exclude_zero` on samples whose label is not 0 only.
    `weighted_f1_swapped` is the reference's: it passes the predictions as the truth, so their frequencies
    weight the classes; `weighted_f1` is the standard.
    """
    from lib.metrics.scores import regression  # slow to load, and no part of training

    general = regression(predictions, truths)
    kept = truths != 0 if exclude_zero else np.full(truths.shape, True)
    predicted, true = (predictions[kept] > 0)[:, None], (truths[kept] > 0)[:, None]
    return {
        "mae": general["mae"],
        "corr": general["corr"],
        "acc5_clipped": regression(predictions, truths, limits=(-2, 2))["acc5_clipped"],
        "acc7_clipped": general["acc7_clipped"],
        "acc2_above_zero": float(acc(predicted, true)[0]),
        "weighted_f1": float(weighted_f1(predicted, true)[0]),
        "weighted_f1_swapped": float(weighted_f1(true, predicted)[0]),
    }


def seven_levels(sentiment: Float[np.ndarray, "samples"]) -> Int[np.ndarray, "samples"]:
    """Round away from zero to the levels -3 to 3."""
    return np.clip(np.sign(sentiment) * np.ceil(np.abs(sentiment)), -3, 3).astype(np.int64)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient in float64, NaN where the denominator is 0."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient
