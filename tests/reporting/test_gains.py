"""Gain tables against hand-computed ones and against the gains published with the five repeats."""

import numpy as np
import pytest
from scipy import stats

from lib.errors import InputError
from lib.reporting.gains import gain_table, paper_rule, summary, verdict
from tests.reporting.tables_of_runs import runs_of


def gain(scores, metric="acc", **options):
    table = gain_table(runs_of(scores, metric), metric, "text only", **options)
    assert len(table) == len(scores) - 1
    return table.iloc[0]


def test_by_hand():
    row = gain({"rate 0.8": [0.5, 0.7, 0.9], "text only": [0.4, 0.5, 0.6]})
    # differences .1 .2 .3: mean .2, standard deviation .1, t-interval .2 ± 4.302653 * .1 / sqrt(3)
    assert row["n"] == 3 and row["rate"] == 0.8 and row["baseline"] == "text only"
    assert [row["score"], row["baseline_score"]] == pytest.approx([0.7, 0.5])
    assert [row["score_std"], row["baseline_score_std"]] == pytest.approx([0.2, 0.1])
    assert [row["gain"], row["gain_std"], row["iqm_gain"]] == pytest.approx([0.2, 0.1, 0.2])
    assert [row["t_interval_low"], row["t_interval_high"]] == pytest.approx([-0.048414, 0.448414], abs=1e-6)
    assert [row["bootstrap_low"], row["bootstrap_high"]] == pytest.approx([0.1, 0.3])
    assert row["t_test_p"] == pytest.approx(0.0741799, abs=1e-6)
    assert row["wilcoxon_p"] == 0.25
    assert row["probability_of_improvement"] == pytest.approx((1 + 0.5 + 0 + 3 + 3) / 9)
    assert row["seeds_better"] == 3
    assert (row["verdict"], row["paper_rule"], row["note"]) == ("neutral", "positive", "")


def test_pairing_sees_what_an_unpaired_comparison_cannot():
    seeds = np.array([0.1, 0.3, 0.5, 0.7, 0.9])  # far larger spread than the gain
    ours = seeds + 0.02 + 0.002 * np.array([1, -1, 0, 1, -1])
    row = gain({"rate 0.8": ours, "text only": seeds})
    assert row["verdict"] == "positive" and row["t_test_p"] < 1e-3
    assert stats.ttest_ind(ours, seeds).pvalue > 0.9


def test_summary_by_hand():
    rows = summary(runs_of({"rate 0": [0.1, 0.2, 0.3], "text only": [0.5, None, None]}), "acc").set_index("variant")
    assert rows.loc["rate 0", ["score", "score_std", "iqm"]].tolist() == pytest.approx([0.2, 0.1, 0.2])
    assert rows.loc["rate 0", "t_interval_high"] == pytest.approx(0.2 + 4.302653 * 0.1 / np.sqrt(3), abs=1e-6)
    assert rows["n"].tolist() == [3, 1]
    assert rows.loc["text only", "score"] == 0.5 and np.isnan(rows.loc["text only", "t_interval_low"])


def test_lower_is_better_for_mae():
    worse = gain({"rate 0.8": [1.2, 1.31, 1.39], "text only": [1.0, 1.1, 1.2]}, metric="mae")
    assert worse["better"] == "lower" and worse["gain"] == pytest.approx(-0.2)
    assert (worse["verdict"], worse["paper_rule"]) == ("negative", "negative")
    assert worse["seeds_better"] == 0 and worse["probability_of_improvement"] < 0.5
    better = gain({"rate 0.8": [0.8, 0.91, 0.99], "text only": [1.0, 1.1, 1.2]}, metric="mae")
    assert better["gain"] == pytest.approx(0.2) and better["verdict"] == "positive"


def test_unknown_metrics_need_a_direction():
    scores = {"rate 0": [1.0, 2.0], "text only": [3.0, 4.0]}
    with pytest.raises(InputError, match="perplexity"):
        gain(scores, metric="perplexity")
    assert gain(scores, metric="perplexity", better="lower")["gain"] == 2.0


def test_one_seed_has_no_interval_and_no_verdict():
    row = gain({"rate 0.8": [0.5], "text only": [0.4]})
    assert row["note"] == "one seed: no interval"
    assert np.isnan(row[["t_interval_low", "t_interval_high", "bootstrap_low", "gain_std"]].astype(float)).all()
    assert (row["verdict"], row["paper_rule"]) == ("no verdict", "positive")


def test_only_common_seeds_count_and_the_others_are_named():
    row = gain({"rate 0.8": [0.9, None, 0.5], "text only": [0.4, 0.5, 0.4]})
    assert row["n"] == 2 and row["gain"] == pytest.approx(0.3)
    assert row["note"] == "rate 0.8 has no value for seed 1"
    row = gain({"rate 0.8": [0.9, None], "text only": [None, 0.5]})
    assert row["n"] == 0 and np.isnan(row["gain"]) and row["verdict"] == "no verdict"
    assert row["note"].startswith("no common seed")


def test_equal_gains_in_all_seeds():
    same = gain({"rate 0.8": [0.5, 0.25, 0.125], "text only": [0.5, 0.25, 0.125]})
    assert (same["gain"], same["verdict"], same["paper_rule"]) == (0.0, "neutral", "neutral")
    always = gain({"rate 0.8": [0.75, 0.5], "text only": [0.5, 0.25]})
    assert (always["gain_std"], always["verdict"]) == (0.0, "positive")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 0.02, "positive"),
        (-0.02, -0.01, "negative"),
        (-0.01, 0.02, "neutral"),
        (0.0, 0.1, "neutral"),
        (np.nan, np.nan, "no verdict"),
    ],
)
def test_verdict(low, high, expected):
    assert verdict(low, high) == expected


def test_paper_rule():
    assert [paper_rule(g) for g in (1e-9, -1e-9, 0.0, np.nan)] == ["positive", "negative", "neutral", "no verdict"]


def test_unknown_baseline():
    with pytest.raises(InputError, match="no variant 'text only'; there are: rate 0, audio only"):
        gain_table(runs_of({"rate 0": [0.1], "audio only": [0.2]}), "acc", "text only")
