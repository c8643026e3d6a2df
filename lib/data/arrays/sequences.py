"""From ragged sequences to the fixed-size arrays that LMF was trained on (spec low_rank_fusion, 4.4).

The preparation scripts kept the last 20 steps, padded with zeros in front (MOSI, POM) or behind (IEMOCAP),
divided by the training maximum and averaged over all 20 steps, padding included.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

Side = Literal["front", "back"]
"""Where padding stands. Behind the sequence, an LSTM's last state has read the padding too (quirk 8)."""


def pad(sequences: Sequence[np.ndarray], steps: int, side: Side) -> tuple[np.ndarray, np.ndarray]:
    """`(N, steps, ...)` of the last `steps` rows of each `(t, ...)` sequence, zeros elsewhere; and the kept lengths.

    All sequences have the same trailing shape and dtype.
    """
    lengths = np.array([min(len(sequence), steps) for sequence in sequences], dtype=np.int64)
    padded = np.zeros((len(sequences), steps, *sequences[0].shape[1:]), dtype=sequences[0].dtype)
    for row, sequence, length in zip(padded, sequences, lengths, strict=True):
        start = steps - length if side == "front" else 0
        row[start : start + length] = sequence[len(sequence) - length :]
    return padded, lengths


def lengths_of(padded: np.ndarray, side: Side) -> np.ndarray:
    """Steps of each `(steps, d)` sequence that are not padding, zero rows inside included; 0 if all are zero."""
    real = (padded != 0).any(axis=2)
    inward = real if side == "front" else real[:, ::-1]
    return np.where(real.any(axis=1), padded.shape[1] - inward.argmax(axis=1), 0).astype(np.int64)


def max_abs(train: np.ndarray) -> np.ndarray:
    """The divisor of each of the d columns: its largest magnitude in `(N, steps, d)` training data, 1 if all are 0.

    The same divisor serves validation and test. Clean NaN and infinities first: one of them spoils its column.
    """
    largest = np.abs(train).max(axis=(0, 1))
    return np.where(largest == 0, 1.0, largest).astype(train.dtype)


def time_mean(padded: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
    """`(N, d)` means over all steps of `(N, steps, d)`; with `lengths`, over the real steps only.

    The reference divides by all steps, so short utterances have small averages (quirk 9).
    """
    if lengths is None:
        return padded.mean(axis=1)
    return padded.sum(axis=1) / np.maximum(lengths, 1)[:, None].astype(padded.dtype)
