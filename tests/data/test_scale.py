"""The scale of a score belongs to its corpus."""

from dataclasses import replace

import numpy as np
import pytest

from lib import data
from lib.data.corpus import SENTIMENT, SPLITS, Scale
from lib.errors import InputError
from lib.metrics import scores as metrics
from tests.data.readers import READERS

REVIEWS, TRAITS = Scale((1.0, 5.0), neutral=3.5), Scale((1.0, 7.0), neutral=None, stored=(0.0, 7.0))
SCALES = {
    **dict.fromkeys(("mosi", "mosi_utterances", "mosi_words", "mosi_lmf"), SENTIMENT),
    "mmmo": REVIEWS,
    **dict.fromkeys(("pom", "pom_lmf"), TRAITS),
}
STAND_INS = {"mosi_like": SENTIMENT, "mosi_lmf_like": SENTIMENT, "pom_lmf_like": TRAITS}
CLASSES = ("iemocap", "iemocap_lmf", "mosei_emotions", "mosi_conversations", "meld_conversations", "ravdess")


@pytest.mark.parametrize("name", SCALES)
def test_a_reader_of_scores_says_their_scale(name, tmp_path):
    READERS[name].make(tmp_path)
    assert READERS[name].read(tmp_path).scale == SCALES[name]


@pytest.mark.parametrize("name", STAND_INS)
def test_a_stand_in_has_the_scale_of_what_it_stands_for(name):
    assert data.load(name, samples=60).scale == STAND_INS[name]


@pytest.mark.parametrize("name", CLASSES)
def test_classes_have_no_scale(name, tmp_path):
    READERS[name].make(tmp_path)
    assert READERS[name].read(tmp_path).scale is None


def test_utterances_as_classes_have_no_scale(tmp_path):
    READERS["mosi_utterances"].make(tmp_path)
    assert data.load("mosi_utterances", tmp_path, task="classes").scale is None


@pytest.mark.parametrize("value", [-3.01, 3.01])
@pytest.mark.parametrize("split", SPLITS)
def test_a_label_outside_the_scale_is_refused(split, value):
    corpus = data.load("mosi_like", samples=60)
    part = corpus.splits[split]
    labels = part.labels.copy()
    labels[1] = value
    said = f"{split} split: the label of sample {split}_1 is {value}, outside -3 to 3"
    with pytest.raises(InputError, match=said):
        replace(corpus, splits={**corpus.splits, split: replace(part, labels=labels)})


def test_what_the_files_may_hold_can_be_more_than_the_scale(tmp_path):
    corpus = data.load("pom_lmf_like", samples=60)
    part = corpus.splits["test"]
    low = replace(part, labels=np.full_like(part.labels, 0.667))  # as one label of the published test set
    assert replace(corpus, splits={**corpus.splits, "test": low}).splits["test"].labels.min() == 0.667
    with pytest.raises(InputError, match=r"test_0 is -0\.1, outside 0 to 7"):
        replace(corpus, splits={**corpus.splits, "test": replace(part, labels=np.full_like(part.labels, -0.1))})


def test_guesses_on_the_scale_of_reviews_are_not_all_right():
    """On MOSI's scale every review is positive, and a guess is right whatever it says."""
    rng = np.random.default_rng(0)
    labels, guesses = rng.uniform(*REVIEWS.limits, size=(2, 4000))
    found = metrics.regression(guesses, labels, neutral=REVIEWS.neutral, limits=REVIEWS.limits)
    assert abs(found["acc2_nonneg"] - (0.375**2 + 0.625**2)) < 0.03
    assert metrics.regression(guesses, labels)["acc2_nonneg"] == 1
