"""How many seeds a run needs: `seeds: auto` (docs/statistics.md).

A pilot is trained, and the spread of each comparison's paired differences over it says how many seeds would show, with
80 % power, that there is no difference beyond the margin. The comparison that needs most decides, up to the cap. The
mean of the differences never enters, and of the records only the pilot's do, so that a run that was interrupted, or cut
into chunks, plans what it would have planned.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.params import MOST_SEEDS
from lib.reporting import gains
from lib.reporting.two_sources import MOST_UNITS, Spread, need
from lib.reporting.verdicts import spread_of
from lib.study import Runs

ENOUGH, CAP, LIMIT = "enough for the margin", "cap", "test units are the limit"
COLUMNS = ("comparison", "metric", "margin", "pilot", "planned", "run", "why it stopped")
UNTOLD, UNKNOWN = "one seed per fold does not tell whether more would do", "no spread known"


@dataclass(frozen=True)
class Ask:
    """What one comparison asks for: as many seeds as it needs, None where no number is known, as many as it gets, and
    in words why no more.
    """

    needed: int | None
    given: int
    why: str


def ask(found: Spread, margin: float, *, pilot: int, most: int, turn: int = 1, unit: str = "unit") -> Ask:
    """What a comparison asks for, from its spread over `pilot` seeds, in whole turns of `turn` folds.

    Where it needs more test units it gets no more seeds, and `most` where it needs more of both than anyone could have.
    """
    if np.isnan(found.combined.variance):
        return Ask(None, pilot, UNKNOWN)
    needed = need(found, margin, of_pilot=True)
    if not needed.units_limit:
        # Where a training of the pilot was lost, fewer folds than a turn has are known.
        seeds = max(pilot, -(-needed.seeds // turn) * turn)
        if seeds == pilot:
            return Ask(pilot, pilot, ENOUGH)
    if not found.components.apart:
        return Ask(None, pilot, UNTOLD)
    if not needed.units_limit:
        return Ask(seeds, min(seeds, most), ENOUGH if seeds <= most else CAP)
    if needed.units is None:
        return Ask(None, most, f"{CAP}: more than {MOST_SEEDS} seeds or {MOST_UNITS:,} {unit}s would be needed")
    more = f" with {needed.seeds} seeds" if needed.seeds > found.seeds else ""
    return Ask(None, pilot, f"{LIMIT}: {needed.units:,} {unit}s{more} would do")


def wanted(runs: Runs) -> int:
    """How many seeds a study with `seeds: auto` is to have, by the runs of its pilot; for `Study.plan`."""
    return _plan(runs)[1]


def table(runs: Runs) -> pd.DataFrame:
    """One row per comparison: `pilot` seeds that the plan rests on, seeds that it needs (`planned`), all that were
    `run`, and why it got no more. No row for a study without comparisons, which runs its pilot.
    """
    rows = [
        about | {"planned": asked.needed, "run": len(runs.study.p.seeds), "why it stopped": asked.why}
        for about, asked in _plan(runs)[0]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"planned": "Int64"})


Asked = tuple[dict[str, object], Ask]
"""A comparison, as cells of a table, and what it asks for."""


def _plan(runs: Runs) -> tuple[list[Asked], int]:
    """What each comparison asks for, and how many seeds to run.

    One turn of the folds does not tell whether more seeds would help. Where it is not enough, a second one belongs to
    the pilot.
    """
    p = runs.study.p
    pilot, most = p.pilot, len(p.possible_seeds)
    asks = _asks(runs, pilot)
    if any(asked.why == UNTOLD for _, asked in asks):
        pilot = min(2 * pilot, most)
        if len(p.seeds) < pilot:
            return asks, pilot
        asks = _asks(runs, pilot)
    return asks, max((asked.given for _, asked in asks), default=pilot)


def _asks(runs: Runs, pilot: int) -> list[Asked]:
    study, runs = runs.study, runs.first(pilot)
    limits = {"pilot": pilot, "most": len(study.p.possible_seeds), "turn": study.p.turn}
    found = []
    tables = [gains.pairs(runs.table, task.metrics[0], study.pairs(task), runs) for task in study.questions]
    for row in (row for table in (*tables, study.composed(runs)) for row in table.to_dict("records")):
        asked = ask(spread_of(row, row["gain"], row["n"]), row["margin"], unit=row["unit"], **limits)
        about = {"comparison": f"{row['variant']} against {row['baseline']}", "metric": row["metric"]}
        found.append((about | {"margin": row["margin"], "pilot": pilot}, asked))
    return found
