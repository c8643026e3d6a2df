"""A split as a table, csv or Parquet: a row per utterance, or per step of one.

Columns: `id`; `label`, or `label.<name>` for each of several; `<modality>.<anything>` for each feature; `unit` if there
is one. Rows below each other with one `id` are the steps of an utterance, with one label.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.arrays.sequences import Side, pad
from lib.data.io.impostors import refuse
from lib.data.io.text_files import records
from lib.data.own.declaration import MODALITIES, Declaration
from lib.data.own.parts import Part
from lib.errors import InputError

_SMALL, _COMPRESSION = 2**23, 25
"""Cells of a table that may always be allocated; beyond that, at most so many per byte of the file."""


def read(path: Path, about: Declaration) -> Part:
    """Raises InputError, naming the file and where it can the row, for what is no such table."""
    table = _table(path, _label_columns(about))
    names = _columns(table, _label_columns(about), path)
    starts, ids = _utterances(table, path)
    counts = np.diff(np.r_[starts, len(table)])
    labels = _labels(table, about, path)
    of_first = np.repeat(labels[starts], counts, axis=0)
    if (differs := (labels != of_first).reshape(len(table), -1).any(axis=1)).any():
        what = f"two labels for {ids[np.repeat(np.arange(len(starts)), counts)][differs][0]}"
        raise InputError(what, where=path, todo="every step bears its utterance's label")
    return _part(table, names, starts, ids, labels[starts], about.padding, path)


def unlabelled(path: Path, padding: Side) -> Part:
    """The same without a look at labels, which need not be there: they are NaN. Raises InputError as `read`."""
    table = _table(path, [])
    told = [name for name in map(str, table.columns) if name.partition(".")[0] == "label"]
    names = _columns(table, told, path)
    starts, ids = _utterances(table, path)
    return _part(table, names, starts, ids, np.full(len(starts), np.nan), padding, path)


def _utterances(table: pd.DataFrame, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each utterance, and its id."""
    ids = np.array([str(key) for key in table["id"]], dtype=object)
    if (empty := pd.isna(table["id"]).to_numpy() | (ids == "")).any():
        raise InputError(f"row {int(empty.argmax()) + 1} has no id", where=path)
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    first = ids[starts]
    if len(set(first)) != len(first):
        again = pd.Series(first)
        twice = again[again.duplicated()].iloc[0]
        raise InputError(f"rows of {twice} stand apart", where=path, todo="the steps of an utterance follow each other")
    return starts, first


def _part(
    table: pd.DataFrame,
    names: dict[str, list[str]],
    starts: np.ndarray,
    ids: np.ndarray,
    labels: np.ndarray,
    padding: Side,
    path: Path,
) -> Part:
    """What the columns `names` of each modality hold, an utterance beginning at each of the rows `starts`."""
    counts = np.diff(np.r_[starts, len(table)])
    features, steps = {}, int(counts.max())
    for modality, columns in names.items():
        values = _numbers(table[columns], path)
        features[modality], _ = pad(np.split(values, starts[1:]), steps, padding)
    units = tuple(table["unit"].astype(str).to_numpy()[starts]) if "unit" in table else None
    return Part(features, counts.astype(np.int64), labels, tuple(ids.tolist()), units)


def _table(path: Path, labels: Sequence[str]) -> pd.DataFrame:
    if path.suffix == ".parquet":
        table = _parquet(path)
    else:
        refuse(path)
        table = pd.DataFrame([cells for _, cells in records(path, ["id", *labels])])
    if not len(table):
        raise InputError("no rows", where=path)
    return table


def _parquet(path: Path) -> pd.DataFrame:
    """What the file says of itself in pandas' name is not heeded. Raises InputError for a file that announces more than
    it can hold."""
    refuse(path)
    import pyarrow.parquet as parquet

    try:
        with parquet.ParquetFile(path) as file:
            cells = file.metadata.num_rows * file.metadata.num_columns
            if cells > max(_SMALL, _COMPRESSION * path.stat().st_size):
                raise InputError(f"announces {cells} cells in a file of {path.stat().st_size} bytes", where=path)
            table = file.read()
        if len(set(table.column_names)) != len(table.column_names):
            raise InputError("a column stands twice", where=path)
        return table.to_pandas(ignore_metadata=True)
    except InputError:
        raise
    except Exception as error:  # the bytes are hostile: whatever they provoke means the same to the user
        raise InputError(f"not a complete Parquet file ({error})", where=path) from None


def _columns(table: pd.DataFrame, labels: Sequence[str], path: Path) -> dict[str, list[str]]:
    """The feature columns of each modality that is there. Raises InputError for columns that mean nothing."""
    wanted = {"id", "unit", *labels}
    names: dict[str, list[str]] = {}
    for name in map(str, table.columns):
        modality = name.partition(".")[0]
        if "." in name and modality in MODALITIES:
            names.setdefault(modality, []).append(name)
        elif name not in wanted:
            todo = f"columns are {', '.join(['id', 'unit', *labels])} and <modality>.<name> of {MODALITIES}"
            raise InputError(f"column {name!r} means nothing here", where=path, todo=todo)
    if missing := [name for name in ("id", *labels) if name not in table]:
        raise InputError(
            f"no column {missing[0]!r}", where=path, todo=f"there are: {', '.join(map(str, table.columns))}"
        )
    if not names:
        raise InputError("no features", where=path, todo="their columns are called text.<name>, audio.<name>, ...")
    return {modality: names[modality] for modality in MODALITIES if modality in names}


def _label_columns(about: Declaration) -> list[str]:
    several = about.task == "multilabel" or (about.task == "regression" and len(about.labels) > 1)
    return [f"label.{name}" for name in about.labels] if several else ["label"]


def _labels(table: pd.DataFrame, about: Declaration, path: Path) -> np.ndarray:
    columns = _label_columns(about)
    if about.task == "classes":
        told = pd.Series([str(label) for label in table["label"]])
        number = {name: k for k, name in enumerate(about.labels)} | {str(k): k for k in range(len(about.labels))}
        if strange := next((label for label in told if label not in number), None):
            raise InputError(f"label {strange!r}", where=path, todo=f"labels are: {', '.join(about.labels)}")
        return told.map(number).to_numpy(np.int64)
    values = _numbers(table[columns], path)
    return values[:, 0] if columns == ["label"] else values


def _numbers(columns: pd.DataFrame, path: Path) -> np.ndarray:
    """Float64 `(rows, columns)`; an empty cell is NaN."""
    found = np.empty(columns.shape)
    for k, name in enumerate(columns):
        values = columns[name]
        if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_string_dtype(values)):
            raise InputError(f"column {name} holds {values.dtype}, no numbers", where=path)
        values = values.replace("", np.nan)
        numbers = pd.to_numeric(values, errors="coerce")
        if (strange := numbers.isna() & values.notna() & (values.astype(str).str.lower() != "nan")).any():
            row = int(np.flatnonzero(strange)[0])
            raise InputError(f"column {name}, row {row + 1}: {str(values.iloc[row])!r} is no number", where=path)
        found[:, k] = numbers
    return found
