"""One vector for a whole recording: statistics over time of what its sound is at each moment.

`mel` needs nothing but this library: cepstral coefficients of the logarithm of the mel spectrogram, and the level.
`egemaps` are the 88 functionals of eGeMAPS v02 (Eyben et al., IEEE TAC 2016), computed by openSMILE, the extra
`opensmile` of `pyproject.toml`. The licence of openSMILE permits research and teaching, not commercial use.
"""

from functools import lru_cache
from importlib import import_module
from typing import Literal

import numpy as np
from jaxtyping import Float

from lib.data.recordings.mel import mel_spectrogram
from lib.errors import InputError

Kind = Literal["mel", "egemaps"]
COEFFICIENTS = 20
FLOOR = 1e-8
"""Power that is added before the logarithm: of 16-bit sound, about that of its rounding."""
STATISTICS = ("mean", "std", "p10", "p90", "step")


def functionals(
    waveform: Float[np.ndarray, "samples"], rate: int, kind: Kind = "mel", *, where: object = None
) -> tuple[tuple[str, ...], Float[np.ndarray, "values"]]:
    """Names and float32 values of the statistics of a waveform in [-1, 1] at `rate` samples per second.

    `mel` gives `(20 + 1) * 5`: of cepstral coefficients 0 to 19 and of the level (dB) their mean, standard deviation,
    10th and 90th percentile over frames of 25 ms, and the mean absolute change from one frame to the next.

    Raises InputError, naming `where`, for an unknown kind, a waveform of which there is no spectrogram (see
    `mel_spectrogram`), a missing package, and values that are not finite.
    """
    if kind == "mel":
        names, values = _mel(waveform, rate, where)
    elif kind == "egemaps":
        names, values = _egemaps(waveform, rate, where)
    else:
        raise InputError(f"unknown kind of functionals {kind!r}", where=where, todo="known: mel, egemaps")
    if not np.isfinite(values).all():
        bad = [name for name, value in zip(names, values, strict=True) if not np.isfinite(value)]
        raise InputError(f"functionals are not finite: {', '.join(bad)}", where=where, todo="drop the recording")
    return names, values.astype(np.float32)


def _mel(waveform: np.ndarray, rate: int, where: object) -> tuple[tuple[str, ...], np.ndarray]:
    from scipy import fft  # as in mel.py: slow to load

    power = mel_spectrogram(waveform, rate, "window", where=where).astype(np.float64)
    cepstrum = fft.dct(np.log(power + FLOOR), axis=0, norm="ortho")[:COEFFICIENTS]
    level = 10 * np.log10(power.sum(axis=0) + FLOOR)
    tracks = np.vstack([cepstrum, level])
    low, high = np.percentile(tracks, (10, 90), axis=1)
    # Of a single frame there is no change.
    step = np.abs(np.diff(tracks, axis=1)).mean(axis=1) if tracks.shape[1] > 1 else np.zeros(len(tracks))
    values = np.stack([tracks.mean(axis=1), tracks.std(axis=1), low, high, step], axis=1)
    what = (*(f"cepstrum_{number}" for number in range(COEFFICIENTS)), "level")
    return tuple(f"{track}_{statistic}" for track in what for statistic in STATISTICS), values.ravel()


def _egemaps(waveform: np.ndarray, rate: int, where: object) -> tuple[tuple[str, ...], np.ndarray]:
    waveform = np.asarray(waveform, np.float32)
    if waveform.ndim != 1:
        raise InputError(f"waveform of shape {waveform.shape}, expected one channel", where=where)
    table = _smile().process_signal(waveform, rate)
    return tuple(table.columns), table.to_numpy(np.float64)[0]


@lru_cache(maxsize=1)
def _smile():
    try:
        opensmile = import_module("opensmile")
    except ImportError as error:
        todo = "pip install 'opensmile>=2.6', the extra `opensmile` (licence: research only), or use kind='mel'"
        raise InputError("the package opensmile is not installed", todo=todo) from error
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.Functionals
    )
