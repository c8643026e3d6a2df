"""CMU-MOSEI's utterances: text, sentiment and emotions joined from tables of different origin (inventory 9.1).

Text and labels belong together by (video, start, end), to the millisecond. Segment numbers look like clip numbers but
are others: a join by them would silently give utterances the labels of their neighbours. What two tables both say of
an utterance must agree, so that a table whose rows or columns were moved is refused.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from lib.data.arrays.emotion_rules import MOSEI_EMOTIONS
from lib.data.corpus import SENTIMENT, SPLITS
from lib.data.io import text_files
from lib.errors import InputError
from lib.files import atomic_path

if TYPE_CHECKING:
    from jaxtyping import Float

Folds = Literal["end_to_end", "standard"]
"""The lists of the end-to-end paper, which leave utterances out, or the folds of the text tables."""
_CLASSES = ("happy", "sad", "anger", "surprise", "disgust", "fear")
"""The columns of intensities, and in this order the classes 0 to 5 of the table that only serves as a check: the
strongest emotion, of equally strong ones the first, and 0 also without any emotion."""
_INTENSITIES = (0.0, 3.0)
_STORED_AS_FLOAT32 = 1e-6
"""How far two tables may be apart in sentiment: one of them rounds means of ratings up to 3 to float32 (5e-8 found)."""
_TEXT = ("vid", "start", "stop", "label", "cid", "text")
_LABELS = ("id", "segment_id", "start", "end", "sentiment", *_CLASSES)
_CHECK = ("file", "index", "start", "end", "label2a", "label2b", "label6", "split")
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Utterances:
    """Those of one fold, N of them, in the order of the text table or of the list of the split.

    `ids` are `<video>_<clip>`, `groups` the videos; `sentiment` is within -3 to 3, `intensities` within 0 to 3 in the
    order of `MOSEI_EMOTIONS`.
    """

    ids: tuple[str, ...]
    groups: tuple[str, ...]
    texts: tuple[str, ...]
    sentiment: Float[np.ndarray, " utterances"]
    intensities: Float[np.ndarray, "utterances 6"]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class _Utterance:
    id: str
    video: str
    text: str
    sentiment: float
    intensities: tuple[float, ...]


def paths(folder: Path) -> list[Path]:
    """Text of the three folds, labels, the table to check them by, and the lists of the end-to-end paper."""
    return [
        *(_text(folder, split) for split in SPLITS),
        folder / "mosei.csv",
        folder / "CMU_MOSEI_Labels.csv",
        *(_list(folder, split) for split in SPLITS),
    ]


def read(folder: Path, split: Folds = "end_to_end") -> dict[str, Utterances]:
    """The utterances of each fold.

    Raises `InputError`, naming file and line, for a missing column, a cell that is no number in its range, an utterance
    that stands twice or has no labels, a video in two folds, tables that contradict each other, and an id in the lists
    that is none of `<video>_<clip>`.
    """
    if split not in get_args(Folds):
        raise InputError(f"unknown split {split!r}", todo=f"known: {', '.join(get_args(Folds))}")
    labels = _labels(folder / "mosei.csv")
    folds = _checked(folder / "CMU_MOSEI_Labels.csv", labels)
    found = _texts(folder, labels, folds)
    if split == "end_to_end":
        known = {utterance.id: utterance for fold in found.values() for utterance in fold}
        found = {name: _listed(_list(folder, name), known) for name in SPLITS}
    _refuse_shared_videos(found, folder)
    return {name: _stacked(fold) for name, fold in found.items()}


def _labels(path: Path) -> dict[Key, tuple[str, float, tuple[float, ...]]]:
    """Segment number, sentiment and intensities in the order of `_CLASSES`, by video and times."""
    found: dict[Key, tuple[str, float, tuple[float, ...]]] = {}
    for line, row in text_files.records(path, _LABELS):
        where = f"{path}, line {line}"
        key = _key(row["id"], row["start"], row["end"], where)
        if key in found:
            raise InputError(f"{_named(key)} stands twice", where=where)
        sentiment = _number(row["sentiment"], SENTIMENT.limits, "sentiment", where)
        intensities = tuple(_number(row[name], _INTENSITIES, name, where) for name in _CLASSES)
        found[key] = row["segment_id"].strip(), sentiment, intensities
    return found


def _checked(path: Path, labels: dict[Key, tuple[str, float, tuple[float, ...]]]) -> dict[Key, str]:
    """The fold of each utterance as the third table numbers it, after its other columns have confirmed the labels."""
    folds: dict[Key, str] = {}
    for line, row in text_files.records(path, _CHECK):
        where = f"{path}, line {line}"
        key = _key(row["file"], row["start"], row["end"], where)
        if key in folds or key not in labels:
            raise InputError(f"{_named(key)} {'stands twice' if key in folds else 'is not in mosei.csv'}", where=where)
        segment, sentiment, intensities = labels[key]
        expected = {
            "index": segment,
            "label2a": str(int(sentiment >= 0)),
            "label2b": str(int(sentiment > 0) - int(sentiment < 0)),
            "label6": str(intensities.index(max(intensities))),
        }
        for column, value in expected.items():
            if (said := row[column].strip()) != value:
                what = f"{column} of {_named(key)} is {said}, but {value} by mosei.csv"
                raise InputError(what, where=where, todo="one of the two tables was changed: get both again")
        folds[key] = row["split"].strip()
    if missing := next((key for key in labels if key not in folds), None):
        raise InputError(f"no {_named(missing)}, which mosei.csv has", where=path)
    return folds


def _texts(folder: Path, labels: dict, folds: dict[Key, str]) -> dict[str, list[_Utterance]]:
    """The text tables, joined to the labels. A fold number of 3 in the third table says nothing (4 training rows)."""
    found, seen, used = {}, set(), set()
    order = [_CLASSES.index(emotion) for emotion in MOSEI_EMOTIONS]
    for number, split in enumerate(SPLITS):
        path, rows = _text(folder, split), []
        for line, row in text_files.records(path, _TEXT):
            where = f"{path}, line {line}"
            key, clip = _key(row["vid"], row["start"], row["stop"], where), row["cid"].strip()
            name = f"{key[0]}_{clip}"
            if key not in labels:
                raise InputError(f"no labels of {_named(key)} in mosei.csv", where=where)
            if key in used or name in seen:
                raise InputError(f"utterance {name} stands twice", where=where)
            if not clip.isdecimal() or not row["text"].strip():
                raise InputError(f"utterance {name} has no {'text' if clip.isdecimal() else 'number'}", where=where)
            _, sentiment, intensities = labels[key]
            if not abs(_number(row["label"], SENTIMENT.limits, "label", where) - sentiment) <= _STORED_AS_FLOAT32:
                what = f"sentiment of {name} is {row['label'].strip()}, but {sentiment:g} in mosei.csv"
                raise InputError(what, where=where, todo="one of the two tables was changed: get both again")
            if folds[key] not in (str(number), "3"):
                raise InputError(f"utterance {name} is in another fold by CMU_MOSEI_Labels.csv", where=where)
            seen.add(name)
            used.add(key)
            rows.append(_Utterance(name, key[0], row["text"], sentiment, tuple(intensities[i] for i in order)))
        if not rows:
            raise InputError("no rows", where=path)
        found[split] = rows
    return found


def _listed(path: Path, known: dict[str, _Utterance]) -> list[_Utterance]:
    names = text_files.listed(path)
    if not names:
        raise InputError("no utterances", where=path)
    if unknown := [name for name in names if name not in known]:
        what = f"{unknown[0]} is no utterance <video>_<clip> of the text tables ({len(unknown)} of {len(names)} ids)"
        raise InputError(what, where=path, todo="clip numbers are meant, the column cid, not segment numbers")
    if len(set(names)) != len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise InputError(f"utterance {twice} stands twice", where=path)
    return [known[name] for name in names]


def _refuse_shared_videos(found: dict[str, list[_Utterance]], folder: Path) -> None:
    first: dict[str, str] = {}
    for split, fold in found.items():
        for utterance in fold:
            if (other := first.setdefault(utterance.video, split)) != split:
                raise InputError(f"video {utterance.video} is both in {other} and in {split}", where=folder)


def _stacked(fold: Sequence[_Utterance]) -> Utterances:
    return Utterances(
        tuple(one.id for one in fold),
        tuple(one.video for one in fold),
        tuple(one.text for one in fold),
        np.array([one.sentiment for one in fold]),
        np.array([one.intensities for one in fold]),
    )


def _key(video: str, start: str, end: str, where: str) -> Key:
    """A first segment may begin a little before 0 s."""
    times = (_number(time, (-math.inf, math.inf), "time", where) for time in (start, end))
    return (video.strip(), *(f"{round(time, 3) + 0.0:.3f}" for time in times))


def _number(cell: str, bounds: tuple[float, float], what: str, where: str) -> float:
    """A finite number within bounds; a mean stored in float32 may lie outside by its rounding, and is cut."""
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    low, high = bounds
    if not (math.isfinite(value) and low - _STORED_AS_FLOAT32 <= value <= high + _STORED_AS_FLOAT32):
        raise InputError(f"{what} {cell.strip()[:40]!r}, expected {low:g} to {high:g}", where=where)
    return min(max(value, low), high)


def _named(key: Key) -> str:
    return f"the utterance of {key[0]} from {key[1]} to {key[2]} s"


def _text(folder: Path, split: str) -> Path:
    return folder / f"unimse_{split}.tsv"


def _list(folder: Path, split: str) -> Path:
    return folder / "MOSEI_split" / f"{split}_split.txt"


def write(folder: Path, standard: dict[str, Utterances], lists: dict[str, Sequence[str]]) -> None:
    """The tables that `read` reads: clip c of a video lies from c to c + 0.5 s, segments are numbered from 0.

    `lists` are those of the end-to-end paper.
    """
    labels, check = [], []
    names = [_CLASSES.index(emotion) for emotion in MOSEI_EMOTIONS]
    for number, (split, fold) in enumerate(standard.items()):
        texts = []
        for row, (name, video) in enumerate(zip(fold.ids, fold.groups, strict=True)):
            clip = int(name.rpartition("_")[2])
            times = [f"{clip}.0", f"{clip}.5"]
            clips = sorted(int(other.rpartition("_")[2]) for other in fold.ids if other.rpartition("_")[0] == video)
            segment, sentiment = clips.index(clip), float(fold.sentiment[row])
            strengths = [0.0] * len(_CLASSES)
            for place, value in zip(names, fold.intensities[row].tolist(), strict=True):
                strengths[place] = value
            texts.append([video, *times, sentiment, clip, fold.texts[row]])
            labels.append([video, segment, *times, sentiment, *strengths])
            sign = int(sentiment > 0) - int(sentiment < 0)
            strongest = strengths.index(max(strengths))
            check.append([video, segment, *times, int(sentiment >= 0), sign, strongest, number])
        _write_rows(_text(folder, split), [_TEXT, *texts], "\t")
        with atomic_path(_list(folder, split)) as temporary:
            temporary.write_text("".join(f"{name}\n" for name in lists[split]), encoding="utf-8")
    _write_rows(folder / "mosei.csv", [_LABELS, *labels], ",")
    _write_rows(folder / "CMU_MOSEI_Labels.csv", [_CHECK, *check], ",")


def _write_rows(path: Path, rows: Iterable[Iterable[object]], separator: str) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, delimiter=separator).writerows(rows)
