"""MELD as text alone: the words of each utterance, seven exclusive emotions, official splits.

The repository has no word vectors and none can be shipped, so the vectors are learned from the training transcripts, or
read from a file that the user gives. Emotion words such as `sadness` do not occur in the transcripts; the vector of an
emotion is then the mean over everyday words for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lib.data.arrays.sequences import Side, pad
from lib.data.corpus import Corpus, Split
from lib.data.dialogues.learned_vectors import learned, typical_length
from lib.data.io import vector_files
from lib.data.io.cache import cached
from lib.data.io.provenance import concluded, opened_source
from lib.data.io.source_files import hash_sources
from lib.data.io.text_files import records
from lib.data.pretrained import PARTS
from lib.data.text import frozen
from lib.errors import InputError
from lib.files import sha256_file

if TYPE_CHECKING:
    from jaxtyping import Float

EMOTIONS = ("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear")
EVERYDAY = {
    "neutral": ("okay", "right", "fine"),
    "joy": ("happy", "great", "wonderful", "fun"),
    "surprise": ("wow", "really", "surprised", "surprise"),
    "anger": ("mad", "angry", "hate", "stop"),
    "sadness": ("sad", "sorry", "miss", "cry"),
    "disgust": ("gross", "disgusting", "ew", "weird"),
    "fear": ("scared", "afraid", "worried", "fear"),
}
"""Written down before any result was seen. A word that the training split does not have is left out."""
_NAMES = (
    "an emotion's vector is the mean over everyday words for it, since the transcripts lack some emotions' names; the "
    "words were chosen before any result was seen"
)
_FILES = {"train": "train", "valid": "dev", "test": "test"}
_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|[!?]")
_VERSION = 2


def files(root: Path) -> list[Path]:
    """The three label tables of the repository."""
    return [Path(root) / "meld" / f"{name}_sent_emo.csv" for name in _FILES.values()]


def utterances(root: Path) -> dict[str, list[str]]:
    """The utterances as they were transcribed, in the order of the corpus' samples: for features made elsewhere."""
    tables = zip(_FILES, files(Path(root)), strict=True)
    return {split: [row["Utterance"] for row in _rows(path)] for split, path in tables}


def read(
    root: Path,
    *,
    window: int = 20,
    width: int = 100,
    file: str = "",
    side: Side = "front",
    text: Literal["", "glove", "minilm"] = "",
) -> Corpus:
    """Multilabel corpus, one 1 per row; text float32 `(N, window, width)`: the last words, padding on `side`.

    Words are lower case; `!` and `?` count as words. Without `file` they have vectors learned from the training split,
    of this `width`; with it, those of that file below the data folder; with `text` those of a pre-trained part (50-d
    GloVe, or 384-d MiniLM in the context of the utterance, see `lib.data.text.frozen`). A word without a vector is a
    zero step.
    Ids are `<split>_<dialogue>_<utterance>`. Raises InputError for a missing or damaged table or file of vectors.
    """
    root = Path(root)
    if file and text:
        raise InputError("file and text both name word vectors", where="meld_text", todo="leave one of them out")
    source = opened_source("meld_text", root, files(root))
    tables = {split: _rows(path) for split, path in zip(_FILES, files(root), strict=True)}
    known = {}
    if text:
        source = PARTS[frozen.PART[text]].stated_in(source)
    elif file:
        wanted = sum((_vocabulary(rows) for rows in tables.values()), Counter())
        known = vector_files.known_vectors(root / file, wanted.keys())
        origin = vector_files.coverage(known, wanted, file)
    else:
        known = _learned(root, tables["train"], source.files, width)
        counts = _vocabulary(tables["train"])
        rare = ", ".join(f"{word} {counts[word]}" for word in EMOTIONS)
        origin = (
            f"word vectors learned from the training split alone, in which the emotions' names hardly occur ({rare}): "
            "the vector of an emotion is the mean over everyday words for it"
        )
    width = frozen.WIDTHS[text] if text else len(next(iter(known.values())))
    missing = np.zeros(width, np.float32)
    splits, read_steps = {}, []
    for split, rows in tables.items():
        spoken = [tokens(row["Utterance"]) for row in rows]
        if text:
            sequences = frozen.word_vectors(spoken, root, text, last=window)
        else:
            sequences = [
                np.array([known.get(word, missing) for word in words[-window:]], np.float32).reshape(-1, width)
                for words in spoken
            ]
        read_steps += sequences
        steps, lengths = pad(sequences, window, side)
        numbers = [EMOTIONS.index(row["Emotion"]) for row in rows]
        ids = tuple(f"{split}_{row['Dialogue_ID']}_{row['Utterance_ID']}" for row in rows)
        splits[split] = Split({"text": steps}, lengths, np.eye(len(EMOTIONS), dtype=np.float32)[numbers], ids)
    if file:
        source = replace(source, files={**source.files, file: sha256_file(root / file)})
    if text:
        origin = frozen.origin(text, read_steps)
    note = f"text alone, without the dialogue around it; {origin}"
    source = concluded(source, root / "meld", "official: train, dev, test dialogues", [note])
    return Corpus("multilabel", EMOTIONS, {"text": width}, splits, source)


def emotion_vectors(
    root: Path,
    words: Sequence[str] = EMOTIONS,
    *,
    width: int = 100,
    text: Literal["", "glove", "minilm"] = "",
    **options: object,
) -> Float[np.ndarray, "emotions width"]:
    """Float32 vectors `(K, width)` learned from the training split: of an emotion the mean of its everyday words.

    Any other word has its own vector. With `text` each word has that of the pre-trained part. `options` are the further
    ones of `read`; none of them matters here. Raises InputError for a word that the training split does not have, or
    none of whose everyday words it has.
    """
    root = Path(root)
    if text:
        return frozen.emotion_vectors(words, root, text)
    train = files(root)[0]
    known = _learned(root, _rows(train), hash_sources("meld", root, [train]), width)
    means = []
    for word in words:
        wanted = EVERYDAY.get(word, (word,))
        found = [known[one] for one in wanted if one in known]
        if not found:
            others = f" (nor for {', '.join(wanted)})" if word in EVERYDAY else ""
            raise InputError(f"no vector of {word}{others}: not in the training text", where=train)
        mean = np.mean(found, axis=0)
        means.append(mean / np.linalg.norm(mean) * typical_length(width))
    return np.array(means, dtype=np.float32)


def tokens(utterance: str) -> list[str]:
    """Lower-case words with their apostrophes, and the marks that carry feeling."""
    return _TOKEN.findall(utterance.replace("\u2019", "'").replace("\x92", "'").lower())


def _vocabulary(rows: list[dict[str, str]]) -> Counter[str]:
    return Counter(word for row in rows for word in tokens(row["Utterance"]))


def _learned(root: Path, train: list[dict[str, str]], hashes: Mapping[str, str], width: int) -> dict[str, np.ndarray]:
    """Vectors by word, learned from the training split or found in the cache."""

    def build() -> dict[str, np.ndarray]:
        found = learned((tokens(row["Utterance"]) for row in train), width)
        return {"words": np.array(list(found)), "vectors": np.stack(list(found.values()))}

    name = files(root)[0].relative_to(root).as_posix()
    arrays = cached("meld_word_vectors", _VERSION, {name: hashes[name]}, {"width": width}, build)
    return dict(zip(arrays["words"].tolist(), np.asarray(arrays["vectors"]), strict=True))


def _rows(path: Path) -> list[dict[str, str]]:
    """The table's rows. Raises InputError for a missing column, an unknown emotion, and a duplicate utterance."""
    table, seen = [], {}
    for line, row in records(path, ("Utterance", "Emotion", "Dialogue_ID", "Utterance_ID")):
        row |= {name: row[name].strip() for name in ("Dialogue_ID", "Utterance_ID")}
        row["Emotion"], given = row["Emotion"].strip().lower(), row["Emotion"]
        if row["Emotion"] not in EMOTIONS:
            raise InputError(f"emotion {given!r}; known: {', '.join(EMOTIONS)}", where=f"{path}, line {line}")
        key = row["Dialogue_ID"], row["Utterance_ID"]
        if (first := seen.setdefault(key, line)) != line:
            what = f"utterance {key[1]} of dialogue {key[0]} stands twice, first in line {first}"
            raise InputError(what, where=f"{path}, line {line}")
        table.append(row)
    if not table:
        raise InputError("no rows", where=path)
    return table
