"""Every metric by a name that says its definition; the published scripts' versions stand beside the standard
ones.

All functions take NumPy arrays and emit no warnings. A score that is undefined (correlation of a constant,
binary accuracy without a non-zero label, F1 of a class that occurs nowhere) is NaN. Outputs that hold NaN or
infinity, as a diverged run leaves them, make every score NaN.
"""

import re
from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from scipy.special import log_softmax
from sklearn.metrics import confusion_matrix, f1_score

from lib.errors import InputError

Direction = Literal["higher", "lower"]

_LOWER = {"mae", "cross_entropy", "loss"}
_HIGHER = re.compile(r"corr|acc|acc\d+_\w+|(weighted_acc|auc|acc)(_\w+)?|macro_f1|weighted_f1(_\w+)?|f1_\w+")


def direction(metric: str) -> Direction:
    """Whether a higher or a lower value of a metric of this module is better. Raises InputError for other
    names.
    """
    if metric in _LOWER:
        return "lower"
    if _HIGHER.fullmatch(metric):
        return "higher"
    raise InputError(f"no known direction for metric {metric!r}", todo="say better='higher' or better='lower'")


def predicted_classes(logits: np.ndarray) -> np.ndarray:
    """Class index (N,) of the largest logit (N, C), the first of equal ones."""
    return np.argmax(logits, axis=1)


def classification(logits: np.ndarray, labels: np.ndarray, n_classes: int) -> dict[str, float]:
    """Scores of one split: `logits` (N, n_classes), `labels` (N,) class indices.

    Spec colearning, section 7 (A). `acc` is the share of right predictions, `cross_entropy` the mean in nats.
    `weighted_f1_swapped` weights each class by its number of *predictions* and is rounded to 5 decimals
    (quirk 3); `weighted_f1` weights by labels. `macro_f1` averages over the classes that occur in labels or
    predictions. `f1_class_<i>` is the F1 of one class. Raises ValueError for labels outside 0..n_classes-1.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if logits.shape != (len(labels), n_classes):
        raise ValueError(f"logits of shape {logits.shape} for {len(labels)} labels and {n_classes} classes")
    index = labels.astype(np.int64)
    if (index != labels).any() or index.min() < 0 or index.max() >= n_classes:
        raise ValueError(f"labels are not class indices 0..{n_classes - 1}")
    predictions = predicted_classes(logits)
    by_class = f1_score(index, predictions, labels=range(n_classes), average=None, zero_division=np.nan)
    scores = {
        "acc": np.mean(predictions == index),
        "cross_entropy": -np.mean(_log_probabilities(logits)[np.arange(len(index)), index]),
        "weighted_f1": _f1(index, predictions, "weighted"),
        "weighted_f1_swapped": np.round(_f1(predictions, index, "weighted"), 5),
        "macro_f1": _f1(index, predictions, "macro"),
        **{f"f1_class_{i}": value for i, value in enumerate(by_class)},
    }
    return _floats(scores, valid=bool(np.isfinite(logits).all()))


def regression(
    predictions: np.ndarray,
    labels: np.ndarray,
    *,
    neutral: float | None = 0.0,
    limits: tuple[float, float] = (-3.0, 3.0),
) -> dict[str, float]:
    """Scores of one split: `predictions` and `labels` (N,), or (N, K), which gives the mean over the K
    targets.

    Spec colearning, section 7 (B). `neutral` is the value between the two polarities; None for a scale that
    has none, which leaves out the binary scores. `limits` are the ends of the label scale and set the number
    of classes (7 for -3..3) in the names below.

    `acc2_nonneg` counts the neutral value as positive on both sides; `acc2_nonzero` leaves out neutral labels
    and counts values above neutral as positive; `f1_binary_weighted` uses the first rule. Rounding is half to
    even: `acc7_rounded` (5 decimals) does not clip, so a prediction of 3.6 is class 4 and always wrong;
    `acc7_clipped` clips both sides to `limits` first. `f1_rounded` is the weighted F1 of the rounded values
    and `f1_rounded_swapped` (5 decimals) the same with labels and predictions swapped (quirk 3).
    """
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    if predictions.shape != labels.shape:
        raise ValueError(f"predictions of shape {predictions.shape}, labels of shape {labels.shape}")
    if labels.ndim == 2:
        columns = [
            regression(p, y, neutral=neutral, limits=limits) for p, y in zip(predictions.T, labels.T, strict=True)
        ]
        return {name: float(np.mean([scores[name] for scores in columns])) for name in columns[0]}
    valid = bool(np.isfinite(predictions).all())
    if not valid:
        predictions = np.zeros_like(predictions)  # only the names of the scores matter now
    low, high = limits
    classes = f"acc{round(high - low) + 1}"
    rounded, rounded_labels = np.round(predictions), np.round(labels)
    clipped, clipped_labels = (np.round(np.clip(values, low, high)) for values in (predictions, labels))
    scores = {
        "mae": np.mean(np.abs(predictions - labels)),
        "corr": _pearson(predictions, labels),
        f"{classes}_rounded": np.round(np.mean(rounded == rounded_labels), 5),
        f"{classes}_clipped": np.mean(clipped == clipped_labels),
        "f1_rounded": _f1(rounded_labels, rounded, "weighted"),
        "f1_rounded_swapped": np.round(_f1(rounded, rounded_labels, "weighted"), 5),
    }
    if neutral is not None:
        positive, positive_labels, polar = predictions >= neutral, labels >= neutral, labels != neutral
        same_side = (predictions > neutral) == (labels > neutral)
        scores["acc2_nonneg"] = np.mean(positive == positive_labels)
        scores["acc2_nonzero"] = np.mean(same_side[polar]) if polar.any() else np.nan
        scores["f1_binary_weighted"] = _f1(positive_labels, positive, "weighted")
    return _floats(scores, valid=valid)


def confusion(labels: np.ndarray, predictions: np.ndarray, classes: Sequence[Hashable]) -> np.ndarray:
    """Counts (C, C), int64: rows are true classes, columns predictions, both in the order of `classes`.

    The order is fixed by the caller, so matrices of different runs can be stacked even where a class is never
    predicted (quirk 11). Raises ValueError for a value that is not among `classes`.
    """
    known = np.asarray(classes)
    strangers = np.setdiff1d(np.concatenate([np.asarray(labels), np.asarray(predictions)]), known)
    if strangers.size:
        raise ValueError(f"values {strangers.tolist()} are not among the classes {known.tolist()}")
    return confusion_matrix(labels, predictions, labels=known).astype(np.int64)


def _f1(labels: np.ndarray, predictions: np.ndarray, average: str) -> float:
    """F1 over the classes that occur on either side; a class never predicted or never true counts 0."""
    return f1_score(labels, predictions, average=average, zero_division=0.0)


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return log_softmax(logits, axis=1)


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return np.corrcoef(a, b)[0, 1]


def _floats(scores: dict[str, float], *, valid: bool) -> dict[str, float]:
    return {name: float(value) if valid else float("nan") for name, value in scores.items()}
