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
    """Of a row of a gain table that holds 0, in a half-sentence: the smallest gain that its seeds could have told apart
    from 0, which is half the width of the interval; else nothing.
    """
    low, high = row["t_interval_low"], row["t_interval_high"]
    return f"; a gain of less than {(high - low) / 2:.4f} could not be seen" if low <= 0 <= high else ""


def seeds(n: int) -> str:
    """How many."""
    return f"{n} seed{'' if n == 1 else 's'}"


def gain(row: Mapping[str, float]) -> str:
    """A row of a gain table: the gain, its interval and the number of seeds."""
    between = interval(row["t_interval_low"], row["t_interval_high"])
    return f"gain {number(row['gain'], '+.4f')} ({between}, {seeds(row['n'])})"


def between(row: Mapping[str, object]) -> str:
    """Of a row of a gain table the interval that decides, and what it is over."""
    if not has_units(row):
        return f"{interval(row['t_interval_low'], row['t_interval_high'])} over {seeds(row['n'])}"
    over = f"{seeds(row['n'])} and {row['units']} {row['unit']}s"
    return f"{interval(row['combined_low'], row['combined_high'])} over {over}"


def answer(row: Mapping[str, object]) -> str:
    """What a row of a gain table comes to, with the margin or what would decide."""
    said, plan = outcome(row)
    if said == NO_DIFFERENCE:
        return f"no difference beyond the margin of {row.get('margin', margin(row['metric'])):g}"
    return f"{said}; {plan}" if said == UNDECIDED and plan else said


def decision(row: Mapping[str, object]) -> str:
    """A row of a gain table: the gain, the interval that decides, and what it comes to."""
    return f"gain {number(row['gain'], '+.4f')} ({between(row)}): {answer(row)}"
