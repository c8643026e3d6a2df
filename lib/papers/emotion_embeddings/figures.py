"""Figures: similarity of emotions, and scores by modality.

Conventions as in `lib.reporting.figures`.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.metrics.scores import direction
from lib.papers.emotion_embeddings.tables import AFTER, BEFORE, FROZEN, Spaces
from lib.reporting import figures
from lib.reporting.figures import new_figure
from lib.reporting.heatmap import heatmap
from lib.run_table import by_seed

_MOMENTS = {FROZEN: "word vectors", BEFORE: "before training", AFTER: "after training"}


def similarity_maps(spaces: Spaces, label_names: Sequence[str], *, label: str, title: str) -> Figure:
    """Cosines between emotion vectors, mean over the seeds, one panel per modality and moment, all from -1 to 1."""
    panels = {f"{m}, {_MOMENTS[when]}": cosines.mean(axis=0) for (m, when), cosines in spaces.items()}
    size = len(label_names)
    square, words = max(2.0, 0.4 * size), 0.085 * max(map(len, label_names))
    width = max(5.2, len(panels) * (square + 0.25) + words + 0.9)
    with plt.rc_context(figures.STYLE):
        figure, axes = new_figure(width, square + words + 1.4, title, label, columns=len(panels))
        axes = np.atleast_1d(axes)
        ticks = np.arange(size) + 0.5
        for place, (ax, (name, values)) in enumerate(zip(axes, panels.items(), strict=True)):
            values = np.asarray(values, np.float64)
            heatmap(ax, values, np.vectorize("{:.2f}".format)(values), size=7, cmap="PuOr", vmin=-1, vmax=1)
            ax.set_title(name, fontsize=10)
            ax.set_xticks(ticks, label_names, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
            ax.set_yticks(ticks, label_names if place == 0 else [""] * size, rotation=0, fontsize=8)
            ax.tick_params(length=0)
        bar = figure.colorbar(axes[-1].collections[0], ax=list(axes), aspect=25, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label("cosine")
    return figure


def modality_bars(
    ablation: pd.DataFrame, runs: pd.DataFrame, metric: str, *, label: str, title: str, floor: tuple[str, float]
) -> Figure:
    """Score of each set of modalities, as a bar from `floor`, with its 95 % t-interval and the single seeds.

    `ablation` has `variant`, `modalities`, `n`, `score` and the interval; `runs` is the run table with the seeds;
    `floor` is (words, score) of a prediction that reads nothing.
    """
    name = figures.metric_name(metric)
    seeds = by_seed(runs, metric)
    start = floor[1]
    with plt.rc_context(figures.STYLE):
        figure, axes = new_figure(7.2, 2.2 + 0.4 * len(ablation), title, label)
        for place, row in enumerate(ablation.to_dict("records")):
            first = place == 0
            axes.barh(
                place, row["score"] - start, left=start, height=0.6, color=figures.BLUE, alpha=0.45,
                label="mean over the seeds" if first else None,
            )  # fmt: skip
            interval = [row["t_interval_low"], row["t_interval_high"]]
            words = f"95 % t-interval (n={row['n']})" if first and row["n"] > 1 else None
            axes.plot(interval, [place, place], color="black", linewidth=1.4, label=words)
            values = seeds[row["variant"]].dropna().to_numpy()
            words = "single seeds" if first else None
            dots = {"color": figures.BLUE, "markersize": 4, "markeredgewidth": 0}
            axes.plot(values, np.full(len(values), place), "o", label=words, **dots)
        axes.axvline(start, color=figures.ORANGE, label=floor[0])
        axes.set_yticks(range(len(ablation)), ablation["modalities"])
        axes.tick_params(axis="y", length=0)
        axes.use_sticky_edges = False  # else the floor lies under the axis when no bar goes below it
        axes.margins(y=0.02)
        axes.invert_yaxis()
        axes.set_xlabel(f"test {name} ({direction(metric)} is better)")
        axes.grid(axis="x", alpha=0.3)
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure
