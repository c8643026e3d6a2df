"""The figures of the page: how much faster, and how cost grows. Colours are told apart by the colour-blind too."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lib.files import atomic_path

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The palette of Okabe and Ito."""
MARKERS = "os^DvPX"
COMPARED = ("epochs", "eea", "fusion", "conversations")
"""Tables whose rows compare a model with a direct implementation."""


def times_faster(results: Path, target: Path) -> bool:
    """Draw a point per model with the range over the rounds, where a table has one; whether there was anything."""
    tables = [pd.read_csv(path) for name in COMPARED if (path := results / f"{name}.csv").exists()]
    tables = [table for table in tables if "times faster" in table]
    if not tables:
        return False
    rows = pd.concat(tables, ignore_index=True).reindex(
        columns=["model", "variant", "device", "times faster", "low", "high"]
    )
    rows = rows.dropna(subset="times faster")
    if rows.empty:
        return False
    names = [", ".join(x for x in row if isinstance(x, str)) for row in rows[["model", "variant"]].to_numpy()]
    centre = rows["times faster"].astype(float)
    low, high = rows["low"].fillna(centre), rows["high"].fillna(centre)
    figure, axes = plt.subplots(figsize=(7, 1 + 0.32 * len(rows)), layout="constrained")
    axes.errorbar(centre, range(len(rows)), xerr=[centre - low, high - centre], fmt="o", color=COLOURS[0], capsize=3)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.set(xlabel="times faster: median, range of rounds", xscale="log")
    ticks = [t for t in (0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20) if 0.8 * low.min() <= t <= 1.25 * high.max()]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.grid(axis="x", alpha=0.3)
    _save(figure, target)
    return True


def growth(table: pd.DataFrame, target: Path) -> None:
    """CPU seconds (above) and MiB (below) against each axis, all logarithmic."""
    kinds = list(dict.fromkeys(table["axis"]))
    models = list(dict.fromkeys(table["model"]))
    figure, grid = plt.subplots(2, len(kinds), figsize=(4 * len(kinds), 6), layout="constrained", squeeze=False)
    for column, kind in enumerate(kinds):
        for model, rows in table[table["axis"] == kind].groupby("model", sort=False):
            i = models.index(model) % len(COLOURS)
            style = {"color": COLOURS[i], "marker": MARKERS[i], "label": model}
            grid[0, column].plot(rows["size"], rows["cpu_s"], **style)
            grid[1, column].plot(rows["size"], rows["more_MiB"], **style)
        for axes, unit in zip(grid[:, column], ("CPU seconds of an epoch", "additional peak memory, MiB"), strict=True):
            axes.set(xscale="log", yscale="log", xlabel=kind, ylabel=unit)
            axes.grid(which="major", alpha=0.3)
            sizes = sorted(set(table.loc[table["axis"] == kind, "size"]))
            axes.set_xticks(sizes, [f"{n:g}" for n in sizes])
            axes.xaxis.minorticks_off()
        grid[0, column].legend(fontsize="small")
    _save(figure, target)


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as target, plt.rc_context({"svg.hashsalt": "benchmarks"}):
        figure.savefig(target, format="svg", metadata={"Date": None})
    plt.close(figure)
