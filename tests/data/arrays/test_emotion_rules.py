"""Sample selection of the emotion corpora."""

import numpy as np
import pytest

from lib.data.arrays.emotion_rules import (
    IEMOCAP_ALL_EMOTIONS,
    IEMOCAP_UNSEEN,
    EmotionSamples,
    append_unseen,
    few_shot,
    reference_shots,
    without_emotion,
    without_minus_infinity,
)
from lib.errors import InputError


def random_labels(n: int = 200, emotions: int = 4) -> np.ndarray:
    return (np.random.default_rng(0).random((n, emotions)) < 0.3).astype(np.float32)


def test_only_minus_infinity_is_cleaned():
    audio = np.array([-np.inf, np.inf, np.nan, 1.5])
    before = audio.copy()
    np.testing.assert_array_equal(without_minus_infinity(audio), np.float32([0, np.inf, np.nan, 1.5]))
    np.testing.assert_array_equal(audio, before)


@pytest.mark.parametrize("emotion", range(4))
def test_no_sample_of_the_held_out_emotion_is_kept(emotion):
    labels = random_labels()
    kept, seen = without_emotion(labels, emotion)
    assert len(kept) == (labels[:, emotion] == 0).sum()
    assert labels[kept, emotion].sum() == 0
    np.testing.assert_array_equal(seen, labels[kept][:, [c for c in range(4) if c != emotion]])


@pytest.mark.parametrize("shots", [0, 1, 5, 10_000])
def test_few_shot_keeps_the_first_positives_and_every_negative(shots):
    labels = random_labels()
    kept = few_shot(labels, 2, shots)
    positive = np.flatnonzero(labels[:, 2] == 1)
    np.testing.assert_array_equal(np.intersect1d(kept, positive), positive[:shots])
    np.testing.assert_array_equal(np.setdiff1d(kept, positive), np.flatnonzero(labels[:, 2] == 0))
    assert (np.diff(kept) > 0).all()


@pytest.mark.parametrize(("positives", "shots"), [(0, 1), (1, 2), (100, 2), (101, 3), (700, 8)])
def test_the_reference_keeps_one_more_than_a_hundredth(positives, shots):
    labels = np.zeros((800, 1), np.float32)
    labels[:positives] = 1
    assert reference_shots(labels, 0) == shots


def appended(steps: int) -> EmotionSamples:
    known = EmotionSamples({"text": np.zeros((2, 20, 3), np.float32)}, np.eye(2, 4, dtype=np.float32))
    labels = np.zeros((3, 11), np.float32)
    labels[[0, 1, 2], [2, 3, 2]] = 1
    return append_unseen(known, {"text": np.ones((3, steps, 3), np.float32)}, labels, IEMOCAP_UNSEEN["exciting"])


def test_unseen_samples_follow_with_a_column_of_their_own():
    samples = appended(steps=21)
    assert samples.features["text"].shape == (4, 20, 3)
    np.testing.assert_array_equal(samples.labels[:, 4], [0, 0, 1, 1])
    assert samples.labels[2:, :4].sum() == 0


def test_unaligned_data_cannot_be_appended():
    with pytest.raises(InputError, match="aligned"):
        appended(steps=40)


def test_an_unknown_emotion_is_refused():
    for wrong in (-1, 4):
        with pytest.raises(InputError, match="there are 4"):
            without_emotion(random_labels(), wrong)
        with pytest.raises(InputError, match="there are 4"):
            few_shot(random_labels(), wrong, 1)


def test_unseen_words_stand_where_their_label_columns_do():
    assert {IEMOCAP_ALL_EMOTIONS[index]: index for index in IEMOCAP_UNSEEN.values()} == IEMOCAP_UNSEEN
