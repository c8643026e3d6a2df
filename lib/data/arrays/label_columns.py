"""Which emotions of a corpus are scored: some can be left out, and training needs a sample of each."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lib.data.arrays.lmf_inputs import without_label
from lib.data.corpus import Corpus
from lib.errors import InputError

LEAVE_OUT = "name it in `left_out`, which leaves its column out"
"""What to do about an emotion that no training sample shows, where a run has this parameter."""


def one_hot(corpus: Corpus) -> Corpus:
    """A corpus of classes as yes-or-no questions, exactly one of them true of each sample: labels float32 `(N, E)`.

    One that has a column per emotion already is returned as it is.
    """
    if corpus.task != "classes":
        return corpus
    columns = np.eye(len(corpus.label_names), dtype=np.float32)
    splits = {name: replace(split, labels=columns[split.labels]) for name, split in corpus.splits.items()}
    return replace(corpus, task="multilabel", splits=splits)


def without_labels(corpus: Corpus, names: Sequence[str]) -> Corpus:
    """The corpus without these label columns; its samples stay. Raises InputError for a name that it does not have."""
    for name in names:
        if corpus.task != "multilabel" or name not in corpus.label_names:
            there = ", ".join(corpus.label_names) if corpus.task == "multilabel" else "none that can be left out"
            raise InputError(f"no emotion {name!r} to leave out", where=corpus.source.name, todo=f"there are: {there}")
        corpus = without_label(corpus, name)
    if not corpus.label_names:
        raise InputError("every emotion is left out", where=corpus.source.name)
    return corpus


def refuse_absent(labels: np.ndarray, names: Sequence[str], where: object, todo: str) -> None:
    """Nothing, if each column of the training labels `(N, E)` has a positive; else InputError with its name.

    A weighted cross-entropy gives such an emotion an infinite weight. `todo` says what changes that.
    """
    if absent := [name for name, column in zip(names, np.asarray(labels).T, strict=True) if not column.any()]:
        raise InputError(f"no training sample shows {', '.join(absent)}", where=where, todo=todo)
