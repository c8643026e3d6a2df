"""What an interval says of a claim that has a margin: four verdicts, and what would decide where none is reached.

The margin is the smallest difference that matters. It is chosen before any run and stands in the paper's `claims.csv`.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from lib.metrics.scores import direction
from lib.params import MOST_SEEDS
from lib.reporting.two_sources import MOST_UNITS, Components, Error, Spread, need

Kind = Literal["better", "worse", "no worse", "equal"]
AS_CLAIMED, OPPOSITE, NO_DIFFERENCE, UNDECIDED = (
    "as claimed",
    "opposite",
    "no difference beyond the margin",
    "undecided",
)
VERDICTS = (AS_CLAIMED, NO_DIFFERENCE, OPPOSITE, UNDECIDED)
SOURCES = (
    "unit",
    "units",
    "new_units_low",
    "new_units_high",
    "combined_low",
    "combined_high",
    "combined_p",
    "holm_p",
    "combined_error",
    "combined_freedom",
    "seed_variance",
    "unit_variance",
    "rest_variance",
    "folds",
    "margin",
    "answer",
    "would_decide",
)
"""Columns of a gain over seeds and units: intervals for other units and for both sources, p raw and adjusted, squared
error, components of the variance, margin, and what it comes to (docs/statistics.md)."""
_FOUND = {AS_CLAIMED: "better", OPPOSITE: "worse", NO_DIFFERENCE: NO_DIFFERENCE, UNDECIDED: UNDECIDED}
RULE = (
    "The combined interval decides, for other seeds and other test units at once, where predictions are kept; else "
    "that over the seeds. Better (worse): as claimed if the 95 % interval lies above (below) 0, opposite if on the "
    "other side; else no difference beyond the margin if the 90 % interval lies between -margin and +margin, which is "
    "two one-sided tests at 5 %. No worse: as claimed if the 90 % interval lies above -margin, opposite if below. "
    "Equal: as claimed if it lies between both, opposite if outside of both. Undecided: all else. Verdicts are of "
    "single comparisons; p values adjusted for all of a table (Holm) stand beside them."
)


def margin(metric: str) -> float:
    """That of a metric where no claim says otherwise: 0.02 of an error, one point of a score."""
    return 0.02 if direction(metric) == "lower" else 0.01


def verdict(kind: Kind, mean: float, error: Error, margin: float) -> str:
    """One of `VERDICTS`, by `RULE`, for a difference whose positive sign is an improvement."""
    low, high = error.interval(mean)
    inner_low, inner_high = error.interval(mean, 0.90)
    if np.isnan(low):
        return UNDECIDED
    within = -margin < inner_low and inner_high < margin
    if kind in ("better", "worse"):
        above, below = (low > 0, high < 0) if kind == "better" else (high < 0, low > 0)
        return AS_CLAIMED if above else OPPOSITE if below else NO_DIFFERENCE if within else UNDECIDED
    if kind == "no worse":
        return AS_CLAIMED if inner_low > -margin else OPPOSITE if inner_high < -margin else UNDECIDED
    return AS_CLAIMED if within else OPPOSITE if inner_high < -margin or inner_low > margin else UNDECIDED


def what_would_decide(found: Spread, margin: float, kind: Kind = "better", unit: str = "unit") -> str:
    """How many seeds or units would, at 80 % power (`two_sources.need`); empty if nothing is known of the spread.

    `unit` is empty where the spread is that over the seeds alone.
    """
    if np.isnan(found.combined.variance):
        return ""
    needed = need(found, margin, one_sided=kind == "no worse")
    if not needed.units_limit:
        return f"about {needed.seeds} seeds would decide"
    units = f"{unit}s"
    if not unit or needed.seeds is None:
        return f"more than {MOST_SEEDS} seeds" + (f" or {MOST_UNITS:,} {units}" if unit else "") + " would be needed"
    more = f" with {needed.seeds} seeds" if needed.seeds > found.seeds else ""
    limit = f"{units}, not seeds, are the limit"
    if not found.components.apart:
        limit = f"with one seed on each {unit}, whether seeds would is not known"
    return f"about {needed.units:,} {units}{more} would decide; {limit}"


def cells(found: Spread | None, unit: str, margin: float) -> dict[str, object]:
    """A spread as cells of a table; `spread_of` reads them back."""
    nothing = Spread(np.nan, 0, 0, Error(), Error(), Error(), Components(np.nan, np.nan, np.nan))
    said = _FOUND[verdict("better", found.mean, found.combined, margin)] if found else UNDECIDED
    found, parts = found or nothing, (found or nothing).components
    units, both = found.of_units.interval(found.mean), found.combined.interval(found.mean)
    return {
        "unit": unit,
        "units": found.units,
        "new_units_low": units[0],
        "new_units_high": units[1],
        "combined_low": both[0],
        "combined_high": both[1],
        "combined_p": found.combined.p(found.mean),
        "combined_error": np.sqrt(found.combined.variance),
        "combined_freedom": found.combined.freedom,
        "seed_variance": parts.seed,
        "unit_variance": parts.unit,
        "rest_variance": parts.rest,
        "folds": parts.folds,
        "margin": margin,
        "answer": said,
        "would_decide": what_would_decide(found, margin, unit=unit) if said == UNDECIDED else "",
    }


def spread_of(row: Mapping[str, object], mean: float, seeds: int) -> Spread:
    """What `cells` wrote; of the errors only the combined one."""
    folds = int(row["folds"])
    parts = Components(
        *(float(row[f"{name}_variance"]) for name in ("seed", "unit", "rest")),
        folds=folds,
        apart=folds == 1 or seeds >= 2 * folds,
    )
    combined = Error(float(row["combined_error"]) ** 2, float(row["combined_freedom"]))
    return Spread(mean, seeds, int(row["units"]), Error(), Error(), combined, parts)
