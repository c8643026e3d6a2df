"""What the numbered quirks of the references are worth: what a run scores once one of them is mended.

`quirks.csv` in a paper's folder lists the quirks of its SPEC.md that change results. For one with a mend that a run can
be asked for, it names the table and the rows that hold the mend's gain; for any other, why there is none. Nothing here
is computed from runs but the difference between two runs' mean scores, where the mend is a run of its own. What a mend
does to the paper's claim is the business of `quirk_claims`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.metrics.scores import direction
from lib.papers.summary.evidence import evidence
from lib.reporting.claims import PAPERS, titles
from lib.reporting.mended_claims import BASELINE, BOTH, VARIANT
from lib.reporting.result_folders import ResultFolder
from lib.reporting.two_sources import Error
from lib.reporting.verdicts import answer, deciding_spread, has_units, margin, over_seeds

COLUMNS = ("paper", "quirk", "what", "mend", "run", "evidence", "metric", "row", "gain", "low", "high", "seeds")
COLUMNS += ("combined_low", "combined_high", "units", "answer", "not measured")
RULE = (
    "The gain of the mend over the published behaviour, positive where the mended model scores better, with its 95 % "
    "interval over the seeds; pairs of one seed, or, where the mend is a run of its own, the difference of two means "
    "(Welch). The answer is that of the combined interval where there is one, with a margin of one point, or 0.02 of "
    "an error."
)
SIDES = (VARIANT, BASELINE, BOTH)
_NUMBERS = ("gain", "low", "high", "seeds", "combined_low", "combined_high")
_NAMES = ("variant", "backbone", "modalities", "spcl", "baseline")


@dataclass(frozen=True)
class Quirk:
    """One row of a `quirks.csv`.

    `quirk` is its number in the SPEC.md, or its name there. `rows` (a query) of `table` (a pattern of file names
    without ending) are gains of one side over the other, of which `published` (`baseline` or `variant`) behaves as
    published and the other has the `mend`. If `over` names a run, they are scores of the run `run` instead, all with
    the mend, set against those of the same variants there. `reason` says why nothing is measured, if there is no table.

    `claim` is the `id` of the claim that a measured quirk matters to, `metric` what it is about (of several, divided by
    `|`, the first that is there), and `sides` which side of its difference the mended scores are: `variant`, `baseline`
    or `both`. `beside` says what is not as in the claim, `claim_reason` why the effect on it, or its verdict, is not
    known.
    """

    notebook: str
    quirk: str
    what: str
    mend: str
    table: str
    rows: str
    published: str
    run: str
    over: str
    claim: str
    metric: str
    sides: str
    beside: str
    claim_reason: str
    reason: str


@cache
def quirks(papers: Path = PAPERS) -> tuple[Quirk, ...]:
    """Those of all papers, folder by folder.

    Raises InputError for a row with both a table and a reason, or neither, and for one with a table and no claim.
    """
    found = []
    for path in sorted(papers.glob("*/quirks.csv")):
        for row in pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records"):
            quirk = Quirk(**row)
            where = f"{path.parent.name}/{path.name}, {quirk.quirk}"
            if bool(quirk.table) == bool(quirk.reason):
                raise InputError("a table, or the reason why there is none, is needed", where=where)
            if quirk.table and not (quirk.claim and quirk.metric and quirk.sides in SIDES):
                todo = f"sides is one of: {', '.join(SIDES)}"
                raise InputError("a claim, its metric and its sides are needed with a table", where=where, todo=todo)
            found.append(quirk)
    return tuple(found)


def worth(folders: Iterable[ResultFolder]) -> pd.DataFrame:
    """The columns `COLUMNS`: a row for each gain of a mend in the folders; one with a reason for each quirk without."""
    folders, papers, rows = [folder for folder in folders if folder.has_results], titles(), []
    for quirk in quirks():
        about = {"paper": papers[quirk.notebook], "quirk": quirk.quirk, "what": quirk.what, "mend": quirk.mend}
        measured = [about | row for row in _measured(quirk, folders)]
        rows += measured or [about | {"not measured": quirk.reason or "no run with this mend is kept"}]
    nothing = {name: np.nan if name in _NUMBERS else "" for name in COLUMNS}
    return pd.DataFrame([nothing | row for row in rows], columns=list(COLUMNS))


def condensed(worth: pd.DataFrame, longest: int = 4) -> pd.DataFrame:
    """What is measured, in the first metric of its run. More than `longest` rows of a mend become one.

    That one holds the mean of their gains, no interval, and how often each answer was found.
    """
    parts = []
    for _, rows in worth[worth["not measured"] == ""].groupby(["paper", "quirk", "mend", "run"], sort=False):
        rows = rows[rows["metric"] == rows["metric"].iloc[0]]
        if len(rows) > longest:
            found = ", ".join(f"{n} {how}" for how, n in rows["answer"].value_counts().items())
            one = dict.fromkeys(("low", "high", "combined_low", "combined_high"), np.nan)
            one |= {"row": f"mean of {len(rows)} rows", "gain": rows["gain"].mean(), "units": "", "answer": found}
            rows = rows.head(1).assign(**one)
        parts.append(rows)
    return pd.concat(parts, ignore_index=True) if parts else worth.head(0)


def _measured(quirk: Quirk, folders: Sequence[ResultFolder]) -> Iterator[Mapping[str, object]]:
    """The rows of one quirk, from every folder that has them."""
    for folder in (f for f in folders if f.notebook == quirk.notebook and fnmatch(f.name, quirk.run or "*")):
        other = next((f for f in folders if (f.notebook, f.name) == (quirk.notebook, quirk.over)), None)
        if quirk.over and other is None:
            continue
        for stem in (stem for stem in folder.tables if fnmatch(stem, quirk.table)):
            table = folder.tables[stem].query(quirk.rows, engine="python")
            if other:
                rows = _across(table, other.tables[stem]) if stem in other.tables else ()
            else:
                rows = [_within(row, -1 if quirk.published == "variant" else 1) for row in table.to_dict("records")]
            name = f"{folder.notebook}/{folder.name}"
            yield from ({"run": name, "evidence": evidence(folder)} | row for row in rows)


def _within(row: Mapping[str, object], sign: int) -> dict[str, object]:
    """A row of a gain table, turned over for a `sign` of -1."""
    metric, gain, both = row["metric"], sign * row["gain"], has_units(row)
    low, high = over_seeds(gain, row["gain_std"], row["n"]).combined.interval(gain)
    decides = deciding_spread(row, gain, row["gain_std"], row["n"]).combined
    combined_low, combined_high = decides.interval(gain) if both else (np.nan, np.nan)
    return {
        "metric": metric,
        "row": ", ".join(str(row[name]) for name in _NAMES if name in row),
        "gain": gain,
        "low": low,
        "high": high,
        "seeds": row["n"],
        "combined_low": combined_low,
        "combined_high": combined_high,
        "units": f"{int(row['units'])} {row['unit']}s" if both else "",
        "answer": answer(gain, decides, margin(metric)),
    }


def _across(mended: pd.DataFrame, published: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Mean scores of two runs, variant by variant."""
    for row in mended.merge(published, on=["variant", "metric"], suffixes=("", "_published")).to_dict("records"):
        sign = 1.0 if direction(row["metric"]) == "higher" else -1.0
        gain = sign * (row["score"] - row["score_published"])
        error = welch((row["score_std"], row["n"]), (row["score_std_published"], row["n_published"]))
        low, high = error.interval(gain)
        yield {
            "metric": row["metric"],
            "row": row["variant"],
            "gain": gain,
            "low": low,
            "high": high,
            "seeds": min(row["n"], row["n_published"]),
            "answer": answer(gain, error, margin(row["metric"])),
        }


def welch(*sides: tuple[float, int]) -> Error:
    """Of the difference of two independent means, from the standard deviation and number of each side (Welch 1947).

    NaN where a side has one value.
    """
    if any(n < 2 for _, n in sides):
        return Error()
    parts = [(std**2 / n, n - 1) for std, n in sides]
    variance, uncertain = sum(part for part, _ in parts), sum(part**2 / freedom for part, freedom in parts)
    return Error(variance, variance**2 / uncertain if uncertain else min(freedom for _, freedom in parts))
