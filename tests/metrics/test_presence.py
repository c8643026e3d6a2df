"""Emotion metrics against scikit-learn, and where they are undefined."""

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from lib.data.recordings.mme2e_rules import one_hot
from lib.metrics.presence import best_thresholds, decisions, probabilities
from lib.metrics.scores import DETECTION, EMOTIONS, emotion_scores, emotion_set_scores, never_present
from lib.training.class_weights import class_shares, positive_weights


def sample(n: int = 80, emotions: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = rng.integers(-3, 4, (n, emotions)).astype(np.float32) / 2  # many ties, some exactly at one half
    return logits, (rng.random((n, emotions)) < 0.3).astype(np.float32)


@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_scores_are_those_of_scikit_learn(threshold):
    logits, truths = sample()
    scores = emotion_scores(logits, truths, threshold, EMOTIONS + DETECTION)
    p = probabilities(logits)
    for c in range(truths.shape[1]):
        true, predicted = truths[:, c], p[:, c] > threshold
        expected = {
            "acc": (true == predicted).mean(),
            "weighted_acc": balanced_accuracy_score(true, predicted),
            "weighted_f1": f1_score(true, predicted, average="weighted"),
            "f1_positive": f1_score(true, predicted),
            "auc": roc_auc_score(true, p[:, c]),
            "precision": precision_score(true, predicted),
            "recall": recall_score(true, predicted),
        }
        assert {name: values[c] for name, values in scores.items()} == pytest.approx(expected, rel=1e-12)


def test_a_probability_of_one_half_is_a_no():
    assert not decisions(np.zeros((1, 1), np.float32)).any()


def test_an_absent_emotion_has_no_auc_and_no_weighted_accuracy():
    logits, truths = sample()
    truths[:, 1] = 0
    truths[:, 2] = 1
    scores = emotion_scores(logits, truths)
    for name in ("auc", "weighted_acc"):
        np.testing.assert_array_equal(np.isnan(scores[name]), [False, True, True, False, False])
    assert np.isfinite(scores["weighted_f1"]).all()
    assert scores["f1_positive"][1] == 0


def test_a_diverged_run_has_no_scores():
    logits, truths = sample()
    logits[3, 0] = np.nan
    scores = emotion_scores(logits, truths, np.full(5, 0.5), EMOTIONS + DETECTION)
    assert all(np.isnan(values).all() for values in scores.values())


def test_the_references_intersection_depends_on_the_order_of_the_columns():
    predicted, true = np.array([[True, True, False]]), np.array([[False, True, True]])
    scores = emotion_set_scores(predicted, true)
    assert scores == {"strict": 0.0, "subset": 0.0, "intersect_in_order": 0.0, "intersect": 1.0}
    assert emotion_set_scores(predicted[:, ::-1], true[:, ::-1])["intersect_in_order"] == 1.0


def test_always_no_scores_five_sixths_on_single_labels():
    scores = never_present(one_hot(np.arange(60) % 6, 6))
    np.testing.assert_allclose(scores["acc"].mean(), 5 / 6)
    assert not scores["f1_positive"].any()
    np.testing.assert_allclose(scores["weighted_acc"], 0.5)


def test_the_first_of_equal_thresholds_wins():
    """Probabilities 0.3 and 0.6 with the truth between: every threshold in [0.3, 0.6) is perfect."""
    logits = np.log(np.array([[0.29, 0.5], [0.61, 0.5]]) / (1 - np.array([[0.29, 0.5], [0.61, 0.5]])))
    truths = np.array([[0.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(best_thresholds(logits, truths), [0.3, 0.05])


def test_positive_weights_balance_the_classes():
    labels = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 0]], np.float32)
    assert positive_weights(labels).tolist() == [0.0, torch.inf, 2.0]
    assert positive_weights(labels).dtype == torch.float32


def test_class_shares_count_classes_that_never_occur():
    np.testing.assert_array_equal(class_shares(np.array([0, 2, 2, 2]), classes=4), [0.25, 0, 0.75, 0])
