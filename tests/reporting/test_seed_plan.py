"""How many seeds a spread asks for, and why it gets no more."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib.reporting import seed_plan
from lib.reporting.seed_plan import CAP, COLUMNS, ENOUGH, LIMIT, UNKNOWN, UNTOLD, Ask, ask, wanted
from lib.reporting.two_sources import need, spread
from tests.reporting.test_two_sources import table

OF_SEEDS = spread([table(5, 200, by_seed=0.02, rest=0.03)])
ONE_TURN = spread([table(1, 3, by_seed=0.02, rest=0.002, seed=s) for s in range(8)])
TWO_TURNS = spread([table(2, 3, by_seed=0.02, rest=0.002, seed=s) for s in range(8)])


def test_it_asks_for_what_the_spread_needs_up_to_the_cap():
    needed = need(OF_SEEDS, 0.01, of_pilot=True).seeds
    assert 5 < needed < 60
    assert ask(OF_SEEDS, 0.01, pilot=5, most=60) == Ask(needed, needed, ENOUGH)
    assert ask(OF_SEEDS, 0.01, pilot=5, most=needed - 1) == Ask(needed, needed - 1, CAP)


def test_a_pilot_may_be_enough():
    assert ask(OF_SEEDS, 0.2, pilot=5, most=60) == Ask(5, 5, ENOUGH)
    nothing = spread([np.zeros((5, 20))])
    assert ask(nothing, 0.01, pilot=5, most=60) == Ask(5, 5, ENOUGH)


def test_the_mean_does_not_enter():
    values = table(5, 200, by_seed=0.02, rest=0.03)
    asked = {ask(spread([values + mean]), 0.01, pilot=5, most=60) for mean in (-1.0, 0.0, 0.01, 3.0)}
    assert len(asked) == 1


def test_where_units_are_the_limit_it_says_how_many_would_do():
    found = spread([table(5, 10, by_unit=0.1, rest=0.01)])
    needed = need(found, 0.01, of_pilot=True)
    why = f"{LIMIT}: {needed.units:,} videos would do"
    assert ask(found, 0.01, pilot=5, most=60, unit="video") == Ask(None, 5, why)


def test_where_nobody_could_run_as_many_the_cap_is_run_and_says_so():
    found = spread([table(5, 30, by_seed=5.0, rest=0.01)])
    assert ask(found, 0.001, pilot=5, most=60, unit="video") == Ask(
        None, 60, f"{CAP}: more than 200 seeds or 100,000 videos would be needed"
    )


def test_without_a_spread_the_pilot_is_all():
    assert ask(spread([table(2, 9)]), 0.01, pilot=5, most=60) == Ask(None, 5, UNKNOWN)


def test_one_turn_of_the_folds_is_enough_or_tells_nothing():
    assert ask(ONE_TURN, 0.2, pilot=8, most=64, turn=8) == Ask(8, 8, ENOUGH)
    assert ask(ONE_TURN, 0.008, pilot=8, most=64, turn=8) == Ask(None, 8, UNTOLD)
    asked = ask(TWO_TURNS, 0.01, pilot=16, most=64, turn=8)
    assert asked.needed > 16 and asked.needed % 8 == 0 and asked.why == ENOUGH


def test_a_turn_is_whole_where_a_training_of_the_pilot_is_lost():
    seven = spread([table(2, 3, by_seed=0.02, rest=0.002, seed=s) for s in range(7)])
    assert need(seven, 0.008).seeds % 7 == 0
    assert ask(seven, 0.008, pilot=16, most=64, turn=8).given % 8 == 0


@pytest.mark.parametrize("margin", [0.004, 0.006, 0.01, 0.02])
def test_a_larger_margin_never_needs_more(margin):
    wide = replace(OF_SEEDS, mean=0.0)
    assert ask(wide, 2 * margin, pilot=5, most=200).given <= ask(wide, margin, pilot=5, most=200).given


def test_a_study_without_comparisons_runs_its_pilot_and_has_an_empty_table():
    p = SimpleNamespace(pilot=5, possible_seeds=tuple(range(20)), seeds=tuple(range(5)), turn=1)
    study = SimpleNamespace(p=p, questions=(), composed=lambda runs: pd.DataFrame())
    runs = SimpleNamespace(study=study, first=lambda seeds: runs)
    assert wanted(runs) == 5
    found = seed_plan.table(runs)
    assert found.empty and list(found) == list(COLUMNS)
