"""The inputs of the co-learning authors' stacking script (spec colearning, 4.1).

A label table and three pickled dictionaries, utterance id -> `(T, features)`, all with the same `T`: the
words were aligned and padded beforehand, on which side is not known.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.data.io.features import Nonfinite, finite_float32, zeroed_notes
from lib.data.io.ordering import RULE, natural_order
from lib.data.io.safe_pickle import load_npy
from lib.data.io.text_files import records
from lib.errors import InputError
from lib.files import atomic_path

WIDTHS = {"text": 300, "audio": 80, "video": 310}
FEATURE_FILES = {
    "text": "text_feat_10036.npy",
    "audio": "audio_feat_10036.npy",
    "video": "visual_feat_10036.npy",
}
TABLE = "df_iemocap.csv"
# Published order (spec colearning, 4.2). The authors' own order changes from process to process: they enumerate a set.
LABELS = ("fea", "neu", "ang", "fru", "exc", "sur", "hap", "dis", "sad")
UNUSED_LABELS = ("xxx", "oth")
MISSING_DATA = ("Ses03M_impro03_M001", "Ses03M_impro03_M030")
_COLUMNS = ("start_time", "end_time", "wav_file", "emotion", "val", "act", "dom")


@dataclass(frozen=True)
class Utterances:
    """Usable utterances: ids, int64 labels `(N,)` that index `LABELS`, float32 features `(N, T, d)`.

    `notes` are sentences for `Source.warnings`.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    features: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()


def paths(folder: Path) -> list[Path]:
    """The four files."""
    return [folder / TABLE, *(folder / name for name in FEATURE_FILES.values())]


def stack(folder: Path, nonfinite: Nonfinite = "error") -> Utterances:
    """Every utterance of the audio dictionary that has a usable label, in `natural_order` of the ids.

    The authors took them in the dictionary's order, which is whatever their process filled it in; that of the ids is
    the same for every copy of the data. Dropped as by the authors: labels `xxx` and `oth`, and the two ids whose data
    are missing. Raises `InputError` for a duplicate or unknown label, an utterance without label, text or video, a
    wrong shape, and for NaN and infinity unless `nonfinite="zero"` sets them to 0.
    """
    labels = _read_labels(folder / TABLE)
    tables = {modality: _read_dictionary(folder / name) for modality, name in FEATURE_FILES.items()}
    ids = [key for key in tables["audio"] if labels.get(key) not in UNUSED_LABELS and key not in MISSING_DATA]
    if not ids:
        raise InputError("no utterance with a usable label", where=folder / FEATURE_FILES["audio"])
    for key in ids:
        if key not in labels:
            raise InputError(f"no label for utterance {key}", where=folder / TABLE)
    stored, notes = ids, []
    if strange := [key for key in ids if not isinstance(key, str)]:
        raise InputError(f"an utterance id of type {type(strange[0]).__name__}", where=folder / FEATURE_FILES["audio"])
    if (ids := natural_order(ids)) != stored:
        notes.append(f"the dictionaries' order of utterances is not used: {RULE}")
    features = {}
    steps = getattr(tables["audio"][ids[0]], "shape", ())[:1]
    for modality, width in WIDTHS.items():
        path = folder / FEATURE_FILES[modality]
        features[modality], zeroed = _stack_one(modality, tables[modality], ids, (*steps, width), path, nonfinite)
        notes += zeroed_notes({modality: zeroed})
    numbers = np.array([LABELS.index(labels[key]) for key in ids], dtype=np.int64)
    return Utterances(tuple(ids), numbers, features, tuple(notes))


def write(folder: Path, utterances: Utterances) -> None:
    """Write the table and the three dictionaries that `stack` reads.

    The table has all columns of the original; those that nothing reads (times, valence, activation,
    dominance) stay empty.
    """
    folder = Path(folder)
    for modality, name in FEATURE_FILES.items():
        pickled = np.array(dict(zip(utterances.ids, utterances.features[modality], strict=True)), dtype=object)
        with atomic_path(folder / name) as temporary, temporary.open("wb") as handle:
            np.save(handle, pickled, allow_pickle=True)
    with (
        atomic_path(folder / TABLE) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as handle,
    ):
        table = csv.DictWriter(handle, _COLUMNS, lineterminator="\n")
        table.writeheader()
        for key, label in zip(utterances.ids, utterances.labels, strict=True):
            table.writerow({"wav_file": key, "emotion": LABELS[label]})


def _read_labels(path: Path) -> dict[str, str]:
    """Label string by utterance id, the unused ones included."""
    labels: dict[str, str] = {}
    for line, row in records(path, ("wav_file", "emotion")):
        where = f"{path}, line {line}"
        key, label = row["wav_file"].strip(), row["emotion"].strip().lower()
        if label not in LABELS + UNUSED_LABELS:
            todo = f"known: {', '.join(LABELS + UNUSED_LABELS)}"
            raise InputError(f"unknown label {row['emotion']!r}", where=where, todo=todo)
        if key in labels:
            raise InputError(f"utterance {key} stands twice", where=where)
        labels[key] = label
    return labels


def _read_dictionary(path: Path) -> Mapping[str, np.ndarray]:
    value = load_npy(path)
    content = value.item() if value.shape == () else None
    if not isinstance(content, dict):
        raise InputError("not a saved dictionary of utterances", where=path)
    return content


def _stack_one(
    modality: str,
    table: Mapping[str, np.ndarray],
    ids: Sequence[str],
    shape: tuple[int, ...],
    path: Path,
    nonfinite: Nonfinite,
) -> tuple[np.ndarray, int]:
    stacked, zeroed = np.empty((len(ids), *shape), dtype=np.float32), 0
    for row, key in zip(stacked, ids, strict=True):
        block = table.get(key)
        if not isinstance(block, np.ndarray) or block.dtype.kind not in "fiu":
            raise InputError(f"no numbers for utterance {key}", where=path)
        if block.shape != shape:
            raise InputError(f"utterance {key} has shape {block.shape}, expected {shape}", where=path)
        row[...], count = finite_float32(block, modality, path, nonfinite, row=lambda _, key=key: f"utterance {key}")
        zeroed += count
    return stacked, zeroed
