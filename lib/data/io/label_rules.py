"""One rule for the labels of every reader: what is in range, what rounding may do, and which row breaks it."""

import numpy as np

from lib.errors import InputError

ROUNDING = 8 * float(np.finfo(np.float32).eps)
"""Relative. A label is a mean of ratings. Stored in float32, a mean of n numbers is off by at most n roundings of
2**-24 each; 16 raters, more than any of these corpora has, give 16 * 2**-24 = 8 * eps."""


def scaled(values: np.ndarray, bounds: tuple[float, float], where: object, what: str = "label") -> np.ndarray:
    """Real-valued labels `(N, ...)` as float64, all within `bounds`.

    What lies outside by no more than `ROUNDING` of the larger bound, as a mean of ratings stored in float32 may, is set
    to the bound. Raises InputError for the first row with a label further outside, NaN or infinity, with its value.
    """
    labels = np.asarray(values, np.float64)
    low, high = bounds
    slack = ROUNDING * max(abs(low), abs(high))
    with np.errstate(invalid="ignore"):
        wrong = ~((labels >= low - slack) & (labels <= high + slack))
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        row = f"{what} of row {place[0]}" + (f", column {place[1]}," if labels.ndim > 1 and labels.shape[1] > 1 else "")
        if not np.isfinite(labels[place]):
            raise InputError(f"{row} holds NaN or infinity", where=where)
        raise InputError(f"{row} is {labels[place]:.9g}, outside {low} to {high}", where=where)
    return labels.clip(low, high)


def class_numbers(values: np.ndarray, classes: int, where: object, row: str = "row") -> np.ndarray:
    """Class numbers `(N,)` as int64, from 0 below `classes`; whole numbers may be stored as floats.

    Raises InputError for the first that is none, with its row and value.
    """
    labels = np.asarray(values)
    if labels.dtype.kind not in "iuf" or labels.ndim != 1:
        raise InputError(f"labels {labels.dtype} {labels.shape}, expected whole numbers (N,)", where=where)
    wrong = ~np.isin(labels, np.arange(classes))  # NaN is in no list
    if wrong.any():
        place = int(wrong.argmax())
        raise InputError(f"label {labels[place]} in {row} {place}, expected 0 to {classes - 1}", where=where)
    return labels.astype(np.int64)


def zeros_and_ones(values: np.ndarray, where: object) -> np.ndarray:
    """Labels `(N, ...)` of 0 and 1 as float32. Raises InputError for the first row with another value."""
    labels = np.asarray(values)
    wrong = ~np.isin(labels, (0, 1))
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        what = f"label {labels[place]} in row {place[0]}, column {place[1]}, expected zeros and ones"
        raise InputError(what, where=where)
    return labels.astype(np.float32)


def one_hot_pairs(values: np.ndarray, where: object) -> np.ndarray:
    """Labels `(..., 2)`, absent and present, as float64: the class is the larger of the two.

    Raises InputError for the first row with a value outside 0 to 1, and for one whose two values are equal: it says
    neither.
    """
    labels = scaled(values, (0.0, 1.0), where)
    equal = labels[..., 0] == labels[..., 1]
    if equal.any():
        place = tuple(np.argwhere(equal)[0].tolist())
        raise InputError(
            f"label of row {place[0]} is {labels[place].tolist()}: neither absent nor present", where=where
        )
    return labels
