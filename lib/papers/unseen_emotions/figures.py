"""Zero-shot scores beside chance, and scores by number of samples. Conventions as in `lib.reporting.figures`."""

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


def few_shot_curves(curves: pd.DataFrame, *, label: str, title: str) -> Figure:
    """AUC against the number of training samples of the emotion, with the seeds' 95 % t-intervals; a panel for each
    emotion, all on the same axes. `curves` is `tables.few_shot_table`."""
    of_emotion = dict(iter(curves.groupby("emotion", sort=False)))
    columns = min(3, len(of_emotion))
    lines = -(-len(of_emotion) // columns)
    least, most = curves.loc[curves["shots"] > 0, "shots"].agg(["min", "max"])
    powers = 10.0 ** np.arange(np.floor(np.log10(least)), np.floor(np.log10(most)) + 1)
    with plt.rc_context(figures.STYLE):
        figure, axes = new_figure(
            1.2 + 2.7 * max(2, columns), 1.6 + 2.3 * lines, title, label, columns=columns, heights=[1.0] * lines
        )
        panels = np.atleast_1d(axes).ravel()
        for ax, (emotion, rows) in zip(panels, of_emotion.items(), strict=False):
            ordered = rows.drop_duplicates("shots").sort_values("shots")
            x = ordered["shots"].to_numpy()
            band = (ordered["auc_seeds_low"], ordered["auc_seeds_high"])
            ax.fill_between(x, *band, color=figures.BLUE, alpha=0.18, lw=0, label="95 % over the seeds")
            ax.plot(x, ordered["auc"], "-o", color=figures.BLUE, markersize=4, label="mean over the seeds")
            ax.axhline(0.5, color=figures.ORANGE, linestyle="--", label="chance")
            ax.set_xscale("symlog", linthresh=powers[0])
            ax.set_xlim(-0.15 * powers[0], 1.4 * most)
            ax.set_xticks([0, *powers])
            ax.get_xaxis().set_major_formatter(plt.FuncFormatter(lambda value, _: f"{value:,.0f}"))
            ax.minorticks_off()
            ax.set_title(emotion, fontsize=11)
            ax.grid(axis="y", alpha=0.3)
        low, high = (of(ax.get_ylim()[end] for ax in panels[: len(of_emotion)]) for end, of in ((0, min), (1, max)))
        for place, ax in enumerate(panels):
            ax.set_ylim(low, high)
            ax.tick_params(axis="y", labelleft=place % columns == 0)
            ax.set_ylabel("test AUC (higher is better)" if place % columns == 0 else "", fontsize=9)
            lowest = place + columns >= len(of_emotion)
            ax.set_xlabel("training samples; 0: zero-shot, last: all" if lowest else "", fontsize=9)
            ax.set_visible(place < len(of_emotion))
        handles = panels[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure
