"""When a result of ours is the stored one: equal up to what rounding does, and not more.

Rounding a product or a sum is changing its operands by at most half a unit in the last place. So a stored result, with
all the rounding on its way, is the exact result of weights and inputs near the stored ones (backward error analysis;
Higham, Accuracy and Stability of Numerical Algorithms, chapters 1 and 3). Ours is computed in float64, where its own
rounding does not count, and a stored quantity must lie within

    STORED * unit * largest  +  AMPLIFIED * spread

of it. `unit` is the reference's precision: 2^-23 for float32, whatever type the archive keeps the number in.

* `largest` is the largest magnitude in the quantity's group (all gradients of one loss, all activations of one pass):
  a sum is as wrong as its largest summand, not as itself. A stored number may be off by its last bit and by the last
  bits of what is added last: 8 units are 16 roundings, or five standard deviations of a relative noise of 1e-7 and as
  much again.
* `spread` is how far the quantity moves when every weight and input moves by one unit (relative, normal): the lower
  quartile of the distances between pairs of such neighbours. So nobody guesses how depth, time steps, summands and
  optimiser steps amplify rounding: the computation itself says it. For normal distances the quartile is 0.45 standard
  deviations, so 16 of them are 7 standard deviations: one for each stage of rounding (inputs, products, sums,
  activation; forwards and backwards) that a neighbour moves only once.
* A discontinuity (a ReLU kink, an argmax, a threshold, a tie of two epochs) within a unit leaves the result on either
  side. Then the neighbours lie on both sides, and the stored result must be close to one of them; the lower quartile
  still comes from pairs on one side. One more neighbour has all numbers rounded to six digits, which takes hand-written
  ties (0.5, equal scores) back to themselves after noise in their last bit. Scores and rules are full of such ties and
  amplify nothing: for them it is the only neighbour (`neighbours=0`), so that a tie must go the right way.
* The reference took the norm of a gradient in float32 as well. Of n squares added one after another, the last bit of
  every partial sum is lost: a random walk with a standard deviation of sqrt(n) / 12 units of the norm, of which
  sqrt(n) / 2 is six. `compute` returns a `Norm`.
* A quantity that is zero by construction (the gradient of a bias before batch norm) has no relative precision: what is
  summed cancels. `compute` returns it as `Zero`. Ours must be zero to float64, the stored one relative to the summands.

Neighbours are computed only for what is not close at once, so most files cost one pass.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch

from tests.parity.jitter import jittered
from tests.parity.reference import Vectors

SINGLE = 2.0**-23
DOUBLE = 1e-10
"""Of references that ran in float64: not 2^-52, so that another order of summation over a whole run stays within."""
STORED, AMPLIFIED = 8, 16
ZERO = 64
"""Units of its summands that a stored zero may be: each ends a chain of roundings, and nothing else is left of them."""

Compute = Callable[[Vectors], Mapping[str, object]]


class Zero(NamedTuple):
    """A quantity that is zero by construction, and the size of the sums that cancel in it; None: that of its group."""

    value: torch.Tensor
    summands: torch.Tensor | float | None = None


class Norm(NamedTuple):
    """The L2 norm of this many numbers."""

    value: torch.Tensor
    terms: int


def norm(x: torch.Tensor) -> Norm:
    return Norm(x.norm(), x.numel())


def check(
    vectors: Vectors,
    compute: Compute,
    stored: Iterable[str] | Mapping[str, np.ndarray],
    *,
    unit: float | None = SINGLE,
    group: Callable[[str], str] = lambda key: key.rpartition("/")[0],
    neighbours: int = 8,
    single: bool = False,
) -> None:
    """`compute(vectors)` gives exactly the arrays `stored`, each close enough; AssertionError if not.

    `stored` may name arrays of the file. A `unit` of None is for numbers that were computed in float64, see `noise_of`.

    `compute` must take all it needs from the vectors it is given; `single` says that it computes in float32. `group`
    says which keys share a scale, by default those with all but the last component in common.
    """
    stored = dict(stored) if isinstance(stored, Mapping) else {key: vectors[key] for key in stored}
    assert stored, "nothing to compare"
    found = compute(vectors)
    exact = arrays_of(found)
    assert set(exact) == set(stored), f"not both stored and computed: {sorted(set(exact) ^ set(stored))}"
    unit = noise_of(exact, stored) if unit is None else unit
    scale = scales(stored, group)
    runs, left, rounding = [exact], [], {}
    for key, value in stored.items():
        if isinstance(found[key], Zero):
            size = scale[key] if found[key].summands is None else float(found[key].summands)
            ours = unit if single else DOUBLE
            assert distance(exact[key], 0 * value) <= ZERO * ours * size, f"{key}: ours is no zero"
            assert distance(value, 0 * value) <= ZERO * unit * size, f"{key}: the stored one is no zero"
            continue
        rounding[key] = STORED * unit * scale[key]
        if isinstance(found[key], Norm):
            rounding[key] += 0.5 * found[key].terms ** 0.5 * unit * float(abs(value))
        if distance(exact[key], value) > rounding[key]:
            left.append(key)
    if left:
        runs += [arrays_of(compute(near)) for near in nearby(vectors, neighbours, unit)]
    for key in left:
        error = min(distance(run[key], stored[key]) for run in runs)
        spread = np.quantile([distance(a[key], b[key]) for a, b in combinations(runs, 2)], 0.25, method="lower")
        allowed = rounding[key] + (AMPLIFIED * spread if np.isfinite(spread) else 0.0)
        assert error <= allowed, f"{vectors.path.stem}: {key} is off by {error:.3g}, rounding allows {allowed:.3g}"


def arrays_of(found: Mapping[str, object]) -> dict[str, np.ndarray]:
    plain = {key: value.value if isinstance(value, Zero | Norm) else value for key, value in found.items()}
    return {k: x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else np.asarray(x) for k, x in plain.items()}


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference; infinite for other shapes, other integers, or NaN and infinities in other places."""
    if a.shape != b.shape:
        return np.inf
    if a.dtype.kind not in "fc" and b.dtype.kind not in "fc":
        return 0.0 if np.array_equal(a, b) else np.inf
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    differences = np.abs(np.subtract(a, b, dtype=np.float64, where=~same, out=np.zeros(a.shape)))
    return float(np.max(np.nan_to_num(differences, nan=np.inf, posinf=np.inf), initial=0.0))


def scales(stored: Mapping[str, np.ndarray], group: Callable[[str], str]) -> dict[str, float]:
    """By key, the largest finite magnitude in its group."""
    largest: dict[str, float] = {}
    for key, value in stored.items():
        if value.dtype.kind == "f":
            finite = np.abs(value[np.isfinite(value)])
            largest[group(key)] = max(largest.get(group(key), 0.0), float(finite.max(initial=0.0)))
    return {key: largest.get(group(key), 0.0) for key in stored}


def nearby(vectors: Vectors, count: int, unit: float) -> list[Vectors]:
    """The vectors with all numbers moved by about one unit, and with all numbers rounded to six digits."""
    generator = np.random.default_rng(0)
    arrays = {k: x.astype(np.float64) if x.dtype.kind == "f" else x for k, x in vectors.arrays.items()}
    moved = [{k: jittered(x, generator, unit) for k, x in arrays.items()} for _ in range(count)]
    moved.append({k: six_digits(x) for k, x in vectors.arrays.items()})
    return [Vectors(vectors.path, changed) for changed in moved]


def six_digits(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f":
        return array
    magnitude = np.abs(array.astype(np.float64))
    usual = np.isfinite(magnitude) & (magnitude > 0)
    places = 5 - np.floor(np.log10(magnitude, where=usual, out=np.zeros(array.shape)))
    up, down = (
        10.0 ** np.maximum(places, 0),
        10.0 ** np.maximum(-places, 0),
    )  # both exact, so decimals come out as written
    rounded = np.rint(np.where(usual, array, 0) * up / down) * down / up
    return np.where(usual, rounded, array).astype(array.dtype)


def check_drawn(found: Mapping[str, object], stored: Mapping[str, np.ndarray]) -> None:
    """Numbers that a seed gives: each to its own last bits, and to one unit of the array's largest.

    A uniform number between bounds is low + (high - low) * u, rounded twice or, with a fused operation, once.
    """
    found = arrays_of(found)
    assert set(found) == set(stored)
    for key, value in stored.items():
        largest = np.abs(value).max(initial=0)
        np.testing.assert_allclose(found[key], value, rtol=STORED * SINGLE, atol=SINGLE * largest, err_msg=key)


def check_printed(text: str, found: Sequence[float], unit: float = SINGLE) -> None:
    """Numbers that the reference printed with commas between: within half a unit of the last place, and rounding."""
    printed = [part for part in text.split(",") if part.strip()]
    assert len(printed) == len(found), f"{len(printed)} numbers printed, {len(found)} found"
    for number, ours in zip(printed, found, strict=True):
        half = 0.5 * 10.0 ** -len(number.strip().partition(".")[2])
        allowed = half + STORED * unit * max(abs(ours), 1.0)
        assert distance(np.asarray(float(number)), np.asarray(ours)) <= allowed, f"printed {number}, found {ours}"


def noise_of(found: Mapping[str, object], stored: Mapping[str, np.ndarray]) -> float:
    """The unit of numbers that were computed in float64: DOUBLE, or SINGLE if most of them carry noise.

    A wrong formula changes some results, noise in the file changes all of them. Where a model could change all, give
    numbers that do not depend on it.
    """
    found = arrays_of(found)
    off = [np.zeros(0)]
    for key, value in stored.items():
        if value.dtype.kind == "f" and value.shape == found[key].shape:
            known = np.isfinite(value) & np.isfinite(found[key]) & (value != 0)
            off.append(np.abs(found[key][known] / value[known] - 1))
    off = np.concatenate(off)
    return SINGLE if off.size and np.median(off) > DOUBLE else DOUBLE
