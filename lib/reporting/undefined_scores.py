"""Scores that no run of a variant has, although it has finished: which they are, and why that happens."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from lib.reporting import tables
from lib.training.records import FINISHED

TABLE = "undefined_scores"
LISTED = 12
WHY = (
    "A score of presence needs samples with the emotion and samples without it, the F1 of a class one sample or answer "
    "of that class, a correlation answers that differ; a mean over emotions is undefined if it is for one of them"
)


def undefined_table(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per split and metric of a run table that is NaN with every seed of some variant with outputs.

    `variants` counts those variants, `of` all that have the metric.
    """
    scored = runs[(runs["status"] == FINISHED) & (runs["reason"] == "")]
    values = scored.groupby(["split", "metric", "variant"], sort=False)["value"].count()
    counts = values.eq(0).groupby(level=["split", "metric"], sort=False).agg(variants="sum", of="size")
    return counts[counts["variants"] > 0].reset_index()


def write(runs: pd.DataFrame, folder: Path, *, label: str) -> Iterator[str]:
    """Write the table `undefined_scores` into a result folder; what is to be shown of it. Nothing if there is none."""
    table = undefined_table(runs)
    if table.empty:
        return
    caption = "Scores that are undefined with every seed, by how many variants"
    tables.save(table, Path(folder) / "tables" / TABLE, caption=caption, label=label)
    names = [f"{row['split']} {row['metric']}" for row in table.to_dict("records")]
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    yield f"**Undefined scores:** `{'`, `'.join(names[:LISTED])}`{more}. {WHY}. They are NaN and shown as –."
