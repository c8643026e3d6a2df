"""Corpora that are named arrays: for each split features by modality and labels, in a file each or all in one.

A reader declares where its arrays lie (`ArrayFiles`, `PickledTree`, or a rule of its own) and what must be true of its
labels; opening, distrust, and the way into a `Split` are the same for all of them and stand here.
"""

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from lib.data.arrays.sequences import lengths_of
from lib.data.corpus import SPLITS, Split
from lib.data.io import safe_pickle
from lib.data.io.features import Nonfinite, finite_modalities
from lib.data.io.hdf5 import read_numbers
from lib.errors import InputError
from lib.files import atomic_path

_ROWS_PER_WRITE = 256
Place = Callable[[str], object]
"""Tells where an array lies, for messages, by its name."""
Open = Callable[[str, int], np.ndarray]
"""The array of a name, with so many axes."""


class Part(NamedTuple):
    """A split as its files have it: features `(N, T, d)` by modality, checked labels `(N, ...)`, notes for warnings."""

    features: Mapping[str, np.ndarray]
    labels: np.ndarray
    where: Place
    notes: tuple[str, ...] = ()


def longest(features: Mapping[str, np.ndarray]) -> np.ndarray:
    """Real steps `(N,)` of samples with zeros in front, of the modality that has most."""
    return np.maximum.reduce([lengths_of(x, "front") for x in features.values()])


def read_splits(
    part_of: Callable[[str], Part],
    nonfinite: Nonfinite,
    *,
    lengths: Callable[[Mapping[str, np.ndarray]], np.ndarray] = longest,
    ids: str = "{}_{}",
) -> tuple[dict[str, Split], list[str]]:
    """The splits, one after another, and what `Source.warnings` has to say of numbers that were set to 0.

    Such files hold no ids: `ids` makes them of split and row. Raises InputError for what is not finite in float32,
    unless `nonfinite` is "zero".
    """
    splits, notes = {}, []
    for split in SPLITS:
        part = part_of(split)
        features, told = finite_modalities(part.features, split, part.where, nonfinite)
        notes += (*part.notes, *told)
        names = tuple(ids.format(split, row) for row in range(len(part.labels)))
        splits[split] = Split(features, lengths(features), part.labels, names)
    return splits, notes


def widths(splits: Mapping[str, Split]) -> dict[str, int]:
    """Features by modality, in the order of the files."""
    return {modality: x.shape[2] for modality, x in splits["train"].features.items()}


@dataclass(frozen=True)
class ArrayFiles:
    """An array in each file: `names` has by array the file's name below `folder`, with `{}` for the split."""

    folder: str
    names: Mapping[str, str]
    read: Callable[[Path], object]
    save: Callable[[Path, np.ndarray], None]

    def path(self, root: Path, split: str, name: str) -> Path:
        return Path(root) / self.folder / self.names[name].format(split)

    def files(self, root: Path) -> list[Path]:
        """All of them, split by split."""
        return [self.path(root, split, name) for split in SPLITS for name in self.names]

    def opened(self, root: Path) -> Callable[[str], tuple[Open, Place]]:
        """For a split, what opens an array of numbers and tells its place."""

        def array(split: str, name: str, axes: int) -> np.ndarray:
            value, path = self.read(self.path(root, split, name)), self.path(root, split, name)
            if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.ndim != axes:
                what = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
                raise InputError(f"{what}, expected an array of numbers with {axes} axes", where=path)
            return value

        return lambda split: (partial(array, split), partial(self.path, root, split))

    def write(self, root: Path, arrays: Mapping[str, Mapping[str, np.ndarray]]) -> None:
        """Save the arrays of each split, atomically."""
        for split, named in arrays.items():
            for name, array in named.items():
                self.save(self.path(root, split, name), array)


@dataclass(frozen=True)
class PickledTree:
    """All arrays in one pickle, a dictionary of splits; `keys` has by array its key there."""

    file: str
    keys: Mapping[str, str]

    def files(self, root: Path) -> list[Path]:
        """The one file."""
        return [Path(root) / self.file]

    def opened(self, root: Path) -> Callable[[str], tuple[Open, Place]]:
        """As `ArrayFiles.opened`; the file is read now."""
        (path,) = self.files(root)
        tree = safe_pickle.load(path)

        def array(split: str, name: str, axes: int) -> np.ndarray:
            part = tree.get(split) if isinstance(tree, dict) else None
            value = part.get(self.keys[name]) if isinstance(part, dict) else None
            if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.ndim == 0:
                raise InputError(f"no array of numbers {self.keys[name]!r}", where=f"{path}, {split}")
            if value.ndim != axes:
                what = f"{self.keys[name]} has shape {value.shape}, expected {axes} axes"
                raise InputError(what, where=f"{path}, {split}")
            return value

        return lambda split: (partial(array, split), lambda name: f"{path}, {split}")

    def write(self, root: Path, arrays: Mapping[str, Mapping[str, np.ndarray]]) -> None:
        """Write the file, atomically."""
        (path,) = self.files(root)
        tree = {split: {self.keys[name]: array for name, array in named.items()} for split, named in arrays.items()}
        save_pickle(path, tree, protocol=4)


def agree(features: Mapping[str, np.ndarray], labels: np.ndarray, where: object) -> None:
    """Raises InputError unless the modalities have the same samples and steps, and as many labels as samples."""
    shapes = {m: x.shape[:2] for m, x in features.items()}
    if len(set(shapes.values())) > 1 or next(iter(shapes.values()))[0] != len(labels):
        raise InputError(f"samples or steps differ: {shapes}, {len(labels)} labels", where=where)


def read_h5(key: str) -> Callable[[Path], np.ndarray]:
    """Opens HDF5 files of one dataset of this name."""
    return partial(read_numbers, key=key)


def save_h5(path: Path, array: np.ndarray, *, key: str) -> None:
    """As `write_dataset`, of one array."""
    write_dataset(path, key, [array])


def save_pickle(path: Path, value: object, *, protocol: int = 2) -> None:
    """Atomically; protocol 2 is what Python 2 reads."""
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        pickle.dump(value, handle, protocol=protocol)


def write_dataset(path: Path, key: str, parts: list[np.ndarray]) -> None:
    """Write one float64 dataset, as published: `parts` side by side along the last axis, atomically.

    Rows go out a few hundred at a time, so a memory-mapped corpus of any size can be written.
    """
    shape = parts[0].shape
    if len(parts) > 1:
        shape = (*shape[:-1], sum(part.shape[-1] for part in parts))
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        dataset = file.create_dataset(key, shape, dtype=np.float64)
        for start in range(0, shape[0], _ROWS_PER_WRITE):
            rows = slice(start, start + _ROWS_PER_WRITE)
            dataset[rows] = np.concatenate([part[rows] for part in parts], axis=-1)
