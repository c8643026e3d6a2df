"""CMU-MOSI as words on the standard folds: transcribed words and one audio vector per utterance (inventory section 0).

The utterance tables hold text and video features too, but those were learned with labels of 24 of the 31 standard
test videos. They never leave this reader: the words come from the transcripts, and audio was not learned.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from lib.data.arrays.sequences import Side, pad
from lib.data.corpus import SENTIMENT, SPLITS, Corpus, Split
from lib.data.io import vector_files
from lib.data.io.features import Nonfinite, zeroed_notes
from lib.data.io.provenance import concluded, opened_source
from lib.data.mosi import mosi_utterances
from lib.data.mosi.mosi_tables import Utterances, segment_of, video_of
from lib.data.pretrained import PARTS
from lib.data.text import frozen
from lib.errors import InputError
from lib.files import sha256_file

PADDING, UNKNOWN = 0, 1
FOLDS = {"train": 52, "valid": 10, "test": 31}
"""Videos per fold, of the videos sorted by id; other numbers of videos are cut in these proportions."""
AUDIO_LIMIT = 5.0
"""In standard deviations of the training fold. Some columns hardly vary there, so a few test utterances lie up to 151
away; one such sample would decide the mean error of a network without a bounded output."""
files = mosi_utterances.files


def read(
    root: Path,
    words: int = 20,
    side: Side = "front",
    glove: str = "",
    *,
    text: Literal["", "glove", "minilm"] = "",
    nonfinite: Nonfinite = "error",
) -> Corpus:
    """Sentiment of the standard 1284/229/686 utterances from their last `words` words and a 73-d audio vector.

    Text is float32 `(N, words, 1)` of word numbers: 0 for padding on `side`, 1 for a word that the training fold does
    not
    have, and from 2 the training words by falling frequency, for a model that learns its embeddings. With `glove`, a
    file of word vectors (see `vector_files`) named relative to the data folder, text is `(N, words, d)` of these
    vectors instead, zeros for a word it lacks. `text` takes them from a pre-trained part instead: 50-d GloVe, or 384-d
    MiniLM in the context of the whole utterance (see `lib.data.text.frozen`); neither has seen a label of this corpus.
    Audio is `(N, 1, 73)`, standardised with the training fold and limited to `AUDIO_LIMIT`.

    Raises `InputError` for what `mosi_utterances.read` refuses, for a GloVe file or a part that is missing or damaged,
    and for both at once.
    """
    root = Path(root)
    if glove and text:
        raise InputError("glove and text both name word vectors", where="mosi_words", todo="leave one of them out")
    source = opened_source("mosi_words", root, files(root))
    table = mosi_utterances.cached_table(root, source.files, nonfinite)
    rows = _folds(table)
    labels = mosi_utterances.sentiment_of(root, table)
    audio = mosi_utterances.standardise(table.features["audio"], rows["train"])
    far = int((np.abs(audio) > AUDIO_LIMIT).any(axis=1).sum())
    audio = audio.clip(-AUDIO_LIMIT, AUDIO_LIMIT)
    kept = {name: [_words(table.transcripts[row])[-words:] for row in part] for name, part in rows.items()}
    notes = zeroed_notes(table.zeroed)
    vectors, frozen_words = {}, {}
    if text:
        for name, part in rows.items():
            whole = [_words(table.transcripts[row]) for row in part]
            frozen_words[name] = frozen.word_vectors(whole, root, text, last=words)
        notes.append(frozen.origin(text, (steps for part in frozen_words.values() for steps in part)))
        source = PARTS[frozen.PART[text]].stated_in(source)
    elif glove:
        wanted = Counter(word for part in kept.values() for words in part for word in words)
        vectors = vector_files.known_vectors(root / glove, wanted.keys())
        notes.append(vector_files.coverage(vectors, wanted, glove))
        source = replace(source, files={**source.files, glove: sha256_file(root / glove)})
    else:
        numbers = vocabulary(kept["train"])
        vectors = {word: np.array([number], np.float32) for word, number in numbers.items()}
    width = frozen.WIDTHS[text] if text else len(next(iter(vectors.values())))
    missing = np.full(width, 0.0 if glove else UNKNOWN, np.float32)
    splits = {}
    for name, part in rows.items():
        sequences = frozen_words.get(name) or [
            np.array([vectors.get(word, missing) for word in words], np.float32).reshape(-1, width)
            for words in kept[name]
        ]
        steps, lengths = pad(sequences, words, side)
        splits[name] = Split(
            features={"text": steps, "audio": audio[part][:, None]},
            lengths=lengths,
            labels=labels[part],
            ids=tuple(table.ids[row] for row in part),
        )
    notes.append(
        f"audio is limited to {AUDIO_LIMIT:g} standard deviations: {far} utterances lie beyond. This limit was set "
        "after a run had shown what outliers do to the test score, so it is no choice made blind"
    )
    rule = "standard folds: videos sorted by id, 52 train, 10 validation, 31 test"
    return Corpus(
        task="regression",
        label_names=("sentiment",),
        modalities={"text": width, "audio": audio.shape[1]},
        splits=splits,
        source=concluded(source, root / "mosi_utterance", rule, notes, split_by_reader=True),
        scale=SENTIMENT,
    )


def transcripts(root: Path) -> dict[str, list[str]]:
    """The whole transcripts, lower-case, in the order of the corpus' samples: for models of the bag of words."""
    root = Path(root)
    table = mosi_utterances.cached_table(root, opened_source("mosi_words", root, files(root)).files)
    folds = _folds(table)
    return {name: [" ".join(_words(table.transcripts[row])) for row in part] for name, part in folds.items()}


def vocabulary(utterances: list[list[str]]) -> dict[str, int]:
    """Numbers from 2 for the words of these utterances, by falling frequency and then by spelling."""
    counts = Counter(word for words in utterances for word in words)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return {word: number for number, word in enumerate(ranked, start=UNKNOWN + 1)}


def _words(transcript: str) -> list[str]:
    return transcript.lower().split()


def _folds(table: Utterances) -> dict[str, np.ndarray]:
    """Rows of each fold, ordered by video and segment."""
    videos = sorted({video_of(key) for key in table.ids})
    cuts = np.rint(np.cumsum(list(FOLDS.values())) / sum(FOLDS.values()) * len(videos)).astype(int)
    fold_of = dict(zip(videos, np.searchsorted(cuts, range(len(videos)), side="right").tolist(), strict=True))
    order = sorted(range(len(table.ids)), key=lambda row: (video_of(table.ids[row]), segment_of(table.ids[row])))
    return {
        name: np.array([row for row in order if fold_of[video_of(table.ids[row])] == number], dtype=np.int64)
        for number, name in enumerate(SPLITS)
    }
