"""Sequences of different speed put on one clock: windows of equal share, or the words' own intervals."""

import numpy as np
from jaxtyping import Float, Int


def by_share(
    x: Float[np.ndarray, "samples frames width"],
    frames: Int[np.ndarray, "samples"],
    steps: Int[np.ndarray, "samples"],
    longest: int,
) -> Float[np.ndarray, "samples longest width"]:
    """The means of as many equal windows of a sample's real frames as it has steps; zeros behind them.

    Frames stand in front, padding behind. It is what can be done where nobody kept the times: word k of n is taken to
    lie in the k-th of n equal parts. A sample with fewer frames than steps has each frame in several.
    """
    found = np.zeros((len(x), longest, x.shape[2]), np.float32)
    for row, (have, want) in enumerate(zip(frames.tolist(), steps.tolist(), strict=True)):
        if not have or not want:
            continue
        edges = np.linspace(0, have, want + 1)
        first = np.minimum(np.floor(edges[:-1]).astype(int), have - 1)
        last = np.maximum(np.ceil(edges[1:]).astype(int), first + 1)
        sums = np.concatenate([np.zeros((1, x.shape[2])), np.cumsum(x[row, :have], axis=0, dtype=np.float64)])
        found[row, :want] = (sums[last] - sums[first]) / (last - first)[:, None]
    return found


def by_intervals(
    features: Float[np.ndarray, "frames width"],
    times: Float[np.ndarray, "frames 2"],
    words: Float[np.ndarray, "words 2"],
) -> Float[np.ndarray, "words width"]:
    """The mean of the frames that overlap each word, in seconds; zeros where none does, as the SDK's alignment has it.

    Frames must be sorted by start. Times are start and end.
    """
    found = np.zeros((len(words), features.shape[1]), np.float32)
    sums = np.concatenate([np.zeros((1, features.shape[1])), np.cumsum(features, axis=0, dtype=np.float64)])
    first = np.searchsorted(np.maximum.accumulate(times[:, 1]), words[:, 0], side="right")
    last = np.searchsorted(times[:, 0], words[:, 1], side="left")
    some = last > first
    found[some] = (sums[last[some]] - sums[first[some]]) / (last - first)[some][:, None]
    return found
