"""What bfloat16 and TF32 change in the scores of a small grid, against float32 on the same device."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from benchmarks.gpu.cells import Cell, Row, Setting
from benchmarks.gpu.families import arithmetic
from lib.papers import load
from lib.papers.colearning import study as colearning
from lib.reporting import gains
from lib.study import Runs
from lib.training.sweep import sweep

ROOT = Path(__file__).resolve().parents[2]


def cells(setting: Setting) -> list[Cell]:
    """One per type; each trains the grid in float32 as well."""
    return [Cell({"compared": kind}, lambda kind=kind: list(compared(kind, setting))) for kind in ("bfloat16", "tf32")]


def compared(kind: str, setting: Setting) -> Iterator[Row]:
    """By metric and variant: test score, gain over the unimodal variant and verdict, both ways."""
    exact, rounded = (gain_tables(precision, setting) for precision in ("float32", kind))
    for metric, rows in exact.items():
        others = rounded[metric].set_index("variant")
        for row in rows.to_dict("records"):
            other = others.loc[row["variant"]]
            yield {
                "metric": metric,
                "variant": row["variant"],
                "float32": row["score"],
                "rounded": other["score"],
                "difference": other["score"] - row["score"],
                "gain float32": row["gain"],
                "gain rounded": other["gain"],
                "verdict float32": row["verdict"],
                "verdict rounded": other["verdict"],
            }


def gain_tables(precision: str, setting: Setting) -> dict[str, pd.DataFrame]:
    """Of the quick MOSI-like notebook run, by metric."""
    p = load(ROOT / "params" / "mosi_positive_colearning" / "quick.yaml", results="-")
    if setting.quick:
        p = p.model_copy(update={"samples": 200, "epochs": 1, "seeds": (0, 1)})
    study, kind = colearning.study(p), "float32" if precision == "tf32" else precision
    members = [replace(m, recipe=replace(m.recipe, precision=kind)) for _, m in study.members]
    task, folder = study.tasks[0], Path(tempfile.mkdtemp())
    try:
        with arithmetic(precision):
            records = sweep(members, task.corpus, folder, cores=1, device=setting.device)
    finally:
        shutil.rmtree(folder)
    runs = Runs(study, [(task, member, record) for member, record in zip(members, records, strict=True)])
    return {metric: gains.gain_table(runs.table, metric, colearning.unimodal(p)) for metric in task.metrics}
