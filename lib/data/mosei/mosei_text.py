"""CMU-MOSEI as text alone: the words of each utterance with six emotions or with sentiment, on the papers' folds.

The utterances, labels and split are those of the published tables of the end-to-end paper and of the emotion
embeddings; their audio and video features are not reachable (inventory 9.1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lib.data import corpora
from lib.data.arrays.emotion_rules import MOSEI_EMOTIONS, intensities_to_labels
from lib.data.arrays.sequences import Side, pad
from lib.data.corpus import Corpus, Split
from lib.data.dialogues.learned_vectors import learned
from lib.data.dialogues.meld_text import tokens
from lib.data.io import vector_files
from lib.data.io.cache import cached
from lib.data.io.provenance import concluded, opened_source
from lib.data.mosei import mosei_tables
from lib.data.mosei.mosei_tables import Folds, Utterances
from lib.data.pretrained import PARTS
from lib.data.text import frozen
from lib.errors import InputError
from lib.files import sha256_file

if TYPE_CHECKING:
    from jaxtyping import Float

RULES = {
    "end_to_end": "lists of the end-to-end paper, by video",
    "standard": "standard folds of CMU-MOSEI, by video",
}
_VERSION = 1


def files(root: Path) -> list[Path]:
    """The tables and lists below `mosei/`."""
    return mosei_tables.paths(Path(root) / "mosei")


def utterances(root: Path, split: Folds = "end_to_end") -> dict[str, Utterances]:
    """Ids, sentences as they were transcribed, labels and videos of each fold, in the order of the corpus' samples.

    For features of text that are made elsewhere. Raises InputError as `opened_source` and `mosei_tables.read`.
    """
    opened_source("mosei_text", root, files(root))
    return mosei_tables.read(Path(root) / "mosei", split)


@dataclass(frozen=True)
class MoseiText:
    """One of the two questions asked of the utterances: `labels` makes what `Split` wants of those of a fold."""

    name: str
    label_names: tuple[str, ...]
    labels: Callable[[Utterances], np.ndarray]

    def files(self, root: Path) -> list[Path]:
        """The tables and lists below `mosei/`."""
        return files(root)

    def read(
        self,
        root: Path,
        *,
        split: Folds = "end_to_end",
        window: int = 20,
        width: int = 100,
        file: str = "",
        side: Side = "front",
        text: Literal["", "glove", "minilm"] = "",
    ) -> Corpus:
        """Text float32 `(N, window, width)`: the last words of each utterance, padding on `side`.

        Without `file` words have vectors of this `width`, learned from the sentences of the training fold without
        their labels; with it, those of that file below the data folder; with `text` those of a pre-trained part (see
        `lib.data.text.frozen`). A word without a vector is a zero step.
        Emotions are float32 `(N, 6)`, 1 where the intensity is above 0; sentiment is float64 `(N,)`. Raises InputError
        for tables that `utterances` refuses, for a missing or damaged file of vectors or part, and for both at once.
        """
        if file and text:
            raise InputError("file and text both name word vectors", where=self.name, todo="leave one of them out")
        root, about = Path(root), corpora.get(self.name)
        source = opened_source(self.name, root, files(root))
        found = mosei_tables.read(root / "mosei", split)
        words = {name: [tokens(text) for text in fold.texts] for name, fold in found.items()}
        known: dict[str, np.ndarray] = {}
        if text:
            source = PARTS[frozen.PART[text]].stated_in(source)
        elif file:
            wanted = Counter(word for fold in words.values() for sentence in fold for word in sentence)
            known = vector_files.known_vectors(root / file, wanted.keys())
            origin = vector_files.coverage(known, wanted, file)
            source = replace(source, files={**source.files, file: sha256_file(root / file)})
        else:
            known = _learned(words["train"], source.files, {"split": split, "width": width})
            origin = "word vectors learned from the sentences of the training fold alone, without their labels"
        width = frozen.WIDTHS[text] if text else len(next(iter(known.values())))
        missing, splits, read_steps = np.zeros(width, np.float32), {}, []
        for name, fold in found.items():
            if text:
                sequences = frozen.word_vectors(words[name], root, text, last=window)
            else:
                sequences = [
                    np.array([known.get(word, missing) for word in sentence[-window:]], np.float32).reshape(-1, width)
                    for sentence in words[name]
                ]
            read_steps += sequences
            steps, lengths = pad(sequences, window, side)
            splits[name] = Split({"text": steps}, lengths, self.labels(fold), fold.ids)
        if text:
            origin = frozen.origin(text, read_steps)
        source = concluded(source, root / "mosei", RULES[split], [f"text alone; {origin}"])
        return Corpus(about.task, self.label_names, {"text": width}, splits, source, about.scale)


def emotion_vectors(
    root: Path,
    words: Sequence[str] = MOSEI_EMOTIONS,
    *,
    split: Folds = "end_to_end",
    width: int = 100,
    text: Literal["", "glove", "minilm"] = "",
    **options: object,
) -> Float[np.ndarray, "emotions width"]:
    """Float32 vectors `(K, width)` of these words where the corpus' own words have theirs: learned from the sentences
    of the training fold, or with `text` those of a pre-trained part.

    `options` are the further ones of `read`; none of them matters here. Raises InputError for a word without a vector.
    """
    if text:
        return frozen.emotion_vectors(words, Path(root), text)
    source, train = opened_source("mosei_text", Path(root), files(root)), utterances(root, split)["train"]
    known = _learned([tokens(sentence) for sentence in train.texts], source.files, {"split": split, "width": width})
    if lacking := [word for word in words if word not in known]:
        raise InputError(f"no vector of {', '.join(lacking)} in the training fold", where="mosei_text")
    return np.stack([known[word] for word in words])


def _learned(train: list[list[str]], hashes: dict[str, str], options: dict[str, object]) -> dict[str, np.ndarray]:
    """Vectors by word, learned from these sentences or found in the cache."""

    def build() -> dict[str, np.ndarray]:
        found = learned(train, options["width"])
        return {"words": np.array(list(found)), "vectors": np.stack(list(found.values()))}

    arrays = cached("mosei_word_vectors", _VERSION, hashes, options, build)
    return dict(zip(arrays["words"].tolist(), np.asarray(arrays["vectors"]), strict=True))


EMOTIONS = MoseiText("mosei_text", MOSEI_EMOTIONS, lambda fold: intensities_to_labels(fold.intensities))
SENTIMENT = MoseiText("mosei_text_sentiment", ("sentiment",), lambda fold: fold.sentiment)
