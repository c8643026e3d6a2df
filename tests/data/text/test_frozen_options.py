"""The corpora that take their words' vectors from a pre-trained part."""

from pathlib import Path

import numpy as np
import pytest

from lib import data
from lib.data.dialogues import meld_text
from lib.data.mosei import mosei_text
from lib.data.mosi import mosi_words
from lib.data.pretrained import PARTS
from lib.data.text import frozen
from lib.data.word_vectors import emotion_vectors
from lib.errors import InputError


@pytest.fixture
def numbered(monkeypatch):
    """Vectors that say which word of its text each is, from 1."""

    def word_vectors(texts, root, kind, *, last=None):
        places = [np.arange(1, len(text) + 1, dtype=np.float32)[-(last or len(text)) :] for text in texts]
        return [np.repeat(of_text[:, None], frozen.WIDTHS[kind], axis=1) for of_text in places]

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


@pytest.mark.parametrize("kind", ["glove", "minilm"])
@pytest.mark.parametrize("name", ["mosei_text", "mosei_text_sentiment"])
def test_mosei_keeps_the_last_words_and_says_whose_vectors_they_are(sound, numbered, name, kind):
    root = sound("mosei_text")
    plain, corpus = (data.load(name, root, window=2, **options) for options in ({"width": 5}, {"text": kind}))
    part = PARTS[frozen.PART[kind]]
    assert corpus.modalities["text"] == frozen.WIDTHS[kind]
    assert part.hashes().items() <= corpus.source.files.items()
    assert corpus.source.licence.startswith(plain.source.licence) and part.licence in corpus.source.licence
    assert any("never trained on this corpus" in note for note in corpus.source.warnings)
    for split, texts in mosei_text.utterances(root).items():
        found, before = corpus.splits[split], plain.splits[split]
        assert found.features["text"][:, -1, 0].tolist() == [len(meld_text.tokens(text)) for text in texts.texts]
        assert (found.ids, found.lengths.tolist()) == (before.ids, before.lengths.tolist())
        np.testing.assert_array_equal(found.labels, before.labels)


@pytest.mark.parametrize("kind", ["glove", "minilm"])
@pytest.mark.parametrize("corpus", ["meld_text", "mosei_text", "mosei_emotions"])
def test_emotions_lie_in_the_space_of_the_words(sound, numbered, corpus, kind):
    """Whether the part is the corpus' own or is named in the place of a file."""
    for options in ({"file": kind}, {"text": kind}) if corpus != "mosei_emotions" else ({"file": kind},):
        assert emotion_vectors(corpus, ("sad", "fear"), Path("none"), **options).shape == (2, frozen.WIDTHS[kind])
        with pytest.raises(InputError, match="are lower case; leave capitalised out"):
            emotion_vectors(corpus, ("sad", "fear"), Path("none"), capitalised=True, **options)


def test_an_emotion_without_a_vector_is_refused(monkeypatch):
    monkeypatch.setattr(frozen, "word_vectors", lambda texts, root, kind: [np.zeros((1, 50), np.float32)] * len(texts))
    with pytest.raises(InputError, match=r"^GloVe word vectors.*: no vector of zzz, yyy$"):
        emotion_vectors("mosei_text", ("zzz", "yyy"), Path("none"), text="glove")


def test_what_mosei_learned_has_vectors_of_its_words_alone(sound):
    root = sound("mosei_text")
    word = meld_text.tokens(mosei_text.utterances(root)["train"].texts[0])[0]
    assert emotion_vectors("mosei_text", (word,), root, width=5).shape == (1, 5)
    with pytest.raises(InputError, match="mosei_text: no vector of zzz in the training fold"):
        emotion_vectors("mosei_text", (word, "zzz"), root, width=5)


def test_two_origins_at_once_are_refused(sound):
    with pytest.raises(InputError, match="leave one of them out"):
        mosi_words.read(sound("mosi_words"), glove="x.txt", text="glove")
    with pytest.raises(InputError, match="leave one of them out"):
        meld_text.read(sound("meld_text"), file="x.txt", text="minilm")
    with pytest.raises(InputError, match="leave one of them out"):
        data.load("mosei_text", sound("mosei_text"), file="x.txt", text="minilm")
