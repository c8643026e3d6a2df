"""Contractions, of which GloVe holds the two parts, and what is said of words without a vector."""

import numpy as np
import pytest

from lib.data.pretrained import PARTS
from lib.data.text import frozen
from tests.data.parts import write_glove

WORDS = ("do", "n't", "it", "'s", "ca", "o'clock", "they")


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setitem(PARTS, "glove_6b_50d", write_glove(tmp_path, WORDS))
    return tmp_path


@pytest.mark.parametrize(
    ("word", "parts"),
    [("Don't", ("do", "n't")), ("can't", ("ca", "n't")), ("it's", ("it", "'s")), ("o'clock", ("o'clock",))],
)
def test_a_contraction_is_the_mean_of_its_parts(root, word, parts):
    places = [WORDS.index(part) for part in parts]
    (found,) = frozen.word_vectors([[word]], root, "glove")
    np.testing.assert_array_equal(found[0], np.mean([np.arange(50 * k, 50 * k + 50) for k in places], axis=0))


def test_without_both_parts_it_has_no_vector(root):
    (found,) = frozen.word_vectors([["they've", "y'know", "n't", "'s"]], root, "glove")
    assert found.any(axis=1).tolist() == [False, False, True, True]


def test_the_share_of_words_without_a_vector_is_said(root):
    steps = frozen.word_vectors([["don't", "they've", "do"], ["do"]], root, "glove")
    assert frozen.origin("glove", steps).endswith("25.0 % of the words have none and are zeros")
    assert frozen.origin("glove", []).endswith("no words")
