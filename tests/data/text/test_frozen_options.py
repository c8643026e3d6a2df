"""The corpora that take their words' vectors from a pre-trained part."""

import numpy as np
import pytest

from lib.data.dialogues import meld_text
from lib.data.mosi import mosi_words
from lib.data.text import frozen
from lib.errors import InputError


@pytest.fixture
def numbered(monkeypatch):
    """Vectors that say which word of its text each is, from 1."""

    def word_vectors(texts, root, kind):
        width = frozen.WIDTHS[kind]
        return [np.repeat(np.arange(1, len(t) + 1, dtype=np.float32)[:, None], width, axis=1) for t in texts]

    monkeypatch.setattr(frozen, "word_vectors", word_vectors)


@pytest.mark.parametrize("kind", ["glove", "minilm"])
def test_mosi_keeps_the_last_words_of_the_whole_utterance(sound, numbered, kind):
    root = sound("mosi_words")
    plain, corpus = mosi_words.read(root, words=3), mosi_words.read(root, words=3, text=kind)
    texts = mosi_words.transcripts(root)
    assert corpus.modalities["text"] == frozen.WIDTHS[kind]
    assert any("never trained on this corpus" in note for note in corpus.source.warnings)
    for name, split in corpus.splits.items():
        spoken = [len(text.split()) for text in texts[name]]
        assert split.features["text"][:, -1, 0].tolist() == spoken
        assert split.ids == plain.splits[name].ids
        np.testing.assert_array_equal(split.labels, plain.splits[name].labels)


@pytest.mark.parametrize("kind", ["glove", "minilm"])
def test_meld_keeps_the_last_words_and_has_emotions_in_the_same_space(sound, numbered, kind):
    root = sound("meld_text")
    corpus = meld_text.read(root, window=2, text=kind)
    assert corpus.modalities["text"] == frozen.WIDTHS[kind]
    assert meld_text.emotion_vectors(root, ("joy", "fear"), text=kind).shape == (2, frozen.WIDTHS[kind])


def test_two_origins_at_once_are_refused(sound):
    with pytest.raises(InputError, match="leave one of them out"):
        mosi_words.read(sound("mosi_words"), glove="x.txt", text="glove")
    with pytest.raises(InputError, match="leave one of them out"):
        meld_text.read(sound("meld_text"), file="x.txt", text="minilm")
