"""The files behind a corpus: present, known by their hashes, and marked if they are only a stand-in."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import get_args

from lib.data import corpora
from lib.data.corpus import Source, Unit
from lib.data.io.impostors import refuse
from lib.errors import InputError
from lib.files import sha256_file, write_json

STAND_IN_NOTE = "stand_in.json"
_DESCRIPTION = ("name", "licence", "split_rule", "warnings", "ceilings", "cluster")


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
        write_json(note, {name: getattr(source, name) for name in _DESCRIPTION})
    yield
    if not source.synthetic:
        note.unlink(missing_ok=True)


def opened_source(name: str, root: Path, paths: Sequence[Path]) -> Source:
    """What is known of the corpus `name` before these files are read: its description, and their hashes.

    Raises InputError as `hash_sources`.
    """
    about = corpora.get(name)
    files = hash_sources(about.files_of or name, Path(root), paths)
    return Source(about.label, False, files, about.licence, "", about.warnings, cluster=about.cluster)


def concluded(
    source: Source, folder: Path, split_rule: str, notes: Sequence[str] = (), *, split_by_reader: bool = False
) -> Source:
    """The source with what reading has shown, or that which the note of a stand-in in `folder` describes.

    The reader's warnings stay, and so does its split rule if it drew the split and did not find it in the files.
    """
    source = replace(source, split_rule=split_rule, warnings=(*source.warnings, *notes))
    note = folder / STAND_IN_NOTE
    if not note.exists():
        return source
    refuse(note)
    try:
        told = {"cluster": source.cluster} | json.loads(note.read_text(encoding="utf-8"))
        told = {name: told[name] for name in _DESCRIPTION}
        texts = [told["name"], told["licence"], told["split_rule"], *told["warnings"]]
        scores = [score for subset in told["ceilings"].values() for score in subset.values()]
        if not all(isinstance(text, str) for text in texts) or not all(isinstance(s, int | float) for s in scores):
            raise ValueError("text or numbers are not what they should be")
        if told["cluster"] not in get_args(Unit):
            raise ValueError("no unit of its test samples")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"not the note of a stand-in corpus ({error})", where=note) from error
    told["warnings"] = (*told["warnings"], *source.warnings)
    if split_by_reader:
        told["split_rule"] = source.split_rule
    return replace(source, synthetic=True, **told)
