"""Numbers within sentences: what is undefined says so."""

import math
from collections.abc import Mapping

from lib.reporting.verdicts import NO_DIFFERENCE, UNDECIDED, has_units, margin, outcome


def number(value: float, form: str = ".4f") -> str:
    """`value` in the format `form`; "undefined" for NaN."""
    return "undefined" if math.isnan(value) else f"{value:{form}}"


def interval(low: float, high: float, form: str = "+.4f", *, name: str = "95 % interval ") -> str:
    """`name`, then both ends; "no interval" for NaN, as of one seed or none."""
    return "no interval" if math.isnan(low) or math.isnan(high) else f"{name}{low:{form}} to {high:{form}}"


def unseen(row: Mapping[str, float]) -> str:
    """Of a row of a gain table that holds 0, in a half-sentence: the smallest gain that could have been told apart from
    0, which is half the width of the interval that decides; else nothing.
    """
    low, high = deciding(row)
    return f"; a gain of less than {(high - low) / 2:.4f} could not be seen" if low <= 0 <= high else ""


def seeds(n: int) -> str:
    """How many."""
    return f"{n} seed{'' if n == 1 else 's'}"


def gain(row: Mapping[str, float]) -> str:
    """A row of a gain table: the gain, its interval and the number of seeds."""
    between = interval(row["t_interval_low"], row["t_interval_high"])
    return f"gain {number(row['gain'], '+.4f')} ({between}, {seeds(row['n'])})"


TOLD = {
    "better": "better than",
    "worse": "worse than",
    NO_DIFFERENCE: "no different beyond the margin from",
    UNDECIDED: "not told apart from",
}
"""What a gain comes to, in front of what it is over."""


def told(row: Mapping[str, object]) -> str:
    """What a row of a gain table comes to (`verdicts.outcome`), as `TOLD`."""
    return TOLD[outcome(row)[0]]


def deciding(row: Mapping[str, float]) -> tuple[float, float]:
    """Both ends of the 95 % interval that decides on it: the combined one; where there is none that over the seeds."""
    stem = "combined" if has_units(row) else "t_interval"
    return row[f"{stem}_low"], row[f"{stem}_high"]


def over_what(row: Mapping[str, object]) -> str:
    """What the interval of `deciding` is over: seeds, or seeds and videos."""
    return f"seeds and {row['unit']}s" if has_units(row) else "seeds"


def plan(row: Mapping[str, object]) -> str:
    """What would decide, behind a sentence; empty where the answer is there or nothing is known of the spread."""
    would_decide = outcome(row)[1]
    return f" ({would_decide})" if would_decide else ""


def between(row: Mapping[str, object]) -> str:
    """Of a row of a gain table the interval that decides, and over how many of what it is."""
    over = seeds(row["n"]) + (f" and {row['units']} {row['unit']}s" if has_units(row) else "")
    return f"{interval(*deciding(row))} over {over}"


def answer(row: Mapping[str, object]) -> str:
    """What a row of a gain table comes to, with the margin or what would decide."""
    said, would_decide = outcome(row)
    if said == NO_DIFFERENCE:
        return f"no difference beyond the margin of {row.get('margin', margin(row['metric'])):g}"
    return f"{said}; {would_decide}" if said == UNDECIDED and would_decide else said


def decision(row: Mapping[str, object]) -> str:
    """A row of a gain table: the gain, the interval that decides, and what it comes to."""
    return f"gain {number(row['gain'], '+.4f')} ({between(row)}): {answer(row)}"
