"""Vectors of texts and of their words from parts that were never trained on these corpora (see `lib.data.pretrained`).

`glove` gives a word the same vector everywhere; `minilm` one that depends on the sentence around it. Nothing is learned
here, so no label can leak, whatever the split. MiniLM's are kept in the cache, found by the texts and the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
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

Kind = Literal["glove", "minilm"]
PART = {"glove": "glove_6b_50d", "minilm": "minilm"}
LONGEST = 256
"""Pieces of a text with its two marks, as the sentence encoder was published; what is beyond is cut."""
WIDTH = 384
WIDTHS = {"glove": 50, "minilm": WIDTH}
_BATCH = 32
_VERSION = 1


def sentence_vectors(texts: Sequence[str], root: Path) -> Float[np.ndarray, "texts 384"]:
    """Float32 vectors of length one: MiniLM's mean over the tokens. Raises InputError for a missing or damaged part."""
    return _minilm([[text] for text in texts], root)["sentences"]


def word_vectors(texts: Sequence[Sequence[str]], root: Path, kind: Kind) -> list[Float[np.ndarray, "words width"]]:
    """A float32 vector for each word of each text, given as its words: 50-d (`glove`) or 384-d (`minilm`).

    GloVe's words are looked up in lower case. A word of MiniLM is the mean of its pieces in context. Zeros for a word
    without a vector or beyond `LONGEST`. Raises InputError for an unknown kind and a missing or damaged part.
    """
    if kind == "glove":
        known = glove({word.lower() for text in texts for word in text}, root)
        none = np.zeros(50, np.float32)
        return [
            np.array([known.get(word.lower(), none) for word in text], np.float32).reshape(-1, 50) for text in texts
        ]
    if kind != "minilm":
        raise InputError(f"unknown kind of word vectors {kind!r}", todo="known: glove, minilm")
    found = _minilm([list(text) for text in texts], root)
    return np.split(found["words"], np.cumsum([len(text) for text in texts])[:-1]) if len(texts) else []


def glove(words: set[str], root: Path) -> dict[str, np.ndarray]:
    """GloVe 6B 50-d of those of these words that it has. Raises InputError for a missing or damaged part."""
    import pandas as pd  # half a second that who reads no table need not pay

    files = PARTS["glove_6b_50d"].paths(root)
    index = pd.read_parquet(files["index.parquet"])["index"]
    matrix = np.load(files["vectors.npy"], mmap_mode="r", allow_pickle=False)
    rows = index[index.isin(words)]
    return {word: np.array(matrix[row], np.float32) for row, word in rows.items()}


def _minilm(texts: list[list[str]], root: Path) -> dict[str, np.ndarray]:
    files = PARTS["minilm"].paths(root)
    asked = {"texts": sha256_json(texts), "longest": LONGEST}
    hashes = PARTS["minilm"].hashes()
    return cached("minilm", _VERSION, hashes, asked, lambda: _encode(texts, files))


def _encode(texts: list[list[str]], files: dict[str, Path]) -> dict[str, np.ndarray]:
    """`sentences` (texts, 384) and `words` (all words of all texts in their order, 384)."""
    import torch

    from lib.data.text.minilm import sentence_mean

    numbers = wordpiece.vocabulary(files["vocab.txt"])
    network = _network(files["model.safetensors"])
    begin, end = numbers["[CLS]"], numbers["[SEP]"]
    tokens, owners = [], []  # a piece's owner is the place of its word in the text
    for text in texts:
        coded = [
            (piece, place)
            for place, word in enumerate(text)
            for part in wordpiece.words(word)
            for piece in wordpiece.pieces(part, numbers)
        ][: LONGEST - 2]
        tokens.append([begin, *(piece for piece, _ in coded), end])
        owners.append(np.array([place for _, place in coded], np.int64))
    sentences = np.zeros((len(texts), WIDTH), np.float32)
    words = [np.zeros((len(text), WIDTH), np.float32) for text in texts]
    order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))  # little padding
    for first in range(0, len(order), _BATCH):
        rows = order[first : first + _BATCH]
        padded = torch.zeros(len(rows), max(len(tokens[row]) for row in rows), dtype=torch.int64)
        mask = torch.zeros_like(padded, dtype=torch.bool)
        for line, row in enumerate(rows):
            padded[line, : len(tokens[row])] = torch.tensor(tokens[row])
            mask[line, : len(tokens[row])] = True
        with torch.inference_mode():
            states = network(padded, mask)
            sentences[rows] = sentence_mean(states, mask).numpy()
        for line, row in enumerate(rows):
            own = states[line, 1 : 1 + len(owners[row])].numpy()
            np.add.at(words[row], owners[row], own)
            counts = np.bincount(owners[row], minlength=len(words[row])).clip(min=1)
            words[row] /= counts[:, None].astype(np.float32)
    return {"sentences": sentences, "words": np.concatenate([np.zeros((0, WIDTH), np.float32), *words])}


def _network(path: Path):
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from lib.data.text.minilm import MiniLM

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
