"""Stored numbers on their way into `Split.features`, and what becomes of those that are no finite float32."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from lib.errors import InputError

Nonfinite = Literal["error", "zero"]
"""What becomes of NaN, infinities, and numbers too large for float32: refused, or set to 0.

The same option for every reader and, as the field `nonfinite`, for every run. What a paper's own loader sets to 0 is
0 with either.
"""
SET_TO_ZERO = "`nonfinite: zero` sets such numbers to 0"


def as_float32(values: np.ndarray) -> np.ndarray:
    """A contiguous, writable float32 copy; what does not fit becomes infinite and is for the caller to refuse."""
    with np.errstate(over="ignore"):
        return np.array(values, dtype=np.float32, order="C")


def finite_float32(
    values: np.ndarray,
    what: str,
    where: object,
    nonfinite: Nonfinite = "error",
    *,
    row: Callable[[int], str] = "row {}".format,
) -> tuple[np.ndarray, int]:
    """A contiguous, writable float32 copy of `values` `(N, ...)`, and how many numbers were set to 0.

    Raises InputError for the first number that is not finite in float32, unless `nonfinite` is "zero"; `what` and
    `row` (of a row number) say which it is, and the message whether the file holds it or float32 cannot.
    """
    if nonfinite not in ("error", "zero"):
        raise InputError(f"unknown value {nonfinite!r} of nonfinite", todo="known: error, zero")
    values = np.asarray(values)
    converted = as_float32(values)
    bad = ~np.isfinite(converted)
    if not bad.any():
        return converted, 0
    if nonfinite == "zero":
        converted[bad] = 0
        return converted, int(bad.sum())
    place = tuple(np.argwhere(bad)[0].tolist())
    raise InputError(f"{what} of {row(place[0])} holds {_said(values[place])}", where=where, todo=SET_TO_ZERO)


def _said(value: np.generic) -> str:
    return f"{value:g}, too large for float32" if np.isfinite(value) else f"NaN or infinity ({value:g})"


def finite_modalities(
    arrays: Mapping[str, np.ndarray], split: str, where: Callable[[str], object], nonfinite: Nonfinite = "error"
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Each modality of a split through `finite_float32`, and what `Source.warnings` has to say of what was set to 0.

    `where` tells the place of a modality. Raises InputError as `finite_float32`.
    """
    found, notes = {}, []
    for modality, array in arrays.items():
        found[modality], zeroed = finite_float32(array, modality, where(modality), nonfinite)
        notes += zeroed_notes({f"{split} {modality}": zeroed})
    return found, notes


def zeroed_notes(counts: Mapping[str, int]) -> list[str]:
    """What `Source.warnings` says of numbers that were set to 0, by what they are."""
    return [
        f"{count} NaN or infinities in {what} set to 0 (nonfinite: zero)" for what, count in counts.items() if count
    ]


def split_columns(array: np.ndarray, widths: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Views `(N, T, d)` by modality of `(N, T, sum of d)`, the modalities side by side in this order."""
    return dict(zip(widths, np.split(array, np.cumsum(list(widths.values()))[:-1], axis=2), strict=True))
