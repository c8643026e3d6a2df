"""What a validation score is when an epoch is selected by it."""

import math
from typing import Literal

import numpy as np

from lib.metrics.presence import acc, best_thresholds, decisions, f1_positive, weighted_acc, weighted_f1

Criterion = Literal["loss", "acc", "weighted_acc", "weighted_f1", "tuned_f1"]

IN_WORDS: dict[Criterion, str] = {
    "loss": "validation loss",
    "acc": "validation accuracy",
    "weighted_acc": "validation weighted accuracy",
    "weighted_f1": "validation weighted F1",
    "tuned_f1": "validation F1 at thresholds found on validation",
}
_OF_EMOTIONS = {"acc": acc, "weighted_acc": weighted_acc, "weighted_f1": weighted_f1}


def validation_score(criterion: Criterion, outputs: np.ndarray, targets: np.ndarray) -> float:
    """The score of a whole split from its logits; NaN, which selects nothing, if one of them is not finite.

    `outputs` and `targets` `(N, C)` of zeros and ones: the mean over emotions of the metric of that name in
    `lib.metrics.presence` (spec emotion_embeddings, section 7), over those that it is defined for;
    `tuned_f1` is the F1 of presence at the thresholds that are best for it on this very split (spec end_to_end, quirk
    Q11). Integer `targets` `(N,)`: accuracy, or F1 weighted by the true classes (spec self_paced_balance, section 4).
    """
    if not np.isfinite(outputs).all():
        return math.nan
    if criterion == "tuned_f1":
        return float(f1_positive(decisions(outputs, best_thresholds(outputs, targets)), targets == 1).mean())
    if targets.ndim == 2:
        score = _OF_EMOTIONS[criterion](decisions(outputs), targets == 1)
        return float(np.nanmean(score)) if np.isfinite(score).any() else math.nan
    predicted = outputs.argmax(axis=1)
    if criterion == "acc":
        return float(np.mean(predicted == targets))
    if criterion == "weighted_f1":
        from sklearn.metrics import f1_score  # slow to load: only for a worker that selects by it

        return float(f1_score(targets, predicted, average="weighted", zero_division=0.0))
    raise ValueError(f"no {criterion} of exclusive classes")
