"""Scores of the end-to-end emotion model: one yes/no decision per emotion (spec mme2e, section 7).

Logits `(N, E)` and 0/1 truths `(N, E)`. What is common to multi-label emotions, such as the scores of emotion
sets, is in `lib.metrics.emotion_metrics`.
"""

import numpy as np
from jaxtyping import Float, Int

from lib.metrics.emotion_metrics import Logits, PerEmotion, Truths, emotion_scores, f1_positive, probabilities

CANDIDATES = np.arange(1, 20) * 0.05


def best_thresholds(logits: Logits, truths: Truths) -> PerEmotion:
    """Per emotion the threshold in 0.05, 0.10, ... 0.95 with the highest F1, the first of equal ones.

    The reference finds them on the validation split, scores that split with them, and the test split too
    (quirk Q11). An emotion that no threshold finds gets 0.05.
    """
    likelihood, true = probabilities(logits), truths == 1
    f1 = np.stack([f1_positive(likelihood > threshold, true) for threshold in CANDIDATES])
    return CANDIDATES[f1.argmax(axis=0)]


def detection_scores(logits: Logits, truths: Truths, thresholds: PerEmotion) -> dict[str, PerEmotion]:
    """Scores per emotion by name; all NaN if a logit is NaN or infinite, as a diverged run leaves them.

    `acc`, `weighted_acc`, `f1_positive`, `weighted_f1` and `auc` as in `lib.metrics.emotion_metrics`;
    `recall` and `precision` of presence, 0 where there is nothing to divide by. The paper prints `acc` for
    IEMOCAP, `weighted_acc` for CMU-MOSEI, and `f1_positive` as F1.
    """
    predicted, true = probabilities(logits) > thresholds, truths == 1
    found = (predicted & true).sum(axis=0)
    scores = emotion_scores(logits, truths, thresholds)
    scores["recall"] = found / np.maximum(true.sum(axis=0), 1)
    scores["precision"] = found / np.maximum(predicted.sum(axis=0), 1)
    if np.isfinite(logits).all():
        return scores
    return {name: np.full_like(values, np.nan) for name, values in scores.items()}


def with_mean(values: PerEmotion) -> Float[np.ndarray, "emotions+1"]:
    """The values and, last, their unweighted mean over emotions."""
    return np.append(values, values.mean())


def never_present(truths: Truths) -> dict[str, PerEmotion]:
    """Scores of the constant answer no; on single-label IEMOCAP its mean `acc` is 5/6 = 83.3 % (quirk Q12)."""
    absent = np.full(truths.shape, -1.0, np.float32)
    return detection_scores(absent, truths, np.full(truths.shape[1], 0.5))


def largest_logit_scores(logits: Logits, classes: Int[np.ndarray, " samples"]) -> dict[str, float]:
    """One class per sample, the largest logit: `acc` and the macro `recall`, `precision` and `f1`."""
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support  # slow to load, not for training

    predicted = logits.argmax(axis=1)
    macro = precision_recall_fscore_support(classes, predicted, average="macro", zero_division=0.0)
    precision, recall, f1, _ = macro
    acc = accuracy_score(classes, predicted)
    return {"acc": float(acc), "recall": float(recall), "precision": float(precision), "f1": float(f1)}
