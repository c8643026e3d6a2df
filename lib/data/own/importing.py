"""`data import`: recognise what somebody brings, check it, and store it as the corpus folder `own/<name>`."""

import re
from collections.abc import Callable
from pathlib import Path

from lib.data.corpus import Task
from lib.data.own import computational_sequences, corpus_folder, field_pickles
from lib.data.own.declaration import FILE
from lib.data.own.described import HOME
from lib.data.own.findings import told
from lib.data.own.parts import Brought
from lib.errors import InputError
from lib.files import sha256_file

NO_LICENCE = "not stated"
_FORMATS = "known: a folder with corpus.yaml, MMSA's and MulT's pickles (.pkl), a folder of .csd files with folds.csv"


def bring(
    path: Path,
    name: str,
    root: Path,
    *,
    task: Task | None = None,
    licence: str = NO_LICENCE,
    taken: Callable[[str], bool] = lambda name: False,
    say: Callable[[str], None] = print,
) -> Path:
    """Store the corpus at `path` as `own/<name>` below the data folder `root`, having said what there is to say.

    Returns the folder. `taken` tells names that other corpora have. Raises InputError for a name that is taken or no
    name, a format that is not known, and whatever the format's reader refuses; then nothing was written.
    """
    path, target = Path(path), Path(root) / HOME / name
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) or taken(name):
        why = "is the name of a corpus that is known already" if taken(name) else "is no name"
        raise InputError(f"{name!r} {why}", where="--name", todo="small letters, digits and _, a letter first")
    if target.resolve() == path.resolve():
        raise InputError(f"this is where it would be stored: `dataset: {name}` works already", where=path)
    brought = recognised(path, name, task, licence)
    for line in told(brought.about, brought.parts):
        say(line)
    for note in brought.notes:
        say(f"- {note}")
    about = brought.about.model_copy(update={"warnings": (*brought.about.warnings, *brought.notes)})
    corpus_folder.corpus_of(about, brought.parts, path, "zero", {})  # refuses what no corpus may be
    corpus_folder.write(target, about, brought.parts)
    return target


def recognised(path: Path, name: str, task: Task | None, licence: str) -> Brought:
    """Read by what is there. Raises InputError for what is nothing that is known."""
    if not path.exists():
        raise InputError("missing", where=path)
    options = {"name": name, "task": task, "licence": licence}
    if path.is_dir() and (path / FILE).exists():
        if task:
            raise InputError("corpus.yaml says what is asked", where=path, todo="leave --task out")
        return Brought(*corpus_folder.brought(path))
    if path.is_dir() and any(path.glob("*.csd")):
        return computational_sequences.read(path, **options)
    if path.is_file() and path.suffix in (".pkl", ".pickle", ".p"):
        brought = field_pickles.read(path, **options)
        origin = {**brought.about.imported_from, "file": path.name, "sha256": sha256_file(path)}
        return Brought(brought.about.model_copy(update={"imported_from": origin}), brought.parts, brought.notes)
    raise InputError("nothing that is known", where=path, todo=_FORMATS)
