"""Stored numbers on their way into `Split.features`."""

from collections.abc import Mapping

import numpy as np


def as_float32(values: np.ndarray) -> np.ndarray:
    """A contiguous, writable float32 copy; what does not fit becomes infinite and is for the caller to refuse."""
    with np.errstate(over="ignore"):
        return np.array(values, dtype=np.float32, order="C")


def split_columns(array: np.ndarray, widths: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Float32 `(N, T, d)` by modality from `(N, T, sum of d)`, the modalities side by side in this order."""
    blocks = np.split(array, np.cumsum(list(widths.values()))[:-1], axis=2)
    return {modality: as_float32(block) for modality, block in zip(widths, blocks, strict=True)}
