"""Padding, truncation, scaling and averaging on cases small enough to read."""

import numpy as np
import pytest

from lib.data.arrays.sequences import lengths_of, max_abs, pad, time_mean


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, None]


@pytest.mark.parametrize(
    ("side", "short"), [("front", [0.0, 0.0, 1.0]), ("back", [1.0, 0.0, 0.0])], ids=["front", "back"]
)
def test_pad_keeps_the_last_steps(side, short):
    padded, lengths = pad([column(1), column(1, 2, 3), column(1, 2, 3, 4, 5), column()], 3, side)
    assert padded[..., 0].tolist() == [short, [1, 2, 3], [3, 4, 5], [0, 0, 0]]
    assert padded.dtype == np.float32
    assert lengths.tolist() == [1, 3, 3, 0]


def test_pad_serves_token_sequences():
    padded, _ = pad([np.array([7, 8]), np.array([9])], 2, "back")
    assert padded.tolist() == [[7, 8], [9, 0]]
    assert padded.dtype == np.array([7]).dtype


@pytest.mark.parametrize("side", ["front", "back"])
def test_lengths_are_read_back_from_the_padding(side):
    sequences = [column(1), column(1, 0, 3), column(1, 2, 3, 4), column()]
    padded, lengths = pad(sequences, 4, side)
    assert lengths_of(padded, side).tolist() == lengths.tolist() == [1, 3, 4, 0]


def test_a_column_of_zeros_is_divided_by_one():
    train = np.array([[[1.0, 0.0], [-4.0, 0.0]]])
    assert max_abs(train).tolist() == [4.0, 1.0]


def test_means_with_and_without_padding():
    padded, lengths = pad([column(2, 4), column()], 4, "front")
    assert time_mean(padded)[:, 0].tolist() == [1.5, 0.0]
    assert time_mean(padded, lengths)[:, 0].tolist() == [3.0, 0.0]
