"""Exponents and ratios of the benchmarks on numbers whose answer is known."""

import math

import pytest

from benchmarks.growth import exponent
from benchmarks.timing import Timing, times_faster


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found(power):
    assert exponent([(n, 3 * n**power) for n in (20, 50, 200, 1000)]) == pytest.approx(power, abs=1e-9)


def test_nothing_measured_has_no_exponent():
    assert math.isnan(exponent([(20, 0.0), (50, 1.0)]))


def test_ratios_are_taken_round_by_round():
    slow, fast = Timing(2.0, 2.0, 12.0, (2.0, 2.0, 12.0)), Timing(2.0, 1.0, 4.0, (1.0, 2.0, 4.0))
    assert times_faster(slow, fast) == {"times faster": 2.0, "low": 1.0, "high": 3.0}
