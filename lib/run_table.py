"""The long run table: one row per run x split x metric, and the way from it to scores by seed and variant."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from lib.errors import InputError
from lib.files import atomic_path, write_text

COLUMNS = (
    "variant",
    "rate",
    "seed",
    "split",
    "metric",
    "value",
    "selected_on",
    "best_epoch",
    "status",
    "reason",
)
_KEY = ["variant", "seed", "split", "metric"]


def run_table(runs: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """One row per score of each run, in the order given.

    A run has `variant`, `seed`, `selected_on`, `status` and `metrics` (`{"test": {"acc": 0.5}}`), may have
    `rate` (the modality-dropout rate), `best_epoch` (-1 where no epoch was selected) and `reason`, and
    carries whatever else it holds into columns of its own. A run without scores keeps one row with value NaN,
    so that it stays visible. Raises InputError as `checked` does.
    """
    rows = []
    for run in runs:
        shared = {"rate": math.nan, "best_epoch": -1, "reason": "", **run}
        metrics = shared.pop("metrics", {})
        found = [(split, name, value) for split, values in metrics.items() for name, value in values.items()]
        for split, name, value in found or [(None, None, math.nan)]:
            rows.append({**shared, "split": split, "metric": name, "value": value})
    table = checked(pd.DataFrame(rows))
    others = [column for column in table.columns if column not in COLUMNS]
    types = {"rate": np.float64, "seed": np.int64, "value": np.float64, "best_epoch": np.int64}
    return table[[*COLUMNS, *others]].astype(types)


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """The same table if it is a run table.

    Raises InputError for an empty table, a missing column, a score given twice, a rate outside 0..1 or a
    variant with several rates.
    """
    where = "run table"
    if table.empty:
        raise InputError("there are no runs", where=where)
    if missing := [column for column in COLUMNS if column not in table]:
        raise InputError(f"no column {', '.join(missing)}", where=where)
    if (twice := table.duplicated(_KEY)).any():
        raise InputError(f"given twice: {_words(table.loc[twice, _KEY].iloc[0])}", where=where)
    rates = table["rate"].dropna().astype(float)
    if not rates.between(0.0, 1.0).all():
        raise InputError(f"rate {rates[~rates.between(0.0, 1.0)].iloc[0]} is outside 0..1", where=where)
    pairs = table[["variant", "rate"]].drop_duplicates()
    if (again := pairs.duplicated("variant")).any():
        raise InputError(f"variant {pairs.loc[again, 'variant'].iloc[0]!r} has several rates", where=where)
    return table


def by_seed(table: pd.DataFrame, metric: str, split: str = "test") -> pd.DataFrame:
    """Scores as a table of seeds (rows, ascending) by variants (columns, in order of first appearance).

    Every seed and variant of the run table is there; a run without this score is NaN, also if it is all there is.
    Raises InputError for a metric or split that no run has, though some have scores.
    """
    rows = table[(table["metric"] == metric) & (table["split"] == split)]
    if rows.empty and table["metric"].notna().any():
        known = table[["split", "metric"]].dropna().drop_duplicates()
        listed = ", ".join(f"{s} {m}" for s, m in known.itertuples(index=False))
        raise InputError(f"no run has {split} {metric}", where="run table", todo=f"there are: {listed}")
    scores = rows.set_index(["seed", "variant"])["value"].unstack().astype(np.float64)  # noqa: PD010 (no means)
    return scores.reindex(index=sorted(table["seed"].unique()), columns=list(table["variant"].unique()))


def rates(table: pd.DataFrame) -> dict[str, float]:
    """The modality-dropout rate of each variant, in order of first appearance; NaN where it has none."""
    return {variant: float(rate) for variant, rate in table.groupby("variant", sort=False)["rate"].first().items()}


def save(table: pd.DataFrame, folder: Path) -> None:
    """Write `runs.parquet` and `runs.csv` (full precision) into a folder, each whole or not at all."""
    checked(table)
    with atomic_path(Path(folder) / "runs.parquet") as path:
        table.to_parquet(path, index=False)
    write_text(Path(folder) / "runs.csv", table.to_csv(index=False, lineterminator="\n"))


def load(folder: Path) -> pd.DataFrame:
    """Read `runs.parquet` back. Raises InputError if it is missing or damaged."""
    path = Path(folder) / "runs.parquet"
    try:
        table = pd.read_parquet(path)
    except FileNotFoundError:
        raise InputError("there is no run table here", where=path, todo="run the notebook first") from None
    except (OSError, ValueError) as error:
        raise InputError(f"the run table cannot be read ({error})", where=path, todo="run again") from None
    return checked(table)


def _words(key: pd.Series) -> str:
    return ", ".join(f"{name} {value}" for name, value in key.items())
