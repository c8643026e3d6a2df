"""Word vectors learned from sentences, where no published ones may be shipped."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from lib.errors import InputError


def learned(sentences: Iterable[Sequence[str]], width: int, *, window: int = 5) -> dict[str, np.ndarray]:
    """Vectors `(width,)` of every word of these sentences, from which words occur near each other.

    Positive pointwise mutual information of pairs at most `window` words apart, nearer pairs counting more; contexts
    are smoothed by the power 0.75; its truncated singular value decomposition with the square root of the singular
    values (Levy et al., TACL 2015). Every vector has the length `typical_length`. Deterministic.
    """
    from scipy.sparse import csr_array  # slow to load: not for who asks for names alone
    from scipy.sparse.linalg import svds

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
