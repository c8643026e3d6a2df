"""Four verdicts from an interval and a margin, and what would decide."""

import re

import numpy as np
import pytest

from lib.errors import InputError
from lib.reporting.two_sources import Error, need, spread
from lib.reporting.verdicts import (
    AS_CLAIMED,
    ENOUGH_RUN,
    NO_DIFFERENCE,
    OPPOSITE,
    SOURCES,
    UNDECIDED,
    cells,
    margin,
    outcome,
    over_seeds,
    spread_of,
    verdict,
    what_would_decide,
)

SHARP, BLUNT = Error(0.002**2, 30.0), Error(0.02**2, 30.0)


@pytest.mark.parametrize(
    ("kind", "mean", "error", "expected"),
    [
        ("better", 0.02, SHARP, AS_CLAIMED),
        ("better", 0.006, SHARP, AS_CLAIMED),  # surely above 0, though less than the margin
        ("better", -0.02, SHARP, OPPOSITE),
        ("better", 0.003, SHARP, NO_DIFFERENCE),
        ("better", -0.003, SHARP, NO_DIFFERENCE),
        ("better", 0.003, BLUNT, UNDECIDED),
        ("worse", -0.02, SHARP, AS_CLAIMED),
        ("worse", 0.02, SHARP, OPPOSITE),
        ("worse", 0.003, SHARP, NO_DIFFERENCE),
        ("no worse", -0.003, SHARP, AS_CLAIMED),
        ("no worse", 0.5, BLUNT, AS_CLAIMED),
        ("no worse", -0.02, SHARP, OPPOSITE),
        ("no worse", -0.01, SHARP, UNDECIDED),
        ("no worse", 0.0, BLUNT, UNDECIDED),
        ("equal", 0.003, SHARP, AS_CLAIMED),
        ("equal", 0.02, SHARP, OPPOSITE),
        ("equal", -0.02, SHARP, OPPOSITE),
        ("equal", 0.01, SHARP, UNDECIDED),
        ("equal", 0.0, BLUNT, UNDECIDED),
        *((kind, 0.02, Error(), UNDECIDED) for kind in ("better", "worse", "no worse", "equal")),
    ],
)
def test_the_rule(kind, mean, error, expected):
    assert verdict(kind, mean, error, margin=0.01) == expected


def test_no_difference_is_two_one_sided_tests_at_five_per_cent():
    error = Error(0.004**2, 20.0)
    reach = error.interval(0.0, 0.90)[1]
    assert verdict("better", 0.001, error, margin=0.001 + reach * 1.001) == NO_DIFFERENCE
    assert verdict("better", 0.001, error, margin=0.001 + reach * 0.999) == UNDECIDED


def test_margins():
    assert [margin(m) for m in ("acc", "weighted_f1", "acc2_nonneg", "auc")] == [0.01] * 4
    assert margin("mae") == 0.02
    with pytest.raises(InputError):
        margin("perplexity")


def spread_among(seeds, units, by_seed, by_unit, rest):
    rng = np.random.default_rng(1)
    effects = by_seed * rng.normal(size=(seeds, 1)) + by_unit * rng.normal(size=(1, units))
    return spread([effects + rest * rng.normal(size=(seeds, units))])


def test_what_would_decide_in_words():
    few_seeds = spread_among(5, 300, 0.02, 0.01, 0.02)
    words = what_would_decide(few_seeds, 0.01)
    assert words.startswith("about ") and words.endswith(" seeds would decide") and "unit" not in words
    few_videos = spread_among(5, 31, 0.0, 0.1, 0.02)
    words = what_would_decide(few_videos, 0.01, unit="video")
    assert words.endswith("videos would decide; videos, not seeds, are the limit")
    assert what_would_decide(spread_among(1, 31, 0.0, 0.1, 0.1), 0.01) == ""
    assert what_would_decide(few_videos, 1e-7) == "more than 200 seeds or 100,000 units would be needed"
    assert what_would_decide(few_videos, 0.01, unit="") == "more than 200 seeds would be needed"


def test_as_many_seeds_as_were_run_are_not_said_to_be_what_is_lacking():
    found = spread_among(40, 300, 0.01, 0.001, 0.01)
    assert need(found, 0.01).seeds == 40
    assert what_would_decide(found, 0.01) == ENOUGH_RUN


def test_after_a_plan_seeds_are_counted_for_a_list_that_is_fixed_beforehand():
    rng = np.random.default_rng(7)
    values = 0.002 * rng.normal(size=(20, 31)) + np.concatenate([[-0.03, 0.03, -0.02, 0.02, 0], np.zeros(15)])[:, None]
    planned, listed = spread([values], pilot=5), spread([values])
    assert planned.components == listed.components
    said = {margin: what_would_decide(planned, margin) for margin in (0.01, 0.005)}
    assert said[0.01] == "as many seeds in a list fixed beforehand would decide"
    assert re.fullmatch(r"about \d+ seeds in a list fixed beforehand would decide", said[0.005])
    assert what_would_decide(listed, 0.01) == ENOUGH_RUN
    assert "list" not in what_would_decide(listed, 0.005)


def test_one_seed_per_fold_cannot_say_whether_seeds_would():
    rng = np.random.default_rng(2)
    found = spread([0.1 * rng.normal(size=(1, 3)) for _ in range(8)])
    assert "whether seeds would is not known" in what_would_decide(found, 0.01, unit="speaker")


def test_what_a_table_holds_gives_the_same_verdict_and_the_same_plan():
    rng = np.random.default_rng(3)
    several = spread([0.05 * rng.normal(size=(2, 3)) for _ in range(8)])
    once = [0.05 * rng.normal(size=(1, 3)) for _ in range(8)]
    lost = [0.05 * rng.normal(size=(1 if fold == 0 else 3, 3)) for fold in range(8)]
    for found in (spread_of_seeds(), several, spread(once), spread(lost)):
        row = cells(found, "speaker", 0.01)
        assert set(row) == set(SOURCES) - {"holm_p"}
        again = spread_of(row, found.mean, found.seeds)
        assert again.components == found.components
        assert again.combined.interval(found.mean) == pytest.approx(found.combined.interval(found.mean))
        assert what_would_decide(again, 0.01, unit="speaker") == what_would_decide(found, 0.01, unit="speaker")
        assert row["would_decide"] == (
            what_would_decide(found, 0.01, unit="speaker") if row["answer"] == UNDECIDED else ""
        )
    empty = cells(None, "", 0.01)
    assert empty["answer"] == UNDECIDED and np.isnan([empty["combined_low"], empty["combined_p"]]).all()


def spread_of_seeds():
    return spread_among(5, 31, 0.02, 0.03, 0.02)


@pytest.mark.parametrize(
    ("mean", "std", "expected", "plan"),
    [
        (0.03, 0.01, "better", ""),
        (-0.03, 0.01, "worse", ""),
        (0.001, 0.002, NO_DIFFERENCE, ""),
        (0.01, 0.03, UNDECIDED, "seeds would decide"),
    ],
)
def test_a_row_without_units_comes_to_what_its_seeds_say(mean, std, expected, plan):
    row = {"metric": "acc", "gain": mean, "gain_std": std, "n": 6}
    said, would = outcome(row)
    assert said == expected and would.endswith(plan)
    assert outcome(row | cells(None, "", 0.01, over_seeds(mean, std, 6))) == (said, would)
    assert outcome(row | {"n": 1, "gain_std": np.nan}) == (UNDECIDED, "")
    other = {"combined_error": 0.1, "answer": "worse", "would_decide": ""}
    assert outcome(row | other) == ("worse", "")
