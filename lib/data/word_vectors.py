"""The word vectors of emotions, wherever those of a corpus come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from lib import data
from lib.data.io import vector_files
from lib.data.io.source_files import hash_sources
from lib.data.pretrained import PARTS
from lib.data.text import frozen
from lib.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from lib.data.corpus import Source

STAND_INS = ("mosei_emotions_like", "iemocap_emotions_like")
"""Whose emotions have vectors of their own, in a file that is written when it is asked for."""

TEXT_ALONE = ("meld_text", "mosei_text")
"""Whose words get their vectors here, so that emotions have theirs among them; their readers know both."""


def origin(name: str) -> dict[str, str]:
    """What a reader of text is told of `name`: a file in the data folder, a pre-trained part, or nothing."""
    if name in frozen.PART:
        return {"text": name}
    return {"file": name} if name else {}


def file_names(corpora: Sequence[str], file: str = "") -> tuple[str, ...]:
    """What `emotion_vectors` reads for these corpora beside their own files, relative to the data folder."""
    if file in frozen.PART:
        return tuple(PARTS[frozen.PART[file]].hashes())
    if file:
        return (file,)
    others = [name for name in corpora if name not in (*STAND_INS, *TEXT_ALONE)]
    return (vector_files.RELEASED,) if others else ()


def stated_in(source: Source, corpus: str, root: Path, file: str = "") -> Source:
    """The source of a corpus with what `emotion_vectors` reads for it: files, and the licence of a part.

    A corpus of text states it itself. A missing file is not, for `emotion_vectors` refuses it.
    """
    if corpus in TEXT_ALONE:
        return source
    if file in frozen.PART:
        return PARTS[frozen.PART[file]].stated_in(source)
    there = [root / name for name in file_names([corpus], file) if (root / name).is_file()]
    return replace(source, files=source.files | hash_sources(corpus, root, there))


def emotion_vectors(
    corpus: str,
    words: Sequence[str],
    root: Path | str | None = None,
    *,
    file: str = "",
    capitalised: bool = False,
    **options: object,
) -> Float[np.ndarray, "emotions width"]:
    """Float32 vectors of these words, in their order.

    They are those of `file` below the data folder `root` (a pickle or lines, see `vector_files`), or of a pre-trained
    part where it is named `glove` or `minilm`. Without it, MELD and CMU-MOSEI's text have those that their words have:
    learned from the training text, or of the part that was named as `text`. Any other corpus has those of the authors'
    pickle, a stand-in its own, whatever its samples and seed. `capitalised` looks words up with a capital first letter.
    `options` are those that `data.load` was given; of them only `text`, `width` and `split` of a corpus of text and
    `control` of a stand-in matter.

    Raises InputError for an unknown corpus, a missing or damaged file, and a word that has no vector.
    """
    data.reader_module(corpus)
    root = data.data_root(root)
    if corpus in STAND_INS:
        from lib.data.stand_ins import synthetic_emotions  # slow to load: not for who asks for names alone

        if file:
            raise InputError(f"{corpus} has word vectors of its own", where=file, todo="leave the file out")
        control = str(options.get("control", ""))
        return vector_files.look_up(synthetic_emotions.vector_file(control), words, capitalised=capitalised)
    if capitalised and (file in frozen.PART or (corpus in TEXT_ALONE and not file)):
        raise InputError(f"the words of {file or corpus} are lower case", todo="leave capitalised out, or give a file")
    if file in frozen.PART:
        return frozen.emotion_vectors(words, root, file)
    if corpus in TEXT_ALONE and not file:
        return import_module(data.reader_module(corpus)).emotion_vectors(root, words, **options)
    return vector_files.look_up(root / (file or vector_files.RELEASED), words, capitalised=capitalised)
