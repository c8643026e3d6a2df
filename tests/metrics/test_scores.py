"""Metrics on cases small enough to compute by hand, and on degenerate ones (warnings are errors)."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics

from lib.errors import InputError
from lib.metrics import scores
from lib.metrics.scores import (
    METRICS,
    Metric,
    classification,
    confusion,
    direction,
    predicted_classes,
    regression,
    words,
)


def logits_for(predictions, n_classes):
    return 5.0 * np.eye(n_classes)[predictions]


def test_swapped_f1_weights_by_predictions():
    # always class 0: F1 of class 0 is 2*.25*1/1.25 = 0.4; one label in four, but every prediction, is of class 0
    scores = classification(logits_for([0, 0, 0, 0], 3), np.array([0, 1, 1, 2]), 3)
    assert scores["acc"] == 0.25
    assert scores["weighted_f1"] == pytest.approx(0.1)
    assert scores["weighted_f1_swapped"] == pytest.approx(0.4)
    assert scores["macro_f1"] == pytest.approx(0.4 / 3)
    assert scores["f1_class_0"] == pytest.approx(0.4)
    assert scores["f1_class_1"] == 0.0


def test_class_that_never_occurs_has_no_f1_and_does_not_enter_macro_f1():
    scores = classification(logits_for([0, 1], 3), np.array([0, 1]), 3)
    assert np.isnan(scores["f1_class_2"])
    assert scores["macro_f1"] == 1.0


def test_ties_go_to_the_first_class():
    assert predicted_classes(np.array([[0.0, 2.0, 2.0], [1.0, 1.0, 1.0]])).tolist() == [1, 0]


def test_cross_entropy_of_large_logits():
    scores = classification(np.array([[1000.0, 0.0], [0.0, 0.0]]), np.array([1, 0]), 2)
    assert scores["cross_entropy"] == pytest.approx((1000.0 + np.log(2)) / 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_diverged_outputs_have_no_scores(bad):
    logits = np.zeros((4, 3))
    logits[2, 1] = bad
    labels = np.array([0, 1, 2, 0])
    broken = classification(logits, labels, 3)
    assert broken.keys() == classification(np.zeros((4, 3)), labels, 3).keys()
    assert np.isnan(list(broken.values())).all()
    predictions = np.array([0.1, bad, -2.0])
    broken = regression(predictions, np.array([0.0, 1.0, -1.0]))
    assert broken.keys() == regression(np.zeros(3), np.array([0.0, 1.0, -1.0])).keys()
    assert np.isnan(list(broken.values())).all()


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0], [0.5, 1.0]])
def test_labels_must_be_class_indices(labels):
    with pytest.raises(ValueError, match="class indices"):
        classification(np.zeros((2, 3)), np.array(labels), 3)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        classification(np.zeros((2, 3)), np.array([0, 1]), 4)
    with pytest.raises(ValueError, match="shape"):
        regression(np.zeros((3, 1)), np.zeros(3))


def test_regression_by_hand():
    predictions = np.array([3.6, 0.5, -0.5, 0.0], np.float32)
    labels = np.array([3.0, 0.0, -1.0, 0.0])
    scores = regression(predictions, labels)
    assert scores["mae"] == pytest.approx((0.6 + 0.5 + 0.5 + 0.0) / 4)
    # half to even: .5 -> 0 and -.5 -> 0; unclipped 3.6 -> 4
    assert scores["acc7_rounded"] == 0.5
    assert scores["acc7_clipped"] == 0.75
    assert scores["acc2_nonneg"] == 1.0
    assert scores["acc2_nonzero"] == 1.0


def test_zero_labels_separate_the_two_binary_accuracies():
    scores = regression(np.array([-0.1, 0.0, 1.0]), np.array([0.0, 2.0, 1.0]))
    assert scores["acc2_nonneg"] == pytest.approx(2 / 3)  # -0.1 against the label 0 is wrong
    assert scores["acc2_nonzero"] == 0.5  # the label 0 does not count; 0.0 is not above 0


def test_regression_scores_that_do_not_exist_are_nan():
    scores = regression(np.full(4, 0.3), np.array([0.0, 0.0, 0.0, 0.0]))
    assert np.isnan(scores["corr"]) and np.isnan(scores["acc2_nonzero"])
    assert scores["mae"] == pytest.approx(0.3)


def test_other_label_scales():
    scores = regression(np.array([4.0, 3.0]), np.array([5.0, 3.0]), neutral=3.5, limits=(1, 5))
    assert scores["acc5_rounded"] == 0.5 and scores["acc2_nonneg"] == 1.0
    assert "acc7_rounded" not in scores
    several = regression(np.array([[1.0, 2.0], [3.0, 2.0]]), np.array([[1.0, 1.0], [3.0, 4.0]]), neutral=None)
    assert several["mae"] == pytest.approx((0.0 + 1.5) / 2)
    assert np.isnan(several["corr"])  # the second column of predictions is constant
    assert not any(name.startswith("acc2") for name in several)


def test_confusion_keeps_the_given_order_and_absent_classes():
    counts = confusion(["sad", "neu", "sad"], ["neu", "neu", "sad"], ["sad", "dis", "neu"])
    assert counts.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 1]]
    assert counts.dtype == np.int64
    with pytest.raises(ValueError, match="xxx"):
        confusion(["sad"], ["xxx"], ["sad", "neu"])


@pytest.mark.parametrize("kind", ["indices", "whole numbers", "yes and no"])
def test_f1_and_confusion_have_the_bits_of_scikit_learn(kind):
    drawn = np.random.default_rng(len(kind))
    for _ in range(100):
        n, classes = drawn.integers(20, 200), drawn.integers(2, 9)
        labels = drawn.integers(0, classes, n)
        predictions = np.where(drawn.random(n) < drawn.random(), labels, drawn.integers(0, classes, n))
        if kind == "indices":
            theirs = sklearn.metrics.f1_score(
                labels, predictions, labels=range(classes), average=None, zero_division=np.nan
            )
            ours = scores.f1_of_classes(scores.Classed(np.zeros((n, classes)), labels, predictions))
            assert ours.tobytes() == theirs.tobytes()
            counts = sklearn.metrics.confusion_matrix(labels, predictions, labels=range(classes))
            assert np.array_equal(confusion(labels, predictions, range(classes)), counts)
        elif kind == "whole numbers":
            labels, predictions = labels - 3.0, predictions - 3.0
        else:
            labels, predictions = labels > 1, predictions > 1
        for average in ("weighted", "macro"):
            theirs = sklearn.metrics.f1_score(labels, predictions, average=average, zero_division=0.0)
            assert scores.f1(labels, predictions, average) == theirs


FAMILIES = (
    *(
        "acc_exclusive",
        "acc_happy",
        "acc5_rounded",
        "acc5_clipped",
        "auc_others",
        "weighted_acc_fru",
        "weighted_f1_joy",
    ),
    *("f1_happy", "f1_class_12", "f1_positive_ang", "precision", "precision_sad", "recall", "recall_sad"),
    *("strict", "subset", "intersect", "intersect_in_order"),
)


def test_the_direction_of_every_row_and_of_whom_it_is_about():
    lower = {"mae", "cross_entropy"}
    names = [*regression(np.zeros(3), np.arange(3.0)), *classification(np.zeros((2, 2)), np.array([0, 1]), 2)]
    names += [row.name.format(7) for row in METRICS]
    assert {direction(name) for name in names if name not in lower} == {"higher"}
    assert {direction(name) for name in [*lower, "mae_humor"]} == {"lower"}
    assert {direction(name) for name in FAMILIES} == {"higher"}
    for stranger in ("perplexity", "accurate", "loss", "acc7", "my_acc"):
        with pytest.raises(InputError, match=stranger):
            direction(stranger)


def test_the_longest_row_that_fits_names_a_metric():
    assert words("weighted_f1_swapped") == "F1 weighted by predictions"
    assert words("weighted_f1_happy") == words("weighted_f1") == "weighted F1"
    assert words("acc5_clipped") == "accuracy, clipped and rounded"


def test_every_metric_of_every_result_has_a_direction():
    """Committed tables, and the run tables of this machine."""
    seen: set[str] = set()
    for path in (Path(__file__).resolve().parents[2] / "results").glob("*/*/**/*.csv"):
        with path.open(encoding="utf-8", newline="") as lines:
            seen |= {row["metric"] for row in csv.DictReader(lines) if row.get("metric")}
    assert seen >= {"acc2_nonneg", "auc", "corr", "mae", "weighted_f1"}
    assert {direction(name) for name in seen} == {"higher", "lower"}


def test_a_new_metric_is_one_row(monkeypatch):
    """It stands in every score table that is made from its rows, with its direction and words."""
    rows = (*scores.RATINGS, Metric("rmse", "lower", "root mean square", lambda a: np.std(a.predictions - a.labels)))
    monkeypatch.setattr(scores, "RATINGS", rows)
    monkeypatch.setattr(scores, "METRICS", (*scores.METRICS, rows[-1]))
    assert regression(np.array([0.0, 2.0]), np.array([1.0, 1.0]))["rmse"] == 1.0
    assert (direction("rmse"), words("rmse")) == ("lower", "root mean square")


def test_what_training_imports_of_the_metrics_loads_neither_scikit_learn_nor_scipy_nor_pandas():
    late = ("sklearn", "scipy", "pandas")
    code = f"import sys, lib.training.fleet, lib.metrics.scores; print([m for m in {late} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_scores_of_numbers_need_no_library_but_numpy():
    asked = "import numpy as np; from lib.metrics.scores import regression; x = np.arange(-3.0, 4.0); regression(x, x)"
    code = f"import sys; {asked}; print([m for m in ('sklearn', 'scipy', 'pandas') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
