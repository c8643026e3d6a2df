"""Figures of modality share and robustness. Conventions as in `figures`."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.metrics.scores import direction
from lib.reporting import figures
from lib.reporting.disturbed import MISSING, NOISE
from lib.reporting.drawing import COLOURS, STYLE
from lib.reporting.figures import new_figure
from lib.reporting.modality_share import in_order

_MARKS = "osv^DPX"
_LINES = ("-", "--", "-.", ":")
BANDED = 4
_LEVELS = {NOISE: "noise, training deviations", MISSING: "share of utterances without"}


def metric_name(metric: str) -> str:
    """In words."""
    return figures.metric_name(metric).replace(" f1", " F1")


def shares(table: pd.DataFrame, *, label: str, title: str = "What each modality brings") -> Figure:
    """Share of each modality with its 95 % t-interval, one row per model; `table` is that of `share_table`."""
    models, modalities = list(dict.fromkeys(table["model"])), in_order(table["modality"])
    metric = table["metric"].iloc[0]
    name = metric_name(metric)
    offsets = np.linspace(-0.22, 0.22, len(modalities)) if len(modalities) > 1 else [0.0]
    with plt.rc_context(STYLE):
        figure, axes = new_figure(7.2, 2.2 + 0.5 * len(models), title, label)
        for modality, colour, mark, offset in zip(modalities, COLOURS, _MARKS, offsets, strict=False):
            mine = table[table["modality"] == modality]
            spread = np.abs(mine[["share_low", "share_high"]].to_numpy().T - mine["share_mean"].to_numpy())
            places = np.array([models.index(model) for model in mine["model"]]) + offset
            style = {"fmt": mark, "color": colour, "capsize": 2, "markersize": 5}
            axes.errorbar(mine["share_mean"], places, xerr=np.nan_to_num(spread), label=modality, **style)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks(range(len(models)), models)
        axes.set_ylim(len(models) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", alpha=0.3)
        reduction = "reduction of " if direction(metric) == "lower" else ""
        axes.set_xlabel(f"Shapley value in {reduction}test {name}: {figures.spread(table['seeds'])}")
        figure.legend(loc="outside lower center", ncols=len(modalities), frameon=False, fontsize=9)
    return figure


def robustness(table: pd.DataFrame, kind: str, *, label: str) -> Figure:
    """Score against noise or missing rate, one panel per modality, one line per model.

    Bands are 95 % t-intervals, left out where more than `BANDED` models would hide each other. `table` is that of
    `robustness_table`.
    """
    rows = table[table["kind"] == kind]
    models, modalities = list(dict.fromkeys(rows["model"])), in_order(rows["modality"])
    metric = rows["metric"].iloc[0]
    banded = len(models) <= BANDED and rows["seeds"].max() > 1
    title = {NOISE: "Noise on one modality", MISSING: "One modality missing from some utterances"}[kind]
    with plt.rc_context(STYLE):
        figure, axes = new_figure(2.6 + 2.8 * len(modalities), 4.6, title, label, columns=len(modalities))
        axes = np.atleast_1d(axes)
        for ax, modality in zip(axes, modalities, strict=True):
            for i, (model, colour) in enumerate(zip(models, COLOURS, strict=False)):
                mine = rows[(rows["model"] == model) & (rows["modality"] == modality)].sort_values("level")
                if banded:
                    ax.fill_between(mine["level"], mine["low"], mine["high"], color=colour, alpha=0.15, linewidth=0)
                style = {"color": colour, "marker": _MARKS[i % len(_MARKS)], "linestyle": _LINES[i % len(_LINES)]}
                ax.plot(mine["level"], mine["mean"], markersize=4, label=model if ax is axes[0] else None, **style)
            ax.set_title(modality, fontsize=11)
            ax.set_xlabel(_LEVELS[kind])
            ax.grid(axis="y", alpha=0.3)
            ax.sharey(axes[0])
        better = direction(metric)
        axes[0].set_ylabel(f"test {metric_name(metric)} ({better} is better)")
        band = figures.spread(rows["seeds"]) if banded else f"mean ({figures.counted(rows['seeds'])})"
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9, title=band)
    return figure
