"""What the papers claim, and what the tables of a result folder say about each claim.

`claims.csv` in a paper's folder names, for each claim, the table and the rows that answer it and what the paper says of
the difference in them. Nothing here is computed from runs: every number is a cell of a table in `results/`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.reporting.result_folders import ResultFolder
from lib.reporting.verdicts import RULE, UNDECIDED, Kind, deciding_spread, has_units, verdict, what_would_decide

PAPERS = Path(__file__).parents[1] / "papers"
DIRECTION_RULE = (
    f"{RULE} All this concerns the corpus of a row alone; whether a number equals the published one is the business of "
    "the verdict on the number."
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
    `table` (file names without ending; of several, divided by `|`, the first that is there); `margin` is the smallest
    difference that matters, in units of the table, one for each of several tables, divided by `|`. `beside` are further
    tables for the page, `rule` says when a gain of this paper counts, here and there.
    """

    id: str
    paper: str
    notebook: str
    claim: str
    kind: Kind
    margin: tuple[float, ...]
    table: str
    rows: str
    beside: str
    rule: str
    source: str

    def margin_in(self, stem: str) -> float:
        """That in the units of a table. Raises KeyError for one that does not answer the claim."""
        patterns = zip(self.table.split("|"), self.margin, strict=True)
        found = next((margin for pattern, margin in patterns if fnmatch(stem, pattern)), None)
        if found is None:
            raise KeyError(stem)
        return found

    @property
    def kind_in_words(self) -> str:
        return f"{self.kind}, margin {' or '.join(f'{margin:g}' for margin in dict.fromkeys(self.margin))}"


@cache
def claims(papers: Path = PAPERS) -> tuple[Claim, ...]:
    """The claims of all papers, folder by folder. Raises InputError for an unknown kind or a missing margin."""
    found = [
        (path, Claim(**row | {"margin": tuple(float(part or 0) for part in row["margin"].split("|"))}))
        for path in sorted(papers.glob("*/claims.csv"))
        for row in pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
    ]
    for path, claim in found:
        where = f"{path.parent.name}/{path.name}, {claim.id}"
        if claim.kind not in get_args(Kind):
            raise InputError(f"kind {claim.kind!r}", where=where, todo=f"one of: {', '.join(get_args(Kind))}")
        if min(claim.margin) <= 0 or len(claim.margin) != len(claim.table.split("|")):
            raise InputError("a margin above 0 is needed for each of the claim's tables", where=where)
    return tuple(claim for _, claim in found)


def named(name: str) -> Claim:
    """That with this `id`. Raises KeyError without one."""
    return {claim.id: claim for claim in claims()}[name]


def titles() -> dict[str, str]:
    """How the page calls the notebooks with claims, in its order."""
    return {claim.notebook: claim.paper for claim in claims()}


def answers(folder: ResultFolder) -> dict[Claim, pd.DataFrame]:
    """By claim of its paper the table rows of a run that answer it; nothing for a folder without results.

    Columns: `run`, `what` (the row, in words), `published`, `value`, `low`, `high` (95 %, over the seeds), `seeds`,
    `combined_low`, `combined_high` (95 %, over seeds and `units`), `deciding_low`, `deciding_high` (that of both
    which decides), `holm_p`, `difference` (ours - published, on the same utterances), `verdict` (against the
    published number; empty where none is printed), `direction` by `DIRECTION_RULE`, `would_decide` where that is
    undecided, `margin`, `smallest_seen` (`two_sources.Error`), `corpus`, and `file` and `row` (from 0) that the
    numbers stand in.
    """
    found: dict[Claim, pd.DataFrame] = {}
    if not folder.has_results:
        return found
    tables = folder.tables
    for claim in (claim for claim in claims() if claim.notebook == folder.notebook):
        rows = []
        for stem, margin in _stems(tables, claim):
            chosen = tables[stem].query(claim.rows, engine="python")
            rows += [_answer(claim, margin, folder, stem, number, row) for number, row in chosen.iterrows()]
        if rows:
            found[claim] = pd.DataFrame(rows)
    return found


def _stems(tables: Iterable[str], claim: Claim) -> list[tuple[str, float]]:
    """The tables that the first of the claim's patterns with any fits, and its margin."""
    for pattern, margin in zip(claim.table.split("|"), claim.margin, strict=True):
        if fitting := [(name, margin) for name in tables if fnmatch(name, pattern)]:
            return fitting
    return []


def condensed(rows: pd.DataFrame, longest: int = 4) -> pd.DataFrame:
    """The answers of a run to a claim; more than `longest` become one row, which is how many in `rows`.

    It holds the mean of their values, neither an interval nor what is published of a single one, and in `direction` how
    often each was found.
    """
    if len(rows) <= longest:
        return rows.assign(rows=1)
    counts = rows["direction"].value_counts()
    words = ", ".join(f"{n} {how}" for how, n in counts.items())
    one = {"what": f"mean of {len(rows)} rows", "value": rows["value"].mean(), "would_decide": "", "verdict": ""}
    intervals = (f"{stem}{end}" for stem in ("", "combined_", "deciding_") for end in ("low", "high"))
    one |= dict.fromkeys(("published", "difference", *intervals, "holm_p", "smallest_seen"), np.nan)
    return rows.head(1).assign(**one, direction=words, row=-1, rows=len(rows))


def _answer(
    claim: Claim, margin: float, folder: ResultFolder, stem: str, number: int, row: pd.Series
) -> dict[str, object]:
    form = next(form for form in _FORMS if set(form.values()) <= set(row.index))
    ours = {name: row[column] for name, column in form.items()}
    std = ours.pop("std")
    against = {name: row.get(column, np.nan) for name, column in _PUBLISHED.items()}
    if "paper" not in row:
        against["verdict"] = ""
    found = deciding_spread(row, ours["value"], std, ours["seeds"])
    said = verdict(claim.kind, found.mean, found.combined, margin)
    unit = row["unit"] if has_units(row) else ""
    return {
        "run": f"{folder.notebook}/{folder.name}",
        "what": ", ".join(str(row[name]) for name in _NAMES if name in row),
        **ours,
        "units": f"{found.units} {unit}s" if unit else "",
        "combined_low": row["combined_low"] if unit else np.nan,
        "combined_high": row["combined_high"] if unit else np.nan,
        "deciding_low": row["combined_low"] if unit else ours["low"],
        "deciding_high": row["combined_high"] if unit else ours["high"],
        "holm_p": row.get("holm_p", np.nan),
        **against,
        "direction": said,
        "would_decide": what_would_decide(found, margin, claim.kind, unit) if said == UNDECIDED else "",
        "margin": margin,
        "smallest_seen": found.combined.smallest_seen(),
        "corpus": row["corpus"],
        "file": f"{folder.notebook}/{folder.name}/tables/{stem}.csv",
        "row": number,
    }
