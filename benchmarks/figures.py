"""The figures of the benchmarks' pages. Colours are told apart by the colour-blind too."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.files import atomic_path

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""The palette of Okabe and Ito."""
COMPARED = ("epochs", "eea", "fusion", "conversations")
"""Tables whose rows compare an epoch of a model with that of a direct implementation."""
EXPONENTS = {"at the end": "CPU seconds", "of memory at the end": "memory"}
"""Columns of the table of growth, in words."""


def compared(results: Path) -> pd.DataFrame:
    """`name`, `times faster`, `low` and `high` of every setting on a CPU that was compared; empty if none was."""
    tables = [pd.read_csv(path) for name in COMPARED if (path := results / f"{name}.csv").exists()]
    if (path := results / "transformers.csv").exists():
        table = pd.read_csv(path)
        low, high = table["whole / ours, range"].str.split(" to ", expand=True).astype(float).to_numpy().T
        tables.append(table.assign(device="cpu", **{"times faster": table["whole / ours"], "low": low, "high": high}))
    columns = ["model", "variant", "device", "times faster", "low", "high"]
    rows = pd.concat([pd.DataFrame(columns=columns), *(t.reindex(columns=columns) for t in tables)], ignore_index=True)
    rows = rows[rows["device"] == "cpu"].dropna(subset="times faster")
    numbers = rows[["times faster", "low", "high"]].astype(float)
    names = [", ".join(x for x in row if isinstance(x, str)) for row in rows[["model", "variant"]].to_numpy()]
    return numbers.assign(name=names).reset_index(drop=True)


def times_faster(rows: pd.DataFrame, target: Path) -> Path:
    """Draw a point per row of `compared`, with the range over the rounds where there is one."""
    rows = rows.sort_values("times faster", ascending=False)
    centre = rows["times faster"]
    # The csv keeps six digits: a range of one round may end just beside its only value.
    low, high = rows["low"].fillna(centre).clip(upper=centre), rows["high"].fillna(centre).clip(lower=centre)
    figure, axes = plt.subplots(figsize=(8, 1 + 0.32 * len(rows)), layout="constrained")
    axes.errorbar(centre, range(len(rows)), xerr=[centre - low, high - centre], fmt="o", color=COLOURS[0], capsize=3)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), rows["name"])
    axes.invert_yaxis()
    axes.set(xlabel="times faster: median and range of the rounds", xscale="log")
    ticks = [t for t in (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20) if 0.8 * low.min() <= t <= 1.25 * high.max()]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.grid(axis="x", alpha=0.3)
    return _saved(figure, target)


def growth(table: pd.DataFrame, target: Path) -> Path:
    """A panel per axis, a row per model: the exponents of seconds and memory, and a tick at that of the mathematics."""
    last = table.groupby(["axis", "model"], sort=False).tail(1)
    models, kinds = list(dict.fromkeys(last["model"])), list(dict.fromkeys(last["axis"]))
    size = (4 + 2.2 * len(kinds), 1.2 + 0.28 * len(models))
    figure, panels = plt.subplots(1, len(kinds), figsize=size, sharey=True, layout="constrained", squeeze=False)
    for axes, kind in zip(panels[0], kinds, strict=True):
        rows = last[last["axis"] == kind]
        place = rows["model"].map(models.index)
        bound = rows["of its mathematics"]
        axes.plot(bound, place, "|", color="black", markersize=14, label="its mathematics, at most")
        for i, (column, words) in enumerate(EXPONENTS.items()):
            axes.plot(rows[column], place, "os"[i], color=COLOURS[i], label=words, alpha=0.8)
        sizes = sorted(table.loc[table["axis"] == kind, "size"].unique())[-2:]
        axes.set(xlabel=f"exponent, {kind}\n{sizes[0]} to {sizes[-1]}", xlim=(-0.1, 2.4))
        axes.set_xticks([0, 1, 2])
        axes.grid(alpha=0.3)
    panels[0, 0].set_yticks(range(len(models)), models)
    panels[0, 0].invert_yaxis()
    handles, words = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside upper center", ncols=3, frameon=False)
    return _saved(figure, target)


def startup(table: pd.DataFrame, target: Path) -> Path:
    """A point per part, seconds on a logarithmic axis, written beside it."""
    figure, axes = plt.subplots(figsize=(8, 1 + 0.36 * len(table)), layout="constrained")
    axes.plot(table["seconds"], range(len(table)), "o", color=COLOURS[0])
    for place, seconds in enumerate(table["seconds"]):
        axes.annotate(f"{seconds:.2g} s", (seconds, place), xytext=(8, -4), textcoords="offset points")
    axes.set_yticks(range(len(table)), table["part"])
    axes.invert_yaxis()
    axes.set(xlabel="seconds", xscale="log", xlim=(table["seconds"].min() / 2, table["seconds"].max() * 4))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="x", alpha=0.3)
    return _saved(figure, target)


def members(table: pd.DataFrame, target: Path) -> Path:
    """Seconds against members, both axes logarithmic; one colour per model and device."""
    measured = table.assign(fleet_s=pd.to_numeric(table["fleet_s"], errors="coerce")).dropna(subset="fleet_s")
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for i, ((model, device), rows) in enumerate(measured.groupby(["model", "device"], sort=False)):
        colour = COLOURS[i % len(COLOURS)]
        axes.plot(rows["members"], rows["fleet_s"], "o-", color=colour, label=f"{model}, {device}: fleet")
        axes.plot(rows["members"], rows["loop_s"], "s--", color=colour, label=f"{model}, {device}: one after another")
    axes.set(xscale="log", yscale="log", xlabel="members", ylabel="seconds of an epoch", title="Cost against members")
    counts = np.unique(measured["members"])
    axes.set_xticks(counts, [str(n) for n in counts])
    axes.xaxis.minorticks_off()
    axes.grid(which="major", alpha=0.3)
    axes.legend()
    return _saved(figure, target)


def _saved(figure: Figure, path: Path) -> Path:
    with atomic_path(path) as target, plt.rc_context({"svg.hashsalt": "benchmarks"}):
        figure.savefig(target, format="svg", metadata={"Date": None})
    plt.close(figure)
    return path
