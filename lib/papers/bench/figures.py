"""The critical-difference diagram over corpora, and score against cost. Conventions as in `lib.reporting.figures`."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from lib.metrics.scores import direction
from lib.papers.bench import PLAIN
from lib.papers.bench.ranks import Ranking
from lib.reporting import figures
from lib.reporting.drawing import COLOURS, STYLE
from lib.reporting.figures import new_figure
from lib.reporting.modality_figures import metric_name

_MARKS = "osv^DPX*"
COSTS = {"parameters": "weights", "seconds_per_epoch": "seconds per epoch, this machine"}


def critical_difference(ranking: Ranking, *, label: str, title: str, note: str) -> Figure:
    """Methods at their mean ranks, best above; a bar joins those that differ by less than the critical difference.

    `note` says what the test comes to, and stands below the axis.
    """
    names, ranks = list(ranking.mean_ranks), np.array(list(ranking.mean_ranks.values()))
    groups, told = ranking.groups, "\n".join(textwrap.wrap(note, 80))
    with plt.rc_context(STYLE):
        figure, axes = new_figure(8.6, 1.9 + 0.32 * len(names), title, label)
        for place, rank in enumerate(ranks):
            axes.plot([1, rank], [place, place], color="0.85", linewidth=0.8, zorder=0)
            axes.plot(rank, place, "o", color=figures.BLUE, markersize=6)
            axes.text(rank, place - 0.18, f" {rank:.2f}", fontsize=8, va="bottom", ha="left")
        right = len(names) + 0.35
        for number, group in enumerate(groups):
            ends = [names.index(group[0]), names.index(group[-1])]
            at = right + 0.22 * number
            axes.plot([at, at], ends, color=figures.ORANGE, linewidth=3, solid_capstyle="round")
        if not np.isnan(ranking.difference):
            axes.plot([1, 1 + ranking.difference], [-0.85, -0.85], color="black", linewidth=1.6, marker="|")
            axes.text(1, -1.0, f"critical difference {ranking.difference:.2f}", fontsize=8.5, va="bottom")
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -1.7)
        axes.set_xlim(0.9, max(right + 0.22 * len(groups), 1.1 + np.nan_to_num(ranking.difference)))
        axes.set_xticks(range(1, len(names) + 1))
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"mean rank over {', '.join(ranking.corpora)} (1 is best); bars: not told apart\n{told}")
        axes.grid(axis="x", alpha=0.3)
    return figure


def pareto(table: pd.DataFrame, *, label: str) -> Figure:
    """Score against weights and against seconds per epoch on one corpus; a line joins what no other method beats in
    both, if these are several. `table` has the columns of scores and costs."""
    metric = table["metric"].iloc[0]
    models, trainings = (list(dict.fromkeys(table[column])) for column in ("model", "strategy"))
    several = len(set(table["optimiser"])) > 1
    with plt.rc_context(STYLE):
        title = "Score against cost: a line joins what nothing beats in both, where that is more than one"
        figure, panels = new_figure(10.5, 4.6, title, label, columns=len(COSTS))
        for axes, (cost, words) in zip(panels, COSTS.items(), strict=True):
            _front(axes, table, cost, metric)
            for row in table.dropna(subset="score").to_dict("records"):
                colour = COLOURS[trainings.index(row["strategy"]) % len(COLOURS)]
                mark = _MARKS[models.index(row["model"]) % len(_MARKS)]
                filled = (
                    {"markerfacecolor": "white"} if several and row["optimiser"] != table["optimiser"].iloc[0] else {}
                )
                axes.plot(row[cost], row["score"], mark, color=colour, markersize=7, **filled)
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_formatter("{x:,.6g}")
            axes.tick_params(axis="x", labelsize=8)
            axes.set_xlabel(words)
            axes.set_ylabel(f"test {metric_name(metric)} ({direction(metric)} is better)")
            axes.grid(alpha=0.3)
        _legend(figure, panels[0], models, trainings, table["optimiser"].unique())
    return figure


def _front(axes: Axes, table: pd.DataFrame, cost: str, metric: str) -> None:
    rows = front(table, cost, metric)
    axes.plot(rows[cost], rows["score"], color="0.5", linewidth=1, zorder=0)


def front(table: pd.DataFrame, cost: str, metric: str) -> pd.DataFrame:
    """The rows that no other beats in both, by rising cost."""
    sign = -1.0 if direction(metric) == "lower" else 1.0
    rows = table.dropna(subset="score").assign(good=lambda t: sign * t["score"])
    rows = rows.sort_values([cost, "good"], ascending=[True, False], kind="stable")
    best = rows["good"].cummax().shift(fill_value=-np.inf)
    return rows[rows["good"] > best].drop(columns="good")


def _legend(figure: Figure, axes: Axes, models: list[str], trainings: list[str], optimisers: np.ndarray) -> None:
    """Marks are models, colours are trainings, open marks the second optimiser."""
    for number, model in enumerate(models):
        axes.plot([], [], _MARKS[number % len(_MARKS)], color="0.3", label=model)
    for number, training in enumerate(trainings):
        words = "plain training" if training == PLAIN else training
        axes.fill_between([], [], color=COLOURS[number % len(COLOURS)], label=words)  # a bar: a square is a model
    if len(optimisers) > 1:
        axes.plot([], [], "o", color="0.3", label=optimisers[0])
        axes.plot([], [], "o", color="0.3", markerfacecolor="white", label=" and ".join(optimisers[1:]))
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8.5)
