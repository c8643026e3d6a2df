"""Gains within sentences: by which interval, and what they come to."""

import numpy as np
import pytest

from lib.reporting.verdicts import NO_DIFFERENCE, UNDECIDED
from lib.reporting.words import answer, decision, told

SEEDS = {"metric": "mae", "gain": 0.03, "gain_std": 0.005, "n": 5, "t_interval_low": 0.02, "t_interval_high": 0.04}
BOTH = {"combined_error": 0.02, "combined_low": -0.01, "combined_high": 0.07, "units": 31, "unit": "video"}
BOTH |= {"margin": 0.02, "answer": UNDECIDED, "would_decide": "about 40 videos would decide"}


def test_the_combined_interval_stands_in_the_sentence_where_there_is_one():
    assert decision(SEEDS) == "gain +0.0300 (95 % interval +0.0200 to +0.0400 over 5 seeds): better"
    said = "gain +0.0300 (95 % interval -0.0100 to +0.0700 over 5 seeds and 31 videos): undecided"
    assert decision(SEEDS | BOTH) == f"{said}; about 40 videos would decide"


def test_no_difference_has_its_margin_and_nothing_known_has_no_plan():
    assert answer(SEEDS | BOTH | {"answer": NO_DIFFERENCE}) == "no difference beyond the margin of 0.02"
    none = {"n": 1, "gain_std": np.nan, "t_interval_low": np.nan, "t_interval_high": np.nan}
    assert decision(SEEDS | none) == "gain +0.0300 (no interval over 1 seed): undecided"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("better", "better than"),
        ("worse", "worse than"),
        (NO_DIFFERENCE, "no different beyond the margin from"),
        (UNDECIDED, "not told apart from"),
    ],
)
def test_what_a_gain_comes_to_reads_on_with_what_it_is_over(said, words):
    assert told(SEEDS | BOTH | {"answer": said}) == words
