"""Two result folders: which numbers changed, and whether that is more than noise.

Where both folders hold a run table, scores are compared per variant, split and metric: paired over the seeds that
both have. Where they do not (the repository keeps no run tables), the tables are compared cell by cell, and their
means with intervals by those.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from lib import run_table as runs
from lib.errors import InputError
from lib.files import sha256_file
from lib.reporting.result_folders import ResultFolder, read_folder
from lib.reporting.statistics import NO_INTERVAL, Interval, t_interval

EQUAL, WITHIN, BEYOND, UNKNOWN = "equal", "within noise", "beyond noise", "noise unknown"
ROUNDING = 1e-9
RULE = (
    f"equal: no seed differs by more than rounding ({ROUNDING:g} of the value). beyond noise: the 95 % t-interval of "
    "the difference leaves out 0; the difference is paired over the seeds that both have, or, with fewer than two of "
    "them, unpaired (Welch) from each side's seeds. within noise: it holds 0. noise unknown: a side has one value. "
    "Intervals are not corrected for how many numbers are compared: of those that did not change, about one in twenty "
    "is called beyond noise."
)
COLUMNS = ("where", "number", "a", "b", "difference", "low", "high", "seeds", "verdict")
_MEANS = (
    ("gain", "t_interval", "n"),
    ("score", "t_interval", "n"),
    ("share_mean", "share", "seeds"),
    ("mean", "", "seeds"),
)
"""Columns that hold a mean, the stem of its interval, and the number of seeds; the first that a table has counts."""
Row = dict[str, object]
_TIMES = ("second", "duration", "_per_s")
_NAMES = ("level", "rank", "epoch", "seed", "spcl", "rate", "true class")
_SAID = ("verdict", "paper_rule", "note", "absent")
"""Columns of numbers that name a row, and of words that are found."""


def open_folder(path: Path) -> ResultFolder:
    """A result folder anywhere. Raises InputError if it is none, is damaged, or holds no results."""
    path = Path(path)
    if not path.is_dir():
        raise InputError("there is no such folder", where=path)
    found = read_folder(path.parent.parent, path.parent.name, path.name)
    if found.state == "not run":
        raise InputError("no result folder: it has neither tables nor figures nor a manifest", where=path)
    if found.state == "damaged":
        raise InputError(f"damaged: {found.damage}", where=path, todo="run it again")
    try:
        list(found.tables.values())
        found.label  # noqa: B018
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"not readable as results: {error!r}", where=path, todo="run it again") from None
    return found


def run_table(folder: ResultFolder, outputs: Mapping[str, str]) -> pd.DataFrame | None:
    """The run table that was written with a folder's tables; None where there is none.

    `outputs` are the hashes that the run's status file holds, empty if it has none of this run. Raises InputError for
    a table that is not the one written.
    """
    name = "runs.parquet"
    if name not in outputs or not (folder.path / name).exists():
        return None
    if outputs[name] != sha256_file(folder.path / name):
        raise InputError(f"damaged: changed since the run: {name}", where=folder.path, todo="run it again")
    return runs.load(folder.path)


def compare_runs(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """One row per variant, split and metric that both run tables have; columns as in `COLUMNS`."""
    keys = ["variant", "split", "metric"]
    sides = [t.dropna(subset=["split", "metric"]).set_index([*keys, "seed"])["value"].astype(float) for t in (a, b)]
    grouped = [dict(list(side.groupby(level=keys, sort=False))) for side in sides]
    rows = []
    for key in (key for key in grouped[0] if key in grouped[1]):
        ours, theirs = (side[key].droplevel(keys) for side in grouped)
        rows.append((key[0], f"{key[1]} {key[2]}", *_compared(ours.dropna(), theirs.dropna(), ours, theirs)))
    return pd.DataFrame(rows, columns=COLUMNS)


def only_in(a: pd.DataFrame, b: pd.DataFrame) -> list[str]:
    """The variants of a run table that the other one lacks."""
    return [variant for variant in dict.fromkeys(a["variant"]) if variant not in set(b["variant"])]


def _compared(a: pd.Series, b: pd.Series, all_a: pd.Series, all_b: pd.Series) -> tuple:
    """Means, difference, interval, seeds and verdict of one score from its values by seed, missing ones dropped."""
    shared = a.index.intersection(b.index)
    means = (float(a.mean()) if len(a) else np.nan, float(b.mean()) if len(b) else np.nan)
    if len(shared) >= 2 or (len(shared) and len(a) == len(b) == 1):
        a, b = a[shared], b[shared]
        difference = (b - a).to_numpy()
        interval, seeds = t_interval(difference), len(shared)
        same = len(all_a) == len(all_b) == len(shared) and _equal(a.to_numpy(), b.to_numpy())
        return *means, float(difference.mean()), *interval, seeds, EQUAL if same else _verdict(interval)
    difference = means[1] - means[0]
    if not len(a) and not len(b):
        return *means, difference, np.nan, np.nan, 0, EQUAL
    interval = welch(a.mean(), a.std() / np.sqrt(len(a)), len(a), b.mean(), b.std() / np.sqrt(len(b)), len(b))
    return *means, difference, *interval, min(len(a), len(b)), _verdict(interval)


def welch(mean_a: float, error_a: float, n_a: int, mean_b: float, error_b: float, n_b: int) -> Interval:
    """Welch's 95 % t interval of the difference of two means (second minus first) with these standard errors.

    NaN where a side has fewer than two values.
    """
    if min(n_a, n_b) < 2:
        return NO_INTERVAL
    error = np.hypot(error_a, error_b)
    if error == 0:
        return mean_b - mean_a, mean_b - mean_a
    freedom = error**4 / (error_a**4 / (n_a - 1) + error_b**4 / (n_b - 1))
    half = stats.t.ppf(0.975, freedom) * error
    return float(mean_b - mean_a - half), float(mean_b - mean_a + half)


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.all(np.abs(a - b) <= ROUNDING * np.maximum(np.abs(a), np.abs(b))))


def _verdict(interval: Interval) -> str:
    low, high = interval
    if np.isnan(low):
        return UNKNOWN
    return BEYOND if low > 0 or high < 0 else WITHIN


def compare_tables(a: ResultFolder, b: ResultFolder) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of the tables that both folders have, the numbers that changed (`COLUMNS`), and one summary row per table.

    Rows are matched by the cells that are no measured numbers. Times are left out: they always change.
    """
    sides = [folder.tables for folder in (a, b)]
    changed, about = [], []
    for name in sorted(sides[0].keys() | sides[1].keys()):
        if name not in sides[0] or name not in sides[1]:
            about.append({"table": name, "state": f"only in {'A' if name in sides[0] else 'B'}", "compared": 0})
            continue
        rows, compared, unmatched = _cells(name, sides[0][name], sides[1][name])
        changed += rows
        state = "equal" if not rows and not unmatched else f"{len(rows)} of {compared} numbers changed"
        state += f", {unmatched} rows in one alone" if unmatched else ""
        about.append({"table": name, "state": state, "compared": compared})
    return pd.DataFrame(changed, columns=COLUMNS), pd.DataFrame(about, columns=["table", "state", "compared"])


def _cells(name: str, a: pd.DataFrame, b: pd.DataFrame) -> tuple[list[tuple], int, int]:
    """Rows of `COLUMNS` for the changed numbers, how many were compared, and how many rows match nothing."""
    keys, numbers = _split_columns(a, b)
    ours, theirs = _by_key(a, keys), _by_key(b, keys)
    mean = next((m for m in _MEANS if {m[0], m[2]} <= set(numbers)), None)
    if mean:  # whatever else stands in such a table is made from these
        numbers = [c for c in numbers if c in (mean[0], mean[2]) or f"{c}_std" in numbers]
    rows, compared = [], 0
    for key in (key for key in ours if key in theirs):
        x, y = ours[key], theirs[key]
        for column in numbers:
            compared += 1
            p, q = float(x[column]), float(y[column])
            if (np.isnan(p) and np.isnan(q)) or _equal(np.array([p]), np.array([q])):
                continue
            interval, seeds = _interval(x, y, column, mean) if mean else (NO_INTERVAL, 1)
            words = f"{', '.join(key)}: {column}" if key else column
            rows.append((name, words, p, q, q - p, *interval, seeds, _verdict(interval)))
    return rows, compared, len(ours.keys() ^ theirs.keys())


def _interval(x: Row, y: Row, column: str, mean: tuple[str, str, str]) -> tuple[Interval, int]:
    """Of the difference of one number in two tables, and the seeds of the side that has fewer."""
    name, stem, count = mean
    sizes = int(x[count]), int(y[count])
    if column == count:
        return NO_INTERVAL, min(sizes)
    if column == name:
        low, high = (f"{stem}_{end}".strip("_") for end in ("low", "high"))
        errors = [_error(row[low], row[high], n) for row, n in zip((x, y), sizes, strict=True)]
    else:
        errors = [
            float(row[f"{column}_std"]) / np.sqrt(n) if n else np.nan for row, n in zip((x, y), sizes, strict=True)
        ]
    return welch(x[column], errors[0], sizes[0], y[column], errors[1], sizes[1]), min(sizes)


def _split_columns(a: pd.DataFrame, b: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Columns that name a row, and columns of measured numbers; a number that names (a rank, a level) is a key."""
    both = [c for c in a if c in b and c != "corpus" and not any(word in c for word in _TIMES)]
    words = [c for c in both if not all(pd.api.types.is_numeric_dtype(t[c]) for t in (a, b))]
    names = [c for c in both if c in _NAMES]
    keys = [c for c in words if c not in _SAID] + [c for c in names if c not in words]
    return keys, [c for c in both if c not in words and c not in keys]


def _by_key(table: pd.DataFrame, keys: list[str]) -> dict[tuple[str, ...], Row]:
    """Rows by their key; where keys repeat, the place among equal ones belongs to it."""
    found: dict[tuple[str, ...], Row] = {}
    for row in table.to_dict("records"):
        key = tuple(str(row[k]) for k in keys if not pd.isna(row[k]))
        place = next(i for i in range(len(table)) if (key if not i else (*key, f"row {i + 1}")) not in found)
        found[key if not place else (*key, f"row {place + 1}")] = row
    return found


def _error(low: float, high: float, n: int) -> float:
    """The standard error behind a 95 % t-interval over n values."""
    return float((high - low) / 2 / stats.t.ppf(0.975, n - 1)) if n > 1 else np.nan
