"""Where a corpus comes from: what is known of it beforehand, its files, and what reading them has shown."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from lib.data import corpora
from lib.data.corpus import Source, Unit
from lib.data.io.impostors import refuse
from lib.data.io.pinned import notes_on_others
from lib.data.io.source_files import STAND_IN_NOTE, TOLD, hash_sources
from lib.errors import InputError


def opened_source(name: str, root: Path, paths: Sequence[Path]) -> Source:
    """What is known of the corpus `name` before these files are read: its description, and their hashes.

    Raises InputError as `hash_sources`, and for a file that is not the published one (`pinned`).
    """
    about = corpora.get(name)
    root, obtained_as = Path(root), about.files_of or name
    files = hash_sources(obtained_as, root, paths)
    warnings = (*about.warnings, *notes_on_others(obtained_as, root, files))
    return Source(about.label, False, files, about.licence, "", warnings, cluster=about.cluster)


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
        told = {name: told[name] for name in TOLD}
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
