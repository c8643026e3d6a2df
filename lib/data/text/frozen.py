"""Vectors of texts and of their words from parts that were never trained on these corpora (see `lib.data.pretrained`).

`glove` gives a word the same vector everywhere; `minilm` one that depends on the sentence around it. Nothing is learned
here, so no label can leak, whatever the split. MiniLM's are kept in the cache, found by the texts and the weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lib.data.io.cache import cached
from lib.data.pretrained import PARTS
from lib.data.text import wordpiece
from lib.errors import InputError
from lib.files import sha256_json

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

Kind = Literal["glove", "minilm"]
PART = {"glove": "glove_6b_50d", "minilm": "minilm"}
LONGEST = 256
"""Pieces of a text with its two marks, as the sentence encoder was published; what is beyond is cut."""
WIDTH = 384
WIDTHS = {"glove": 50, "minilm": WIDTH}
_CONTRACTION = re.compile(r"(\w+?)(n't|'(?:s|m|re|ve|ll|d))")
"""As the Penn Treebank cuts them, on whose tokens GloVe was trained."""
_TOKENS = 1024
_VERSION = 2


def sentence_vectors(texts: Sequence[str], root: Path) -> Float[np.ndarray, "texts 384"]:
    """Float32 vectors of length one: MiniLM's mean over the tokens. Raises InputError for a missing or damaged part."""
    unique, rows = _unique([(text,) for text in texts])
    found = _minilm("sentences", unique, root, lambda files: {"sentences": _sentences(unique, files)})
    return found["sentences"][rows]


def word_vectors(
    texts: Sequence[Sequence[str]], root: Path, kind: Kind, *, last: int | None = None
) -> list[Float[np.ndarray, "words width"]]:
    """A float32 vector for each word of each text, given as its words: 50-d (`glove`) or 384-d (`minilm`).

    With `last`, of no more than that many words at the end of each text, which stay in the context of the others.
    GloVe's words are looked up in lower case; a contraction, which it holds in two parts ("do", "n't"), is their mean.
    A word of MiniLM is the mean of its pieces in context. Zeros for a word without a vector or beyond `LONGEST`. Raises
    InputError for an unknown kind and a missing or damaged part.
    """
    if kind == "glove":
        texts = [list(text)[_tail(text, last) :] for text in texts]
        known = _with_contractions({word.lower() for text in texts for word in text}, root)
        none = np.zeros(WIDTHS["glove"], np.float32)
        return [
            np.array([known.get(word.lower(), none) for word in text], np.float32).reshape(-1, len(none))
            for text in texts
        ]
    if kind != "minilm":
        raise InputError(f"unknown kind of word vectors {kind!r}", todo="known: glove, minilm")
    unique, rows = _unique(texts)
    found = _minilm(f"last {last} words", unique, root, lambda files: {"words": _words(unique, files, last)})["words"]
    ends = np.cumsum([len(text) - _tail(text, last) for text in unique])
    parts = np.split(found, ends[:-1]) if unique else []
    return [parts[row] for row in rows]


def lower_states(
    texts: Sequence[str], root: Path, *, layers: int, longest: int
) -> tuple[Float[np.ndarray, "tokens 384"], list[slice]]:
    """MiniLM's states behind its first `layers` layers, float32, of the first `longest` tokens of each text.

    Which rows are a text's is told for each; the first is that of the mark before it. Rows of equal texts are the same.
    They are mapped from the cache. Raises InputError for a missing or damaged part.
    """
    unique, rows = _unique([(text,) for text in texts])
    what = f"states behind {layers} layers, {longest} tokens"
    found = _minilm(what, unique, root, lambda files: _states(unique, files, layers, longest))
    ends = np.cumsum(found["tokens"])
    of_text = [slice(int(end - count), int(end)) for end, count in zip(ends, found["tokens"], strict=True)]
    return found["states"], [of_text[row] for row in rows]


def _tail(text: Sequence[str], last: int | None) -> int:
    """Place of the first word that is kept."""
    return 0 if last is None else max(len(text) - last, 0)


def _unique(texts: Sequence[Sequence[str]]) -> tuple[list[tuple[str, ...]], list[int]]:
    """The different texts, and which of them each is: people often say the same."""
    places: dict[tuple[str, ...], int] = {}
    rows = [places.setdefault(tuple(text), len(places)) for text in texts]
    return list(places), rows


def emotion_vectors(words: Sequence[str], root: Path, kind: Kind) -> Float[np.ndarray, "words width"]:
    """Float32 vectors of single words, each a text of its own: where `minilm` sees no context there is none.

    Raises InputError as `word_vectors` does, and for a word without a vector.
    """
    vectors = np.concatenate(word_vectors([[word] for word in words], root, kind))
    if lacking := [word for word, vector in zip(words, vectors, strict=True) if not vector.any()]:
        raise InputError(f"no vector of {', '.join(lacking)}", where=PARTS[PART[kind]].title)
    return vectors


def origin(kind: Kind, steps: Iterable[np.ndarray]) -> str:
    """Of the vectors, for the notes of a corpus; `steps` `(words, width)` of each text tell how many words lack one."""
    there = np.concatenate([np.zeros(0, bool), *(text.any(axis=1) for text in steps)])
    lacking = f"{100 * (1 - there.mean()):.1f} % of the words have none and are zeros" if len(there) else "no words"
    return f"word vectors: {PARTS[PART[kind]].title}; frozen, never trained on this corpus; {lacking}"


def _with_contractions(words: set[str], root: Path) -> dict[str, np.ndarray]:
    """GloVe's vectors of these words, and of contractions the mean of both parts where it has them."""
    parts = {word: found.groups() for word in words if (found := _CONTRACTION.fullmatch(word))}
    known = glove(words.union(*parts.values()), root)
    means = {
        word: np.mean([known[part] for part in both], axis=0, dtype=np.float32)
        for word, both in parts.items()
        if word not in known and known.keys() >= set(both)
    }
    return known | means


def glove(words: set[str], root: Path) -> dict[str, np.ndarray]:
    """GloVe 6B 50-d of those of these words that it has. Raises InputError for a missing or damaged part."""
    import pandas as pd  # half a second that who reads no table need not pay

    files = PARTS["glove_6b_50d"].paths(root)
    index = pd.read_parquet(files["index.parquet"])["index"]
    matrix = np.load(files["vectors.npy"], mmap_mode="r", allow_pickle=False)
    rows = index[index.isin(words)]
    return {word: np.array(matrix[row], np.float32) for row, word in rows.items()}


def _minilm(
    what: str, texts: list[tuple[str, ...]], root: Path, build: Callable[[dict[str, Path]], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    part = PARTS["minilm"]
    files = part.paths(root)
    asked = {"what": what, "texts": sha256_json(texts), "longest": LONGEST}
    return cached("minilm", _VERSION, part.hashes(), asked, lambda: build(files))


def _sentences(texts: list[tuple[str, ...]], files: dict[str, Path]) -> np.ndarray:
    from lib.minilm import sentence_mean

    found = np.zeros((len(texts), WIDTH), np.float32)
    for rows, _, states, mask in _encoded(texts, files):
        found[rows] = sentence_mean(states, mask).numpy()
    return found


def _states(texts: list[tuple[str, ...]], files: dict[str, Path], layers: int, longest: int) -> dict[str, np.ndarray]:
    """All texts' states one after another, and how many each has."""
    found: list[np.ndarray] = [np.empty(0)] * len(texts)
    for rows, owners, states, _ in _encoded(texts, files, layers, longest):
        for row, owned, own in zip(rows, owners, states.numpy(), strict=True):
            found[row] = own[: len(owned) + 2].copy()
    return {"states": np.concatenate(found), "tokens": np.array([len(each) for each in found])}


def _words(texts: list[tuple[str, ...]], files: dict[str, Path], last: int | None) -> np.ndarray:
    """The kept words of all texts in their order."""
    first = [_tail(text, last) for text in texts]
    ends = np.cumsum([len(text) - start for text, start in zip(texts, first, strict=True)])
    found = np.zeros((int(ends[-1]) if texts else 0, WIDTH), np.float32)
    for rows, owners, states, _ in _encoded(texts, files):
        for row, owned, own in zip(rows, owners, states.numpy(), strict=True):
            kept = owned >= first[row]
            count = len(texts[row]) - first[row]
            sums = np.zeros((count, WIDTH), np.float32)
            np.add.at(sums, owned[kept] - first[row], own[1 : 1 + len(owned)][kept])
            pieces = np.bincount(owned[kept] - first[row], minlength=count).clip(min=1)
            found[ends[row] - count : ends[row]] = sums / pieces[:, None].astype(np.float32)
    return found


def _encoded(
    texts: list[tuple[str, ...]], files: dict[str, Path], layers: int | None = None, longest: int = LONGEST
) -> Iterator[tuple[list[int], list[np.ndarray], Tensor, Tensor]]:
    """Batches of texts of nearly one length: which texts, the words that their pieces belong to, states and mask.

    States are those behind the first `layers` layers, by default all, `(texts, steps, 384)`; the first step is the mark
    before the text, then come its pieces.
    """
    import torch

    numbers = wordpiece.vocabulary(files["vocab.txt"])
    network = _network(files["model.safetensors"])
    begin, end = numbers["[CLS]"], numbers["[SEP]"]
    known: dict[str, list[int]] = {}

    def pieces(chunk: str) -> list[int]:
        if chunk not in known:
            known[chunk] = [piece for word in wordpiece.words(chunk) for piece in wordpiece.pieces(word, numbers)]
        return known[chunk]

    tokens, owners = [], []
    for text in texts:
        coded = [
            (piece, place) for place, word in enumerate(text) for chunk in word.split(" ") for piece in pieces(chunk)
        ][: longest - 2]
        tokens.append([begin, *(piece for piece, _ in coded), end])
        owners.append(np.array([place for _, place in coded], np.int64))
    for rows in _batches([len(each) for each in tokens]):
        padded = torch.full((len(rows), max(len(tokens[row]) for row in rows)), numbers["[PAD]"])
        mask = torch.zeros_like(padded, dtype=torch.bool)
        for line, row in enumerate(rows):
            padded[line, : len(tokens[row])] = torch.tensor(tokens[row])
            mask[line, : len(tokens[row])] = True
        with torch.inference_mode():
            states = network(padded, mask, layers)
        yield rows, [owners[row] for row in rows], states, mask


def _batches(lengths: list[int]) -> Iterator[list[int]]:
    """Rows by length, longest first, so many at once that a batch has `_TOKENS` tokens with its padding, or one row."""
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    while order:
        count = max(_TOKENS // lengths[order[0]], 1)
        yield order[:count]
        order = order[count:]


def _network(path: Path):
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from lib.minilm import MiniLM

    try:
        weights = load_file(path)
        # Of no use to sentence vectors: a layer for another task, and the numbers 0 to 511.
        kept = {n: w for n, w in weights.items() if not n.startswith("pooler.") and not n.endswith("position_ids")}
        with torch.random.fork_rng(devices=[]):  # whoever asks for features keeps his own random numbers
            network = MiniLM()
        network.load_state_dict(kept)
    except (SafetensorError, RuntimeError) as error:
        raise InputError("not the weights of all-MiniLM-L6-v2", where=path) from error
    return network.eval()
