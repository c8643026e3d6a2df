"""The CSV tables of CMU-MOSI with one vector per utterance and modality (inventory section 1).

`transcripts.csv` names every utterance `<video>_<segment>`. Column 0 of `text_{train,test}.csv` is a row
number in it and thereby the key of the three feature tables of that split, which share their (shuffled) row
order.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lib.data.io import text_files
from lib.data.io.features import Nonfinite, finite_float32
from lib.errors import InputError
from lib.files import atomic_path

WIDTHS = {"text": 100, "audio": 73, "video": 100}
_PARTS = ("train", "test")


@dataclass(frozen=True)
class Utterances:
    """All utterances in the order of `transcripts.csv`.

    `in_test` bool `(N,)` is the repository's split; `classes` int64 `(N,)` is 1 for sentiment >= 0;
    `features` are float32 `(N, d)`, unscaled; `zeroed` counts by modality those that were set to 0.
    """

    ids: tuple[str, ...]
    transcripts: tuple[str, ...]
    in_test: np.ndarray
    classes: np.ndarray
    features: Mapping[str, np.ndarray]
    zeroed: Mapping[str, int] = field(default_factory=dict)

    def segments(self) -> dict[str, int]:
        """Number of utterances per video; they must be numbered from 1 without a gap."""
        found = Counter(video_of(key) for key in self.ids)
        expected = {f"{video}_{number + 1}" for video, count in found.items() for number in range(count)}
        if missing := expected - set(self.ids):
            raise InputError(f"no utterance {min(missing)}: its video has later ones", where="transcripts.csv")
        return dict(found)


def video_of(utterance: str) -> str:
    """The video of an utterance id `<video>_<segment>`; video ids may hold underscores."""
    return utterance.rpartition("_")[0]


def segment_of(utterance: str) -> int:
    """Position of an utterance in its video, from 1."""
    return int(utterance.rpartition("_")[2])


def paths(folder: Path) -> list[Path]:
    """The seven tables."""
    return [_transcripts(folder), *(_table(folder, modality, part) for modality in WIDTHS for part in _PARTS)]


def read(folder: Path, nonfinite: Nonfinite = "error") -> Utterances:
    """Transcripts and features joined, one row per utterance.

    Raises `InputError`, naming file and line, for a row with too few columns or a cell that is no number, an id or key
    that stands twice or nowhere, a label that contradicts the transcript's, and for a feature that is NaN or infinite
    unless `nonfinite="zero"` sets it to 0.
    """
    ids, transcripts, classes = _read_transcripts(_transcripts(folder))
    in_test = np.zeros(len(ids), dtype=bool)
    features = {modality: np.empty((len(ids), width), np.float32) for modality, width in WIDTHS.items()}
    seen, zeroed = np.zeros(len(ids), dtype=bool), dict.fromkeys(WIDTHS, 0)

    def keep(modality: str, values: np.ndarray, path: Path, lines: list[int]) -> None:
        features[modality][keys], count = finite_float32(
            values, modality, path, nonfinite, row=lambda row: f"line {lines[row]}"
        )
        zeroed[modality] += count

    for part in _PARTS:
        path = _table(folder, "text", part)
        text, lines = _numbers(path, 1 + WIDTHS["text"])
        keys = _claim_keys(text[:, 0], lines, seen, path)
        in_test[keys] = part == "test"
        keep("text", text[:, 1:], path, lines)
        for modality in ("audio", "video"):
            path = _table(folder, modality, part)
            table, lines = _numbers(path, WIDTHS[modality] + 1)
            if len(table) != len(keys):
                raise InputError(f"{len(table)} rows, but text_{part}.csv has {len(keys)}", where=path)
            if (wrong := table[:, -1] != classes[keys]).any():
                line = lines[int(wrong.argmax())]
                raise InputError("the label is not that of the transcript", where=f"{path}, line {line}")
            keep(modality, table[:, :-1], path, lines)
    if not seen.all():
        raise InputError(f"no features for utterance {ids[int(seen.argmin())]}", where=_transcripts(folder))
    return Utterances(ids, transcripts, in_test, classes, features, zeroed)


def write(folder: Path, table: Utterances) -> None:
    """Write the tables that `read` reads; the feature rows stand in the order of the transcripts."""
    for part in _PARTS:
        rows = np.flatnonzero(table.in_test == (part == "test"))
        text = ([row, *table.features["text"][row]] for row in rows)
        _write_rows(_table(folder, "text", part), text)
        for modality in ("audio", "video"):
            labelled = ([*table.features[modality][row], table.classes[row]] for row in rows)
            _write_rows(_table(folder, modality, part), labelled)
    numbers = {video: number for number, video in enumerate(dict.fromkeys(map(video_of, table.ids)), start=1)}
    described = zip(table.ids, table.transcripts, table.classes, strict=True)
    _write_rows(_transcripts(folder), ([key, text, numbers[video_of(key)], label] for key, text, label in described))


def _transcripts(folder: Path) -> Path:
    return folder / "transcripts.csv"


def _table(folder: Path, modality: str, part: str) -> Path:
    """Text, with its key in front, beside the transcripts; the others, with the label behind, in folders."""
    return folder / (f"text_{part}.csv" if modality == "text" else f"{modality}/{modality}_{part}0.csv")


def _read_transcripts(path: Path) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Ids, transcripts and binary labels int64 `(N,)`."""
    ids, transcripts, labels = {}, [], []
    for line, (key, transcript, _, label) in text_files.rows(path, 4):
        key, label = key.strip(), label.strip()
        if not re.fullmatch(r".+_[1-9]\d*", key) or label not in ("0", "1"):
            raise InputError("not an utterance id with label 0 or 1", where=f"{path}, line {line}")
        if key in ids:
            what = f"utterance {key} stands twice, first in line {ids[key]}"
            raise InputError(what, where=f"{path}, line {line}")
        ids[key] = line
        transcripts.append(transcript)
        labels.append(int(label))
    return tuple(ids), tuple(transcripts), np.array(labels, dtype=np.int64)


def _claim_keys(stored: np.ndarray, lines: Sequence[int], seen: np.ndarray, path: Path) -> np.ndarray:
    """Row numbers of the transcripts; each may be claimed once over both splits."""
    for line, key in zip(lines, stored.tolist(), strict=True):
        if not key.is_integer() or not 0 <= key < len(seen) or seen[int(key)]:
            todo = f"expected each of 0 to {len(seen) - 1} once in training and test together"
            raise InputError(f"transcript number {key:g}", where=f"{path}, line {line}", todo=todo)
        seen[int(key)] = True
    return stored.astype(np.int64)


def _numbers(path: Path, columns: int) -> tuple[np.ndarray, list[int]]:
    """float64 `(rows, columns)` and the line of each row."""
    values, lines = [], []
    for line, row in text_files.rows(path, columns):
        try:
            values.append([float(cell) for cell in row])
        except ValueError as error:
            commas = any("," in cell for cell in row)
            todo = "save it with decimal points, not commas" if commas else None
            raise InputError(str(error), where=f"{path}, line {line}", todo=todo) from None
        lines.append(line)
    return np.array(values, dtype=np.float64).reshape(-1, columns), lines


def _write_rows(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Every cell quoted, as published; numbers in the shortest form that reads back the same."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, quoting=csv.QUOTE_ALL).writerows(rows)
