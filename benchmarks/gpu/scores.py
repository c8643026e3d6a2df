"""What bfloat16 and TF32 change in the scores of a small grid, against float32 on the same device."""

from collections.abc import Iterator

import pandas as pd

from benchmarks.gpu.cells import Cell, Row, Setting
from benchmarks.gpu.families import arithmetic
from benchmarks.limits import gain_tables, scores_beside


def cells(setting: Setting) -> list[Cell]:
    """One per type; each trains the grid in float32 as well."""
    return [Cell({"compared": kind}, lambda kind=kind: list(compared(kind, setting))) for kind in ("bfloat16", "tf32")]


def compared(kind: str, setting: Setting) -> Iterator[Row]:
    """By metric and variant, both ways."""
    exact, rounded = (_trained(precision, setting) for precision in ("float32", kind))
    yield from scores_beside(exact, rounded, "rounded")


def _trained(precision: str, setting: Setting) -> dict[str, pd.DataFrame]:
    with arithmetic(precision):
        return gain_tables("float32" if precision == "tf32" else precision, setting.quick, 1, setting.device)
