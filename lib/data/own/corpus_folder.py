"""Reads and writes a corpus folder: `corpus.yaml`, and a file or folder per split (`tables`, `split_files`).

What a person brings lies in `own/<name>/` below the data folder; `data import` writes it there.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from lib.data.corpus import SPLITS, Corpus, Source, Split
from lib.data.io.features import Nonfinite, finite_float32, zeroed_notes
from lib.data.io.source_files import hash_sources
from lib.data.own import split_files
from lib.data.own.declaration import FILE, Declaration, declaration
from lib.data.own.described import HOME
from lib.data.own.parts import Part
from lib.errors import InputError
from lib.files import write_text


def files(root: Path, name: str) -> list[Path]:
    """`corpus.yaml` and what it names; itself alone where it cannot be read."""
    folder = Path(root) / HOME / name
    try:
        about = declaration(folder)
    except InputError:
        return [folder / FILE]
    return _files(folder, about)


def _files(folder: Path, about: Declaration) -> list[Path]:
    return [folder / FILE, *(file for split in SPLITS for file in split_files.files(folder / about.splits[split]))]


def read(root: Path, *, name: str, nonfinite: Nonfinite = "error") -> Corpus:
    """The corpus `own/<name>`: features as they are, float32; sequences with their padding on the declared side.

    Raises InputError for a missing or inconsistent file, features that are not finite in float32 (unless `nonfinite` is
    "zero"), and whatever `Corpus` refuses.
    """
    folder = Path(root) / HOME / name
    about, parts = brought(folder)
    hashes = hash_sources(name, Path(root), _files(folder, about))
    return corpus_of(about, parts, folder, nonfinite, hashes)


def corpus_of(
    about: Declaration, parts: Mapping[str, Part], where: Path, nonfinite: Nonfinite, hashes: Mapping[str, str]
) -> Corpus:
    """What was brought as a corpus; `where` is named in messages, `hashes` are those of its files.

    Raises InputError as `read`.
    """
    splits, notes = {}, []
    _agree(about, parts, where)
    for split, part in parts.items():
        features = {}
        for modality, x in part.features.items():
            place = where / about.splits[split] if where.is_dir() else f"{where}, {split}"
            features[modality], zeroed = _finite(x, modality, place, nonfinite, part.ids)
            notes += zeroed_notes({f"{split} {modality}": zeroed})
        labels = part.labels.astype(np.float32) if about.task == "multilabel" else part.labels
        splits[split] = Split(features, part.lengths, labels, part.ids, groups=part.units)
    widths = {modality: x.shape[2] for modality, x in splits["train"].features.items()}
    rule = f"that of the {about.imported_from['format']}" if about.imported_from else "as brought"
    warnings = (*about.warnings, *notes)
    source = Source(about.label, about.synthetic, hashes, about.licence, rule, warnings, cluster=about.unit)
    return Corpus(about.task, about.labels, widths, splits, source, about.limits)


def _finite(x: np.ndarray, what: str, where: object, nonfinite: Nonfinite, ids) -> tuple[np.ndarray, int]:
    """As `finite_float32`, but an array that is fit as it lies on disk stays there."""
    if x.dtype == np.float32 and all(np.isfinite(x[start : start + 1024]).all() for start in range(0, len(x), 1024)):
        return x, 0
    return finite_float32(x, what, where, nonfinite, row=lambda row: f"sample {ids[row]}")


def brought(folder: Path) -> tuple[Declaration, dict[str, Part]]:
    """What lies in a corpus folder, not yet checked against what a corpus must be, beyond its shapes."""
    about = declaration(folder)
    return about, {split: split_files.read(folder / about.splits[split], about) for split in SPLITS}


def _agree(about: Declaration, parts: Mapping[str, Part], where: Path) -> None:
    """Raises InputError for modalities that differ between splits, and multilabel labels other than 0 and 1."""
    widths = {split: {m: x.shape[2] for m, x in part.features.items()} for split, part in parts.items()}
    if len({tuple(found.items()) for found in widths.values()}) > 1:
        raise InputError(f"modalities or widths differ between splits: {widths}", where=where)
    for split, part in parts.items():
        if about.task == "multilabel" and not np.isin(part.labels, (0, 1)).all():
            raise InputError("labels other than 0 and 1", where=f"{where}, {split}")


def write(folder: Path, about: Declaration, parts: Mapping[str, Part]) -> None:
    """A folder with `corpus.yaml` and a folder of `.npy` files per split, in place of one that was there; or nothing.

    Sequences are written a few rows at a time, in float32, so that any array that is mapped can be.
    """
    folder = Path(folder)
    fresh = folder.with_name(f".{folder.name}.importing")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        for split, part in parts.items():
            (fresh / split).mkdir(parents=True)
            for modality, x in part.features.items():
                _save_rows(fresh / split / f"{modality}.npy", x)
            small = {"labels": part.labels, "lengths": part.lengths, "ids": np.array(part.ids)}
            small |= {} if part.units is None else {"units": np.array(part.units)}
            for name, array in small.items():
                np.save(fresh / split / f"{name}.npy", array, allow_pickle=False)
        told = about.model_dump(mode="json", exclude_defaults=True) | {"splits": {split: split for split in SPLITS}}
        write_text(fresh / FILE, yaml.safe_dump(told, sort_keys=False, allow_unicode=True))
        if folder.exists():
            doomed = folder.with_name(f".{folder.name}.replaced")
            shutil.rmtree(doomed, ignore_errors=True)
            folder.rename(doomed)
            fresh.rename(folder)
            shutil.rmtree(doomed)
        else:
            fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _save_rows(path: Path, x: np.ndarray, rows: int = 256) -> None:
    """Not through a map of the file, whose written pages would count as this process' memory."""
    header = {"descr": "<f4", "fortran_order": False, "shape": x.shape}
    with path.open("wb") as file, np.errstate(over="ignore"):  # what does not fit becomes infinite, which is refused
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(x), rows):
            file.write(np.ascontiguousarray(x[start : start + rows], dtype="<f4"))
