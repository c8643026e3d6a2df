"""Means over the traits, where each trait has a network of its own."""

from dataclasses import replace

import numpy as np
import pandas as pd

from lib.papers.low_rank_fusion import LowRankFusion
from lib.study import Runs, variant_name

MEAN = "mean"
"""Name of the mean in the run table."""


def groups(p: LowRankFusion) -> list[str]:
    """Names under which variants stand in the run table: one per task, and the mean over several traits."""
    if len(p.targets) == 1:
        return [""]
    return [*p.targets, MEAN] if p.family == "pom" else list(p.targets)


def with_means(runs: Runs) -> Runs:
    """The runs, of several traits with their mean per kind beside them."""
    kinds = dict.fromkeys(record.tags["kind"] for record in runs.records) if MEAN in groups(runs.study.p) else ()
    parts = {variant_name(MEAN, kind): [task.variant(kind) for task in runs.study.tasks] for kind in kinds}
    return replace(runs, means=parts)


def run_table(runs: Runs) -> pd.DataFrame:
    """That of the runs; of several traits also, per kind and seed, the mean over all of them, where all have scores."""
    table, means = runs.table, []
    if MEAN not in groups(runs.study.p):
        return table
    for (kind, _), own in table.dropna(subset="metric").groupby(["kind", "seed"], sort=False):
        parts = [part for _, part in own.groupby("task", sort=False)]
        if len(parts) == len(runs.study.tasks):
            values = np.stack([part["value"] for part in parts], axis=1).mean(axis=1)
            means.append(parts[0].assign(variant=variant_name(MEAN, kind), task=MEAN, value=values, best_epoch=-1))
    return pd.concat([table, *means], ignore_index=True)
