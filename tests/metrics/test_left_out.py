"""A metric without each unit is the metric of the samples that are left."""

import numpy as np
import pytest

from lib.errors import InputError
from lib.metrics import scores
from lib.metrics.left_out import left_out

UNITS = 9
CLASSES = ("acc", "cross_entropy", "weighted_f1", "macro_f1", "weighted_f1_swapped", "f1_class_0", "f1_class_3")
RATINGS = ("mae", "corr", "acc7_rounded", "acc7_clipped", "f1_rounded", "f1_rounded_swapped")
POLARITIES = ("acc2_nonneg", "acc2_nonzero", "f1_binary_weighted")
EMOTIONS = ("acc", "weighted_acc", "weighted_f1", "f1_positive", "auc")
ROUNDED = 1.1e-5
"""Some metrics round to five decimals, which a jackknife must not."""


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def grouped(rng, samples):
    return rng.permutation(np.arange(samples) % (UNITS - 1)) + (np.arange(samples) % 7 == 0)


def without_each(groups, score):
    return np.array([score(groups != unit) for unit in range(groups.max() + 1)])


@pytest.mark.parametrize("metric", CLASSES)
def test_classes(rng, metric):
    labels, groups = rng.integers(0, 4, 120), grouped(rng, 120)
    logits = rng.normal(size=(120, 4)) + np.eye(4)[labels]
    expected = without_each(groups, lambda kept: scores.classification(logits[kept], labels[kept], 4)[metric])
    found = left_out(metric, scores.classed(logits, labels), groups)
    assert found == pytest.approx(expected, abs=ROUNDED if "swapped" in metric else 1e-12)
    assert found.std() > 0


@pytest.mark.parametrize("metric", RATINGS + POLARITIES)
def test_ratings(rng, metric):
    labels, groups = np.clip(rng.normal(0, 1.5, 120), -3, 3).round(1), grouped(rng, 120)
    predictions = 0.5 * labels + rng.normal(size=120)
    answers = scores.Rated(predictions, labels, (-3.0, 3.0), 0.0)
    expected = without_each(groups, lambda kept: scores.regression(predictions[kept], labels[kept])[metric])
    found = left_out(metric, answers, groups)
    assert found == pytest.approx(expected, abs=ROUNDED if "rounded" in metric else 1e-12)
    assert found.std() > 0


def test_several_targets_count_with_their_mean(rng):
    labels, groups = rng.uniform(1, 7, (60, 3)), grouped(rng, 60)
    predictions = labels + rng.normal(size=(60, 3))
    answers = scores.Rated(predictions, labels, (1.0, 7.0), None)
    options = {"neutral": None, "limits": (1.0, 7.0)}
    for metric in ("mae", "corr", "acc7_clipped"):
        expected = without_each(groups, lambda k, m=metric: scores.regression(predictions[k], labels[k], **options)[m])
        assert left_out(metric, answers, groups) == pytest.approx(expected)


@pytest.mark.parametrize("metric", EMOTIONS)
def test_emotions(rng, metric):
    truths, groups = (rng.random((200, 3)) < 0.3).astype(np.float32), grouped(rng, 200)
    logits = (rng.normal(size=(200, 3)) + truths).round(1).astype(np.float32)  # with ties
    answers = scores.detected(logits, truths)
    expected = [scores.emotion_scores(logits[groups != u], truths[groups != u])[metric] for u in range(UNITS)]
    assert left_out(metric, answers, groups) == pytest.approx(np.mean(expected, axis=1))
    found = left_out(f"{metric}_sad", answers, groups, ("angry", "sad", "happy"))
    assert found == pytest.approx(np.array(expected)[:, 1])


def test_how_often_the_likeliest_emotion_is_right(rng):
    truths, groups = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 80)], grouped(rng, 80)
    answers = scores.detected(rng.normal(size=(80, 3)).astype(np.float32) + truths, truths)
    right = answers.likelihood.argmax(axis=1) == truths.argmax(axis=1)
    assert left_out("class_acc", answers, groups) == pytest.approx(
        without_each(groups, lambda kept: right[kept].mean())
    )


def test_whole_sets_of_emotions(rng):
    truths, groups = (rng.random((80, 3)) < 0.4).astype(np.float32), grouped(rng, 80)
    logits = rng.normal(size=(80, 3)).astype(np.float32) + truths
    answers = scores.detected(logits, truths)
    expected = without_each(
        groups, lambda kept: scores.emotion_set_scores(answers.predicted[kept], answers.true[kept])["strict"]
    )
    assert left_out("strict", answers, groups) == pytest.approx(expected)


def test_what_is_undefined_without_a_unit_is_nan_there_alone():
    truths, logits = np.array([[1.0], [0.0], [0.0], [1.0]]), np.array([[2.0], [-1.0], [1.0], [-2.0]])
    groups = np.array([0, 1, 2, 0])
    found = left_out("auc", scores.detected(logits, truths), groups)
    assert np.isnan(found).tolist() == [True, False, False]  # no positive without the first unit
    assert found[1:].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("metric", ["class_acc", "f1_positive", "acc", "auc"])
def test_without_the_only_unit_nothing_is_left(metric):
    answers = scores.detected(np.eye(4), np.eye(4), np.zeros(4))
    assert np.isnan(left_out(metric, answers, np.zeros(4, int))).tolist() == [True]


def test_a_metric_that_the_answers_do_not_have_is_refused():
    answers = scores.classed(np.eye(2), np.array([0, 1]))
    with pytest.raises(InputError, match="no metric 'mae' of classed answers"):
        left_out("mae", answers, np.array([0, 1]))
