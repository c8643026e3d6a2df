"""The files behind a corpus: present, known by their hashes, and marked if they are only a stand-in."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lib.data.corpus import Source
from lib.data.io.impostors import refuse
from lib.errors import InputError
from lib.files import sha256_file, write_json

STAND_IN_NOTE = "stand_in.json"
TOLD = ("name", "licence", "split_rule", "warnings", "ceilings", "cluster")
"""What the note says of the source."""


def hash_sources(corpus: str, root: Path, paths: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of each file, by its path relative to `root`, as `Source.files` wants them.

    Raises `InputError` for the first file that is missing or plainly something else than its ending says (see
    `impostors`), and names the command that gets the corpus.
    """
    how = f"see ./run_all.sh data get {corpus}"
    missing = [path for path in paths if not path.is_file()]
    if len(missing) > 1:
        raise InputError(f"missing (and {len(missing) - 1} more)", where=missing[0], todo=how)
    for path in paths:
        refuse(path, how=how)
    return {path.relative_to(root).as_posix(): sha256_file(path) for path in paths}


@contextmanager
def note_stand_in(folder: Path, source: Source) -> Iterator[None]:
    """Around the writing of a corpus: a note stands beside synthetic files, so that nobody takes them for real.

    It is there before the first of them, and goes only after the last of the real files that replace them.
    """
    note = folder / STAND_IN_NOTE
    if source.synthetic:
        write_json(note, {name: getattr(source, name) for name in TOLD})
    yield
    if not source.synthetic:
        note.unlink(missing_ok=True)
