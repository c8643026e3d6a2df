"""A split as arrays: a `.npz`, or a folder of `.npy` files, which are mapped and need no memory.

`<modality>` `(N, T, d)` or `(N, d)`, `labels` as `Split` has them (classes as numbers, or as their names), `ids`; and
if there are: `lengths` `(N,)`, without which the zeros of the padding tell, and `units` `(N,)`.
"""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lib.data.arrays.sequences import Side, lengths_of
from lib.data.io.impostors import refuse
from lib.data.io.npz_files import read_arrays
from lib.data.io.safe_pickle import load_npy
from lib.data.own import tables
from lib.data.own.declaration import MODALITIES, Declaration
from lib.data.own.parts import Part
from lib.errors import InputError

TABLES = (".csv", ".tsv", ".parquet")
_KNOWN = (*MODALITIES, "labels", "ids", "lengths", "units")


def files(path: Path) -> list[Path]:
    """What is read of a split that lies at `path`, whether it is there or not."""
    return sorted(path.glob("*.npy")) or [path / "labels.npy"] if path.suffix == "" else [path]


def read(path: Path, about: Declaration) -> Part:
    """The split. Raises InputError, naming file and array, for what is none."""
    return tables.read(path, about) if path.suffix in TABLES else part(_arrays(path), about, path)


def unlabelled(path: Path, padding: Side) -> Part:
    """The same without a look at labels, which need not be there: they are NaN. Raises InputError as `read`."""
    if path.suffix in TABLES:
        return tables.unlabelled(path, padding)
    arrays = _arrays(path)
    features, ids = _features(arrays, ("ids",), path), _texts(arrays["ids"], "ids", path)
    return Part(features, told_by_zeros(features, padding), np.full(len(ids), np.nan), ids)


def part(arrays: Mapping[str, np.ndarray], about: Declaration, where: object) -> Part:
    """Arrays by name as a split."""
    features = _features(arrays, ("labels", "ids"), where)
    labels = _labels(arrays["labels"], about, where)
    lengths = arrays["lengths"] if "lengths" in arrays else told_by_zeros(features, about.padding)
    longest = max(x.shape[1] for x in features.values())
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or ((lengths < 0) | (lengths > longest)).any():
        raise InputError(f"lengths are no numbers of steps from 0 to {longest}", where=where)
    units = _texts(arrays["units"], "units", where) if "units" in arrays else None
    return Part(features, lengths.astype(np.int64), labels, _texts(arrays["ids"], "ids", where), units)


def _features(arrays: Mapping[str, np.ndarray], needed: Sequence[str], where: object) -> dict[str, np.ndarray]:
    """The sequences among the arrays. Raises InputError for arrays that mean nothing, lack or disagree."""
    if strange := [name for name in arrays if name not in _KNOWN]:
        raise InputError(f"array {strange[0]!r} means nothing here", where=where, todo=f"known: {', '.join(_KNOWN)}")
    if missing := [name for name in needed if name not in arrays]:
        raise InputError(f"no array {missing[0]!r}", where=where)
    features = {m: _sequences(arrays[m], m, where) for m in MODALITIES if m in arrays}
    if not features:
        raise InputError("no features", where=where, todo=f"arrays are called {', '.join(MODALITIES)}")
    counts = {name: len(array) for name, array in {**arrays, **features}.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"numbers of samples differ: {counts}", where=where)
    return features


def told_by_zeros(features: Mapping[str, np.ndarray], padding: str) -> np.ndarray:
    """Steps `(N,)` that are not all zero padding, of the modality that has most; at least 1."""
    found = [_steps(x, padding) for x in features.values()]
    return np.maximum(np.maximum.reduce(found), 1)


def _steps(x: np.ndarray, padding: str, rows: int = 256) -> np.ndarray:
    """A few rows at a time: an array may be as large as memory."""
    if not len(x):
        return np.zeros(0, np.int64)
    return np.concatenate([lengths_of(x[start : start + rows], padding) for start in range(0, len(x), rows)])


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if path.suffix not in ("", ".npz"):
        raise InputError("a split is a .npz, .parquet or .csv file, or a folder of .npy files", where=path)
    if path.suffix == "":
        if not path.is_dir():
            raise InputError("missing", where=path)
        return {file.stem: load_npy(file) for file in files(path)}
    refuse(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            packed = [info.filename for info in archive.infolist() if info.compress_type != zipfile.ZIP_STORED]
    except Exception as error:  # the bytes are hostile: whatever they provoke means the same to the user
        raise InputError(f"not a complete .npz archive ({error})", where=path) from None
    if packed:
        raise InputError(f"{packed[0]} is compressed", where=path, todo="write it with `np.savez`, without _compressed")
    if len(set(names)) != len(names):
        raise InputError("an array stands twice", where=path)
    return dict(zip(names, read_arrays(path, names), strict=True))


def _sequences(array: np.ndarray, name: str, where: object) -> np.ndarray:
    if array.dtype.kind not in "fiu" or array.ndim not in (2, 3) or 0 in array.shape[1:]:
        what = f"{name} is {array.dtype} {array.shape}, expected numbers (samples, steps, width) or (samples, width)"
        raise InputError(what, where=where)
    return array[:, None] if array.ndim == 2 else array


def _labels(array: np.ndarray, about: Declaration, where: object) -> np.ndarray:
    """As `Split` has them, unchecked against the scale."""
    if about.task == "classes" and array.dtype.kind == "U" and array.ndim == 1:
        number = {name: k for k, name in enumerate(about.labels)}
        if strange := next((label for label in array.tolist() if label not in number), None):
            raise InputError(f"label {strange!r}", where=where, todo=f"labels are: {', '.join(about.labels)}")
        return np.array([number[label] for label in array.tolist()], np.int64)
    axes = {"classes": (1,), "multilabel": (2,), "regression": (1, 2)}[about.task]
    several = 1 if array.ndim == 1 else array.shape[1]
    fits = array.dtype.kind in "fiub" and array.ndim in axes
    if not fits or (about.task != "classes" and several != len(about.labels)):
        what = f"labels are {array.dtype} {array.shape}, expected those of {about.task} named {', '.join(about.labels)}"
        raise InputError(what, where=where)
    if about.task == "classes":
        if array.dtype.kind == "f" and not (array == np.round(array)).all():
            raise InputError("labels of classes are whole numbers, or names", where=where)
        return array.astype(np.int64)
    return (array[:, 0] if about.task == "regression" and array.shape[1:] == (1,) else array).astype(np.float64)


def _texts(array: np.ndarray, name: str, where: object) -> tuple[str, ...]:
    if array.dtype.kind not in "USiu" or array.ndim != 1:
        raise InputError(f"{name} are {array.dtype} {array.shape}, expected one text or number per sample", where=where)
    texts = np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
    return tuple(str(text) for text in texts.tolist())
