"""Every metric of a run table, one row each; the published scripts' versions stand beside the standard ones.

All functions take NumPy arrays and emit no warnings. A score that is undefined (correlation of a constant, binary
accuracy without a non-zero label, F1 of a class that occurs nowhere) is NaN. Outputs that hold NaN or infinity, as a
diverged run leaves them, make every score NaN. SciPy takes half a second to load, so it is loaded where it computes.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lib.errors import InputError
from lib.metrics.presence import (
    Decisions,
    Logits,
    PerEmotion,
    Truths,
    acc,
    f1_positive,
    probabilities,
    ratio,
    weighted_acc,
    weighted_f1,
)

Direction = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """One score: which values are better, what sentences call it, and how it is computed from the answers of a split.

    `{}` in a name stands for a class, or for the number of whole values of a label scale.
    """

    name: str
    direction: Direction
    words: str
    compute: Callable[..., float | np.ndarray]


@dataclass(frozen=True)
class Classed:
    """`logits` `(N, C)` float64; `labels` and `predicted` class indices `(N,)`."""

    logits: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True)
class Rated:
    """`predictions` and `labels` `(N,)` on a scale with the ends `limits`; `neutral` lies between its polarities."""

    predictions: np.ndarray
    labels: np.ndarray
    limits: tuple[float, float]
    neutral: float | None


@dataclass(frozen=True)
class Detected:
    """Probabilities, yes/no decisions and truths, each `(N, emotions)`."""

    likelihood: Logits
    predicted: Decisions
    true: Decisions


Answers = Classed | Rated | Detected


def classed(logits: np.ndarray, labels: np.ndarray) -> Classed:
    """The class of the largest logit is the answer."""
    return Classed(logits, labels, predicted_classes(logits))


def detected(logits: Logits, truths: Truths, threshold: float | PerEmotion = 0.5) -> Detected:
    """Present where the probability is above the threshold, which may be one per emotion."""
    likelihood = probabilities(logits)
    return Detected(likelihood, likelihood > threshold, truths == 1)


def predicted_classes(logits: np.ndarray) -> np.ndarray:
    """Class index (N,) of the largest logit (N, C), the first of equal ones."""
    return np.argmax(logits, axis=1)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean in nats."""
    from scipy.special import log_softmax

    with np.errstate(invalid="ignore"):
        return -np.mean(log_softmax(logits, axis=1)[np.arange(len(labels)), labels])


def f1_of_classes(a: Classed) -> np.ndarray:
    """`(C,)`; NaN for a class that is neither a label nor a prediction."""
    found, _ = _f1_by_class(a.labels, a.predicted, np.arange(a.logits.shape[1]), undefined=np.nan)
    return found


def f1(labels: np.ndarray, predictions: np.ndarray, average: Literal["weighted", "macro"]) -> float:
    """F1 over the classes that occur on either side; a class never predicted or never true counts 0."""
    classes = np.union1d(labels, predictions)
    found, of_labels = _f1_by_class(labels, predictions, classes, undefined=0.0)
    return np.average(found, weights=of_labels if average == "weighted" else None)


def _f1_by_class(
    labels: np.ndarray, predictions: np.ndarray, classes: np.ndarray, undefined: float
) -> tuple[np.ndarray, np.ndarray]:
    """F1 `(C,)` of each of the sorted `classes`, and how many labels `(C,)` it has.

    What scikit-learn's `f1_score` computes, to the bit; that one takes ten times as long, most of it to find out what
    it was given, and a second to load.
    """
    true, predicted = np.searchsorted(classes, labels), np.searchsorted(classes, predictions)
    of_labels, of_predictions, both = (
        np.bincount(places, minlength=len(classes)) for places in (true, predicted, true[true == predicted])
    )
    total = of_labels + of_predictions
    return np.divide(2.0 * both, total, out=np.full(len(classes), undefined), where=total > 0), of_labels


def swapped_f1(labels: np.ndarray, predictions: np.ndarray) -> float:
    """Each class weighted by its number of predictions, to 5 decimals: the scripts swap the arguments (spec colearning,
    quirk 3)."""
    return np.round(f1(predictions, labels, "weighted"), 5)


def mae(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Mean absolute error."""
    return np.mean(np.abs(predictions - labels))


def pearson(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Correlation; NaN where one side is constant."""
    if np.ptp(predictions) == 0 or np.ptp(labels) == 0:
        return np.nan
    return np.corrcoef(predictions, labels)[0, 1]


def rounded(a: Rated) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions as whole values, half to even: a prediction of 3.6 becomes 4, which no label is."""
    return np.round(a.labels), np.round(a.predictions)


def clipped(a: Rated) -> tuple[np.ndarray, np.ndarray]:
    """Both sides clipped to the scale, then rounded."""
    return np.round(np.clip(a.labels, *a.limits)), np.round(np.clip(a.predictions, *a.limits))


def positive(a: Rated) -> tuple[np.ndarray, np.ndarray]:
    """Which labels and predictions are positive, the neutral value included."""
    return a.labels >= a.neutral, a.predictions >= a.neutral


def acc2_nonzero(a: Rated) -> float:
    """Neutral labels are left out; above neutral is positive."""
    same, polar = (a.predictions > a.neutral) == (a.labels > a.neutral), a.labels != a.neutral
    return np.mean(same[polar]) if polar.any() else np.nan


def auc(scores: Logits, true: Decisions) -> PerEmotion:
    """Area under the ROC curve, ties counting one half; NaN for an emotion never or always present.

    From ranks, for all emotions at once: scikit-learn takes one emotion at a time and refuses those.
    """
    from scipy.stats import rankdata

    positives, negatives = true.sum(0), (~true).sum(0)
    rank_sum = np.where(true, rankdata(scores, axis=0), 0.0).sum(0)
    return ratio(rank_sum - positives * (positives + 1) / 2, positives * negatives)


def likeliest_right(a: Detected) -> float:
    """Share of samples whose likeliest emotion, the first of equal ones, is theirs; each has one."""
    return np.mean(a.likelihood.argmax(axis=1) == a.true.argmax(axis=1))


def precision(a: Detected) -> PerEmotion:
    """Of presence; 0 where nothing is predicted."""
    return (a.predicted & a.true).sum(axis=0) / np.maximum(a.predicted.sum(axis=0), 1)


def recall(a: Detected) -> PerEmotion:
    """Of presence; 0 where there is nothing to find."""
    return (a.predicted & a.true).sum(axis=0) / np.maximum(a.true.sum(axis=0), 1)


def right_sets(a: Detected, otherwise: np.ndarray) -> float:
    """Share of samples of which all emotions are right, or `otherwise` `(N,)` holds."""
    return ((a.predicted == a.true).all(axis=1) | otherwise).mean()


def found(a: Detected, *, before_false: bool = False) -> np.ndarray:
    """`(N,)`: whether an emotion of the sample is found, or found before the first false one in column order."""
    false = np.logical_or.accumulate(a.predicted & ~a.true, axis=1)
    return (a.predicted & a.true & ~(false & before_false)).any(axis=1)


def nothing_false(a: Detected) -> np.ndarray:
    """`(N,)`: whether every emotion that is predicted is there."""
    return ~(a.predicted & ~a.true).any(axis=1)


# Rows look their functions up when they are computed, so that a test can put a wrong one in a function's place.
CLASSES = (
    Metric("acc", "higher", "accuracy", lambda a: np.mean(a.predicted == a.labels)),
    Metric("cross_entropy", "lower", "cross-entropy", lambda a: cross_entropy(a.logits, a.labels)),
    Metric("weighted_f1", "higher", "weighted F1", lambda a: f1(a.labels, a.predicted, "weighted")),
    Metric("weighted_f1_swapped", "higher", "F1 weighted by predictions", lambda a: swapped_f1(a.labels, a.predicted)),
    Metric("macro_f1", "higher", "macro F1", lambda a: f1(a.labels, a.predicted, "macro")),
    Metric("f1_{}", "higher", "F1", lambda a: f1_of_classes(a)),
)
"""Of one class per sample (spec colearning, section 7 A)."""
RATINGS = (
    Metric("mae", "lower", "MAE", lambda a: mae(a.predictions, a.labels)),
    Metric("corr", "higher", "correlation", lambda a: pearson(a.predictions, a.labels)),
    Metric("acc{}_rounded", "higher", "accuracy, rounded", lambda a: np.round(np.mean(np.equal(*rounded(a))), 5)),
    Metric("acc{}_clipped", "higher", "accuracy, clipped and rounded", lambda a: np.mean(np.equal(*clipped(a)))),
    Metric("f1_rounded", "higher", "weighted F1, rounded", lambda a: f1(*rounded(a), "weighted")),
    Metric("f1_rounded_swapped", "higher", "F1 weighted by predictions, rounded", lambda a: swapped_f1(*rounded(a))),
)
"""Of a number per sample (spec colearning, section 7 B)."""
POLARITIES = (
    Metric("acc2_nonneg", "higher", "two-class accuracy", lambda a: np.mean(np.equal(*positive(a)))),
    Metric("acc2_nonzero", "higher", "two-class accuracy without neutral labels", lambda a: acc2_nonzero(a)),
    Metric("f1_binary_weighted", "higher", "two-class weighted F1", lambda a: f1(*positive(a), "weighted")),
)
"""Of a number per sample, on a scale that has a neutral value."""
EMOTIONS = (
    Metric("acc", "higher", "accuracy", lambda a: acc(a.predicted, a.true)),
    Metric("weighted_acc", "higher", "weighted accuracy", lambda a: weighted_acc(a.predicted, a.true)),
    Metric("weighted_f1", "higher", "weighted F1", lambda a: weighted_f1(a.predicted, a.true)),
    Metric("f1_positive", "higher", "F1", lambda a: f1_positive(a.predicted, a.true)),
    Metric("auc", "higher", "AUC", lambda a: auc(a.likelihood, a.true)),
)
"""Of the presence of each emotion; run tables hold `<name>_<emotion>` and, under the name, their plain mean."""
EXCLUSIVE = (Metric("class_acc", "higher", "accuracy of the likeliest emotion", lambda a: likeliest_right(a)),)
"""Of emotions of which each sample has one."""
DETECTION = (
    Metric("precision", "higher", "precision", lambda a: precision(a)),
    Metric("recall", "higher", "recall", lambda a: recall(a)),
)
"""Further ones, which no run table has by default."""
SETS = (
    Metric("strict", "higher", "strict accuracy", lambda a: right_sets(a, np.False_)),
    Metric("subset", "higher", "subset accuracy", lambda a: right_sets(a, found(a) & nothing_false(a))),
    # What the emotion-embedding reference calls intersect; the next row does not ask for the order.
    Metric(
        "intersect_in_order", "higher", "ordered intersection", lambda a: right_sets(a, found(a, before_false=True))
    ),
    Metric("intersect", "higher", "intersection", lambda a: right_sets(a, found(a))),
)
"""Shares of samples whose whole set of emotions is right, or right as far as it goes."""
METRICS = (*CLASSES, *RATINGS, *POLARITIES, *EMOTIONS, *EXCLUSIVE, *DETECTION, *SETS)


def direction(metric: str) -> Direction:
    """Whether higher or lower is better: of a row's name, or of one followed by `_` and whom it is about.

    Raises InputError for other names.
    """
    return _row(metric).direction


def words(metric: str) -> str:
    """What sentences and axes call a metric. Raises InputError as `direction` does."""
    return _row(metric).words


def _row(metric: str) -> Metric:
    fits = [row for row in METRICS if re.fullmatch(re.escape(row.name).replace(r"\{\}", r"\w+") + r"(_\w+)?", metric)]
    if not fits:
        raise InputError(f"no known direction for metric {metric!r}", todo="say better='higher' or better='lower'")
    return max(fits, key=lambda row: len(row.name))


def classification(logits: np.ndarray, labels: np.ndarray, n_classes: int) -> dict[str, float]:
    """`CLASSES` of one split: `logits` (N, n_classes), `labels` (N,) class indices; `f1_class_<i>` is one class's F1.

    `macro_f1` averages over the classes that occur in labels or predictions. Raises ValueError for labels outside
    0..n_classes-1.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if logits.shape != (len(labels), n_classes):
        raise ValueError(f"logits of shape {logits.shape} for {len(labels)} labels and {n_classes} classes")
    index = labels.astype(np.int64)
    if (index != labels).any() or index.min() < 0 or index.max() >= n_classes:
        raise ValueError(f"labels are not class indices 0..{n_classes - 1}")
    answers = classed(logits, index)
    scores = {}
    for row in CLASSES:
        values = row.compute(answers)
        each = [values] if np.ndim(values) == 0 else values
        scores |= {row.name.format(f"class_{i}"): value for i, value in enumerate(each)}
    return _floats(scores, valid=bool(np.isfinite(logits).all()))


def regression(
    predictions: np.ndarray,
    labels: np.ndarray,
    *,
    neutral: float | None = 0.0,
    limits: tuple[float, float] = (-3.0, 3.0),
) -> dict[str, float]:
    """`RATINGS` of one split, then `POLARITIES`: `predictions` and `labels` (N,), or (N, K) for the mean over the K
    targets.

    `neutral` is the value between the two polarities; None for a scale that has none, which leaves out the binary
    scores. `limits` are the ends of the label scale and set the number of classes (7 for -3..3) in the names.
    `acc7_rounded` and `f1_rounded_swapped` are rounded to 5 decimals, as in the scripts.
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
    # Of outputs that are not finite only the names of the scores matter.
    answers = Rated(predictions if valid else np.zeros_like(predictions), labels, limits, neutral)
    steps = round(limits[1] - limits[0]) + 1
    rows = RATINGS if neutral is None else RATINGS + POLARITIES
    return _floats({row.name.format(steps): row.compute(answers) for row in rows}, valid=valid)


def emotion_scores(
    logits: Logits, truths: Truths, threshold: float | PerEmotion = 0.5, rows: Iterable[Metric] = EMOTIONS
) -> dict[str, PerEmotion]:
    """Per-emotion metrics by name; all NaN if a logit is NaN or infinite.

    The emotion-embedding reference reports `weighted_acc` on CMU-MOSEI, `acc` on IEMOCAP, and `weighted_f1` as F1 on
    both; the end-to-end paper the same two, and `f1_positive` as F1, at thresholds of each emotion.
    """
    answers = detected(logits, truths, threshold)
    scores = {row.name: row.compute(answers) for row in rows}
    if np.isfinite(logits).all():
        return scores
    return {name: np.full_like(values, np.nan) for name, values in scores.items()}


def emotion_set_scores(predicted: Decisions, true: Decisions) -> dict[str, float]:
    """`SETS` of the samples' decisions."""
    answers = Detected(predicted, predicted, true)
    return {row.name: float(row.compute(answers)) for row in SETS}


def never_present(truths: Truths) -> dict[str, PerEmotion]:
    """`EMOTIONS` of the constant answer no; on single-label IEMOCAP its mean `acc` is 5/6 (spec end_to_end, quirk
    Q12)."""
    return emotion_scores(np.full(truths.shape, -1.0, np.float32), truths)


def always_present(truths: Truths) -> dict[str, PerEmotion]:
    """`EMOTIONS` of the constant answer yes: a model that has learned nothing comes near its F1, not the F1 of no."""
    return emotion_scores(np.full(truths.shape, 1.0, np.float32), truths)


def confusion(labels: np.ndarray, predictions: np.ndarray, classes: Sequence[Hashable]) -> np.ndarray:
    """Counts (C, C), int64: rows are true classes, columns predictions, both in the order of `classes`.

    The order is fixed by the caller, so matrices of different runs can be stacked even where a class is never
    predicted (spec colearning, quirk 11). Raises ValueError for a value that is not among `classes`.
    """
    known, counts = np.asarray(classes), np.zeros((len(classes), len(classes)), np.int64)
    strangers = np.setdiff1d(np.concatenate([np.asarray(labels), np.asarray(predictions)]), known)
    if strangers.size:
        raise ValueError(f"values {strangers.tolist()} are not among the classes {known.tolist()}")
    order = np.argsort(known)
    rows, columns = (order[np.searchsorted(known, values, sorter=order)] for values in (labels, predictions))
    np.add.at(counts, (rows, columns), 1)
    return counts


def _floats(scores: dict[str, float], *, valid: bool) -> dict[str, float]:
    return {name: float(value) if valid else float("nan") for name, value in scores.items()}
