"""The archives of arrays that `data preprocess` leaves, read with the distrust that any file deserves."""

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lib.data.io.impostors import CUT_SHORT, refuse
from lib.errors import InputError


def read_arrays(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    """The arrays of these names. Raises InputError for what `np.savez` did not write whole.

    `np.savez` does not compress, so no member can be larger than the file, and no array larger than its member.
    """
    try:
        with path.open("rb") as handle, zipfile.ZipFile(handle) as archive:
            return [_array(archive, f"{name}.npy") for name in names]
    except Exception as error:  # the bytes are hostile: whatever they provoke means the same to the user
        refuse(path)
        todo = CUT_SHORT if isinstance(error, zipfile.BadZipFile | EOFError) else None
        raise InputError(f"missing or damaged ({type(error).__name__}: {error})", where=path, todo=todo) from error


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version != (1, 0):
            raise ValueError(f"{name} has format {version}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        if dtype.hasobject or member.tell() + math.prod(shape) * dtype.itemsize != info.file_size:
            raise ValueError(f"{name} is not the array that its header announces")
        member.seek(0)
        return np.lib.format.read_array(member, allow_pickle=False)
