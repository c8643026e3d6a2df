"""Arrays of numbers out of HDF5 files that nobody vouches for.

A dataset may lie in another file, be put together from others, or announce more than the file holds; none of that
occurs in the published corpora, and all of it is refused before anything is read.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lib.data.io.impostors import CUT_SHORT, refuse
from lib.errors import InputError

if TYPE_CHECKING:
    import h5py

_SMALL = 2**26  # bytes that may always be allocated
_COMPRESSION = 200  # at most so many times what the file holds, beyond that


def read_numbers(path: Path, key: str) -> np.ndarray:
    """The array of integers or floats stored under `key`, of at least one axis.

    Raises `InputError` for a damaged file, a missing key, and for anything else than numbers stored in this file.
    """
    refuse(path)
    import h5py  # slow to load: not for who asks for names alone

    try:
        with h5py.File(path, "r") as file:
            return numbers(file, key, path)
    except InputError:
        raise
    except Exception as error:  # the bytes are hostile: whatever they provoke means the same to the user
        raise incomplete(path, error) from error


def numbers(group: "h5py.Group", key: str, path: Path) -> np.ndarray:
    """As `read_numbers`, out of an open file or group; what the library itself raises is for the caller."""
    import h5py

    if not isinstance(group.get(key, getlink=True), h5py.HardLink) or not isinstance(group[key], h5py.Dataset):
        raise InputError(f"no dataset {key!r}, only {sorted(group)}", where=path)
    dataset = group[key]
    if dataset.is_virtual or dataset.external:
        raise InputError(f"dataset {key!r} lies in other files", where=path)
    if dataset.dtype.kind not in "fiu" or not dataset.shape:
        what = f"dataset {key!r} is {dataset.dtype} {dataset.shape}, expected an array of numbers"
        raise InputError(what, where=path)
    if dataset.nbytes > max(_SMALL, _COMPRESSION * path.stat().st_size):
        what = f"dataset {key!r} announces {dataset.nbytes} bytes in a file of {path.stat().st_size}"
        raise InputError(what, where=path)
    if not dataset.size:
        raise InputError(f"dataset {key!r} is empty, {dataset.shape}", where=path)
    return dataset[()]


def group(parent: "h5py.Group", key: str, path: Path) -> "h5py.Group":
    """A group that lies in this file. Raises InputError for a link elsewhere, and for anything else."""
    import h5py

    if not isinstance(parent.get(key, getlink=True), h5py.HardLink) or not isinstance(parent[key], h5py.Group):
        raise InputError(f"no group {key!r}, only {sorted(parent)[:20]}", where=path)
    return parent[key]


def incomplete(path: Path, error: Exception) -> InputError:
    """What whatever the library raises means to the user."""
    cut = "truncated" in str(error)
    return InputError(f"not a complete HDF5 file ({error})", where=path, todo=CUT_SHORT if cut else None)
