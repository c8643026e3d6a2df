"""What the mends of the references' quirks do to the papers' claims, beside what they do to scores.

Read off the tables that the papers' notebooks write (`lib.reporting.mended_claims`). Where a run has none, and the mend
concerns one side of the claim alone, its effect on the claim is still known from the scores: it is the same, with the
opposite sign where that side is the baseline. Else there is a reason why nothing is known.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch

import numpy as np
import pandas as pd

from lib.papers.summary import quirks
from lib.papers.summary.quirks import Quirk, condensed
from lib.reporting import claims
from lib.reporting.mended_claims import BASELINE, BOTH, STEM
from lib.reporting.result_folders import ResultFolder
from lib.reporting.verdicts import has_units
from lib.reporting.words import deciding, seeds

_ABOUT = ("paper", "quirk", "what", "mend", "run", "evidence")
_FOUND = ("claim", "comparison", "sides", "note", "metric")
_VERDICTS = ("published_verdict", "mended_verdict", "changes")
_EFFECT = ("gain", "low", "high", "over", "answer", "of")
COLUMNS = (*_ABOUT, *_FOUND, "published", "mended", *_VERDICTS, *_EFFECT, "no verdict", "not measured")
OVERVIEW = (*_ABOUT, "metric", "row", "gain", "low", "high", "over", "answer", "claim", "comparison", "sides")
OVERVIEW += (
    "claim_gain",
    "claim_low",
    "claim_high",
    "claim_over",
    "claim_answer",
    *_VERDICTS,
    "not known of the claim",
)
OVERVIEW += ("not measured",)
OF_SCORE = ("quirk", "what", "mend", "run", "evidence", "metric", "row", "gain", "low", "high", "over", "answer")
OF_CLAIM = ("quirk", "run", "claim", "comparison", "sides", "claim_gain", "claim_low", "claim_high", "claim_over")
OF_CLAIM += ("claim_answer", *_VERDICTS, "not known of the claim")
"""What is shown of them."""
_NUMBERS = {"published", "mended", "gain", "low", "high", "claim_gain", "claim_low", "claim_high", "of"}
OLDER = "the tables of this run are older than this comparison, and have it once the run is rendered again"
_TURNED = {"better": "worse", "worse": "better"}


def effects(folders: Iterable[ResultFolder], worth: pd.DataFrame) -> pd.DataFrame:
    """The columns `COLUMNS`: a row for each comparison of a claim whose mend a run has, or why there is none.

    `worth` (`quirks.worth`) says which run measures which quirk. `low` and `high` are the interval that decides, of
    what is said in `over`; `of` is how many comparisons a row is the mean of.
    """
    there, rows, named = {f"{f.notebook}/{f.name}": f for f in folders}, [], claims.titles()
    for quirk in quirks.quirks():
        own = worth[(worth["paper"] == named[quirk.notebook]) & (worth["quirk"] == quirk.quirk)]
        for run, scores in own[own["not measured"] == ""].groupby("run", sort=False):
            about = scores.iloc[0][list(_ABOUT)].to_dict()
            rows += [about | row for row in _of_run(quirk, there[run], scores)]
    return _filled(rows, COLUMNS)


def _filled(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> pd.DataFrame:
    nothing = {name: np.nan if name in _NUMBERS else "" for name in columns}
    return pd.DataFrame([nothing | row for row in rows], columns=list(columns))


def _of_run(quirk: Quirk, folder: ResultFolder, scores: pd.DataFrame) -> Iterator[dict[str, object]]:
    """What one run says of a quirk; `scores` are its rows of `quirks.worth`."""
    stems = [stem for stem in folder.tables if fnmatch(stem, f"{STEM}*")]
    tables = [folder.tables[stem].astype({"quirk": str}) for stem in stems]
    found = [row for table in tables for row in table[table["quirk"] == quirk.quirk].to_dict("records")]
    if found:
        yield from map(_from_table, found)
        return
    claim = {"claim": claims.named(quirk.claim).claim}
    reason = quirk.claim_reason or OLDER
    if quirk.sides == BOTH:
        yield claim | {"not measured": reason if stems else OLDER}
        return
    for row in in_metric(quirk, scores).to_dict("records"):
        yield claim | _from_score(quirk, row) | {"no verdict": reason}


def _from_table(row: Mapping[str, object]) -> dict[str, object]:
    """A row of `mended_claims.table`."""
    low, high = deciding(row)
    kept = {name: row[name] for name in ("comparison", "sides", "metric", "published", "mended", *_VERDICTS)}
    units = f" and {int(row['units'])} {row['unit']}s" if has_units(row) else ""
    kept |= {"note": row["note"] if isinstance(row["note"], str) else ""}  # an empty cell is read as NaN
    kept |= {"gain": row["gain"], "low": low, "high": high, "over": f"{seeds(row['n'])}{units}"}
    return kept | {"answer": row["answer"], "of": row["of"], "claim": claims.named(row["claim"]).claim}


def _from_score(quirk: Quirk, row: Mapping[str, object]) -> dict[str, object]:
    """The effect on a claim of which the mend concerns one side, from that on the score of this side."""
    sign = -1 if quirk.sides == BASELINE else 1
    low, high = sorted(sign * end for end in decided(row)[:2])
    answer = row["answer"] if sign > 0 else _TURNED.get(row["answer"], row["answer"])
    words = f"{row['row']}: as on the score{', sign turned' if sign < 0 else ''}"
    about = {"comparison": words, "sides": quirk.sides, "note": quirk.beside, "metric": row["metric"]}
    return about | {"gain": sign * row["gain"], "low": low, "high": high, "over": decided(row)[2], "answer": answer}


def in_metric(quirk: Quirk, scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of `quirks.worth` of one run, in the metric that the paper's claim is about; else in the first."""
    there = list(scores["metric"])
    metric = next((name for name in quirk.metric.split("|") if name in there), there[0])
    return scores[scores["metric"] == metric]


def decided(row: Mapping[str, object]) -> tuple[float, float, str]:
    """Of a row of `quirks.worth` both ends of the interval that decides, and what it is over."""
    units = str(row["units"])
    over = f"{seeds(int(row['seeds']))}{f' and {units}' if units else ''}"
    stem = "combined_" if units else ""
    return row[f"{stem}low"], row[f"{stem}high"], over


def overview(worth: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """The columns `OVERVIEW`: a row for each quirk, run and claim, and one with a reason for each quirk that no run
    measures.

    The effect on the score is in the metric of the claim; several are given by their mean, and how often each answer
    was found. That on the claim is the mean of its comparisons, with its interval where the run has it. The verdicts
    are those of the single comparisons.
    """
    rows, papers = [], claims.titles()
    by_name = {(papers[quirk.notebook], quirk.quirk): quirk for quirk in quirks.quirks()}
    for (paper, name, run), scores in worth.groupby(["paper", "quirk", "run"], sort=False):
        about = scores.iloc[0][[*_ABOUT, "not measured"]].to_dict()
        if about["not measured"]:
            rows.append(about)
            continue
        score = condensed(in_metric(by_name[paper, name], scores), longest=1).iloc[0].to_dict()
        low, high, over = decided(score) if score["units"] or score["low"] == score["low"] else (np.nan, np.nan, "")
        about |= {key: score[key] for key in ("metric", "row", "gain", "answer")}
        about |= {"low": low, "high": high, "over": over}
        own = found[(found["paper"] == paper) & (found["quirk"] == name) & (found["run"] == run)]
        rows += [about | _summed_up(its) for _, its in own.groupby(["claim", "note", "metric"], sort=False)]
    return _filled(rows, OVERVIEW)


def _summed_up(its: pd.DataFrame) -> dict[str, object]:
    """The effects on one claim in one run, in one row."""
    first, wholes = its.iloc[0], its[its["of"] > 1]
    whole = (wholes if len(wholes) else its).iloc[0]
    single = its[~(its["of"] > 1)]
    row = {"claim": first["claim"] + (f" ({first['note']})" if first["note"] else ""), "sides": first["sides"]}
    row |= {"comparison": whole["comparison"], "not known of the claim": first["not measured"] or first["no verdict"]}
    if len(single) > 1 and len(wholes) != 1:
        row |= {"comparison": f"mean of {len(single)}", "claim_gain": single["gain"].mean()}
        row["claim_answer"] = _counted(single["answer"])
    else:
        row |= {f"claim_{key}": whole[key] for key in ("gain", "low", "high", "over", "answer")}
    for name in ("published_verdict", "mended_verdict"):
        row[name] = _counted(single[name]) if len(single) > 1 else single[name].iloc[0]
    if first["changes"]:
        row["changes"] = f"{int((single['changes'] == 'yes').sum())} of {len(single)}"
    return row


def _counted(answers: pd.Series) -> str:
    counts = answers[answers != ""].value_counts()
    return ", ".join(f"{number} {answer}" for answer, number in counts.items())
