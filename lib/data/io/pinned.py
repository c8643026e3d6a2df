"""Whether the files of a corpus are those that were published: their contents are pinned in `catalogue.csv`.

A table with shuffled, changed or lacking rows can still be a good table, so a reader alone cannot tell.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from lib.errors import InputError
from lib.files import git_blob_sha1

NEVERTHELESS = "REPRISE_UNPINNED"
"""Set to 1 by who wants other files to be read: a corrected table, sound that was decoded anew."""


@lru_cache(maxsize=1)
def pins() -> dict[str, tuple[str, str]]:
    """SHA-256 and git blob id by path below the data folder; the first is empty where only the second is known."""
    from lib.data.catalogue import read_table  # which knows every corpus, and they their readers

    found = {}
    for files in read_table().values():
        for file in files:
            found[file.path] = (file.sha256 or "", file.git_blob_sha1)
            if file.flac_sha256:
                found[str(Path(file.path).with_suffix(".flac"))] = (file.flac_sha256, "")
    return found


def notes_on_others(corpus: str, root: Path, hashes: Mapping[str, str]) -> list[str]:
    """What must be said of files whose content is not the pinned one; nothing where all are, or none is pinned.

    `hashes` are SHA-256 by path relative to `root`; `corpus` is what `data get` calls it. A stand-in's files are passed
    over. Raises InputError for the first file unless the variable `REPRISE_UNPINNED` is 1.
    """
    from lib.data.catalogue import marked_as_stand_in

    known = pins()
    others = [path for path, found in hashes.items() if path in known and not _is(root / path, found, *known[path])]
    if not others or marked_as_stand_in(root, others[0]):
        return []
    more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
    if os.environ.get(NEVERTHELESS) != "1":
        todo = f"./run_all.sh data check {corpus}; to read it nevertheless, with a warning: {NEVERTHELESS}=1"
        raise InputError(f"not the published file{more}, its content is another", where=root / others[0], todo=todo)
    return [f"{others[0]}{more} is not the file that was published, so these are results of other data"]


def _is(path: Path, found: str, sha256: str, blob: str) -> bool:
    return found == sha256 if sha256 else git_blob_sha1(path) == blob
