"""The published numbers and the comparison with ours.

`published.csv` in a paper's folder holds the numbers of each corpus as rows of a run table, under our names of
variants and metrics and in our units, each with the place that it was read from; everything else is common to all
papers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lib.data.corpus import Source
from lib.errors import InputError
from lib.metrics.scores import Direction
from lib.reporting.gains import gain_table, rated, summary
from lib.reporting.verdicts import SOURCES
from lib.run_table import COLUMNS as RUN_COLUMNS

if TYPE_CHECKING:  # as in two_sources
    from lib.study import Runs

COLUMNS = ("corpus", "variant", "seed", "split", "metric", "value", "selected_on", "status", "published_in")
"""What each paper's `published.csv` has at least."""

VERDICT_RULE = (
    "not comparable: stand-in data, another corpus, a protocol that deviates from the paper's, or a side "
    "without a number; the difference is then not computed. fewer modalities: same utterances, labels and "
    "split, but the paper's models had more to read than ours; the difference is shown, and nothing is "
    "judged by it. reproduced: |ours - paper| <= max(2 * "
    "sqrt(s_p^2/n_p + s_r^2/n_r), tolerance), where s and n are standard deviation and number of runs of "
    "the paper (p) and of the reproduction (r); a side with one run is given the spread of the other, "
    "and the tolerance alone decides if neither has a spread. A gain must also have the paper's sign "
    "with a 95 % t-interval that excludes 0, unless the paper's own interval holds 0. direction only: "
    "otherwise, if our gain over the baseline has the paper's sign and its 95 % t-interval excludes 0. "
    "not reproduced: all else. The allowance stands in the table: where it is wide, a reproduced score "
    "says little."
)
FEWER_MODALITIES = "fewer modalities: same utterances, labels and split; "
"""The standing of numbers that lie beside each other without a verdict; what the paper had more comes behind it."""
TEXT_ONLY = "text only, the paper had three modalities"
SHOWN = ("variant", "quantity", "paper", "reproduced", "difference", "allowance", "verdict")


def runs(path: Path, corpus: str) -> pd.DataFrame:
    """A paper's published numbers on one corpus as a run table; empty if there are none.

    A number that was printed once is one run. `published_in` is the place it was read from; further columns are those
    of the file. Raises InputError for a missing file, a missing column or a value that is no number.
    """
    try:
        table = pd.read_csv(path, encoding="utf-8")
    except FileNotFoundError:
        raise InputError("no such table of published numbers", where=path) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"not readable as csv ({error})", where=path) from None
    if missing := [column for column in COLUMNS if column not in table]:
        raise InputError(f"no column {', '.join(missing)}", where=path)
    wrong = pd.to_numeric(table["value"], errors="coerce").isna()
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise InputError(f"value {table['value'].iloc[row]!r} is no number", where=f"{path}, row {row + 2}")
    defaults = {"rate": np.nan, "best_epoch": -1, "reason": ""}
    rows = table[table["corpus"] == corpus].drop(columns="corpus").fillna({"published_in": ""}).reset_index(drop=True)
    rows = rows.assign(**{name: value for name, value in defaults.items() if name not in rows})
    return rows[[*RUN_COLUMNS, *(column for column in rows if column not in RUN_COLUMNS)]]


def by_emotion(
    paper: pd.DataFrame, ours: pd.DataFrame, metric: str, emotions: Sequence[str], *, theirs_read: str, ours_read: str
) -> pd.DataFrame:
    """Every published model and, below, each of ours: the test score of each emotion, and `average`.

    Columns besides: `model`, `whose`, and `read`, the modalities. Scores are means over the seeds, of which ours have
    `n`; NaN where a number was not published. Nothing is compared.
    """
    columns = {name: f"{metric}_{name}" for name in emotions} | {"average": metric}
    found = []
    for whose, table, read in (("published", paper, theirs_read), ("here", ours, ours_read)):
        scores = table[(table["split"] == "test") & table["metric"].isin(columns.values())]
        means = scores.pivot_table(index="variant", columns="metric", values="value", sort=False)
        counts = scores.groupby("variant")["seed"].nunique()
        for model, row in means.iterrows():
            about = {"model": model, "whose": whose, "read": read, "n": int(counts[model])}
            found.append(about | {name: row.get(column, np.nan) for name, column in columns.items()})
    return pd.DataFrame(found)


def compare_groups(
    paper: pd.DataFrame, ours: pd.DataFrame, groups: Mapping[str, Sequence[str] | None], **options: Any
) -> pd.DataFrame:
    """`compare` per baseline, over the variants beside it (None: all), one table after the other.

    A group that is not published or not run is left out; the table is empty without any.
    """
    found = []
    for baseline, variants in groups.items():
        sides = [t if variants is None else t[t["variant"].isin(variants)] for t in (paper, ours)]
        if all(map(len, sides)):
            found.append(compare(*sides, baseline=baseline, **options))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def compare(
    paper: pd.DataFrame,
    ours: pd.DataFrame,
    *,
    metric: str,
    baseline: str,
    source: Source,
    same_corpus: bool,
    deviations: Sequence[str] = (),
    fewer: str = "",
    split: str = "test",
    tolerance: float = 0.005,
    better: Direction | None = None,
    runs: Runs | None = None,
) -> pd.DataFrame:
    """Published and reproduced scores, and gains over `baseline`, side by side; judged by `VERDICT_RULE`.

    `paper` and `ours` are run tables; a metric that the paper does not report is not published. Each variant of either
    gives a row with `quantity` = the metric, and one with `quantity` = "gain over <baseline>" (positive means better).
    Columns: `variant`, `rate` where one has it, `quantity`, `paper`, `paper_std`, `paper_n`, `reproduced`,
    `reproduced_std`, `reproduced_n`, `difference` (reproduced - paper), `allowance`, `paper_gain`, `reproduced_gain`,
    `gain_low`, `gain_high` (95 % t-interval of ours), `verdict`, and `published_in`; with `runs`, those of our run
    table, for gains also what they are worth over seeds and test units (`verdicts.SOURCES`).

    `source` is the corpus of our runs: a stand-in is never comparable. `same_corpus` says whether it is the
    paper's; `deviations` are other reasons against a comparison, such as "5 epochs instead of 40". `fewer` says what
    our models read less of the same utterances, with the same labels and split, such as `TEXT_ONLY`: the standing is
    then `FEWER_MODALITIES` with this and the deviations, of whatever is not against putting the numbers side by side.
    `tolerance` is in units of the metric; the default is half a point on a scale of 0 to 1.
    """
    why = list(deviations) if same_corpus else ["different corpus", *deviations]
    why = ["stand-in data", *why] if source.synthetic else why
    beside = bool(fewer) and same_corpus and not source.synthetic
    sides = {"r": _quantities(ours, metric, baseline, split, better, runs), "p": {}}
    if metric in set(paper["metric"]):
        sides["p"] = _quantities(paper, metric, baseline, split, better, None)
    rows = []
    for key in dict.fromkeys([*sides["p"], *sides["r"]]):
        p, r = sides["p"].get(key, _ABSENT), sides["r"].get(key, _ABSENT)
        absent = [*["not published"] * (p["n"] == 0), *["not run"] * (r["n"] == 0)]
        reasons = absent if beside else [*why, *absent]
        if beside and not absent:
            difference, allowed = r["mean"] - p["mean"], np.nan
            judged = FEWER_MODALITIES + ", ".join([fewer, *deviations])
        elif reasons:
            difference, allowed, judged = np.nan, np.nan, f"not comparable: {', '.join(reasons)}"
        else:
            difference = r["mean"] - p["mean"]
            allowed = allowance(p["std"], p["n"], r["std"], r["n"], tolerance)
            judged = _judge(key[1] != metric, difference, allowed, p, r)
        rows.append(
            {
                "variant": key[0],
                "rate": p["rate"] if np.isnan(r["rate"]) else r["rate"],
                "quantity": key[1],
                "paper": p["mean"],
                "paper_std": p["std"],
                "paper_n": p["n"],
                "reproduced": r["mean"],
                "reproduced_std": r["std"],
                "reproduced_n": r["n"],
                "difference": difference,
                "allowance": allowed,
                "paper_gain": p["gain"],
                "reproduced_gain": r["gain"],
                "gain_low": r["gain_low"],
                "gain_high": r["gain_high"],
                "verdict": judged,
                "published_in": p["published_in"],
            }
            | (dict.fromkeys(SOURCES, np.nan) | r.get("sources", {}) if runs else {})
        )
    return rated(rows)


def allowance(paper_std: float, paper_n: int, our_std: float, our_n: int, tolerance: float) -> float:
    """How far two means may lie apart by `VERDICT_RULE`; a std of NaN is unknown."""
    known = [std for std in (paper_std, our_std) if not np.isnan(std)]
    if not known:
        return tolerance
    paper_std = known[0] if np.isnan(paper_std) else paper_std
    our_std = known[-1] if np.isnan(our_std) else our_std
    return max(2.0 * float(np.sqrt(paper_std**2 / paper_n + our_std**2 / our_n)), tolerance)


def _judge(is_gain: bool, difference: float, allowed: float, paper: dict, ours: dict) -> str:
    """The verdict on two comparable numbers, by `VERDICT_RULE`."""
    same_side = (paper["gain"] > 0 and ours["gain_low"] > 0) or (paper["gain"] < 0 and ours["gain_high"] < 0)
    claims_none = paper["gain"] == 0 or paper["gain_low"] <= 0 <= paper["gain_high"]
    if abs(difference) <= allowed and (same_side or claims_none or not is_gain):
        return "reproduced"
    return "direction only" if same_side else "not reproduced"


_NO_GAIN = {"gain": np.nan, "gain_low": np.nan, "gain_high": np.nan}
_ABSENT = {"rate": np.nan, "mean": np.nan, "std": np.nan, "n": 0, "published_in": "", **_NO_GAIN}


def _quantities(
    table: pd.DataFrame, metric: str, baseline: str, split: str, better: Direction | None, kept: Runs | None
) -> dict:
    """(variant, quantity) -> mean, std, n, gain over the baseline and its interval."""
    scores = summary(table, metric, split)
    gains = {}
    if baseline in set(scores["variant"]):
        found = gain_table(table, metric, baseline, split=split, better=better, runs=kept)
        gains = {row["variant"]: row for row in found.to_dict("records")}
    quantities = {}
    for row in scores.to_dict("records"):
        variant = row["variant"]
        shared = {"rate": row.get("rate", np.nan), "published_in": _sources(table, variant), **_NO_GAIN}
        gain = gains.get(variant)
        if gain:
            shared |= {
                "gain": gain["gain"],
                "gain_low": gain["t_interval_low"],
                "gain_high": gain["t_interval_high"],
            }
        quantities[variant, metric] = {**shared, "mean": row["score"], "std": row["score_std"], "n": row["n"]}
        if gain:
            over = {"mean": gain["gain"], "std": gain["gain_std"], "n": gain["n"]}
            sources = {name: gain[name] for name in SOURCES if name in gain}
            quantities[variant, f"gain over {baseline}"] = {**shared, **over, "sources": sources}
    return quantities


def _sources(table: pd.DataFrame, variant: str) -> str:
    if "published_in" not in table:
        return ""
    return "; ".join(table.loc[table["variant"] == variant, "published_in"].unique())
