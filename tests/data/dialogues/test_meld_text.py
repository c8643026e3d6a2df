"""MELD as text: tables to words to vectors, the vectors of its emotions, and the real tables."""

import numpy as np
import pytest

from lib import data
from lib.data.dialogues import meld_text
from lib.data.dialogues.learned_vectors import typical_length
from lib.data.word_vectors import emotion_vectors
from lib.errors import InputError
from tests.papers.emotion_tasks import write_meld


def test_meld_is_words_with_one_emotion_each(tmp_path):
    write_meld(tmp_path)
    path = tmp_path / "meld" / "test_sent_emo.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(" see", " see!"), encoding="utf-8")
    corpus = meld_text.read(tmp_path, window=5, width=6)
    train, test = corpus.splits["train"], corpus.splits["test"]
    assert train.features["text"].shape == (7, 5, 6)
    np.testing.assert_array_equal(train.labels, np.eye(7))
    assert train.ids[3] == "train_0_3"
    vectors = emotion_vectors("meld_text", meld_text.EMOTIONS, tmp_path, width=6)
    assert vectors.shape == (7, 6)
    assert not test.features["text"][:, -1].any()  # `!` does not occur in training: a zero step
    np.testing.assert_array_equal(test.features["text"][0, -2], train.features["text"][0, -1])


def test_words_of_an_utterance():
    assert meld_text.tokens("You\u2019re NOT--so sure?!") == ["you're", "not", "so", "sure", "?", "!"]


def test_an_unknown_emotion_in_the_table_is_named(tmp_path):
    write_meld(tmp_path)
    path = tmp_path / "meld" / "dev_sent_emo.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("fear,0", "bored,0"), encoding="utf-8")
    with pytest.raises(InputError, match=r"dev_sent_emo\.csv, line \d+: emotion 'bored'"):
        meld_text.read(tmp_path, window=5, width=6)


def test_an_emotion_is_the_mean_of_its_everyday_words_and_other_words_are_their_own(tmp_path):
    write_meld(tmp_path)
    words = meld_text.EVERYDAY["disgust"]
    disgust, *own = emotion_vectors("meld_text", ("disgust", *words), tmp_path, width=6)
    assert np.linalg.norm(disgust) == pytest.approx(typical_length(6), rel=1e-5)
    mean = np.mean(own, axis=0)
    np.testing.assert_allclose(disgust / np.linalg.norm(disgust), mean / np.linalg.norm(mean), atol=1e-5)
    with pytest.raises(InputError, match=r"train_sent_emo\.csv: no vector of serendipity: not in the training text"):
        emotion_vectors("meld_text", ("joy", "serendipity"), tmp_path, width=6)
    with pytest.raises(InputError, match="lower case"):
        emotion_vectors("meld_text", ("joy",), tmp_path, width=6, capitalised=True)


def test_the_warning_counts_the_names_of_the_emotions(tmp_path):
    write_meld(tmp_path)
    (warning,) = meld_text.read(tmp_path, width=6).source.warnings
    assert "neutral 0, joy 0, surprise 1, anger 0, sadness 0, disgust 0, fear 1" in warning


def test_words_and_emotions_from_the_users_file(tmp_path):
    write_meld(tmp_path)
    (tmp_path / "mine.txt").write_text("you 1 0\nsee 0 1\nfear 2 2\n")
    corpus = meld_text.read(tmp_path, file="mine.txt")
    assert "mine.txt" in corpus.source.files
    np.testing.assert_array_equal(corpus.splits["test"].features["text"][0, -3:], [[0, 0], [1, 0], [0, 1]])
    np.testing.assert_array_equal(emotion_vectors("meld_text", ["fear"], tmp_path, file="mine.txt"), [[2, 2]])
    with pytest.raises(InputError, match=r"mine\.txt: no vector of joy$"):
        emotion_vectors("meld_text", ["fear", "joy"], tmp_path, file="mine.txt")


def test_the_real_tables(real_root):
    corpus = data.load("meld_text", real_root, width=20)
    assert {name: len(split) for name, split in corpus.splits.items()} == {"train": 9989, "valid": 1109, "test": 2610}
    counts = dict(zip(corpus.label_names, corpus.splits["train"].labels.sum(axis=0).tolist(), strict=True))
    assert counts == {
        "neutral": 4710, "joy": 1743, "surprise": 1205, "anger": 1109, "sadness": 683, "disgust": 271, "fear": 268,
    }  # fmt: skip
    assert all((split.labels.sum(axis=1) == 1).all() for split in corpus.splits.values())
    vectors = emotion_vectors("meld_text", corpus.label_names, real_root, width=20)
    assert vectors.shape == (7, 20)
    assert np.linalg.matrix_rank(vectors) == 7
