"""Ranks over corpora against hand-computed numbers, and against those that Demšar (JMLR 2006) printed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lib.papers.bench import conclusions
from lib.papers.bench.ranks import Ranking, critical_difference, ranking

SCORES = pd.DataFrame({"one": [0.9, 0.8, 0.7], "two": [0.5, 0.5, 0.4], "three": [0.3, 0.6, 0.2]}, index=["A", "B", "C"])
"""Ranks 1 2 3; 1.5 1.5 3; 2 1 3."""
TREES = {"C4.5+m+cf": 1.964, "C4.5+m": 2.000, "C4.5+cf": 2.893, "C4.5": 3.143}
"""Mean ranks over 14 data sets, Demšar's table 6 and section 3.2.2."""


def test_mean_ranks_by_hand_equal_scores_sharing_theirs():
    found = ranking(SCORES)
    assert found.mean_ranks == pytest.approx({"A": 4.5 / 3, "B": 4.5 / 3, "C": 3.0})
    assert found.corpora == ("one", "two", "three")


def test_friedmans_p_by_hand():
    """12 N / (k (k + 1)) (sum of squared mean ranks - k (k + 1)^2 / 4) = 4.5, over 1 - 6 / (3 * 24) for one pair of
    equal scores, with 2 degrees of freedom."""
    statistic = 12 * 3 / 12 * (1.5**2 + 1.5**2 + 3.0**2 - 3 * 16 / 4) / (1 - 6 / (3 * 24))
    assert ranking(SCORES).p == pytest.approx(np.exp(-statistic / 2))


def test_the_critical_differences_that_were_printed():
    """Demšar's section 3.2.2: 1.25 for 4 methods on 14 data sets; table 5: q of 1.960 for two, 3.164 for ten."""
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    for methods, q in ((2, 1.960), (4, 2.569), (10, 3.164)):
        by_hand = q * np.sqrt(methods * (methods + 1) / (6 * 14))
        assert critical_difference(methods, 14) == pytest.approx(by_hand, abs=0.001)
    assert critical_difference(4, 14, alpha=0.10) == pytest.approx(1.12, abs=0.005)


def test_bars_join_what_is_not_told_apart():
    found = Ranking(TREES, ("sets",) * 14, 0.026, 0.0, critical_difference(4, 14))
    assert found.groups == [tuple(TREES)]
    first, second, third, last = TREES
    assert replace(found, difference=1.0).groups == [(first, second, third), (third, last)]
    assert replace(found, difference=0.01).groups == []


def test_too_few_corpora_are_said_to_be_too_few():
    """Three methods in the same order on N corpora have the statistic 2 N, so p = exp(-N)."""
    few = ranking(SCORES[["one", "two"]])
    assert few.least_p == pytest.approx(np.exp(-2))
    assert not few.decidable
    assert conclusions.of_test(few) == (
        "2 corpora are too few for 3 methods: even the same order on all has p 0.14, so these ranks are a description"
    )
    four = ranking(SCORES.assign(four=[0.3, 0.2, 0.1]))
    assert four.least_p == pytest.approx(np.exp(-4))
    assert four.decidable
    assert "rough" in conclusions.of_test(four)


@pytest.mark.parametrize(("methods", "corpora"), [(3, 2), (4, 2), (4, 5)])
def test_the_least_p_is_that_of_one_order_on_all_corpora(methods, corpora):
    same = pd.DataFrame(np.tile(np.arange(methods)[:, None], corpora))
    assert ranking(same).least_p == pytest.approx(ranking(same).p)


def test_one_corpus_or_two_methods_have_no_test():
    two = ranking(SCORES.iloc[:2])
    assert np.isnan(two.p) and not np.isnan(two.difference)
    many = Ranking({"A": 1.0, "B": 2.0}, ("c",) * 9, np.nan, 0.001, 0.6)
    assert conclusions.of_test(many).startswith("no test")
    one = ranking(SCORES[["one"]])
    assert np.isnan(one.p) and np.isnan(one.difference) and one.groups == []


def test_the_test_is_scipys():
    rng = np.random.default_rng(0)
    scores = pd.DataFrame(rng.normal(size=(5, 12)))
    assert ranking(scores).p == stats.friedmanchisquare(*scores.to_numpy()).pvalue
