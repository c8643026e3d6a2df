"""RAVDESS speech of the first five actors: sound and the face's action units, both over time.

OpenFace measured each frame of the video; `ravdess` has the means over the clip of all actors, which came out of
another mode of OpenFace and are never mixed with these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lib.data import corpora
from lib.data.arrays.sequences import Side, pad
from lib.data.corpus import Corpus, Source, Split
from lib.data.io import text_files
from lib.data.io.cache import cached
from lib.data.io.features import Nonfinite, finite_float32, zeroed_notes
from lib.data.io.provenance import concluded, opened_source
from lib.data.ravdess.action_units import NAMES
from lib.data.ravdess.clips import (
    EMOTIONS,
    FRAME_FOLDS,
    Clip,
    by_actor,
    clips,
    lacking,
    release,
    sound_of,
    sounds,
    split_rule,
    unfinished,
    without_copies,
)
from lib.data.ravdess.steps import frames_of, log_spectrogram, standardised
from lib.data.recordings.sound import RATE, read_sound
from lib.errors import InputError

ACTORS = tuple(range(1, FRAME_FOLDS + 1))
FPS = 29.97
"""Frames a second of the video."""
_APART_S = 0.1
"""By which sound and video may differ; up to 0.07 s were found."""
_VERSION = 1


def files(root: Path) -> list[Path]:
    """The action units and the sound of every clip of these actors, below `ravdess/`."""
    folder = Path(root) / "ravdess"
    series = folder / "openface_au" / "series"
    tables = sorted({*series.glob("01-01-*.csv"), *unfinished(series, "01-01-*.csv")})
    return [*(tables or [_table(clip, folder) for clip in _of_actors(release())]), *heard(folder)]


def _table(clip: Clip, folder: Path) -> Path:
    return folder / "openface_au" / "series" / f"{clip.of_face}.csv"


def _of_actors(every: Sequence[Clip]) -> list[Clip]:
    return [clip for clip in every if clip.actor in ACTORS]


def heard(folder: Path) -> list[Path]:
    """The sounds of these actors; where none is, the release's."""
    wanted = {f"Actor_{actor:02}" for actor in ACTORS}
    return [path for path in sounds(folder) if path.parent.name in wanted] or [
        sound_of(clip, folder) for clip in _of_actors(release())
    ]


def read(
    root: Path,
    *,
    fold: int = 0,
    step_ms: float = 125.0,
    steps: int = 44,
    side: Side = "front",
    nonfinite: Nonfinite = "error",
) -> Corpus:
    """Audio 128 and video 35, float32 `(N, steps, d)`, classes int64 `(N,)` in the order of `EMOTIONS`.

    `fold` 0 to 4 chooses the actor that is tested, the next one is validated, the other three are trained on. A step of
    `step_ms` (a multiple of 12.5 ms) holds the mean of the logarithm of power in 128 mel bands, and that of the action
    units of the video's frames that begin in it, or of the last frame before it where none does. The last `steps` of a
    clip are kept, padded with zeros on `side`. All features have mean 0 and deviation 1 over the steps of the training
    actors that are no padding.

    Of a clip that is stored twice the first counts. Raises InputError for missing, damaged or hostile files, names that
    are none of the release's, one recording under two labels, sounds without action units or the other way round,
    action units that last longer or shorter than the sound, a split without clips, and an unknown fold or length of
    steps.
    """
    frames_of(step_ms, steps)
    found = sequences("ravdess_frames", Path(root), fold, step_ms, nonfinite)
    splits = {}
    for name, rows in found.rows.items():
        padded = {m: pad([of[row] for row in rows], steps, side) for m, of in found.features.items()}
        labels = np.array([found.clips[row].emotion for row in rows], np.int64)
        ids = tuple(found.clips[row].id for row in rows)
        splits[name] = Split({m: values for m, (values, _) in padded.items()}, padded["audio"][1], labels, ids)
    widths = {m: array.shape[2] for m, array in splits["train"].features.items()}
    return Corpus(corpora.get("ravdess_frames").task, EMOTIONS, widths, splits, found.source)


@dataclass(frozen=True)
class Sequences:
    """Clips with their `features`, for each modality and clip `(steps, d)` float32; `rows` are those of each split."""

    clips: Sequence[Clip]
    features: Mapping[str, Sequence[np.ndarray]]
    rows: Mapping[str, Sequence[int]]
    source: Source


def sequences(name: str, root: Path, fold: int, step_ms: float, nonfinite: Nonfinite) -> Sequences:
    """What `read` reads, for the corpus `name`: all steps of each clip. Raises InputError as `read`."""
    actors, frames = folds(fold), frames_of(step_ms)
    folder, paths = root / "ravdess", files(root)
    source = opened_source(name, root, paths)
    tables = {path.stem: path for path in paths if path.suffix == ".csv"}
    sound_files = [path for path in paths if path.suffix != ".csv"]
    every = clips(sound_files)
    _refuse_unpaired(tables, every, folder)
    kept, notes = without_copies(every, [source.files[path.relative_to(root).as_posix()] for path in sound_files])
    of_actor = by_actor(every, kept, actors, folder)
    audio, lasting = _sounds(sound_files, source.files, frames)
    video, zeroed = [], 0
    for clip, sound, seconds in zip(every, audio, lasting, strict=True):
        units, spoiled = _units(tables[clip.of_face], nonfinite)
        if abs(len(units) / FPS - seconds) > _APART_S:
            what = f"{len(units)} frames at {FPS:g} a second, but the sound {clip.id} lasts {seconds:.2f} s"
            raise InputError(what, where=tables[clip.of_face], todo="files were mixed up: get both again")
        video.append(in_steps(units, len(sound), step_ms / 1000))
        zeroed += spoiled
    features = {}
    for modality, of in (("audio", audio), ("video", video)):
        scale = standardised(np.concatenate([of[row] for row in of_actor["train"]]))
        features[modality] = [scale(values) for values in of]
    notes += [*lacking(every, actors), f"steps of {step_ms:g} ms: {_AUDIO}", *zeroed_notes({"video": zeroed})]
    return Sequences(every, features, of_actor, concluded(source, folder, rule(fold), notes))


def rule(fold: int) -> str:
    """Of the split: whose turn it is, who is tested and who validated."""
    return split_rule(f"fold {fold} of {FRAME_FOLDS}", folds(fold))


_AUDIO = "audio is power in 128 mel bands (logarithm), computed here; video the action units of the frames in a step"


def folds(fold: int) -> dict[str, tuple[int, ...]]:
    """The actors of each split. Raises InputError for a fold that is not 0 to 4."""
    if isinstance(fold, bool) or not isinstance(fold, int) or not 0 <= fold < FRAME_FOLDS:
        raise InputError(f"unknown fold {fold!r}", todo=f"known: 0 to {FRAME_FOLDS - 1}")
    tested, validated = ACTORS[fold], ACTORS[(fold + 1) % FRAME_FOLDS]
    train = tuple(actor for actor in ACTORS if actor not in (tested, validated))
    return {"train": train, "valid": (validated,), "test": (tested,)}


def in_steps(units: Float[np.ndarray, "frames d"], steps: int, step_s: float) -> Float[np.ndarray, "steps d"]:
    """Means of the frames that begin in each step; where none does, the last frame before."""
    step = np.floor(np.arange(len(units)) / FPS / step_s).astype(np.int64)
    found = []
    for number in range(steps):
        first, behind = np.searchsorted(step, (number, number + 1))
        found.append(units[first:behind].mean(axis=0) if behind > first else units[first - 1])
    return np.stack(found).astype(np.float32)


def _refuse_unpaired(tables: dict[str, Path], every: Sequence[Clip], folder: Path) -> None:
    names = {clip.of_face for clip in every}
    for absent, where in (
        (names - tables.keys(), "among the action units"),
        (tables.keys() - names, "among the sounds"),
    ):
        if absent:
            what = f"{len(absent)} clips are not {where}, such as {min(absent)[:40]}"
            raise InputError(what, where=folder, todo="see ./run_all.sh data check")


def _units(table: Path, nonfinite: Nonfinite) -> tuple[Float[np.ndarray, "frames 35"], int]:
    """The action units of a clip's frames, and how many numbers were set to 0."""
    rows = text_files.records(table, NAMES)
    try:
        values = np.array([[float(cells[name]) for name in NAMES] for _, cells in rows], np.float64)
    except ValueError as error:
        raise InputError(f"not a number ({error})", where=table) from None
    if not len(values):
        raise InputError("no frames", where=table)
    found, zeroed = finite_float32(values, "video", table, nonfinite, row=lambda row: f"frame {row}")
    if found.min() < 0 or found[:, _PRESENCES].max() > 1 or found.max() > 5:
        raise InputError("intensities outside 0 to 5, or presences outside 0 to 1", where=table)
    return found, zeroed


_PRESENCES = [number for number, name in enumerate(NAMES) if name.endswith("_c")]


def _sounds(paths: Sequence[Path], hashes: dict[str, str], frames: int) -> tuple[list[np.ndarray], np.ndarray]:
    """The steps of each clip, and how many seconds it lasts."""

    def build() -> dict[str, np.ndarray]:
        waveforms = [read_sound(path) for path in paths]
        found = [
            partial(log_spectrogram, frames=frames)(wave, where=p) for wave, p in zip(waveforms, paths, strict=True)
        ]
        counts, samples = np.array([len(part) for part in found]), np.array([len(wave) for wave in waveforms])
        return {"values": np.concatenate(found), "rows": counts, "samples": samples}

    sounds_alone = {name: content for name, content in hashes.items() if not name.endswith(".csv")}
    arrays = cached("ravdess_frames", _VERSION, sounds_alone, {"frames": frames}, build)
    return np.split(np.asarray(arrays["values"]), np.cumsum(arrays["rows"])[:-1]), arrays["samples"] / RATE
