"""The comparison itself: what it allows and what it does not."""

from pathlib import Path

import numpy as np
import pytest

from tests.parity.closeness import (
    DOUBLE,
    SINGLE,
    Norm,
    Zero,
    check,
    check_drawn,
    check_printed,
    distance,
    noise_of,
    six_digits,
)
from tests.parity.reference import Vectors


def file_of(**arrays: object) -> Vectors:
    return Vectors(Path("file"), {key.replace("__", "/"): np.asarray(value) for key, value in arrays.items()})


def test_close_relative_to_the_largest_of_the_group():
    vectors = file_of(in__x=1.0, out__small=1e-3 + 7 * SINGLE, out__large=1.0)
    check(vectors, lambda v: {"out/small": 1e-3, "out/large": 1.0}, vectors.keys("out"))
    with pytest.raises(AssertionError, match="out/small is off"):
        check(vectors, lambda v: {"out/small": 1e-3, "out/large": 1.0}, vectors.keys("out"), group=str)


def test_what_amplifies_its_inputs_may_be_further_off():
    vectors = file_of(in__x=1.0, out__y=1e4 * SINGLE)

    def compute(near):
        return {"out/y": 1e4 * (near["in/x"] - 1)}

    check(vectors, compute, ["out/y"])
    with pytest.raises(AssertionError, match="rounding allows"):
        check(file_of(in__x=1.0, out__y=1e6 * SINGLE), compute, ["out/y"])


def test_either_side_of_a_kink_but_nothing_between():
    def compute(near):
        return {"out/y": np.where(near["in/x"] > 0.1, 1.0, 2.0)}

    for stored in (1.0, 2.0):
        check(file_of(in__x=0.1, out__y=stored), compute, ["out/y"])
    with pytest.raises(AssertionError):
        check(file_of(in__x=0.1001, out__y=2.0), compute, ["out/y"])


def test_a_hand_written_tie_goes_the_right_way_without_neighbours():
    def wrong(near):
        return {"out/y": np.floor(near["in/x"] + 0.5).sum()}

    tied = file_of(in__x=np.array([0.5, 2.5, 1.2]), out__y=3.0)
    check(tied, lambda near: {"out/y": np.round(near["in/x"]).sum()}, ["out/y"], neighbours=0)
    with pytest.raises(AssertionError):
        check(tied, wrong, ["out/y"], neighbours=0)


def test_zero_by_construction():
    vectors = file_of(out__bias=3e-6, out__weight=0.5)
    with pytest.raises(AssertionError, match="stored one is no zero"):
        check(vectors, lambda v: {"out/bias": Zero(0.0, summands=0.1), "out/weight": 0.5}, vectors.keys("out"))
    check(vectors, lambda v: {"out/bias": Zero(0.0, summands=1.0), "out/weight": 0.5}, vectors.keys("out"))
    with pytest.raises(AssertionError, match="ours is no zero"):
        check(vectors, lambda v: {"out/bias": Zero(3e-6, summands=1.0), "out/weight": 0.5}, vectors.keys("out"))


def test_a_float32_norm_of_many_numbers():
    vectors = file_of(out__norm=1 + 300 * SINGLE)
    check(vectors, lambda v: {"out/norm": Norm(1.0, 10**6)}, ["out/norm"])
    with pytest.raises(AssertionError):
        check(vectors, lambda v: {"out/norm": Norm(1.0, 100)}, ["out/norm"])


def test_all_that_is_stored_and_nothing_else():
    vectors = file_of(out__a=1.0, out__b=2.0)
    with pytest.raises(AssertionError, match="out/b"):
        check(vectors, lambda v: {"out/a": 1.0}, vectors.keys("out"))
    with pytest.raises(AssertionError, match="nothing to compare"):
        check(vectors, lambda v: {}, [])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1.0, np.nan, np.inf], [1.5, np.nan, np.inf], 0.5),
        ([np.nan], [1.0], np.inf),
        ([np.inf], [-np.inf], np.inf),
        ([1, 2], [1, 2], 0.0),
        ([1, 2], [1, 3], np.inf),
        ([1.0], [[1.0]], np.inf),
        ([True], [1.0], 0.0),
    ],
)
def test_distance(a, b, expected):
    assert distance(np.array(a), np.array(b)) == expected


def test_float64_results_to_1e_10_unless_the_file_carries_noise():
    exact = {"a": np.linspace(1, 2, 20)}
    assert noise_of(exact, exact) == DOUBLE
    one_wrong = {"a": exact["a"] * np.where(np.arange(20) == 3, 1 + 1e-8, 1)}
    assert noise_of(one_wrong, exact) == DOUBLE
    with pytest.raises(AssertionError):
        check(file_of(out__a=exact["a"]), lambda v: {"out/a": one_wrong["a"]}, ["out/a"], unit=None)
    noisy = {"a": exact["a"] * (1 + 1e-7 * np.random.default_rng(0).standard_normal(20))}
    assert noise_of(exact, noisy) == SINGLE


def test_drawn_numbers_each_by_itself():
    stored = {"w": np.array([1.0, 0.1, 1e-3], dtype=np.float32)}
    check_drawn({"w": stored["w"] * (1 + 5e-7) + np.array([0, 0, 6e-8])}, stored)
    for wrong in ([0, 0, 2e-7], [0, 3e-7, 0], [2e-6, 0, 0]):
        with pytest.raises(AssertionError):
            check_drawn({"w": stored["w"] + np.array(wrong)}, stored)
    with pytest.raises(AssertionError):
        check_drawn({"w": stored["w"][[1, 0, 2]]}, stored)


def test_printed_numbers():
    check_printed("0.6437,0.1000,", [0.64375, 0.1])
    check_printed("0.6438,", [0.64375])
    for wrong in ([0.6439, 0.1], [0.6437]):
        with pytest.raises(AssertionError):
            check_printed("0.6437,0.1000,", wrong)


def test_six_digits():
    found = six_digits(np.array([0.49999998, 1.30000012, -0.0, np.nan, np.inf, 123456.7]))
    assert found.tolist()[:3] == [0.5, 1.3, 0.0]
    assert np.isnan(found[3])
    assert np.isinf(found[4])
    assert found[5] == 123457
