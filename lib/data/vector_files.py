"""Files of word vectors: a pickle, word to numbers, or lines of `word v1 v2 ...` (GloVe, word2vec as text).

The emotion-embedding release keeps the vectors of its emotion words in a plain pickle, word to 300 numbers (spec
emotion_embeddings, 5.1).
"""

import pickle
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lib.data import safe_pickle
from lib.errors import InputError
from lib.files import atomic_path

RELEASED = "glove.emotions.840B.300d.pt"
"""The authors' file, below the data folder."""


def look_up(path: Path, words: Sequence[str], *, capitalised: bool = False) -> Float[np.ndarray, "emotions width"]:
    """Float32 vectors of these words, in their order; `capitalised` looks them up with a capital first letter.

    A file named `.pt`, `.pkl` or `.p` is the pickle, any other has a line per word. Raises InputError for a missing or
    damaged file, a word that it does not hold, and vectors of several lengths.
    """
    wanted = [word.capitalize() if capitalised else word for word in words]
    found = known_vectors(path, set(wanted))
    if missing := [word for word in wanted if word not in found]:
        raise InputError(f"no vector of {', '.join(missing)}", where=path)
    return np.stack([found[word] for word in wanted])


def known_vectors(path: Path, words: Set[str]) -> dict[str, np.ndarray]:
    """Float32 vectors of those of these words that the file holds. Raises InputError as `look_up`."""
    if not path.is_file():
        raise InputError("no such file of word vectors", where=path, todo="see ./run_all.sh data check")
    stored = _pickled(path) if path.suffix in (".pt", ".pkl", ".p") else _lines(path, words)
    try:
        with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused below
            found = {word: np.array(stored[word], dtype=np.float32) for word in words if word in stored}
    except (ValueError, TypeError, OverflowError):
        raise InputError("a vector that does not consist of numbers", where=path) from None
    if not found:
        raise InputError(f"no vector of {', '.join(sorted(words)[:10])}", where=path)
    if len({vector.shape for vector in found.values()}) > 1:
        raise InputError("vectors of several lengths", where=path)
    for word, vector in found.items():
        if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
            raise InputError(f"the vector of {word} is not a row of finite numbers", where=path)
    return found


def write(path: Path, vectors: Mapping[str, np.ndarray]) -> None:
    """Write the pickle that `look_up` reads."""
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        pickle.dump({word: [float(v) for v in vector] for word, vector in vectors.items()}, handle, protocol=4)


def _pickled(path: Path) -> Mapping[str, object]:
    found = safe_pickle.load(path)
    if not isinstance(found, dict):
        raise InputError(f"a {type(found).__name__}, expected a dictionary of words", where=path)
    return found


def _lines(path: Path, wanted: Set[str]) -> dict[str, list[str]]:
    found = {}
    try:
        with path.open(encoding="utf-8") as handle:
            for text in handle:
                word, *cells = text.rstrip("\n").split(" ")
                if word in wanted:
                    found[word] = cells
    except UnicodeDecodeError as error:
        raise InputError(f"not a file of word vectors ({error})", where=path) from None
    return found
