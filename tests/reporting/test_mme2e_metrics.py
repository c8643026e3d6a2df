import numpy as np

from lib.data.recordings.mme2e_rules import one_hot
from lib.metrics.mme2e_metrics import best_thresholds, detection_scores, never_present, with_mean


def test_always_no_scores_five_sixths_on_single_labels():
    truths = one_hot(np.arange(60) % 6, 6)
    scores = never_present(truths)
    np.testing.assert_allclose(with_mean(scores["acc"])[-1], 5 / 6)
    assert not scores["f1_positive"].any()
    np.testing.assert_allclose(scores["weighted_acc"], 0.5)


def test_the_first_of_equal_thresholds_wins():
    """Probabilities 0.3 and 0.6 with the truth between: every threshold in [0.3, 0.6) is perfect."""
    logits = np.log(np.array([[0.29, 0.5], [0.61, 0.5]]) / (1 - np.array([[0.29, 0.5], [0.61, 0.5]])))
    truths = np.array([[0.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(best_thresholds(logits, truths), [0.3, 0.05])


def test_a_diverged_run_scores_nan():
    truths = one_hot(np.arange(6), 6)
    scores = detection_scores(np.full((6, 6), np.nan, np.float32), truths, np.full(6, 0.5))
    assert all(np.isnan(values).all() for values in scores.values())
