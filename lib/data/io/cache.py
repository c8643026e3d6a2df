"""What was once parsed from a slow format, kept as plain arrays.

An entry is found by its content: the SHA-256 of every source file, the reader and its version, and the
options that shape the arrays. So a stale entry cannot be met, and any entry may be deleted at any time.
Arrays lie in `.npy` files without pickles, beside a list of their sizes and hashes, and come back
memory-mapped and read-only.

Every use compares size and SHA-256 of each array with that list, because a damaged entry would otherwise
turn into wrong numbers with a right provenance; a damaged one is built anew.
"""

import json
import os
import secrets
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from lib.files import sha256_file, sha256_json, write_json

_LIST = "arrays.json"
Arrays = dict[str, np.ndarray]


def cached(
    reader: str,
    version: int,
    sources: Mapping[str, str],
    options: Mapping[str, object],
    build: Callable[[], Arrays],
) -> Arrays:
    """The arrays that `build` returns, from the cache if it holds them.

    `version` is raised whenever `build` changes what it returns; `sources` maps files to their SHA-256;
    `options` are JSON values. A cache that cannot be written costs a warning, not the run.
    """
    identity = {"reader": reader, "version": version, "sources": dict(sources), "options": dict(options)}
    entry = cache_root() / reader / sha256_json(identity)
    if (found := _open(entry)) is not None:
        return found
    arrays = build()
    try:
        _write(entry, arrays, identity)
    except OSError as error:
        warnings.warn(f"the data cache cannot be written: {error}", stacklevel=2)
        return arrays
    return _open(entry) or arrays


def cache_root() -> Path:
    """The variable `REPRISE_CACHE`, else `.reprise/cache` in the workspace."""
    return Path(os.environ.get("REPRISE_CACHE") or Path(__file__).resolve().parents[3] / ".reprise" / "cache")


def _open(entry: Path) -> Arrays | None:
    """The arrays of an entry, or None if it is absent or not what was written."""
    try:
        arrays = {}
        for facts in json.loads((entry / _LIST).read_text(encoding="utf-8"))["arrays"]:
            path = entry / f"{facts['name']}.npy"
            if path.stat().st_size != facts["bytes"] or sha256_file(path) != facts["sha256"]:
                return None
            arrays[facts["name"]] = np.load(path, mmap_mode="r", allow_pickle=False)
        return arrays
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _write(entry: Path, arrays: Arrays, identity: Mapping[str, object]) -> None:
    """Put the entry in place by renaming a finished folder; the first of several processes wins."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    fresh = entry.with_name(f".{entry.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        fresh.mkdir()
        listed = []
        for name, array in arrays.items():
            path = fresh / f"{name}.npy"
            np.save(path, array, allow_pickle=False)
            listed.append(
                {
                    "name": name,
                    "shape": list(array.shape),
                    "dtype": str(array.dtype),
                    "bytes": path.stat().st_size,
                    "sha256": sha256_file(path),
                }
            )
        write_json(fresh / _LIST, {**identity, "arrays": listed})
        _replace(entry, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _replace(entry: Path, fresh: Path) -> None:
    if entry.exists() and _open(entry) is None:  # damaged: out of the way first, a folder cannot be renamed over
        doomed = fresh.with_name(fresh.name + ".damaged")
        entry.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    try:
        fresh.rename(entry)
    except OSError:
        if _open(entry) is None:  # not because another process was first
            raise
