"""Clips of RAVDESS as steps of equal length: the sound's spectrogram, and the scale of what is trained on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lib.data.recordings.functionals import FLOOR
from lib.data.recordings.mel import FRAME_MS, mel_spectrogram
from lib.data.recordings.sound import RATE
from lib.errors import InputError


def frames_of(step_ms: float, steps: int = 1) -> int:
    """Frames of the spectrogram in a step. Raises InputError for a length that is no multiple of theirs."""
    frames = round(step_ms / FRAME_MS)
    if frames < 1 or frames * FRAME_MS != step_ms or steps < 1:
        raise InputError(f"{steps} steps of {step_ms:g} ms", todo="a step is 12.5 ms or a multiple of it")
    return frames


def means(values: Float[np.ndarray, "rows d"], frames: int) -> Float[np.ndarray, "steps d"]:
    """Means of `frames` rows each; the last step may have fewer."""
    starts = np.arange(0, len(values), frames)
    sums, counts = np.add.reduceat(values, starts), np.diff([*starts, len(values)])
    return (sums / counts[:, None]).astype(np.float32)


def log_spectrogram(waveform: np.ndarray, frames: int, where: Path) -> Float[np.ndarray, "steps 128"]:
    """Means of the logarithm of power in mel bands over `frames` frames each."""
    return means(np.log(mel_spectrogram(waveform, RATE, "window", where=where).T + np.float32(FLOOR)), frames)


def standardised(train: Float[np.ndarray, "rows values"]) -> Callable[[np.ndarray], np.ndarray]:
    """What subtracts the mean of these rows and divides by their deviation, by 1 where they are all alike."""
    mean, deviation = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    deviation[deviation <= 1e-6 * np.abs(mean)] = 1.0  # the mean of equal numbers is rounded, as in empty mel bands
    return lambda values: ((values - mean) / deviation).astype(np.float32)
