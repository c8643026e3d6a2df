"""Sound files of any format that libsndfile decodes (WAV, FLAC, MP3 and more) as one channel at one rate.

Of Flash videos the sound is read, if it is MP3.
"""

import io
from importlib import import_module
from math import gcd
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lib.data.io.impostors import CUT_SHORT, refuse
from lib.data.recordings.flash_sound import mp3_of
from lib.errors import InputError

RATE = 16_000
LONGEST_S = 600.0
"""A compressed file of a few bytes may announce hours of silence; single utterances are short."""


def read_sound(path: Path, *, rate: int = RATE, longest_s: float = LONGEST_S) -> Float[np.ndarray, "samples"]:
    """The mean of a recording's channels, in [-1, 1], float32, at `rate` samples per second.

    Other rates are resampled by a polyphase filter (SciPy's `resample_poly`). Raises InputError for a missing package,
    a file that is no sound, ends too early, holds no or no finite samples or such of 8 bits, or lasts longer than
    `longest_s` seconds.
    """
    soundfile = _soundfile()
    refuse(path)
    _refuse_cut_wave(path)
    try:
        with soundfile.SoundFile(io.BytesIO(mp3_of(path)) if path.suffix == ".flv" else str(path)) as handle:
            stored, channels, frames = handle.samplerate, handle.channels, handle.frames
            if not 1000 <= stored <= 1_000_000 or not 1 <= channels <= 8:
                raise InputError(f"{channels} channels at {stored} samples per second: not a recording", where=path)
            if handle.subtype in ("PCM_U8", "PCM_S8"):
                raise InputError("samples of 8 bits, expected 16 or more", where=path)
            if frames > longest_s * stored:
                raise InputError(f"longer than {longest_s:g} s", where=path, todo="cut it into utterances")
            samples = handle.read(frames, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError, RuntimeError) as error:
        said = " ".join(str(getattr(error, "error_string", "") or type(error).__name__).split())
        raise InputError(f"not a readable sound file ({said})", where=path, todo="get it again") from None
    if len(samples) != frames:
        raise InputError(f"{len(samples)} of {frames} samples", where=path, todo=CUT_SHORT)
    if not len(samples) or not np.isfinite(samples).all():
        raise InputError("no samples" if not len(samples) else "samples that are not finite", where=path)
    waveform = samples.mean(axis=1, dtype=np.float32)
    if stored == rate:
        return waveform
    from scipy import signal  # as in mel.py: slow to load

    shared = gcd(rate, stored)
    return signal.resample_poly(waveform, rate // shared, stored // shared).astype(np.float32)


def _refuse_cut_wave(path: Path) -> None:
    """A WAV file says how long it is; libsndfile would read what there is of a shorter one and say nothing."""
    with path.open("rb") as handle:
        head = handle.read(12)
    told, there = int.from_bytes(head[4:8], "little") + 8, path.stat().st_size
    streamed = told in (8, 2**32 + 7)  # written by what did not know
    if head[:4] == b"RIFF" and head[8:] == b"WAVE" and told > there and not streamed:
        raise InputError(f"{there} of {told} bytes", where=path, todo=CUT_SHORT)


def _soundfile():
    try:
        return import_module("soundfile")
    except (ImportError, OSError) as error:  # OSError: the package is there, its library is not
        todo = "pip install 'soundfile>=0.13', or bring the environment up to requirements.lock"
        raise InputError("the package soundfile is not installed", todo=todo) from error
