"""RAVDESS speech: eight emotions from the sound of a clip and from the face, tested on actors never heard before.

The sound is read from the release (48 kHz) or from lossless copies at 16 kHz and described here; the face is known as
action units alone. There is no text: every emotion is acted with the same two sentences.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from lib.data import corpora
from lib.data.arrays.sequences import Side, pad
from lib.data.corpus import Corpus, Split
from lib.data.io.cache import cached
from lib.data.io.features import Nonfinite, finite_float32, zeroed_notes
from lib.data.io.provenance import concluded, opened_source
from lib.data.ravdess import action_units
from lib.data.ravdess.clips import EMOTIONS, FOLDS, by_actor, clips, folds, lacking, sounds, split_rule, without_copies
from lib.data.ravdess.steps import frames_of, log_spectrogram, standardised
from lib.data.recordings.functionals import functionals
from lib.data.recordings.sound import RATE, read_sound
from lib.errors import InputError

Audio = Literal["functionals", "egemaps", "sequence"]
"""Statistics over the clip (own, or openSMILE's), or its spectrogram in steps."""
_VERSION = 1


def files(root: Path) -> list[Path]:
    """The table of action units and the sound of every clip, below `ravdess/`."""
    folder = Path(root) / "ravdess"
    return [action_units.path(folder), *sounds(folder)]


def read(
    root: Path,
    *,
    fold: int = 0,
    audio: Audio = "functionals",
    step_ms: float = 125.0,
    steps: int = 44,
    side: Side = "front",
    nonfinite: Nonfinite = "error",
) -> Corpus:
    """Audio and video float32 `(N, T, d)`, classes int64 `(N,)` in the order of `EMOTIONS`.

    `fold` 0 to 7 chooses the three actors that are tested, the next three are validated. With `functionals` (105
    numbers) or `egemaps` (88) `T` is 1. `sequence` gives the logarithm of power in 128 mel bands, averaged over steps
    of `step_ms` (a multiple of 12.5 ms): the last `steps` of a clip, padded with zeros on `side`; 44 steps of 125 ms
    hold the longest clip. The 35 action units, means over the clip, then stand at every step that is no padding.

    All features have mean 0 and deviation 1 over the training actors, sequences over the steps that are no padding.
    Of a clip that is stored twice the first counts. Raises InputError for missing, damaged or hostile files, file names
    that are none of the release, one recording under two labels, action units of other clips, a split without clips,
    and an unknown fold, kind of audio or length of steps.
    """
    root, about = Path(root), corpora.get("ravdess")
    if audio not in get_args(Audio):
        raise InputError(f"unknown kind of audio {audio!r}", todo=f"known: {', '.join(get_args(Audio))}")
    actors, frames = folds(fold), frames_of(step_ms, steps)
    table, *paths = files(root)
    source = opened_source("ravdess", root, [table, *paths])
    every = clips(paths)
    kept, notes = without_copies(every, [source.files[path.relative_to(root).as_posix()] for path in paths])
    notes += lacking(every, actors)
    heard = _heard(audio, paths, source.files, frames)
    seconds = {clip.id: float(length) / RATE for clip, length in zip(every, heard["samples"], strict=True)}
    units, zeroed = finite_float32(
        action_units.read(table, every, seconds), "video", table, nonfinite, row=lambda row: every[row].of_face
    )
    ends = np.cumsum(heard["rows"])
    sound = np.split(np.asarray(heard["values"]), ends[:-1])
    of_actor = by_actor(every, kept, actors, root / "ravdess")
    train = of_actor["train"]
    scale_sound = standardised(np.concatenate([sound[row] for row in train]))
    scale_units = standardised(units[train])
    length = steps if audio == "sequence" else 1
    splits = {}
    for name, rows in of_actor.items():
        heard_here, lengths = pad([scale_sound(sound[row]) for row in rows], length, side)
        seen, _ = pad([np.tile(scale_units(units[row]), (len(sound[row]), 1)) for row in rows], length, side)
        labels = np.array([every[row].emotion for row in rows], np.int64)
        splits[name] = Split({"audio": heard_here, "video": seen}, lengths, labels, tuple(every[r].id for r in rows))
    rule = split_rule(f"fold {fold} of {FOLDS}", actors)
    widths = {modality: array.shape[2] for modality, array in splits["train"].features.items()}
    notes += [_AUDIO[audio].format(step_ms=step_ms), *zeroed_notes({"video": zeroed})]
    return Corpus(about.task, EMOTIONS, widths, splits, concluded(source, root / "ravdess", rule, notes))


_AUDIO = {
    "functionals": "audio: statistics over the clip of mel cepstra and level, computed here",
    "egemaps": "audio: the 88 functionals of eGeMAPS v02 by openSMILE, whose licence is for research",
    "sequence": "audio: power in 128 mel bands (logarithm, steps of {step_ms:g} ms), computed here",
}


def _heard(audio: Audio, paths: Sequence[Path], hashes: dict[str, str], frames: int) -> dict[str, np.ndarray]:
    """`values` of all clips below each other, `rows` of each, and the `samples` of its sound; from the cache if it can.

    The action units are no part of it, so that a changed table costs no decoding.
    """

    def build() -> dict[str, np.ndarray]:
        describe = {
            "functionals": partial(_statistics, kind="mel"),
            "egemaps": partial(_statistics, kind="egemaps"),
            "sequence": partial(log_spectrogram, frames=frames),
        }[audio]
        values, lengths = [], []
        for path in paths:
            waveform = read_sound(path)
            lengths.append(len(waveform))
            values.append(describe(waveform, where=path))
        rows = np.array([len(part) for part in values])
        return {"values": np.concatenate(values), "rows": rows, "samples": np.array(lengths)}

    sounds_alone = {name: content for name, content in hashes.items() if not name.endswith(".pkl")}
    options = {"audio": audio} | ({"frames": frames} if audio == "sequence" else {})
    return cached("ravdess", _VERSION, sounds_alone, options, build)


def _statistics(waveform: np.ndarray, kind: str, where: Path) -> Float[np.ndarray, "1 values"]:
    return functionals(waveform, RATE, kind, where=where)[1][None]
