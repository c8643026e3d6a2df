"""MELD as text alone: the words of each utterance, seven exclusive emotions, official splits.

The repository has no word vectors and none can be shipped, so the vectors are learned from the training transcripts, or
read from a file that the user gives. Emotion words such as `sadness` do not occur in the transcripts; the vector of an
emotion is then the mean over everyday words for it.
"""

import csv
import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lib.data import word_vectors
from lib.data.cache import cached
from lib.data.corpus import Corpus, Source, Split
from lib.data.sequences import Side, pad
from lib.data.source_files import hash_sources, heed_stand_in
from lib.errors import InputError
from lib.files import sha256_file

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


def read(root: Path, *, words: int = 20, width: int = 100, vectors: str = "", side: Side = "front") -> Corpus:
    """Multilabel corpus, one 1 per row; text float32 `(N, words, width)`: the last `words` words, padding on `side`.

    Words are lower case; `!` and `?` count as words. Without `vectors` they have vectors learned from the training
    split, of this `width`; with it, those of that file below the data folder. A word without a vector is a zero step.
    Ids are `<split>_<dialogue>_<utterance>`. Raises InputError for a missing or damaged table or file of vectors.
    """
    root = Path(root)
    hashes = hash_sources("meld", root, files(root))
    tables = {split: _rows(path) for split, path in zip(_FILES, files(root), strict=True)}
    known = _vectors(root, tables["train"], hashes, width, vectors)
    width = len(next(iter(known.values())))
    splits = {}
    for split, rows in tables.items():
        missing = np.zeros(width, np.float32)
        sequences = [
            np.array([known.get(word, missing) for word in tokens(row["Utterance"])[-words:]], np.float32).reshape(
                -1, width
            )
            for row in rows
        ]
        text, lengths = pad(sequences, words, side)
        numbers = [EMOTIONS.index(row["Emotion"]) for row in rows]
        ids = tuple(f"{split}_{row['Dialogue_ID']}_{row['Utterance_ID']}" for row in rows)
        splits[split] = Split({"text": text}, lengths, np.eye(len(EMOTIONS), dtype=np.float32)[numbers], ids)
    origin = (
        f"word vectors of {Path(vectors).name}" if vectors else "word vectors learned from the training split alone"
    )
    source = Source(
        name="MELD (text)",
        synthetic=False,
        files=hashes | ({vectors: sha256_file(root / vectors)} if vectors else {}),
        licence="GPL-3.0 (repository declare-lab/MELD); cite Poria et al. 2019",
        split_rule="official: train, dev, test dialogues",
        warnings=(f"text alone, without the dialogue around it; {origin}", *([] if vectors else [_NAMES])),
    )
    source = heed_stand_in(root / "meld", source, split_by_reader=False)
    return Corpus("multilabel", EMOTIONS, {"text": width}, splits, source)


def emotion_vectors(
    root: Path, *, width: int = 100, vectors: str = "", capitalised: bool = False
) -> Float[np.ndarray, "emotions width"]:
    """Float32 vectors of the emotions: of their names in the given file, else the means of their everyday words.

    Raises InputError for an emotion none of whose words has a vector.
    """
    root = Path(root)
    if vectors:
        return word_vectors.emotion_vectors(root / vectors, EMOTIONS, capitalised=capitalised)
    train = files(root)[0]
    known = _vectors(root, _rows(train), hash_sources("meld", root, files(root)), width, "")
    means = []
    for emotion, everyday in EVERYDAY.items():
        found = [known[word] for word in everyday if word in known]
        if not found:
            raise InputError(f"none of the words for {emotion} occurs: {', '.join(everyday)}", where=train)
        mean = np.mean(found, axis=0)
        means.append(mean / np.linalg.norm(mean) * word_vectors.typical_length(width))
    return np.array(means, dtype=np.float32)


def tokens(utterance: str) -> list[str]:
    """Lower-case words with their apostrophes, and the marks that carry feeling."""
    return _TOKEN.findall(utterance.replace("\u2019", "'").replace("\x92", "'").lower())


def _vectors(root: Path, train: list[dict], hashes: dict, width: int, vectors: str) -> dict[str, np.ndarray]:
    """By word; learned ones come from the cache."""
    if vectors:
        words = {word for row in train for word in tokens(row["Utterance"])}
        return word_vectors.known_vectors(root / vectors, words)

    def build() -> dict[str, np.ndarray]:
        found = word_vectors.learned((tokens(row["Utterance"]) for row in train), width)
        return {"words": np.array(list(found)), "vectors": np.stack(list(found.values()))}

    name = files(root)[0].relative_to(root).as_posix()
    arrays = cached("meld_word_vectors", _VERSION, {name: hashes[name]}, {"width": width}, build)
    return dict(zip(arrays["words"].tolist(), np.asarray(arrays["vectors"]), strict=True))


def _rows(path: Path) -> list[dict[str, str]]:
    """The table's rows. Raises InputError for a missing column or an unknown emotion."""
    needed = ("Utterance", "Emotion", "Dialogue_ID", "Utterance_ID")
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle))
    except UnicodeDecodeError as error:
        raise InputError(f"not readable as text ({error})", where=path) from None
    for line, row in enumerate(rows, start=2):
        if absent := [name for name in needed if row.get(name) is None]:
            raise InputError(f"no {', '.join(absent)}", where=f"{path}, line {line}")
        if row["Emotion"] not in EMOTIONS:
            raise InputError(f"emotion {row['Emotion']!r}; known: {', '.join(EMOTIONS)}", where=f"{path}, line {line}")
    if not rows:
        raise InputError("no rows", where=path)
    return rows
