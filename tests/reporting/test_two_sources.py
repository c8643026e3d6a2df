"""Errors of a mean over seeds and units, against hand-computed ones and known special cases."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lib.params import MOST_SEEDS
from lib.reporting.statistics import t_interval
from lib.reporting.two_sources import (
    MOST_UNITS,
    Components,
    Error,
    Need,
    Spread,
    holm,
    need,
    pseudo_values,
    spread,
)


def table(seeds, units, rest=1.0, by_seed=0.0, by_unit=0.0, seed=0):
    rng = np.random.default_rng(seed)
    effects = by_seed * rng.normal(size=(seeds, 1)) + by_unit * rng.normal(size=(1, units))
    return effects + rest * rng.normal(size=(seeds, units))


def test_by_hand():
    # rows 1.5, 3.5 and 2.5, columns 1, 2.5 and 4: every cell is row + column - mean
    found = spread([np.array([[0.0, 1.5, 3.0], [2.0, 3.5, 5.0], [1.0, 2.5, 4.0]])])
    assert found.mean == 2.5
    # mean squares: seeds 3 * (1 + 1 + 0) / 2 = 3; units 3 * (2.25 + 2.25) / 2 = 6.75; rest 0
    assert (found.of_seeds.variance, found.of_seeds.freedom) == (pytest.approx(3 / 9), 2)
    assert (found.of_units.variance, found.of_units.freedom) == (pytest.approx(6.75 / 9), 2)
    assert found.combined.variance == pytest.approx(9.75 / 9)
    assert found.combined.freedom == pytest.approx(9.75**2 / (3**2 / 2 + 6.75**2 / 2))
    parts = found.components
    assert [parts.seed, parts.unit, parts.rest] == pytest.approx([1.0, 2.25, 0.0])
    assert parts.error(3, 3).variance == pytest.approx(9.75 / 9)
    assert parts.error(12, 3).variance == pytest.approx(1 / 12 + 2.25 / 3)


def test_new_seeds_alone_are_the_t_interval_over_the_seeds():
    values = table(6, 9, by_seed=1.0)
    found = spread([values])
    assert found.of_seeds.interval(found.mean) == pytest.approx(t_interval(values.mean(axis=1)))
    assert found.of_units.interval(found.mean) == pytest.approx(t_interval(values.mean(axis=0)))


def test_no_variance_is_negative_and_the_combined_one_is_the_largest():
    for seed in range(20):
        found = spread([table(5, 8, seed=seed)])
        parts = found.components
        assert min(parts.seed, parts.unit, parts.rest) >= 0
        assert found.combined.variance >= max(found.of_seeds.variance, found.of_units.variance) * (1 - 1e-12)
        assert parts.error(5, 8).variance == pytest.approx(found.combined.variance)
        assert parts.error(5, 8).freedom == pytest.approx(found.combined.freedom)


def test_two_seeds_or_units_are_too_few_for_both_at_once():
    for values in (table(2, 9), table(9, 2)):
        found = spread([values])
        assert np.isnan(found.combined.variance) and np.isfinite(found.of_seeds.variance)
    assert np.isfinite(spread([table(3, 3)]).combined.variance)


def test_a_source_with_one_value_has_no_error():
    one_seed, one_unit = spread([table(1, 5)]), spread([table(5, 1)])
    assert np.isnan(one_seed.of_seeds.variance) and one_seed.of_units.freedom == 4
    assert np.isnan(one_unit.of_units.variance) and one_unit.of_seeds.freedom == 4
    for found in (one_seed, one_unit):
        assert np.isnan(found.combined.interval(found.mean)).all() and np.isnan(found.combined.p(found.mean))
        with pytest.raises(ValueError, match="nothing is known"):
            need(found, 0.01)


def test_equal_differences_leave_no_error():
    none = spread([np.zeros((4, 6))])
    assert none.combined.interval(none.mean) == (0.0, 0.0) and np.isnan(none.combined.p(0.0))
    always = spread([np.full((4, 6), 0.5)])
    assert always.combined.interval(always.mean) == (0.5, 0.5) and always.combined.p(0.5) == 0.0


def test_p_and_interval_agree():
    found = spread([table(5, 12, by_unit=1.0) + 0.9])
    p = found.combined.p(found.mean)
    low, high = found.combined.interval(found.mean, 1 - p)
    assert min(abs(low), abs(high)) == pytest.approx(0.0, abs=1e-6)


def test_pseudo_values_of_a_mean_over_equal_units_are_the_units_means():
    cells = table(3, 7)
    left = (cells.sum(axis=1, keepdims=True) - cells) / 6
    assert pseudo_values(cells.mean(axis=1), left) == pytest.approx(cells)
    anything = pseudo_values(np.array([0.7, 0.9]), np.random.default_rng(0).random((2, 5)))
    assert anything.mean(axis=1) == pytest.approx([0.7, 0.9])


def test_a_single_unit_contributes_the_whole_score():
    assert pseudo_values(np.array([0.7, 0.9]), np.full((2, 1), np.nan)).tolist() == [[0.7], [0.9]]


@pytest.mark.parametrize(("freedom", "chance"), [(4.0, 0.8), (7.0, 0.8), (60.0, 0.5)])
def test_the_smallest_difference_that_is_seen_is_seen_that_often(freedom, chance):
    error = Error(0.04, freedom)
    size, rng = error.smallest_seen(chance), np.random.default_rng(1)
    means = size + 0.2 * rng.normal(size=200_000)
    found = 0.2 * np.sqrt(rng.chisquare(freedom, size=200_000) / freedom)
    seen = means - stats.t.ppf(0.975, freedom) * found > 0
    assert seen.mean() == pytest.approx(chance, abs=0.004)


def test_of_nothing_known_nothing_is_seen():
    assert np.isnan(Error().smallest_seen()) and Error(0.0, 3.0).smallest_seen() == 0


def test_folds_with_one_seed_each_have_the_t_interval_over_the_seeds():
    folds = [table(1, 3, seed=s) + s for s in range(8)]
    found = spread(folds)
    assert found.combined.interval(found.mean) == pytest.approx(t_interval(np.array([f.mean() for f in folds])))
    assert (found.seeds, found.units, found.combined.freedom) == (8, 24, 7)
    assert np.isnan(found.of_seeds.variance) and found.of_units.freedom == 16
    assert not found.components.apart and found.components.rest == 0
    assert found.components.error(8, 24).variance == pytest.approx(found.combined.variance)


def test_folds_with_several_seeds_tell_seeds_from_units():
    found = spread([table(40, 3, by_seed=2.0, by_unit=3.0, rest=1.0, seed=s) for s in range(60)])
    parts = found.components
    assert parts.apart and parts.folds == 60
    assert np.sqrt([parts.seed, parts.unit, parts.rest]) == pytest.approx([2.0, 3.0, 1.0], rel=0.15)
    assert parts.error(found.seeds, found.units).variance == pytest.approx(found.combined.variance)


def test_folds_with_more_seeds_weigh_more_so_that_the_mean_is_that_of_all_seeds():
    folds = [np.zeros((1, 2)), np.ones((3, 2))]
    found = spread(folds)
    assert found.mean == 0.75
    assert found.combined.variance == pytest.approx(2 * (0.25**2 * 0.75**2 + 0.75**2 * 0.25**2))


def test_need_is_enough_and_one_less_is_not():
    found = spread([table(5, 200, by_seed=0.02, by_unit=0.02, rest=0.03)])
    for margin in (0.007, 0.01):
        needed = need(found, margin)
        assert not needed.units_limit and needed.units == 200
        for seeds, fits in ((needed.seeds, True), (needed.seeds - 1, False)):
            error = found.components.error(seeds, 200)
            tested = error.interval(0.0, 0.90)[1]
            missed = error.interval(0.0, 0.80)[1]  # a mean beyond it comes with 10 % on each side
            assert (tested + missed <= margin) == fits


def test_where_units_are_the_limit_more_seeds_are_not_asked_for():
    found = spread([table(5, 10, by_unit=0.1, rest=0.01)])
    needed = need(found, 0.01)
    assert needed.units_limit and needed.seeds == 5
    assert found.components.error(5, needed.units).interval(0.0, 0.90)[1] < 0.01
    assert need(spread([table(5, 10, by_unit=100.0)]), 1e-6).seeds is None


def with_components(seeds, units, *parts, folds=1):
    components = Components(*parts, folds=folds)
    error = components.error(seeds, units)
    return Spread(0.0, seeds, units, Error(), Error(), error, components)


def test_more_of_both_are_found_wherever_there_are_any():
    found = with_components(6, 31, 0.0008, 0.0006, 0.0001)
    needed = need(found, 0.008)
    assert needed.units_limit and 48 < needed.seeds <= MOST_SEEDS and 31 < needed.units <= MOST_UNITS
    assert need(with_components(6, 31, 0.003, 0.0006, 0.0001), 0.008) == Need(None, None, units_limit=True)


def test_no_more_seeds_are_named_than_anyone_plans():
    for seeds in (24, 40, 150):
        found = with_components(seeds, 10, 1.0, 1e-4, 0.0)
        for margin in (0.1, 0.15, 0.18, 0.2, 0.21, 0.25):
            needed = need(found, margin)
            assert needed.seeds is None or needed.seeds <= MOST_SEEDS
            assert not needed.units_limit or needed.units is None or needed.units > 10


def test_of_single_units_in_each_fold_two_seeds_tell_the_sources_apart_and_one_does_not():
    rng = np.random.default_rng(5)
    actors = 0.05 * rng.normal(size=5)
    one = spread([np.full((1, 1), actor) for actor in actors])
    assert not one.components.apart and one.components.seed == 0
    assert one.components.unit == pytest.approx(np.var(actors, ddof=1))
    several = spread([actor + 0.002 * rng.normal(size=(4, 1)) for actor in actors])
    assert several.components.apart
    assert several.components.seed == pytest.approx(0.002**2, rel=0.6)
    assert several.components.unit == pytest.approx(np.var(actors, ddof=1), rel=0.1)
    assert need(several, 0.02).units_limit


def test_one_sided_tests_need_less():
    found = spread([table(5, 400, by_seed=0.03, rest=0.05)])
    assert need(found, 0.01, one_sided=True).seeds < need(found, 0.01).seeds


def test_more_seeds_on_folds_are_whole_turns():
    found = spread([table(2, 3, by_seed=0.02, rest=0.001, seed=s) for s in range(8)])
    needed = need(found, 0.008)
    assert needed.seeds % 8 == 0 and needed.seeds > 16


def test_after_a_plan_the_mean_square_of_the_seeds_is_that_of_the_pilot():
    values = table(12, 30, by_seed=1.0, by_unit=1.0)
    values[5:] += 3.0 * np.arange(7)[:, None]  # what comes after the pilot differs more, and does not enter
    whole, first, found = spread([values]), spread([values[:5]]), spread([values], pilot=5)
    assert replace(found, combined=whole.combined) == whole
    rest = whole.components.rest
    seed, unit = 30 * 5 * first.of_seeds.variance, 30 * 12 * whole.of_units.variance
    total = seed + unit - rest
    assert found.combined.variance == pytest.approx(total / (12 * 30))
    assert found.combined.freedom == pytest.approx(total**2 / (seed**2 / 4 + unit**2 / 29 + rest**2 / (4 * 29)))
    assert spread([values[:5]], pilot=5) == first
    assert np.isnan(spread([values], pilot=2).combined.variance)


def test_seeds_added_to_a_pilot_are_more_than_of_a_fresh_start():
    """The freedom stays the pilot's."""
    pilot = spread([table(5, 200, by_seed=0.02, by_unit=0.02, rest=0.03)])
    added = need(pilot, 0.01, of_pilot=True)
    assert added.seeds > need(pilot, 0.01).seeds
    error = pilot.components.error(added.seeds, 200, 5)
    assert error.variance == pilot.components.error(added.seeds, 200).variance
    assert error.interval(0.0, 0.90)[1] + error.interval(0.0, 0.80)[1] <= 0.01


def test_holm_by_hand():
    p = np.array([0.04, 0.01, np.nan, 0.03, 0.5])
    assert holm(p) == pytest.approx([0.09, 0.04, np.nan, 0.09, 0.5], nan_ok=True)
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []
