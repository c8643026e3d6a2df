"""Intervals and robust summaries against hand-computed values and simulated coverage."""

import numpy as np
import pytest
from scipy import stats

from lib.reporting.statistics import (
    bootstrap_interval,
    iqm,
    probability_of_improvement,
    stratified_interval,
    t_interval,
    t_test,
    wilcoxon_test,
)


def test_t_interval_by_hand():
    # mean 2, standard deviation 1, n = 3: 2 ± 4.302653 / sqrt(3)
    assert t_interval(np.array([1.0, 2.0, 3.0])) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)


def test_fewer_than_two_values_have_no_interval():
    for interval in (t_interval, bootstrap_interval):
        assert np.isnan(interval(np.array([0.3]))).all()
        assert np.isnan(interval(np.array([]))).all()
    assert np.isnan(stratified_interval(np.mean, np.array([0.3]))).all()
    assert np.isnan(t_test(np.array([0.3]))) and np.isnan(wilcoxon_test(np.array([0.3])))


def test_equal_values():
    assert bootstrap_interval(np.full(5, 0.1)) == pytest.approx((0.1, 0.1))
    assert t_interval(np.full(5, 0.25)) == (0.25, 0.25)
    assert np.isnan(t_test(np.zeros(5))) and np.isnan(wilcoxon_test(np.zeros(5)))
    assert t_test(np.full(5, 0.25)) == 0.0


def test_bootstrap_is_fixed_by_its_seed():
    values = np.random.default_rng(3).normal(size=12)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values) != bootstrap_interval(values, seed=1)


def test_coverage_of_both_intervals():
    """At n=5 the t-interval keeps its 95 %, the bootstrap does not: the reason why no verdict is built on it."""
    samples = np.random.default_rng(0).normal(0.3, 1.0, size=(300, 5))
    covers = {
        interval: np.mean([low <= 0.3 <= high for low, high in map(interval, samples)])
        for interval in (t_interval, bootstrap_interval)
    }
    assert 0.92 <= covers[t_interval] <= 0.98
    assert 0.77 <= covers[bootstrap_interval] <= 0.90


def test_bootstrap_covers_with_many_values():
    samples = np.random.default_rng(1).normal(0.3, 1.0, size=(150, 40))
    covered = np.mean([low <= 0.3 <= high for low, high in map(bootstrap_interval, samples)])
    assert 0.89 <= covered <= 0.99


def test_paired_tests():
    differences = np.array([0.1, 0.3, 0.2, 0.25, 0.15])
    assert t_test(differences) == pytest.approx(stats.ttest_1samp(differences, 0.0).pvalue)
    assert wilcoxon_test(differences) == 2 / 32  # the smallest p there is with five values
    assert wilcoxon_test(np.array([1.0, -2.0, 3.0])) == 0.75


def test_interquartile_mean():
    assert iqm(np.array([0.0, 1.0, 2.0, 3.0, 100.0])) == 2.0
    assert iqm(np.array([[0.0, 1.0], [3.0, 100.0]])) == 2.0


def test_probability_of_improvement_never_compares_tasks():
    assert probability_of_improvement([3.0, 1.0], [2.0, 1.0]) == (1 + 1 + 0 + 0.5) / 4
    assert probability_of_improvement([3.0, 1.0], [2.0, 1.0], better="lower") == (0 + 0 + 1 + 0.5) / 4
    ours, theirs = np.array([[1.0, 101.0], [1.0, 101.0]]), np.array([[0.0, 100.0], [0.0, 100.0]])
    assert probability_of_improvement(ours, theirs) == 1.0  # pooled over tasks it would be 0.75
    with pytest.raises(ValueError, match="tasks"):
        probability_of_improvement(np.zeros((2, 2)), np.zeros((2, 3)))


def test_stratified_interval_resamples_within_tasks():
    scores = np.array([[0.0, 10.0], [0.0, 10.0], [0.0, 10.0]])
    assert stratified_interval(np.mean, scores) == (5.0, 5.0)  # no spread within a task: none in the mean
    one_task = np.random.default_rng(0).normal(size=30)
    low, high = stratified_interval(np.mean, one_task)
    assert (low, high) == pytest.approx(bootstrap_interval(one_task), abs=0.02)
    two_tasks = stratified_interval(np.mean, np.column_stack([one_task, one_task]))
    assert np.diff(two_tasks) / np.diff((low, high)) == pytest.approx(np.sqrt(0.5), abs=0.03)  # drawn apart
    certain = stratified_interval(probability_of_improvement, np.array([3.0, 4.0]), np.array([1.0, 2.0]))
    assert certain == (1.0, 1.0)
