"""The corpora this workspace knows: which files, from where, and whether those on disk are sound.

Public files stand in `catalogue.csv`, each pinned by a commit of its repository and by the content itself
(git blob id; size and SHA-256 where a copy was measured). Paths are relative to the data root. Restricted
corpora have no address: they say what to obtain, from whom, and where to put it.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from urllib.parse import quote

from lib.data.corpora import CORPORA
from lib.data.io.impostors import LFS_POINTER, fault_of
from lib.data.io.source_files import STAND_IN_NOTE
from lib.errors import InputError
from lib.files import git_blob_sha1, sha256_file, write_text

TABLE = Path(__file__).with_suffix(".csv")
Watch = Callable[[str], None]


def unwatched(path: str) -> None: ...


def is_lfs_pointer(copy: Path) -> bool:
    """Whether `copy` is the small text that git-lfs keeps in a repository in place of a large file."""
    with copy.open("rb") as handle:
        return handle.read(len(LFS_POINTER)) == LFS_POINTER


@dataclass(frozen=True)
class PublicFile:
    """One file of a public repository; `size` (bytes) and `sha256` are None where no copy was measured.

    In the place of a `.wav` a smaller `.flac` may lie, if it is the copy at 16 kHz whose SHA-256 is `flac_sha256`.
    """

    path: str
    repository: str
    commit: str
    repository_path: str
    git_blob_sha1: str
    size: int | None
    sha256: str | None
    licence: str
    flac_sha256: str | None = None

    def url(self, mirror: str) -> str:
        """Address of the pinned version below `mirror`, a server laid out like raw.githubusercontent.com."""
        return f"{mirror}/{self.repository}/{self.commit}/{quote(self.repository_path)}"

    def place(self, root: Path) -> Path:
        """Where the file lies below `root`, or its copy in the place of it."""
        copy = root / self.path
        smaller = copy.with_suffix(".flac")
        return smaller if self.flac_sha256 and not copy.exists() and smaller.exists() else copy

    def fault(self, copy: Path) -> str:
        """What is wrong with `copy`, in words; empty if its bytes are the pinned ones. Raises OSError."""
        if is_lfs_pointer(copy):
            return "is a git-lfs pointer, not the file itself"
        size = copy.stat().st_size
        if self.flac_sha256 and copy.suffix == ".flac":
            found = sha256_file(copy)
            return "" if found == self.flac_sha256 else f"as .flac has sha256 {found}, expected {self.flac_sha256}"
        if self.size is not None and size != self.size:
            fault = f"holds {size} bytes, expected {self.size}"
        elif (found := git_blob_sha1(copy)) != self.git_blob_sha1:
            fault = f"has git blob id {found}, expected {self.git_blob_sha1}"
        elif self.sha256 is not None and (found := sha256_file(copy)) != self.sha256:
            fault = f"has sha256 {found}, expected {self.sha256}"
        else:
            return ""
        impostor = fault_of(copy, expected=PurePath(self.path).suffix)  # a download lies under another name
        return f"{fault}; it is {impostor[0]}" if impostor else fault

    def part(self, root: Path) -> Path:
        """Where a download keeps what it has until the file is whole."""
        return root / f"{self.path}.part"


@dataclass(frozen=True)
class Survey:
    """What of one corpus is on disk: bytes by path (`sound`, `unfinished`) and faults by path (`damaged`).

    `stand_in` lists files that a note marks as synthetic; they are neither sound nor damaged.
    """

    sound: dict[str, int] = field(default_factory=dict)
    stand_in: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    unfinished: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def compare(self, path: str, copy: Path, fault: Callable[[Path], str]) -> None:
        """Note whether a file that is there is the pinned one: `fault` says what is wrong with it, or nothing."""
        try:
            pipe = not (copy.is_file() or copy.is_dir())  # would be waited for
            found = "is neither a file nor a folder" if pipe else fault(copy)
        except OSError as error:
            found = f"cannot be read: {error.strerror}"
        if found:
            self.damaged[path] = found
        else:
            self.sound[path] = copy.stat().st_size

    @property
    def state(self) -> str:
        """`stand-in`, `damaged`, `present`, `missing` or `partial` (also while a download is unfinished)."""
        if self.stand_in:
            return "stand-in"
        if self.damaged:
            return "damaged"
        if not self.missing and not self.unfinished:
            return "present"
        return "partial" if self.sound or self.unfinished else "missing"


@dataclass(frozen=True)
class PublicCorpus:
    """A corpus that can be downloaded."""

    name: str
    title: str
    files: tuple[PublicFile, ...]

    def survey(self, root: Path, watch: Watch = unwatched) -> Survey:
        """Compare every file below `root` with its pinned content; `watch` is told each path beforehand."""
        survey = Survey()
        for file in self.files:
            watch(file.path)
            copy = file.place(root)
            if copy.exists() and marked_as_stand_in(root, file.path):
                survey.stand_in.append(file.path)
            elif copy.exists():
                survey.compare(file.path, copy, file.fault)
            elif file.part(root).exists():
                survey.unfinished[file.path] = file.part(root).stat().st_size
            else:
                survey.missing.append(file.path)
        return survey


@dataclass(frozen=True)
class RestrictedCorpus:
    """A corpus that its owner gives out on a signed agreement. Any one complete layout of files will do."""

    name: str
    title: str
    layouts: tuple[tuple[str, ...], ...]
    steps: str

    def survey(self, root: Path, watch: Watch = unwatched) -> Survey:
        """Report the first layout of which anything is there.

        No content is pinned, so only what is plainly something else (see `impostors`) is `damaged`.
        """
        begun = (paths for paths in self.layouts if any((root / path).exists() for path in paths))
        survey = Survey()
        for path in next(begun, self.layouts[0]):
            watch(path)
            if (root / path).exists() and marked_as_stand_in(root, path):
                survey.stand_in.append(path)
            elif not (root / path).exists():
                survey.missing.append(path)
            elif fault := _impostor(root / path):
                survey.damaged[path] = fault
            else:
                survey.sound[path] = (root / path).stat().st_size
        return survey

    def instructions(self, root: Path) -> str:
        """What to obtain, from whom, and where to put it; several lines."""
        return self.steps.format(root=root)


def _impostor(path: Path) -> str:
    """What lies in the place of a file whose content is not pinned, if it is plainly no such file."""
    if path.is_dir():
        return "is a folder, not a file"
    try:
        impostor = fault_of(path)
    except InputError as error:
        return error.what
    return f"is {'; '.join(impostor)}" if impostor else ""


def marked_as_stand_in(root: Path, path: str) -> bool:
    """Whether a note beside the file, or in a folder around it, says that it is synthetic."""
    return any((root / folder / STAND_IN_NOTE).exists() for folder in PurePath(path).parents)


KnownCorpus = PublicCorpus | RestrictedCorpus


def read_table(table: Path = TABLE) -> dict[str, list[PublicFile]]:
    """The pinned files, by the corpora that need them; a file that two of them need stands in the table once."""
    files: dict[str, list[PublicFile]] = {}
    with table.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            names, size = row.pop("corpora").split(), row.pop("bytes")
            hashes = {name: row[name] or None for name in ("sha256", "flac_sha256")}
            file = PublicFile(**row | hashes | {"size": int(size) if size else None})
            for name in names:
                files.setdefault(name, []).append(file)
    return files


def _catalogue() -> dict[str, KnownCorpus]:
    """What can be downloaded comes first."""
    pins, public, restricted = read_table(), {}, {}
    for corpus in CORPORA.values():
        if corpus.how:
            restricted[corpus.name] = RestrictedCorpus(corpus.name, corpus.title, corpus.how.layouts, corpus.how.steps)
        elif (name := corpus.files_of or corpus.name) in pins and name not in public:
            public[name] = PublicCorpus(name, corpus.title, tuple(pins[name]))
    return public | restricted


CATALOGUE: dict[str, KnownCorpus] = _catalogue()


def _as_markdown() -> str:
    rows = ["| corpus | what it is | asked of it | its files | licence | stand-in |", "|---|---|---|---|---|---|"]
    for corpus in CORPORA.values():
        if corpus.stands_for or corpus.given:  # the latter are the user's own
            continue
        found = CATALOGUE[corpus.files_of or corpus.name]
        public = "public" if isinstance(found, PublicCorpus) else "on request"
        files = f"{public}: `data get {found.name}`"
        stand_ins = ", ".join(f"`{d.name}`" for d in CORPORA.values() if d.stands_for == corpus.name)
        beside = f"(with `{corpus.beside}`)" if corpus.beside else "" if corpus.reader else "(recordings alone)"
        name = f"`{corpus.name}` {beside}".rstrip() if corpus.reader else beside
        rows.append(f"| {name} | {corpus.title} | {corpus.kind} | {files} | {corpus.licence} | {stand_ins} |")
    return "\n".join(rows) + "\n"


def with_table(page: str) -> str:
    """The README with its table of corpora as it should be now."""
    before, there, rest = page.partition("<!-- corpora: python -m lib.data.catalogue -->\n")
    _, end, after = rest.partition("<!-- /corpora -->")
    return before + there + _as_markdown() + end + after


if __name__ == "__main__":
    README = Path(__file__).resolve().parents[2] / "README.md"
    write_text(README, with_table(README.read_text(encoding="utf-8")))
