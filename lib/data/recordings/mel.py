"""Mel power spectrograms with the parameters of the end-to-end emotion model (spec end_to_end, 4.3).

The same numbers as torchaudio's `MelSpectrogram`, without it: its wheels need CUDA libraries beside a
CPU-only torch. The logarithm is not taken (quirk Q15).
"""

import math
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.lib.stride_tricks import sliding_window_view

from lib.errors import InputError

BANDS = 128
PIECE_FRAMES = 32
WINDOW_AT_16_KHZ = 400
FRAME_MS = 12.5
"""From one frame to the next, at 16 kHz."""

FftSize = Literal["fixed", "window"]
"""`fixed` (IEMOCAP's loader) transforms 400 samples at any rate, `window` (MOSEI's) as many as the window has."""


def mel_spectrogram(
    waveform: np.ndarray, rate: int, fft_size: FftSize, *, where: object = None
) -> Float[np.ndarray, "128 frames"]:
    """Power in 128 mel bands, float32, of a waveform `(samples,)` in [-1, 1] at `rate` samples per second.

    Windows of 25 ms (periodic Hann), a hop of half a window, reflected at both ends: `1 + samples // hop`
    frames, at 16 kHz of 12.5 ms each. Raises InputError, naming `where`, for a waveform that is not one
    channel of finite numbers, is too short to be reflected, or (with `fixed`) is sampled so fast that the
    window exceeds the transform (quirk Q16).
    """
    window_size = int(rate / 16000 * WINDOW_AT_16_KHZ)
    size = WINDOW_AT_16_KHZ if fft_size == "fixed" else window_size
    waveform = np.asarray(waveform, np.float32)
    if waveform.ndim != 1:
        raise InputError(f"waveform of shape {waveform.shape}, expected one channel", where=where)
    if not 2 <= window_size <= size:
        todo = "use fft_size='window' or resample" if fft_size == "fixed" else None
        raise InputError(f"no transform of {size} samples for audio at {rate} Hz", where=where, todo=todo)
    if len(waveform) <= size // 2:
        raise InputError(
            f"waveform of {len(waveform)} samples, too short for a spectrogram", where=where, todo="drop it"
        )
    if not np.isfinite(waveform).all():
        raise InputError("waveform holds NaN or infinity", where=where)
    from scipy import fft, signal  # takes a second to load, which a worker that trains on text alone would pay, too

    before = (size - window_size) // 2
    window = np.zeros(size, np.float32)
    window[before : before + window_size] = signal.windows.hann(window_size, sym=False)
    padded = np.pad(waveform, size // 2, mode="reflect")
    frames = sliding_window_view(padded, size)[:: window_size // 2] * window
    power = np.abs(fft.rfft(frames, axis=1)) ** 2
    return (power @ mel_filters(rate, size)).T


@lru_cache(maxsize=8)
def mel_filters(rate: int, fft_size: int) -> Float[np.ndarray, "bins 128"]:
    """Triangular filters on the HTK mel scale from 0 to `rate // 2` Hz, peak one, no normalisation; float32.

    Narrow low bands may fall between two bins: at 16 kHz filters 0, 3, 6 and 13 are all zero.
    """
    # torchaudio computes in torch's float32; in float64 a corner moves by up to 1e-5 of a filter's width.
    bins = torch.linspace(0, rate // 2, fft_size // 2 + 1)
    mels = torch.linspace(0, 2595 * math.log10(1 + (rate // 2) / 700), BANDS + 2)
    corners = 700 * (10.0 ** (mels / 2595) - 1)
    rising = (bins[:, None] - corners[:-2]) / corners.diff()[:-1]
    falling = (corners[2:] - bins[:, None]) / corners.diff()[1:]
    filters = torch.minimum(rising, falling).clamp(min=0).numpy()
    filters.flags.writeable = False
    return filters


def cut_pieces(spectrogram: Float[np.ndarray, "bands frames"]) -> Float[np.ndarray, "pieces 1 bands 32"]:
    """Consecutive pieces of 32 frames, 0.4 s at 16 kHz; the last one is zero-padded behind."""
    bands, frames = spectrogram.shape
    padded = np.pad(spectrogram, ((0, 0), (0, -frames % PIECE_FRAMES)))
    return np.ascontiguousarray(padded.reshape(bands, -1, PIECE_FRAMES).swapaxes(0, 1)[:, None])
