"""What an interval says of a claim that has a margin: four verdicts, and what would decide where none is reached.

The margin is the smallest difference that matters. It is chosen before any run and stands in the paper's `claims.csv`.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from lib.metrics.scores import direction
from lib.params import MOST_SEEDS
from lib.reporting.two_sources import MOST_UNITS, Components, Error, Spread, need

Row = Mapping[str, object]
"""Of a table with the columns of `SOURCES`, or without."""

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
    "apart",
    "margin",
    "smallest_seen",
    "answer",
    "would_decide",
)
"""Columns of a gain over seeds and units: intervals for other units and for both sources, p raw and adjusted, squared
error, components of the variance and whether seeds and units can be told apart, margin, the smallest true difference
that is seen in 80 % of repetitions, and what it comes to (docs/statistics.md)."""
ENOUGH_RUN = "enough seeds for the margin were run; the difference may be about as large as it"
_FOUND = {AS_CLAIMED: "better", OPPOSITE: "worse", NO_DIFFERENCE: NO_DIFFERENCE, UNDECIDED: UNDECIDED}
_NOTHING = Spread(np.nan, 0, 0, Error(), Error(), Error(), Components(np.nan, np.nan, np.nan))
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


def answer(gain: float, error: Error, margin: float) -> str:
    """What a gain comes to where nothing is claimed of it: `better`, `worse`, or one of the other `VERDICTS`."""
    return _FOUND[verdict("better", gain, error, margin)]


def what_would_decide(found: Spread, margin: float, kind: Kind = "better", unit: str = "unit") -> str:
    """How many seeds or units would, at 80 % power (`two_sources.need`); empty if nothing is known of the spread.

    `unit` is empty where the spread is that over the seeds alone. After `seeds: auto` the numbers are for a list of
    seeds that is fixed beforehand, whose interval all of them make narrower.
    """
    if np.isnan(found.combined.variance):
        return ""
    needed = need(found, margin, one_sided=kind == "no worse")
    if not needed.units_limit:
        listed = " in a list fixed beforehand" if _planned(found) else ""
        if needed.seeds > found.seeds:
            return f"about {needed.seeds} seeds{listed} would decide"
        return f"as many seeds{listed} would decide" if listed else ENOUGH_RUN
    units = f"{unit}s"
    if not unit or needed.seeds is None:
        return f"more than {MOST_SEEDS} seeds" + (f" or {MOST_UNITS:,} {units}" if unit else "") + " would be needed"
    more = f" with {needed.seeds} seeds" if needed.seeds > found.seeds else ""
    limit = f"{units}, not seeds, are the limit"
    if not found.components.apart:
        limit = f"with one seed on each {unit}, whether seeds would is not known"
    return f"about {needed.units:,} {units}{more} would decide; {limit}"


def _planned(found: Spread) -> bool:
    """Whether a pilot said how many seeds to run, so that its few decide how wide the combined interval is."""
    parts, combined = found.components, found.combined
    return parts.folds == 1 and not np.isclose(combined.freedom, parts.error(found.seeds, found.units).freedom)


def over_seeds(mean: float, std: float, seeds: float) -> Spread:
    """Of the seeds alone, as if units were without spread; NaN with fewer than two."""
    if not seeds > 1:
        return _NOTHING
    error = Error(std**2 / seeds, seeds - 1)
    return Spread(mean, int(seeds), 2, error, Error(), error, Components(std**2, 0.0, 0.0))


def cells(found: Spread | None, unit: str, margin: float, alone: Spread | None = None) -> dict[str, object]:
    """A spread as cells of a table; `spread_of` reads them back.

    Where it has no combined error, the answer is that of the spread over the seeds `alone`.
    """
    found = found or _NOTHING
    parts, known = found.components, not np.isnan(found.combined.variance)
    decides = found if known else alone or _NOTHING
    said = answer(decides.mean, decides.combined, margin)
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
        "apart": parts.apart,
        "margin": margin,
        "smallest_seen": decides.combined.smallest_seen(),
        "answer": said,
        "would_decide": what_would_decide(decides, margin, unit=unit if known else "") if said == UNDECIDED else "",
    }


def spread_of(row: Row, mean: float, seeds: int) -> Spread:
    """What `cells` wrote; of the errors only the combined one."""
    folds = int(row["folds"])
    parts = Components(
        *(float(row[f"{name}_variance"]) for name in ("seed", "unit", "rest")),
        folds=folds,
        # Tables of earlier versions do not say it.
        apart=bool(row["apart"]) if "apart" in row else folds == 1 or seeds >= 2 * folds,
    )
    combined = Error(float(row["combined_error"]) ** 2, float(row["combined_freedom"]))
    return Spread(mean, seeds, int(row["units"]), Error(), Error(), combined, parts)


def has_units(row: Row) -> bool:
    """Whether a row of a table has a combined interval."""
    return "combined_error" in row and not np.isnan(row["combined_error"])


def deciding_spread(row: Row, mean: float, std: float, seeds: float) -> Spread:
    """Over seeds and units where the table has both; else over the seeds alone."""
    return spread_of(row, mean, int(seeds)) if has_units(row) else over_seeds(mean, std, seeds)


def judged(row: Row, margin: float) -> dict[str, object]:
    """`margin`, `answer` and `would_decide` of a row of a gain table with a margin of its own."""
    spread, unit = deciding_spread(row, row["gain"], row["gain_std"], row["n"]), row["unit"] if has_units(row) else ""
    said = answer(spread.mean, spread.combined, margin)
    more = what_would_decide(spread, margin, unit=unit) if said == UNDECIDED else ""
    return {"margin": margin, "answer": said, "would_decide": more}


def outcome(row: Row) -> tuple[str, str]:
    """What a row of a gain table comes to, by the interval that decides, and what would decide if it is undecided.

    "better", "worse", `NO_DIFFERENCE` or `UNDECIDED`; the second is empty where nothing is known of the spread.
    """
    found = row if "answer" in row else judged(row, margin(row["metric"]))
    return found["answer"], found["would_decide"]
