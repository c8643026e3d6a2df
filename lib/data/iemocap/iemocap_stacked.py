"""IEMOCAP as the co-learning paper uses it (spec colearning, section 4): utterances in nine classes.

Read from the authors' dictionaries (`iemocap_dictionaries`) if they are there, else from the stacked arrays
that their script writes: `X_{train,val,test}.npy` `(N, T, 690)` = text, audio, video side by side,
`Y_{train,val,test}.npy` `(N,)` and `labels.npy`, the label strings in the order of their numbers.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from lib.data.arrays.named_arrays import Part, read_splits
from lib.data.corpus import SPLITS, Corpus, Source, Split
from lib.data.iemocap import iemocap_dictionaries as dictionaries
from lib.data.iemocap.iemocap_dictionaries import LABELS, WIDTHS
from lib.data.io.cache import cached
from lib.data.io.features import Nonfinite, split_columns
from lib.data.io.label_rules import class_numbers
from lib.data.io.provenance import concluded, opened_source
from lib.data.io.safe_pickle import load_npy
from lib.data.io.source_files import note_stand_in
from lib.errors import InputError
from lib.files import atomic_path

_FOLDER = "iemocap"
_VERSION = 2  # of what the cache keeps
_FILE_SPLITS = {"train": "train", "valid": "val", "test": "test"}
_SESSIONS = {"train": "123", "valid": "4", "test": "5"}
_RULES = {
    "paper": "paper: 75 % train, the rest halved into test and validation, at random by utterance "
    "(seed {seed}); speakers and dialogues are shared between the splits",
    "session": "by session: 1-3 train, 4 validation, 5 test; no speaker is in two splits",
    "stored": "as stored: split by whoever stacked the arrays",
}
_ROWS_PER_WRITE = 256


def files(root: Path) -> list[Path]:
    """The files `read` opens: the dictionaries if any of them is there, else the stacked arrays."""
    if _has_dictionaries(root):
        return dictionaries.paths(_dictionary_folder(root))
    names = [f"{kind}_{name}" for kind in "XY" for name in _FILE_SPLITS.values()] + ["labels"]
    return [Path(root) / _FOLDER / f"{name}.npy" for name in names]


def read(
    root: Path, split: Literal["paper", "session"] = "paper", seed: int = 0, *, nonfinite: Nonfinite = "error"
) -> Corpus:
    """Nine-class corpus; features float32 `(N, T, d)`; labels int64 in the published order (spec colearning, 4.2).

    `split="paper"` draws the published proportions with `seed`; `split="session"` keeps speakers apart.
    Stacked arrays bring their own split and no ids: `seed` has no effect on them. `lengths` counts the steps
    from the first to the last that is not all zero, because the padding side is not known.

    Raises `InputError` for missing, damaged, mis-shaped files, unknown labels, and for NaN and infinity unless
    `nonfinite="zero"` sets them to 0.
    """
    root, from_dictionaries = Path(root), _has_dictionaries(root)
    if split not in ("paper", "session"):
        raise InputError(f"unknown IEMOCAP split {split!r}", todo="known: paper, session")
    source = opened_source("iemocap", root, files(root))
    if from_dictionaries:
        splits, notes = _split_dictionaries(root, source.files, split, seed, nonfinite)
        rule = _RULES[split].format(seed=seed)
    elif split == "paper":
        (splits, notes), rule = _read_stacked(root, nonfinite), _RULES["stored"]
    else:
        todo = f"put the label table and the three dictionaries into {_dictionary_folder(root)}"
        raise InputError("stacked arrays carry no ids to split by session", where=root / _FOLDER, todo=todo)
    return Corpus(
        task="classes",
        label_names=LABELS,
        modalities=WIDTHS,
        splits=splits,
        source=concluded(source, root / _FOLDER, rule, notes, split_by_reader=from_dictionaries),
    )


def write(root: Path, corpus: Corpus) -> None:
    """Write the stacked arrays that `read` reads, float32, atomically, a few hundred samples at a time.

    The format stores neither ids nor lengths.
    """
    folder = Path(root) / _FOLDER
    with note_stand_in(folder, corpus.source):
        for split, name in _FILE_SPLITS.items():
            part = corpus.splits[split]
            _save_side_by_side(folder / f"X_{name}.npy", part.features)
            _save(folder / f"Y_{name}.npy", part.labels.astype(np.float64))
        _save(folder / "labels.npy", np.array(LABELS))


def write_dictionaries(root: Path, utterances: dictionaries.Utterances, source: Source) -> None:
    """Write the label table and the three dictionaries that `read` prefers to stacked arrays.

    Of `source`, only what marks a stand-in corpus is kept.
    """
    with note_stand_in(Path(root) / _FOLDER, source):
        dictionaries.write(_dictionary_folder(root), utterances)


def paper_split(n: int, seed: int) -> dict[str, np.ndarray]:
    """Row numbers by split (spec colearning, 4.1, step 5): a quarter, rounded up, is held out; its smaller half is the
    test set. The authors drew without a seed, so no seed gives their split.
    """
    order = np.random.default_rng(seed).permutation(n)
    held_out = math.ceil(n / 4)
    test = held_out // 2
    parts = {"train": order[held_out:], "valid": order[test:held_out], "test": order[:test]}
    return {name: np.sort(parts[name]) for name in SPLITS}


def session_split(ids: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Row numbers by split: sessions 1-3 train, 4 validation, 5 test. Ids start with `Ses01` to `Ses05`."""
    sessions = []
    for key in ids:
        if not (match := re.match(r"Ses0([1-5])", key)):
            raise InputError(f"utterance id {key!r} names no session", todo="use split: paper")
        sessions.append(match[1])
    return {name: np.flatnonzero(np.isin(sessions, list(_SESSIONS[name]))) for name in SPLITS}


def _dictionary_folder(root: Path) -> Path:
    return Path(root) / _FOLDER / "non_combined"


def _has_dictionaries(root: Path) -> bool:
    """Any of the four files counts: the others are then missing, not unwanted."""
    return any(path.exists() for path in dictionaries.paths(_dictionary_folder(root)))


def _split_dictionaries(
    root: Path, hashes: Mapping[str, str], split: str, seed: int, nonfinite: Nonfinite
) -> tuple[dict[str, Split], list[str]]:
    """The splits, and what `Source.warnings` has to say."""

    def build() -> dict[str, np.ndarray]:
        stacked = dictionaries.stack(_dictionary_folder(root), nonfinite)
        notes = np.array(stacked.notes, dtype="U200")
        return {"ids": np.array(stacked.ids), "labels": stacked.labels, "notes": notes, **stacked.features}

    arrays = cached("iemocap", _VERSION, hashes, {"nonfinite": nonfinite}, build)
    ids = tuple(arrays["ids"].tolist())
    parts = paper_split(len(ids), seed) if split == "paper" else session_split(ids)
    splits = {}
    for name, rows in parts.items():
        features = {modality: np.ascontiguousarray(arrays[modality][rows]) for modality in WIDTHS}
        labels = np.array(arrays["labels"][rows], dtype=np.int64)
        splits[name] = Split(features, _filled(features), labels, tuple(ids[row] for row in rows))
    return splits, arrays["notes"].tolist()


def _read_stacked(root: Path, nonfinite: Nonfinite) -> tuple[dict[str, Split], list[str]]:
    """As `_split_dictionaries`."""
    folder = Path(root) / _FOLDER
    names = load_npy(folder / "labels.npy").tolist()
    if not isinstance(names, list) or any(names.count(name) > 1 or name not in LABELS for name in names):
        raise InputError(f"labels {names}, expected {', '.join(LABELS)} in any order", where=folder / "labels.npy")
    numbers = np.array([LABELS.index(name) for name in names], dtype=np.int64)

    def part(split: str) -> Part:
        path, label_path = (folder / f"{kind}_{_FILE_SPLITS[split]}.npy" for kind in "XY")
        stacked, labels = load_npy(path), load_npy(label_path)
        if labels.ndim != 1:
            raise InputError(f"labels {labels.dtype} {labels.shape}, expected (N,) numbers", where=label_path)
        n, width = len(labels), sum(WIDTHS.values())
        if stacked.dtype.kind != "f" or stacked.ndim != 3 or stacked.shape[::2] != (n, width):
            what = f"{stacked.dtype} {stacked.shape}, expected ({n}, T, {width}) numbers"
            raise InputError(what, where=path, todo=f"{label_path.name} has {n} labels")
        labels = numbers[class_numbers(labels, len(names), label_path)]
        return Part(split_columns(stacked, WIDTHS), labels, lambda modality: path)

    return read_splits(part, nonfinite, lengths=_filled)


def _filled(features: Mapping[str, np.ndarray]) -> np.ndarray:
    """Steps `(N,)` from the first to the last that is not all zero, in any modality."""
    filled = np.logical_or.reduce([(array != 0).any(axis=2) for array in features.values()])
    lengths = filled.shape[1] - filled.argmax(axis=1) - filled[:, ::-1].argmax(axis=1)
    return np.where(filled.any(axis=1), lengths, 0).astype(np.int64)


def _save(path: Path, array: np.ndarray) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.save(handle, array, allow_pickle=False)


def _save_side_by_side(path: Path, features: Mapping[str, np.ndarray]) -> None:
    n, steps, _ = features["text"].shape
    with atomic_path(path) as temporary:
        stacked = np.lib.format.open_memmap(
            temporary, mode="w+", dtype=np.float32, shape=(n, steps, sum(WIDTHS.values()))
        )
        for start in range(0, n, _ROWS_PER_WRITE):
            rows = slice(start, start + _ROWS_PER_WRITE)
            stacked[rows] = np.concatenate([features[modality][rows] for modality in WIDTHS], axis=2)
        stacked.flush()
