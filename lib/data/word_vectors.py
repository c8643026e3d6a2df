"""Word vectors: of emotions, from a pickle or a text file; and of any words, learned from sentences.

The emotion-embedding release keeps the vectors of its emotion words in a plain pickle, word to 300 numbers (spec
emotion_embeddings, 5.1). Files of `word v1 v2 ...` lines, as GloVe comes in, will do as well.
"""

import pickle
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from lib.data import safe_pickle
from lib.errors import InputError
from lib.files import atomic_path

RELEASED = "glove.emotions.840B.300d.pt"
"""The authors' file, below the data folder."""


def emotion_vectors(
    path: Path, words: Sequence[str], *, capitalised: bool = False
) -> Float[np.ndarray, "emotions width"]:
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
    """Float32 vectors of those of these words that the file holds. Raises InputError as `emotion_vectors`."""
    if not path.is_file():
        raise InputError("no such file of word vectors", where=path, todo="see ./run_all.sh data check")
    stored = _pickled(path) if path.suffix in (".pt", ".pkl", ".p") else _lines(path, words)
    try:
        found = {word: np.array(stored[word], dtype=np.float32) for word in words if word in stored}
    except (ValueError, TypeError):
        raise InputError("a vector that does not consist of numbers", where=path) from None
    if not found:
        raise InputError("none of the wanted words is in it", where=path)
    if len({vector.shape for vector in found.values()}) > 1:
        raise InputError("vectors of several lengths", where=path)
    return found


def write(path: Path, vectors: Mapping[str, np.ndarray]) -> None:
    """Write the pickle that `emotion_vectors` reads."""
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        pickle.dump({word: [float(v) for v in vector] for word, vector in vectors.items()}, handle, protocol=4)


def learned(sentences: Iterable[Sequence[str]], width: int, *, window: int = 5) -> dict[str, np.ndarray]:
    """Vectors `(width,)` of every word of these sentences, from which words occur near each other.

    Positive pointwise mutual information of pairs at most `window` words apart, nearer pairs counting more; contexts
    are smoothed by the power 0.75; its truncated singular value decomposition with the square root of the singular
    values (Levy et al., TACL 2015). Every vector has the length `typical_length`. Deterministic.
    """
    sentences = [list(sentence) for sentence in sentences]
    counts = Counter(word for sentence in sentences for word in sentence)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    number = {word: i for i, word in enumerate(ranked)}
    if len(ranked) <= width:
        raise InputError(f"{len(ranked)} different words do not give vectors of width {width}", where="word vectors")
    rows, columns, weights = [], [], []
    for sentence in sentences:
        places = [number[word] for word in sentence]
        for i, word in enumerate(places):
            for distance, other in enumerate(places[i + 1 : i + 1 + window], start=1):
                rows += (word, other)
                columns += (other, word)
                weights += (1 / distance, 1 / distance)
    size = len(ranked)
    pairs = csr_array((weights, (rows, columns)), shape=(size, size))  # equal places are summed
    left = np.asarray(pairs.sum(axis=1))
    right = left**0.75 / (left**0.75).sum()
    pairs = pairs.tocoo()
    information = np.log(pairs.data / (left[pairs.row] * right[pairs.col]))
    kept = information > 0
    positive = csr_array((information[kept], (pairs.row[kept], pairs.col[kept])), shape=(size, size))
    u, singular, _ = svds(positive, k=width, v0=np.ones(size), random_state=0)
    vectors = (u * np.sqrt(singular))[:, ::-1]
    vectors *= np.sign(vectors.sum(axis=0))  # a singular vector's sign is arbitrary
    vectors *= typical_length(width) / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return dict(zip(ranked, vectors.astype(np.float32), strict=True))


def typical_length(width: int) -> float:
    """Of GloVe's vectors, whose components are of the order of 0.4."""
    return 0.4 * width**0.5


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
