"""A metric without each unit of its test set in turn: a video, a dialogue, a speaker.

What a jackknife over units needs. Every metric of `lib.metrics.scores` is computed by its own row on the samples that
are left; those that would take long that way, F1 over classes and AUC, from sums that lose one unit at a time.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import numpy as np
from jaxtyping import Float, Int

from lib.errors import InputError
from lib.metrics import scores
from lib.metrics.presence import ratio
from lib.metrics.scores import Answers, Classed, Detected, Rated

Groups = Int[np.ndarray, "samples"]
Left = Float[np.ndarray, "units"]
_ROWS = {
    Classed: scores.CLASSES,
    Rated: scores.RATINGS + scores.POLARITIES,
    Detected: scores.EMOTIONS + scores.EXCLUSIVE + scores.DETECTION + scores.SETS,
}


def left_out(metric: str, answers: Answers, groups: Groups, names: Sequence[str] = ()) -> Left:
    """`metric`, a name of the run table, without each unit; `groups` number the unit of each sample from 0.

    Several targets or emotions count with their mean, or with the one whose name (`names`) the metric ends with. Values
    are not rounded where the metric is. NaN where the metric is undefined without a unit. Raises InputError for a
    metric that these answers do not have.
    """
    row, which = _row(metric, answers, names)
    units = int(groups.max()) + 1
    if units == 1:  # nothing is left
        return np.full(1, np.nan)
    if isinstance(answers, Rated) and answers.predictions.ndim == 2:
        pairs = zip(answers.predictions.T, answers.labels.T, strict=True)
        parts = [left_out(metric, replace(answers, predictions=p, labels=y), groups) for p, y in pairs]
        return np.mean(parts, axis=0)
    if fast := _fast(row.name, answers):
        values = fast(groups, units)
    else:
        values = np.stack([np.asarray(row.compute(_without(answers, groups == u)), np.float64) for u in range(units)])
    if values.ndim == 1:
        return values
    return values.mean(axis=1) if which is None else values[:, which]


def _row(metric: str, answers: Answers, names: Sequence[str]) -> tuple[scores.Metric, int | None]:
    """The row of a metric, and which column of its values is asked for, if not all."""
    for row in _ROWS[type(answers)]:
        if isinstance(answers, Classed) and row.name == "f1_{}" and metric.startswith("f1_class_"):
            return row, int(metric.removeprefix("f1_class_"))
        steps = round(answers.limits[1] - answers.limits[0]) + 1 if isinstance(answers, Rated) else 0
        name = row.name.format(steps)
        if metric == name:
            return row, None
        if isinstance(answers, Detected) and metric in {f"{name}_{label}" for label in names}:
            return row, list(names).index(metric.removeprefix(f"{name}_"))
    raise InputError(f"no metric {metric!r} of {type(answers).__name__.lower()} answers", where="leaving units out")


def _without(answers: Answers, gone: np.ndarray) -> Answers:
    """The answers for the other samples."""
    arrays = {f.name: getattr(answers, f.name) for f in fields(answers)}
    return replace(answers, **{name: x[~gone] for name, x in arrays.items() if isinstance(x, np.ndarray)})


def _fast(name: str, a: Answers) -> Callable[[Groups, int], np.ndarray] | None:
    """What computes a metric from sums, unrounded; None where its own row does it fast enough."""
    if isinstance(a, Classed):
        classes = a.logits.shape[1]
        of, true, predicted = _OF_CLASSES.get(name), a.labels, a.predicted
        if name == "weighted_f1_swapped":
            of, true, predicted = weighted_f1, predicted, true
    elif isinstance(a, Rated):
        of, sides = _OF_SIDES.get(name, (None, scores.rounded))
        values, numbers = np.unique(np.concatenate(sides(a)), return_inverse=True)
        (true, predicted), classes = np.split(numbers, 2), len(values)
    elif name == "auc":
        return lambda g, n: left_auc(a.likelihood, a.true, g, n)
    else:
        of, classes = _OF_EMOTIONS.get(name), 2
        if of is not None:
            sides = [*zip(a.true.T.astype(np.int64), a.predicted.T.astype(np.int64), strict=True)]
            return lambda g, n: np.stack([of(left_counts(t, p, 2, g, n)) for t, p in sides], axis=1)
    return None if of is None else lambda g, n: of(left_counts(true, predicted, classes, g, n))


def left_counts(
    true: np.ndarray, predicted: np.ndarray, classes: int, groups: Groups, units: int
) -> Float[np.ndarray, "units classes classes"]:
    """Confusion counts (rows true) without each unit, from class numbers `(samples,)`."""
    cells = (groups * classes + true) * classes + predicted
    counts = np.bincount(cells, minlength=units * classes * classes).reshape(units, classes, classes)
    return (counts.sum(axis=0) - counts).astype(np.float64)


def f1_of_classes(counts: Float[np.ndarray, "*tables classes classes"]) -> Float[np.ndarray, "*tables classes"]:
    """F1 of each class; NaN for one that is neither true nor predicted."""
    return ratio(2 * _right(counts), counts.sum(axis=-1) + counts.sum(axis=-2))


def macro_f1(counts: Float[np.ndarray, "*tables classes classes"]) -> Float[np.ndarray, "*tables"]:
    """Over the classes that occur on either side."""
    values = f1_of_classes(counts)
    return ratio(np.nansum(values, axis=-1), np.isfinite(values).sum(axis=-1).astype(np.float64))


def weighted_f1(counts: Float[np.ndarray, "*tables classes classes"]) -> Float[np.ndarray, "*tables"]:
    """Each class weighted by how often it is true."""
    share = counts.sum(axis=-1)
    return ratio((np.nan_to_num(f1_of_classes(counts)) * share).sum(axis=-1), share.sum(axis=-1))


def accuracy(counts: Float[np.ndarray, "*tables classes classes"]) -> Float[np.ndarray, "*tables"]:
    """Share of right answers."""
    return ratio(_right(counts).sum(axis=-1), counts.sum(axis=(-1, -2)))


def mean_recall(counts: Float[np.ndarray, "*tables classes classes"]) -> Float[np.ndarray, "*tables"]:
    """NaN where a class is never true."""
    return ratio(_right(counts), counts.sum(axis=-1)).mean(axis=-1)


def f1_positive(counts: Float[np.ndarray, "*tables 2 2"]) -> Float[np.ndarray, "*tables"]:
    """F1 of presence; 0 where an emotion is neither present nor predicted."""
    return np.nan_to_num(f1_of_classes(counts)[..., 1])


def _right(counts: np.ndarray) -> np.ndarray:
    return np.diagonal(counts, axis1=-2, axis2=-1)


_OF_CLASSES = {"weighted_f1": weighted_f1, "macro_f1": macro_f1, "f1_{}": f1_of_classes, "acc": accuracy}
_OF_EMOTIONS = {
    "acc": accuracy,
    "weighted_acc": mean_recall,
    "weighted_f1": weighted_f1,
    "f1_positive": f1_positive,
}
_OF_SIDES = {
    "acc{}_rounded": (accuracy, scores.rounded),
    "f1_rounded": (weighted_f1, scores.rounded),
    "f1_rounded_swapped": (weighted_f1, lambda answers: scores.rounded(answers)[::-1]),
    "f1_binary_weighted": (weighted_f1, scores.positive),
}
"""Metrics that are functions of confusion counts."""


def left_auc(
    likelihood: Float[np.ndarray, "samples emotions"], true: np.ndarray, groups: Groups, units: int
) -> Float[np.ndarray, "units emotions"]:
    """Area under the ROC curve without each unit: the pairs of a positive and a negative, less those of the unit."""
    found = np.empty((units, true.shape[1]))
    rows = [np.flatnonzero(groups == unit) for unit in range(units)]
    for emotion, (values, present) in enumerate(zip(likelihood.T, true.T, strict=True)):
        won = np.where(present, _above(values, values[~present]), _below(values, values[present]))
        everything = won[present].sum()
        gone = np.array([won[r].sum() - _above(values[r][present[r]], values[r][~present[r]]).sum() for r in rows])
        positives, negatives = (np.bincount(groups[side], minlength=units) for side in (present, ~present))
        pairs = (positives.sum() - positives) * (negatives.sum() - negatives)
        found[:, emotion] = ratio(everything - gone, pairs.astype(np.float64))
    return found


def _above(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How many of the others each value exceeds, ties counting one half."""
    others = np.sort(others)
    return (np.searchsorted(others, values, "left") + np.searchsorted(others, values, "right")) / 2


def _below(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    return len(others) - _above(values, others)
