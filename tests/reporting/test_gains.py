"""Gain tables against hand-computed ones and against the gains published with the five repeats."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lib.errors import InputError
from lib.reporting.gains import Side, between, gain_table, pairs, paper_rule, sides, summary, verdict
from lib.reporting.two_sources import holm, spread
from lib.reporting.verdicts import SOURCES, UNDECIDED, over_seeds, what_would_decide
from lib.reporting.words import deciding, over_what, told
from lib.study import WithoutUnits
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


NAMES = tuple("abcdefgh")


def kept(errors, names=NAMES):
    """Runs whose score is a mean of errors `(seeds, units)` over units of one size, and their run table."""
    units = len(names)
    table = runs_of({variant: x.mean(axis=1).tolist() for variant, x in errors.items()}, "mae")
    left = {
        (variant, seed): WithoutUnits("video", names, (row.sum() - row) / (units - 1))
        for variant, x in errors.items()
        for seed, row in enumerate(x)
    }
    return table, SimpleNamespace(without_units=lambda metric: left if metric == "mae" else None)


def errors_of(*variants, seeds=5, units=8):
    rng = np.random.default_rng(4)
    shared = rng.normal(1.0, 0.2, units)
    return {name: shared + 0.1 * rng.normal(size=(seeds, units)) for name in variants}


def test_a_gain_over_seeds_and_units():
    errors = errors_of("text only", "rate 0", "rate 0.8")
    table, runs = kept(errors)
    found = gain_table(table, "mae", "text only", runs=runs)
    plain = gain_table(table, "mae", "text only")
    assert found[list(plain)].equals(plain)
    assert [name for name in found if name not in plain] == list(SOURCES)
    for row in found.to_dict("records"):
        expected = spread([errors["text only"] - errors[row["variant"]]])  # lower is better
        assert row["gain"] == pytest.approx(expected.mean)
        assert (row["combined_low"], row["combined_high"]) == pytest.approx(expected.combined.interval(expected.mean))
        assert (row["new_units_low"], row["new_units_high"]) == pytest.approx(expected.of_units.interval(row["gain"]))
        assert expected.of_seeds.interval(row["gain"]) == pytest.approx((row["t_interval_low"], row["t_interval_high"]))
        assert (row["unit"], row["units"], row["margin"]) == ("video", 8, 0.02)
    assert found["holm_p"].tolist() == holm(found["combined_p"].to_numpy()).tolist()


def test_holm_counts_the_rows_of_a_table_of_pairs():
    table, runs = kept(errors_of("text only", "rate 0", "rate 0.8"))
    found = pairs(table, "mae", [("rate 0", "text only"), ("rate 0.8", "rate 0")], runs)
    assert found["holm_p"].tolist() == holm(found["combined_p"].to_numpy()).tolist()
    assert found["holm_p"].max() > found["combined_p"].max() or found["holm_p"].min() > found["combined_p"].min()


def test_without_predictions_of_a_seed_nothing_is_said_of_units():
    table, runs = kept(errors_of("text only", "rate 0"))
    some = {key: value for key, value in runs.without_units("mae").items() if key != ("rate 0", 3)}
    row = gain_table(table, "mae", "text only", runs=SimpleNamespace(without_units=lambda metric: some)).iloc[0]
    assert np.isfinite(row["t_interval_low"]) and np.isnan(row["combined_low"]) and row["answer"] == UNDECIDED


def test_seeds_on_folds_of_their_own_are_nested():
    errors = errors_of("text only", "rate 0", seeds=8, units=3)
    table, runs = kept(errors, names=NAMES[:3])
    own = {
        (variant, seed): WithoutUnits("speaker", tuple(f"{seed}{name}" for name in left.names), left.scores)
        for (variant, seed), left in runs.without_units("mae").items()
    }
    row = gain_table(table, "mae", "text only", runs=SimpleNamespace(without_units=lambda metric: own)).iloc[0]
    assert (row["units"], row["folds"], row["combined_freedom"]) == (24, 8, 7)
    assert (row["combined_low"], row["combined_high"]) == pytest.approx((row["t_interval_low"], row["t_interval_high"]))


def test_without_units_the_seeds_answer_and_plan():
    scores = {"rate 0": [0.5, 0.7], "rate 0.8": [0.63, 0.71], "text only": [0.4, 0.6]}
    table = runs_of(scores, "acc")
    nothing_kept = SimpleNamespace(without_units=lambda metric: {})
    found = gain_table(table, "acc", "text only", runs=nothing_kept).set_index("variant")
    assert found["combined_low"].isna().all() and found["holm_p"].isna().all()
    assert found.loc["rate 0", ["answer", "would_decide"]].tolist() == ["better", ""]
    alone = over_seeds(0.17, np.std([0.23, 0.11], ddof=1), 2)
    assert found.loc["rate 0.8", "answer"] == UNDECIDED
    assert found.loc["rate 0.8", "would_decide"] == what_would_decide(alone, 0.01, unit="")
    said = {name: (told(row), deciding(row), over_what(row)) for name, row in found.to_dict("index").items()}
    assert said["rate 0"] == ("better than", pytest.approx((0.1, 0.1)), "seeds")
    assert said["rate 0.8"][0] == "not told apart from" and said["rate 0.8"][1][0] < 0


def test_a_side_may_be_made_of_several_variants():
    """The better of two for each seed: as if it were a variant of its own."""
    errors = errors_of("text only", "rate 0", "rate 0.8")
    table, runs = kept(errors)
    each, chosen = sides(table, "mae", runs=runs), ["rate 0", "rate 0.8", "rate 0", "rate 0.8", "rate 0.8"]
    made = Side(
        "chosen",
        pd.Series([each[name].scores[seed] for seed, name in enumerate(chosen)]),
        {seed: each[name].left[seed] for seed, name in enumerate(chosen)},
    )
    row = between(made, each["text only"], "mae")
    alike = {"text only": errors["text only"], "chosen": np.stack([errors[n][s] for s, n in enumerate(chosen)])}
    expected = gain_table(kept(alike)[0], "mae", "text only", runs=kept(alike)[1]).iloc[0]
    assert row == pytest.approx(expected[list(row)].to_dict())
    words = deciding(row), over_what(row)
    assert words == ((row["combined_low"], row["combined_high"]), "seeds and videos")
