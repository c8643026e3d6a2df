"""CMU-MOSI by utterance: a target utterance after those that precede it in its video.

Features and binary labels come from the tables of `mosi_tables`, real-valued labels from the label files of
the MFN repository (`mosi_labels`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from lib.data.corpus import SENTIMENT, Corpus, Source, Split
from lib.data.io.cache import cached
from lib.data.io.features import Nonfinite, zeroed_notes
from lib.data.io.provenance import concluded, opened_source
from lib.data.io.source_files import note_stand_in
from lib.data.mosi import mosi_tables
from lib.data.mosi.mosi_labels import label_files, sentiment, write_sentiment
from lib.data.mosi.mosi_tables import WIDTHS, Utterances, segment_of, video_of
from lib.errors import InputError

CLASSES = ("negative", "non-negative")
VALIDATION_VIDEOS = 10
_FOLDER = "mosi_utterance"
_VERSION = 2  # of what the cache keeps


def files(root: Path) -> list[Path]:
    """The tables, and the label files of the MFN repository."""
    return [*mosi_tables.paths(Path(root) / _FOLDER), *label_files(root)]


def read(
    root: Path,
    context: int = 20,
    task: Literal["regression", "classes"] = "regression",
    *,
    nonfinite: Nonfinite = "error",
) -> Corpus:
    """A sample is an utterance and up to `context - 1` utterances before it in the same video.

    Features are float32 `(N, context, d)`, the target utterance last, zeros in front; `lengths` counts the
    utterances. Audio is standardised with the training utterances (a column that is constant there becomes
    0); text and video are as stored. Labels are sentiment -3 to 3 (`regression`) or 0/1 for
    negative/non-negative (`classes`). The repository's split is the only one offered, see
    `Source.warnings`.

    Raises `InputError` for missing or damaged files (naming file and line), features whose labels
    contradict the transcripts, label files that contradict the binary labels, and for NaN and infinity unless
    `nonfinite="zero"` sets them to 0.
    """
    root = Path(root)
    if context < 1:
        raise InputError(f"context {context}, expected 1 (the target utterance alone) or more")
    if task not in ("regression", "classes"):
        raise InputError(f"unknown task {task!r}", todo="known: regression, classes")
    source = opened_source("mosi_utterances", root, files(root))
    table = cached_table(root, source.files, nonfinite)
    values = sentiment_of(root, table)
    labels = values if task == "regression" else table.classes
    rows = _split(table)
    features = {**table.features, "audio": standardise(table.features["audio"], rows["train"])}
    rule = (
        f"the repository's training and test videos; validation is the last {VALIDATION_VIDEOS} training videos by id"
    )
    notes = zeroed_notes(table.zeroed)
    return Corpus(
        task=task,
        label_names=("sentiment",) if task == "regression" else CLASSES,
        modalities=WIDTHS,
        splits={name: _windows(table.ids, features, labels, part, context) for name, part in rows.items()},
        source=concluded(source, root / _FOLDER, rule, notes, split_by_reader=True),
        scale=SENTIMENT if task == "regression" else None,
    )


def write(root: Path, table: Utterances, values: Mapping[str, float], source: Source) -> None:
    """Write the tables and label files that `read` reads; `values` is sentiment by utterance id.

    Of `source`, only what marks a stand-in corpus is kept.
    """
    folder = Path(root) / _FOLDER
    with note_stand_in(folder, source):
        mosi_tables.write(folder, table)
        write_sentiment(root, table.segments(), values)


def cached_table(root: Path, hashes: Mapping[str, str], nonfinite: Nonfinite = "error") -> Utterances:
    """The tables below `root`, whose files have these hashes, parsed once."""

    def build() -> dict[str, np.ndarray]:
        table = mosi_tables.read(root / _FOLDER, nonfinite)
        return {
            "ids": np.array(table.ids),
            "transcripts": np.array([text.encode() for text in table.transcripts]),
            "in_test": table.in_test,
            "classes": table.classes,
            "zeroed": np.array([table.zeroed[modality] for modality in WIDTHS]),
            **table.features,
        }

    tables = {name: digest for name, digest in hashes.items() if name.startswith(_FOLDER)}
    arrays = cached("mosi_utterances", _VERSION, tables, {"nonfinite": nonfinite}, build)
    return Utterances(
        ids=tuple(arrays["ids"].tolist()),
        transcripts=tuple(text.decode() for text in arrays["transcripts"].tolist()),
        in_test=arrays["in_test"],
        classes=arrays["classes"],
        features={modality: arrays[modality] for modality in WIDTHS},
        zeroed=dict(zip(WIDTHS, arrays["zeroed"].tolist(), strict=True)),
    )


def sentiment_of(root: Path, table: Utterances) -> np.ndarray:
    """float64 `(N,)` in the order of the table, checked against the binary labels."""
    by_id = sentiment(root, table.segments())
    values = np.array([by_id[key] for key in table.ids])
    if (wrong := (values >= 0) != table.classes).any():
        row = int(wrong.argmax())
        what = f"sentiment {values[row]:g} for utterance {table.ids[row]}, which the transcripts call "
        raise InputError(what + CLASSES[table.classes[row]], where=label_files(root)[0].parent / "y_*.h5")
    return values


def _split(table: Utterances) -> dict[str, np.ndarray]:
    """Rows of each split, ordered by video and segment."""
    videos = np.array([video_of(key) for key in table.ids])
    test, rest = set(videos[table.in_test]), sorted(set(videos[~table.in_test]))
    if both := test & set(rest):
        raise InputError(f"video {min(both)} is in training and test", where="text_test.csv")
    if len(rest) <= VALIDATION_VIDEOS:
        raise InputError(f"{len(rest)} training videos, {VALIDATION_VIDEOS} go to validation", where="text_train.csv")
    chosen = {"train": set(rest[:-VALIDATION_VIDEOS]), "valid": set(rest[-VALIDATION_VIDEOS:]), "test": test}
    order = sorted(range(len(table.ids)), key=lambda row: (videos[row], segment_of(table.ids[row])))
    return {name: np.array([row for row in order if videos[row] in part]) for name, part in chosen.items()}


def standardise(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance over the rows `train`; columns that are constant there become 0."""
    seen = values[train].astype(np.float64)
    constant = seen.min(axis=0) == seen.max(axis=0)
    scale = np.where(constant, 1.0, seen.std(axis=0))
    return np.where(constant, 0.0, (values - seen.mean(axis=0)) / scale).astype(np.float32)


def _windows(
    ids: tuple[str, ...],
    features: Mapping[str, np.ndarray],
    labels: np.ndarray,
    rows: np.ndarray,
    context: int,
) -> Split:
    """One sample per row; `rows` are ordered by video and segment."""
    windows = {modality: np.zeros((len(rows), context, width), np.float32) for modality, width in WIDTHS.items()}
    lengths = np.array([min(segment_of(ids[row]), context) for row in rows], dtype=np.int64)
    for modality, window in windows.items():
        for sample, length in enumerate(lengths):
            window[sample, -length:] = features[modality][rows[sample + 1 - length : sample + 1]]
    return Split(features=windows, lengths=lengths, labels=labels[rows], ids=tuple(ids[row] for row in rows))
