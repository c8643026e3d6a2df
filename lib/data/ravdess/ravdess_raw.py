"""RAVDESS speech as the end-to-end paper reads recordings: the sound's spectrogram in pieces, and the sentence.

There are no images. The sentence is a control: each is said as often with every emotion.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from lib.data.io.cache import cached
from lib.data.io.provenance import concluded, opened_source
from lib.data.ravdess.clips import EMOTIONS, FOLDS, by_actor, clips, folds, lacking, sounds, split_rule, without_copies
from lib.data.ravdess.steps import frames_of, means
from lib.data.recordings.functionals import FLOOR
from lib.data.recordings.mel import FRAME_MS, cut_pieces, mel_spectrogram
from lib.data.recordings.sound import RATE, read_sound
from lib.data.recordings.sound_batches import SoundBatches
from lib.data.recordings.streamed_corpus import StreamedCorpus
from lib.errors import InputError
from lib.files import sha256_json

Scale = Literal["power", "log"]
_VERSION = 1


def files(root: Path) -> list[Path]:
    """The sound of every clip, below `ravdess/`."""
    return sounds(Path(root) / "ravdess")


def read(
    root: Path, *, fold: int = 0, step_ms: float = FRAME_MS, scale: Scale = "power", quiet_db: float = 0.0
) -> StreamedCorpus:
    """Pieces `(pieces, 1, 128, 32)` of each clip, its sentence, and a row of zeros with a 1 at its place in `EMOTIONS`.

    `fold` 0 to 7 chooses the three actors that are tested, the next three are validated. As published a piece has 32
    frames of 12.5 ms of mel power (spec end_to_end, 4.3). `step_ms`, a multiple of that, averages power over longer
    steps, so that a clip has fewer pieces. `log` is the logarithm of power over its rounding, 0 for silence and for
    padding. With `quiet_db` the frames before the first and behind the last that is at most so much below the loudest
    are cut off. Of a clip that is stored twice the first counts. Raises InputError for missing, damaged or hostile
    files, file names that are none of the release, one recording under two labels, a split without clips, an unknown
    fold or scale, and a length of steps or a level that cannot be.
    """
    actors = folds(fold)
    return of_sounds(
        "ravdess_raw",
        root,
        files(root),
        actors,
        split_rule(f"fold {fold} of {FOLDS}", actors),
        step_ms=step_ms,
        scale=scale,
        quiet_db=quiet_db,
    )


def of_sounds(
    name: str,
    root: Path,
    paths: Sequence[Path],
    actors: Mapping[str, Sequence[int]],
    rule: str,
    *,
    step_ms: float,
    scale: Scale,
    quiet_db: float,
) -> StreamedCorpus:
    """The corpus `name` of these clips' sounds, split by `actors` as `rule` says; see `read`."""
    root = Path(root)
    if scale not in get_args(Scale):
        raise InputError(f"unknown scale {scale!r}", todo=f"known: {', '.join(get_args(Scale))}")
    frames = frames_of(step_ms)
    if not 0 <= quiet_db < 200:
        raise InputError(f"quiet_db {quiet_db:g}", todo="0 keeps all frames; else decibels, such as 40")
    source = opened_source(name, root, paths)
    every = clips(paths)
    kept, notes = without_copies(every, list(source.files.values()))
    notes += lacking(every, actors)
    of_actor = by_actor(every, kept, actors, root / "ravdess")
    options = {"frames": frames, "scale": scale, "quiet_db": float(quiet_db)}
    heard = cached("ravdess_raw", _VERSION, source.files, options, lambda: _heard(paths, **options))
    ends, one_hot = np.cumsum(heard["counts"]), np.eye(len(EMOTIONS), dtype=np.float32)
    splits = {
        split: SoundBatches(
            ids=tuple(every[row].id for row in rows),
            texts=tuple(every[row].sentence for row in rows),
            labels=one_hot[[every[row].emotion for row in rows]],
            pieces=heard["pieces"],
            starts=(ends - heard["counts"])[rows],
            counts=np.array(heard["counts"])[rows],
        )
        for split, rows in of_actor.items()
    }
    cut = f"; silence before and behind, {quiet_db:g} dB below the loudest frame, is cut off" if quiet_db else ""
    notes.append(f"spectrogram: {_SCALES[scale]} in 128 mel bands, steps of {step_ms:g} ms, pieces of 32 steps{cut}")
    source = concluded(source, root / "ravdess", rule, notes)
    contents = sha256_json([str(heard["digest"]), [batches.ids for batches in splits.values()]])
    return StreamedCorpus(
        EMOTIONS, splits, source, (), contents, {"step_ms": step_ms, "scale": scale, "quiet_db": quiet_db}
    )


_SCALES = {"power": "power as published", "log": "logarithm of power, which the published one is not,"}


def _heard(paths: Sequence[Path], frames: int, scale: Scale, quiet_db: float) -> dict[str, np.ndarray]:
    """`pieces` of all clips one after another, how many of each (`counts`), and what identifies them (`digest`)."""
    found = [cut_pieces(_spectrogram(read_sound(path), frames, scale, quiet_db, path)) for path in paths]
    pieces, counts = np.concatenate(found), np.array([len(part) for part in found])
    digest = hashlib.sha256(np.ascontiguousarray(pieces)).hexdigest()
    return {"pieces": pieces, "counts": counts, "digest": np.array(digest)}


def _spectrogram(
    waveform: np.ndarray, frames: int, scale: Scale, quiet_db: float, where: Path
) -> Float[np.ndarray, "128 steps"]:
    """Mean power over `frames` frames each; the last step may have fewer."""
    power = mel_spectrogram(waveform, RATE, "window", where=where)
    if quiet_db:
        level = power.sum(axis=0)
        loud = np.flatnonzero(level >= level.max() * 10 ** (-quiet_db / 10))
        power = power[:, loud[0] : loud[-1] + 1]
    power = means(power.T, frames).T
    return np.log1p(power / np.float32(FLOOR)) if scale == "log" else power
