"""The rank sweep, and the draws of the search. Conventions as in `lib.reporting.figures`."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.metrics.scores import direction
from lib.reporting import figures
from lib.reporting.figures import new_figure


def rank_sweep(table: pd.DataFrame, metric: str, *, label: str, references: dict[str, float]) -> Figure:
    """Score (with 95 % t-interval), weights and seconds per epoch against the rank.

    `table` has the columns of `tables.rank_table`; `references` are scores drawn as horizontal lines.
    """
    name = figures.metric_name(metric)
    with plt.rc_context(figures.STYLE):
        figure, axes = new_figure(10.5, 4.2, "Score, size and time of LMF against its rank", label, columns=3)
        score, size, seconds = axes
        ranks = table["rank"].to_numpy(float)
        spread = np.abs(table[["t_interval_low", "t_interval_high"]].to_numpy().T - table["score"].to_numpy())
        interval = None if np.isnan(spread).any() else spread
        words = "mean" if interval is None else f"mean, 95 % t-interval (n={table['n'].min()})"
        score.errorbar(ranks, table["score"], yerr=interval, fmt="-o", color=figures.BLUE, capsize=3, label=words)
        for (words, value), style in zip(references.items(), ("--", ":", "-."), strict=False):
            score.axhline(value, color=figures.ORANGE, linestyle=style, label=words)
        score.set_ylabel(f"test {name} ({direction(metric)} is better)")
        size.plot(ranks, table["parameters"], "-s", color=figures.BLUE)
        size.set_ylabel("weights")
        size.set_ylim(0, 1.2 * table["parameters"].max())
        paces = table["seconds_per_epoch_std"].to_numpy()
        pace = None if np.isnan(paces).any() else paces
        seconds.errorbar(ranks, table["seconds_per_epoch"], yerr=pace, fmt="-^", color=figures.BLUE, capsize=3)
        seconds.set_ylabel("seconds per epoch, one thread (± std)")
        seconds.set_ylim(bottom=0)
        size.yaxis.set_major_formatter("{x:,.0f}")
        score.sharex(size)  # else no axis has a place for scores that are all undefined
        for ax in axes:
            ax.set_xscale("log", base=2)
            ax.set_xticks(ranks, [f"{rank:g}" for rank in ranks])
            ax.set_xlabel("rank")
            ax.grid(axis="y", alpha=0.3)
        figure.legend(
            *score.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=9
        )
    return figure


def search_scatter(draws: pd.DataFrame, metric: str, *, label: str, repeats: np.ndarray, best: str) -> Figure:
    """Test score of each draw against its validation loss; the winner, and the scores of its repeats.

    `draws` has `variant`, `validation_loss` and the metric; `best` is the winner's variant.
    """
    name = figures.metric_name(metric)
    shown = draws.dropna(subset=["validation_loss", metric])
    winner = shown[shown["variant"] == best].iloc[0]
    with plt.rc_context(figures.STYLE):
        figure, axes = new_figure(7.2, 4.6, "Random search: does validation choose well?", label)
        axes.plot(shown["validation_loss"], shown[metric], "o", color="0.55", label=f"draws (n={len(shown)})")
        axes.plot(
            winner["validation_loss"],
            winner[metric],
            "*",
            color=figures.ORANGE,
            markersize=15,
            label="chosen by validation",
        )
        if len(repeats):
            axes.axhline(repeats.mean(), color=figures.BLUE, label=f"its setting, other seeds: mean (n={len(repeats)})")
            axes.axhspan(repeats.min(), repeats.max(), color=figures.BLUE, alpha=0.15, linewidth=0, label="their range")
        axes.set_xlabel("validation loss of the selected epoch")
        axes.set_ylabel(f"test {name} ({direction(metric)} is better)")
        axes.grid(alpha=0.3)
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure
