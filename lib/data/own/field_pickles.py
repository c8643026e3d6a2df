"""The two pickles in which the field hands its corpora round: MMSA's (`aligned_50.pkl`) and MulT's (`mosi_data.pkl`).

Both are a dictionary of splits, each a dictionary of arrays with `vision`, `audio` and `text`; MMSA's has
`regression_labels` and `classification_labels`, MulT's `labels`. MMSA's unaligned files have modalities of different
length and say how many steps of each are real.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from lib.data.corpus import SPLITS, Task
from lib.data.io import safe_pickle
from lib.data.own.alignment import by_share
from lib.data.own.declaration import Declaration, ScaleOf
from lib.data.own.parts import Brought, Part, a_few_rows
from lib.data.own.split_files import told_by_zeros
from lib.errors import InputError

Format = Literal["MMSA pickle", "MulT pickle"]
_NAMES = {"text": "text", "audio": "audio", "video": "vision"}
_FOUR = ("neutral", "happy", "sad", "angry")
"""The order in which MulT's evaluation names the emotions of IEMOCAP's four columns."""
_SCALES = ((-1.0, 1.0), (-3.0, 3.0))
_BETWEEN = "$_$"
"""Between video and clip in MMSA's ids."""
_SAYS = "a dictionary of train, valid and test, each with arrays vision, audio, text and labels"


def read(path: Path, *, name: str, task: Task | None, licence: str) -> Brought:
    """The corpus in a pickle of either kind. `task` is needed only where a file answers several.

    Raises InputError for what is neither, hostile or damaged, or lacks the labels of `task`.
    """
    tree = safe_pickle.load(path)
    if not isinstance(tree, dict) or not all(isinstance(tree.get(split), dict) for split in SPLITS):
        raise InputError("not a corpus of MMSA or MulT", where=path, todo=f"such a file is {_SAYS}")
    kind: Format = "MulT pickle" if "labels" in tree["train"] else "MMSA pickle"
    notes: list[str] = []
    labels, about = (_mult_labels if kind == "MulT pickle" else _mmsa_labels)(tree, task, path)
    about = Declaration(label=name, licence=licence, splits={s: s for s in SPLITS}, **about)
    parts = {split: _part(tree.pop(split), labels[split], split, path, about, notes) for split in SPLITS}
    sides = Counter(side for split in parts for side in (_padding(parts[split]),))
    about = about.model_copy(update={"padding": sides.most_common(1)[0][0], "imported_from": {"format": kind}})
    if all(part.units is not None for part in parts.values()):
        about = about.model_copy(update={"unit": "video"})
    return Brought(about, parts, tuple(dict.fromkeys(notes)))


def _part(found: Mapping[str, object], labels: np.ndarray, split: str, path: Path, about, notes: list[str]) -> Part:
    where = f"{path}, {split}"
    features = {m: _sequence(found[key], key, len(labels), where) for m, key in _NAMES.items() if key in found}
    if "text" not in features and "text_bert" in found:
        notes.append("text_bert holds token numbers for BERT and no features: the corpus has no text")
    if not features:
        raise InputError("no features", where=where, todo=f"such a file is {_SAYS}")
    for modality, x in features.items():
        if silent := sum(int((rows == -np.inf).sum()) for rows in a_few_rows(x)):
            features[modality] = np.where(x == -np.inf, 0, x)
            notes.append(f"{split} {modality}: {silent} times -inf set to 0, as the loaders of MMSA and MulT do")
    ids, units = _names(found.get("id"), split, len(labels), where)
    if len({x.shape[1] for x in features.values()}) > 1:
        features, lengths = _aligned(features, found, where)
        notes.append("unaligned: audio and video are means over as many equal parts as the text has steps")
    else:
        lengths = told_by_zeros(features, _side(features))
    return Part(features, lengths, labels, ids, units)


def _sequence(value: object, name: str, samples: int, where: str) -> np.ndarray:
    if (
        not isinstance(value, np.ndarray)
        or value.dtype.kind not in "fiu"
        or value.ndim not in (2, 3)
        or 0 in value.shape
    ):
        what = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise InputError(f"{name} is {what}, expected an array of numbers (samples, steps, width)", where=where)
    if len(value) != samples:
        raise InputError(f"{name} has {len(value)} samples, the labels {samples}", where=where)
    return value if value.ndim == 3 else value[:, None]


def _aligned(features: Mapping[str, np.ndarray], found: Mapping[str, object], where: str) -> tuple[dict, np.ndarray]:
    """All modalities on the steps of the text, real steps in front."""
    if "text" not in features:
        raise InputError("modalities of different length and no text to align them with", where=where)
    real = {m: _real(x, found.get(f"{_NAMES[m]}_lengths"), m, where) for m, x in features.items()}
    text, longest = features["text"], features["text"].shape[1]
    steps = np.maximum(real["text"], 1)
    moved = {m: by_share(_to_front(x, real[m]), real[m], steps, longest) for m, x in features.items() if m != "text"}
    return {m: _to_front(text, steps) if m == "text" else moved[m] for m in features}, steps


def _real(x: np.ndarray, given: object, name: str, where: str) -> np.ndarray:
    """Real steps of each sample: those that the file gives, else those that the zeros tell."""
    if given is None:
        return told_by_zeros({name: x}, _side({name: x}))
    lengths = np.asarray(given)
    if lengths.shape != (len(x),) or lengths.dtype.kind not in "iu" or lengths.min() < 0 or lengths.max() > x.shape[1]:
        raise InputError(f"lengths of {name} are not one number of steps up to {x.shape[1]} per sample", where=where)
    return lengths.astype(np.int64)


def _to_front(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Real steps first, whichever side they stood on."""
    if _side({"": x}) == "back":
        return x
    moved = np.zeros_like(x)
    for row, length in enumerate(lengths.tolist()):
        moved[row, :length] = x[row, x.shape[1] - length :]
    return moved


def _side(features: Mapping[str, np.ndarray]) -> Literal["front", "back"]:
    """On which side more samples have a step of zeros throughout."""
    first = sum(int((~x[:, 0].any(axis=1)).sum()) for x in features.values())
    last = sum(int((~x[:, -1].any(axis=1)).sum()) for x in features.values())
    return "front" if first >= last else "back"


def _padding(part: Part) -> Literal["front", "back"]:
    return _side(part.features)


def _names(value: object, split: str, samples: int, where: str) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Ids and videos. Without ids in the file they are split and row, and nobody knows the videos."""
    if value is None or len(value) != samples:
        if value is not None:
            raise InputError(f"{len(value)} ids for {samples} samples", where=where)
        return tuple(f"{split}_{row}" for row in range(samples)), None
    rows = [_texts(row) for row in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if all(len(row) == 1 for row in rows):
        ids = [row[0] for row in rows]
        if all(_BETWEEN in each for each in ids):
            return tuple(ids), tuple(each.partition(_BETWEEN)[0] for each in ids)
        return tuple(ids), None
    return tuple(" ".join(row) for row in rows), tuple(row[0] for row in rows)


def _texts(row: object) -> list[str]:
    parts = row if isinstance(row, list | tuple) else row.tolist() if isinstance(row, np.ndarray) else [row]
    return [part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in parts]


def _mmsa_labels(tree: Mapping[str, dict], task: Task | None, path: Path) -> tuple[dict[str, np.ndarray], dict]:
    task = task or ("regression" if "regression_labels" in tree["train"] else "classes")
    key = {"regression": "regression_labels", "classes": "classification_labels"}.get(task)
    if key is None:
        raise InputError(f"no labels for {task}", where=path, todo="MMSA's files have regression and classes")
    labels = {split: _one_axis(tree[split].get(key), key, f"{path}, {split}") for split in SPLITS}
    if task == "regression":
        return labels, _regression(labels, path)
    numbers = np.concatenate(list(labels.values()))
    if numbers.min() < 0 or (numbers != np.round(numbers)).any():
        raise InputError(f"{key} are no numbers of classes", where=path)
    names = [_commonest(tree, labels, k) for k in range(int(numbers.max()) + 1)]
    names = names if len(set(names)) == len(names) else [f"class {k}" for k in range(len(names))]
    return {s: y.astype(np.int64) for s, y in labels.items()}, {"task": "classes", "labels": tuple(names)}


def _commonest(tree: Mapping[str, dict], labels: Mapping[str, np.ndarray], number: int) -> str:
    """What the annotations call a class."""
    words: Counter[str] = Counter()
    for split, y in labels.items():
        told = tree[split].get("annotations")
        if told is not None and len(told) == len(y):
            words += Counter(str(word) for word, k in zip(told, y.tolist(), strict=True) if k == number)
    return words.most_common(1)[0][0].lower() if words else f"class {number}"


def _mult_labels(tree: Mapping[str, dict], task: Task | None, path: Path) -> tuple[dict[str, np.ndarray], dict]:
    stored = {split: np.asarray(tree[split].get("labels")) for split in SPLITS}
    shapes = {split: y.shape[1:] for split, y in stored.items()}
    if any(y.dtype.kind not in "fiu" for y in stored.values()) or len(set(shapes.values())) > 1:
        raise InputError(f"labels are no arrays of numbers of one shape: {shapes}", where=path)
    shape = shapes["train"]
    if len(shape) == 2 and shape[1] == 2:  # absent and present, a column each (IEMOCAP)
        if task not in (None, "multilabel"):
            raise InputError(f"no labels for {task}", where=path, todo="this file has multilabel")
        names = _FOUR if shape[0] == len(_FOUR) else tuple(f"label {k + 1}" for k in range(shape[0]))
        found = {split: y.argmax(axis=2).astype(np.float64) for split, y in stored.items()}
        return found, {"task": "multilabel", "labels": names}
    if task not in (None, "regression") or int(np.prod(shape)) != 1:
        what = f"labels of shape {shape}" if task in (None, "regression") else f"no labels for {task}"
        raise InputError(what, where=path, todo="known: one score per sample, or a pair per emotion")
    labels = {split: y.reshape(len(y)).astype(np.float64) for split, y in stored.items()}
    return labels, _regression(labels, path)


def _one_axis(value: object, key: str, where: str) -> np.ndarray:
    found = np.asarray(value if value is not None else [])
    if found.dtype.kind not in "fiu" or found.size == 0 or found.size != len(found):
        raise InputError(f"no {key}, one number per sample", where=where)
    return found.reshape(-1).astype(np.float64)


def _regression(labels: Mapping[str, np.ndarray], path: Path) -> dict:
    """The scale is the narrowest known one that holds every label."""
    numbers = np.concatenate(list(labels.values()))
    fits = [s for s in _SCALES if np.isfinite(numbers).all() and s[0] <= numbers.min() and numbers.max() <= s[1]]
    if not fits:
        what = f"labels from {numbers.min():g} to {numbers.max():g} lie on no scale that is known"
        raise InputError(what, where=path, todo="known: -1 to 1 and -3 to 3; bring it as a folder with corpus.yaml")
    return {"task": "regression", "labels": ("sentiment",), "scale": ScaleOf(limits=fits[0], neutral=0.0)}
