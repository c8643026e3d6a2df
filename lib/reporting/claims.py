"""What the papers claim, and what the tables of a result folder say about each claim.

`claims.csv` in a paper's folder names, for each claim, the table and the rows that answer it and what the paper says of
the difference in them. Nothing here is computed from runs: every number is a cell of a table in `results/`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.reporting.result_folders import ResultFolder
from lib.reporting.statistics import t_interval_of

PAPERS = Path(__file__).parents[1] / "papers"
Kind = Literal["better", "worse", "no worse", "equal"]
DIRECTION_RULE = (
    "The 95 % t-interval over the seeds of a row is set against what is claimed. Better (worse): as claimed if it lies "
    "above (below) 0, opposite if it lies on the other side. No worse, and equal, have a margin, and the 90 % interval "
    "counts, as in one-sided tests at 5 %. No worse: as claimed if it lies above -margin, opposite if below. Equal: as "
    "claimed if it lies between -margin and +margin, opposite if outside of both. Not told apart: all else, also a row "
    "without an interval. This concerns the corpus of the row alone; whether a number equals the published one is the "
    "verdict's business."
)
_FORMS: tuple[dict[str, str], ...] = (
    {"value": "reproduced", "std": "reproduced_std", "low": "gain_low", "high": "gain_high", "seeds": "reproduced_n"},
    {"value": "gain", "std": "gain_std", "low": "t_interval_low", "high": "t_interval_high", "seeds": "n"},
    {"value": "gain_points", "std": "gain_points_std", "low": "points_low", "high": "points_high", "seeds": "n"},
    {"value": "auc", "std": "auc_std", "low": "seeds_low", "high": "seeds_high", "seeds": "n"},
)
"""Where the tables keep a difference, its spread, its interval and its seeds; the first form that is there holds."""
_PUBLISHED = {"published": "paper", "difference": "difference", "verdict": "verdict"}
_NAMES = ("variant", "vectors", "backbone", "modalities", "quantity", "baseline", "over")
"""Columns that say what a row is about."""


@dataclass(frozen=True)
class Claim:
    """One row of a `claims.csv`.

    `paper` is how the page calls the notebook. `kind` is what is claimed of the difference in `rows` (a query) of
    `table` (file names without ending; of several, divided by `|`, the first that is there); `margin` belongs to "no
    worse" and "equal", in units of the metric. `beside` are further tables for the page, `rule` says when a gain of
    this paper counts, here and there.
    """

    id: str
    paper: str
    notebook: str
    claim: str
    kind: Kind
    margin: float
    table: str
    rows: str
    beside: str
    rule: str
    source: str

    @property
    def kind_in_words(self) -> str:
        return f"{self.kind}, margin {self.margin:g}" if self.margin else self.kind


@cache
def claims(papers: Path = PAPERS) -> tuple[Claim, ...]:
    """The claims of all papers, folder by folder. Raises InputError for an unknown kind or margin."""
    found = [
        (path, Claim(**row | {"margin": float(row["margin"] or 0)}))
        for path in sorted(papers.glob("*/claims.csv"))
        for row in pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
    ]
    for path, claim in found:
        where = f"{path.parent.name}/{path.name}, {claim.id}"
        if claim.kind not in get_args(Kind):
            raise InputError(f"kind {claim.kind!r}", where=where, todo=f"one of: {', '.join(get_args(Kind))}")
        if (claim.margin > 0) != (claim.kind in ("no worse", "equal")):
            raise InputError(f"{claim.kind} with margin {claim.margin:g}", where=where)
    return tuple(claim for _, claim in found)


def titles() -> dict[str, str]:
    """How the page calls the notebooks with claims, in its order."""
    return {claim.notebook: claim.paper for claim in claims()}


def answers(folder: ResultFolder) -> dict[Claim, pd.DataFrame]:
    """By claim of its paper the table rows of a run that answer it; nothing for a folder without results.

    Columns: `run`, `what` (the row, in words), `published`, `value`, `low`, `high` (95 %), `seeds`, `difference`
    (ours - published, where comparable), `verdict` (against the published number; empty where none is printed),
    `direction` by `DIRECTION_RULE`, `corpus`, and `file` and `row` (from 0) that the numbers stand in.
    """
    found: dict[Claim, pd.DataFrame] = {}
    if not folder.has_results:
        return found
    tables = folder.tables
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
    std = ours.pop("std")
    against = {name: row.get(column, np.nan) for name, column in _PUBLISHED.items()}
    if "paper" not in row:
        against["verdict"] = ""
    ends = ours["low"], ours["high"]
    if claim.margin:
        ends = t_interval_of(ours["value"], std, ours["seeds"], level=0.90)
    return {
        "run": f"{folder.notebook}/{folder.name}",
        "what": ", ".join(str(row[name]) for name in _NAMES if name in row),
        **ours,
        **against,
        "direction": direction(claim.kind, *ends, margin=claim.margin),
        "corpus": row["corpus"],
        "file": f"{folder.notebook}/{folder.name}/tables/{stem}.csv",
        "row": number,
    }


def direction(kind: Kind, low: float, high: float, margin: float = 0.0) -> str:
    """What an interval says of a claim, by `DIRECTION_RULE`; of one that is missing, NaN, nothing."""
    supported, contradicted = {
        "better": (low > 0, high < 0),
        "worse": (high < 0, low > 0),
        "no worse": (low > -margin, high < -margin),
        "equal": (-margin < low and high < margin, high < -margin or low > margin),
    }[kind]
    return "as claimed" if supported else "opposite" if contradicted else "not told apart"
