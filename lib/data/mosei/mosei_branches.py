"""CMU-MOSEI's sentences as the text branches of the end-to-end paper read them: one sequence per utterance.

Utterances, labels and split are the paper's. In place of its 300-d GloVe vectors stand 50-d ones, in place of ALBERT
MiniLM, both from parts that were never trained on this corpus (`lib.data.text.frozen`).
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from lib.data.arrays.emotion_rules import MOSEI_EMOTIONS, intensities_to_labels
from lib.data.dialogues.meld_text import tokens
from lib.data.io.provenance import concluded, opened_source
from lib.data.mosei import mosei_tables, mosei_text
from lib.data.mosei.mosei_tables import Folds, Utterances
from lib.data.pretrained import PARTS
from lib.data.recordings.handcrafted_batches import HandcraftedBatches
from lib.data.recordings.streamed_corpus import StreamedCorpus
from lib.data.text import frozen
from lib.errors import InputError
from lib.files import sha256_json
from lib.minilm import LAYERS

Form = Literal["words", "sentences", "states"]
"""GloVe's vectors of the words; MiniLM's vector of the sentence; its states beneath the last layer."""
PART = {"words": "glove_6b_50d", "sentences": "minilm", "states": "minilm"}
TRAINED = 1
"""Layers of MiniLM that are left out of `states`, to be trained."""
FILLED = 52
"""Width of a word: two zeros behind the 50 numbers, so that the four heads of LF-TRANS divide it. The reference fills
its audio for its heads as well (spec end_to_end, 4.5)."""


def read(
    root: Path, forms: Iterable[Form], *, longest: int = 50, split: Folds = "end_to_end"
) -> dict[Form, StreamedCorpus]:
    """The same utterances in each of these forms, with six emotions as rows of zeros and ones.

    Of `words` the first `longest` are kept, of `states` those of as many tokens, marks included; `sentences` read all.
    A word without a vector, and an utterance without words, is zeros. All forms have one source, which names every part
    that one of them needs. Raises InputError for tables that `mosei_text.utterances` refuses, an unknown form, and a
    missing or damaged part.
    """
    root, forms = Path(root), list(dict.fromkeys(forms))
    if strange := [form for form in forms if form not in get_args(Form)]:
        raise InputError(f"unknown form {strange[0]!r}", todo=f"known: {', '.join(get_args(Form))}")
    source = opened_source("mosei_text", root, mosei_text.files(root))
    found = mosei_tables.read(root / "mosei", split)
    parts = list(dict.fromkeys(PART[form] for form in forms))
    for part in parts:
        source = PARTS[part].stated_in(source)
    texts = [text for fold in found.values() for text in fold.texts]
    made = {form: _sequences(root, form, texts, longest) for form in forms}
    told = [f"{PARTS['minilm'].title}, never trained on this corpus"] if "minilm" in parts else []
    if "words" in made:
        told.append(frozen.origin("glove", made["words"][0]))
    source = concluded(source, root / "mosei", mosei_text.RULES[split], [f"text alone; {'; '.join(told)}"])
    corpora = {}
    for form, (sequences, identity) in made.items():
        splits, start = {}, 0
        for name, fold in found.items():
            splits[name] = _batches(fold, sequences[start : start + len(fold.ids)])
            start += len(fold.ids)
        contents = sha256_json([identity, [batches.ids for batches in splits.values()], _labels_digest(splits)])
        corpora[form] = StreamedCorpus(MOSEI_EMOTIONS, splits, source, (), contents, {"form": form, "longest": longest})
    return corpora


def _batches(fold: Utterances, sequences: Sequence[np.ndarray]) -> HandcraftedBatches:
    labels = intensities_to_labels(fold.intensities)
    return HandcraftedBatches(tuple(fold.ids), tuple({"text": sequence} for sequence in sequences), labels)


def _sequences(root: Path, form: Form, texts: Sequence[str], longest: int) -> tuple[list[np.ndarray], str]:
    """A sequence `(steps, width)` float32 of each text, and what identifies them all."""
    if form == "states":
        states, rows = frozen.lower_states(texts, root, layers=LAYERS - TRAINED, longest=longest)
        return [states[row] for row in rows], _digest(states)
    if form == "sentences":
        vectors = frozen.sentence_vectors(texts, root)
        return list(vectors[:, None]), _digest(vectors)
    words = frozen.word_vectors([tokens(text)[:longest] for text in texts], root, "glove")
    filled = [np.pad(each, ((0, 0), (0, FILLED - each.shape[1]))) for each in words]
    return filled, _digest(np.concatenate(filled))


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values)).hexdigest()


def _labels_digest(splits: dict[str, HandcraftedBatches]) -> str:
    return _digest(np.concatenate([batches.labels for batches in splits.values()]))
