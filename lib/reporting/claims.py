"""What the papers claim, and what the tables of a result folder say about each claim.

`claims.csv` names, for each claim, the table and the rows that answer it and the sign that the paper gives the
difference in them. Nothing here is computed from runs: every number is a cell of a table in `results/`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pandas as pd

from lib.reporting.result_folders import ResultFolder

TABLE = Path(__file__).with_suffix(".csv")
DIRECTION_RULE = (
    "as claimed: the 95 % t-interval over the seeds of this row lies on the claim's side of 0; opposite: on the other "
    "side; not told apart: it holds 0, or there is none. This concerns the corpus of the row alone; whether a number "
    "equals the published one is the verdict's business."
)
_FORMS: tuple[dict[str, str], ...] = (
    {"value": "reproduced", "low": "gain_low", "high": "gain_high", "seeds": "reproduced_n"},
    {"value": "gain", "low": "t_interval_low", "high": "t_interval_high", "seeds": "n"},
    {"value": "gain_points", "low": "points_low", "high": "points_high", "seeds": "n"},
    {"value": "auc", "low": "seeds_low", "high": "seeds_high", "seeds": "n"},
)
"""Where the tables keep a difference, its interval and its seeds; the first form whose columns are there holds."""
_PUBLISHED = {"published": "paper", "difference": "difference", "verdict": "verdict"}
_NAMES = ("variant", "vectors", "backbone", "modalities", "quantity", "baseline", "over")
"""Columns that say what a row is about."""


@dataclass(frozen=True)
class Claim:
    """`sign` is 1 if the paper says that the difference is an improvement, -1 if a loss."""

    notebook: str
    claim: str
    source: str
    sign: int
    table: str
    rows: str


def claims() -> list[Claim]:
    """All claims, in the order of the papers."""
    return [Claim(**row) for row in pd.read_csv(TABLE).to_dict("records")]


def answers(folder: ResultFolder) -> dict[Claim, pd.DataFrame]:
    """By claim of its paper the table rows of a run that answer it; nothing for a folder without results.

    Columns: `run`, `what` (the row, in words), `published`, `value`, `low`, `high`, `seeds`, `difference` (ours -
    published, where comparable), `verdict` (against the published number; empty where none is printed), `direction` by
    `DIRECTION_RULE`, `corpus`, and `file` and `row` (from 0) that the numbers stand in.
    """
    found: dict[Claim, pd.DataFrame] = {}
    if not folder.has_results:
        return found
    tables = folder.tables("")
    for claim in (claim for claim in claims() if claim.notebook == folder.notebook):
        rows = []
        for stem in _stems(tables, claim.table):
            chosen = tables[stem].query(claim.rows, engine="python")
            rows += [_answer(claim, folder, stem, number, row) for number, row in chosen.iterrows()]
        if rows:
            found[claim] = pd.DataFrame(rows)
    return found


def _stems(tables: Iterable[str], patterns: str) -> list[str]:
    """The tables that the first pattern with any fits; patterns are divided by `|`."""
    fitting = ([name for name in tables if fnmatch(name, pattern)] for pattern in patterns.split("|"))
    return next(filter(None, fitting), [])


def condensed(rows: pd.DataFrame, longest: int = 4) -> pd.DataFrame:
    """The answers of a run to a claim; more than `longest` become one row, which is how many in `rows`.

    It holds the mean of their values, no interval, and in `direction` how often each was found.
    """
    if len(rows) <= longest:
        return rows.assign(rows=1)
    counts = rows["direction"].value_counts()
    words = ", ".join(f"{n} {how}" for how, n in counts.items())
    one = {"what": f"mean of {len(rows)} rows", "value": rows["value"].mean(), "low": np.nan, "high": np.nan}
    return rows.head(1).assign(**one, direction=words, row=-1, rows=len(rows))


def _answer(claim: Claim, folder: ResultFolder, stem: str, number: int, row: pd.Series) -> dict[str, object]:
    form = next(form for form in _FORMS if set(form.values()) <= set(row.index))
    ours = {name: row[column] for name, column in form.items()}
    against = {name: row.get(column, np.nan) for name, column in _PUBLISHED.items()}
    if "paper" not in row:
        against["verdict"] = ""
    return {
        "run": f"{folder.notebook}/{folder.name}",
        "what": ", ".join(str(row[name]) for name in _NAMES if name in row),
        **ours,
        **against,
        "direction": direction(claim.sign, ours["low"], ours["high"]),
        "corpus": row["corpus"],
        "file": f"{folder.notebook}/{folder.name}/tables/{stem}.csv",
        "row": number,
    }


def direction(sign: int, low: float, high: float) -> str:
    """What an interval says of a claim, by `DIRECTION_RULE`."""
    if low > 0 or high < 0:
        return "as claimed" if (low > 0) == (sign > 0) else "opposite"
    return "not told apart"
