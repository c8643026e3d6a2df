"""Zero-shot scores beside chance, and scores by number of samples. Conventions as in `lib.reporting.figures`."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.reporting import figures
from lib.reporting.figures import new_figure


def zero_shot_dots(table: pd.DataFrame, *, label: str, title: str) -> Figure:
    """AUC per held-out emotion: from its word vector, from a random vector, and with it in training.

    `table` is `tables.zero_shot_table`. The interval of the control is the combined one.
    """
    with plt.rc_context(figures.STYLE):
        figure, axes = new_figure(7.2, 2.4 + 0.55 * len(table), title, label)
        wide = {"color": "0.75", "linewidth": 5, "solid_capstyle": "butt"}
        for place, row in enumerate(table.to_dict("records")):
            own, random, once = [place - 0.12] * 2, [place + 0.2] * 2, place == 0
            both, seeds = ([row[f"{kind}_low"], row[f"{kind}_high"]] for kind in ("combined", "seeds"))
            axes.plot(both, own, label="95 % over seeds and test units: decides" if once else None, **wide)
            axes.plot(seeds, own, "k", linewidth=1.4, label="95 % over the seeds" if once else None)
            words = "zero-shot: its word vector" if once else None
            axes.plot(row["auc"], own[0], "o", color=figures.BLUE, markersize=7, label=words)
            axes.plot([row["random_combined_low"], row["random_combined_high"]], random, color="0.5", linewidth=1.0)
            words = "control: a random vector" if once else None
            axes.plot(
                row["random_auc"], random[0], "o", color="0.4", markerfacecolor="white", markersize=5, label=words
            )
            words = "emotion in training" if once else None
            axes.plot(row["auc_in_training"], own[0], "D", color="0.35", markersize=5, label=words)
        axes.axvline(0.5, color=figures.ORANGE, linestyle="--", label="chance")
        axes.set_xlim(max(0.0, axes.get_xlim()[0]), min(1.01, axes.get_xlim()[1]))
        axes.set_yticks(range(len(table)), table["emotion"])
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("test AUC of the held-out emotion (higher is better)")
        axes.grid(axis="x", alpha=0.3)
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def few_shot_curves(curves: Mapping[str, pd.DataFrame], *, label: str, title: str) -> Figure:
    """AUC against the number of training samples of the emotion, with the seeds' 95 % t-intervals; one line each."""
    with plt.rc_context(figures.STYLE):
        figure, axes = new_figure(7.2, 4.8, title, label)
        marks = "osD^v<>"
        colours = plt.get_cmap("cividis")(np.linspace(0.1, 0.8, len(curves)))
        for (emotion, rows), mark, colour in zip(curves.items(), marks, colours, strict=False):
            ordered = rows.drop_duplicates("shots").sort_values("shots")
            x = ordered["shots"].to_numpy()
            axes.plot(x, ordered["auc"], marker=mark, color=colour, label=emotion)
            axes.fill_between(x, ordered["auc_seeds_low"], ordered["auc_seeds_high"], color=colour, alpha=0.15, lw=0)
        axes.axhline(0.5, color=figures.ORANGE, linestyle="--", label="chance")
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xlim(-0.1, 1.3 * max(rows["shots"].max() for rows in curves.values()))
        ticks = [0, 1, 5, 10, 50, 100, 500, 1000, 5000]
        axes.set_xticks([t for t in ticks if t <= 2 * max(rows["shots"].max() for rows in curves.values())])
        axes.get_xaxis().set_major_formatter(plt.FormatStrFormatter("%d"))
        axes.minorticks_off()
        axes.set_xlabel("training samples of the emotion (0: zero-shot; last: all)")
        axes.set_ylabel("test AUC of the emotion (higher is better)")
        axes.grid(axis="y", alpha=0.3)
        figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure
