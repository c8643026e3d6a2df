"""The effect of SPCL, all modalities against fewer, the pace. Conventions as in `lib.reporting.figures`."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lib.papers.self_paced_balance.study import NUMBERS
from lib.reporting import figures
from lib.reporting.drawing import COLOURS
from lib.reporting.figures import BLUE, ORANGE, new_figure
from lib.reporting.modality_figures import metric_name
from lib.reporting.words import deciding, number, over_what

_SIDES = (("without", "without SPCL", ORANGE, "s", -0.18), ("with", "with SPCL", BLUE, "o", 0.18))
_MODALITY_MARKS = {"text": "-", "audio": "--", "video": ":"}


def effect(table: pd.DataFrame, metric: str, *, label: str, references: dict[str, float]) -> Figure:
    """Scores with and without SPCL, one row per backbone and subset; `table` is that of `tables.effect`.

    Bars through the points are standard deviations over the seeds; the words at the right are what the paired gain
    answers. `references` are scores drawn as vertical lines.
    """
    name = metric_name(metric)
    rows = [f"{row['backbone']} {row['modalities']}" for row in table.to_dict("records")]
    with plt.rc_context(figures.STYLE):
        figure, axes = new_figure(8.0, 2.2 + 0.32 * len(table), f"{name[0].upper()}{name[1:]}, SPCL off and on", label)
        for side, column in zip(_SIDES, ("without", "with_spcl"), strict=True):
            _points(axes, side, table[column], table[f"{column}_std"].fillna(0.0))
        for place, row in enumerate(table.to_dict("records")):
            words = f"{number(100 * row['gain'], '+.1f')} points, {row['answer']}"
            axes.text(1.01, place, words, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
        for (words, value), style in zip(references.items(), ("--", ":", "-."), strict=False):
            axes.axvline(value, color="0.35", linestyle=style, linewidth=1, label=words)
        _rows(axes, rows)
        axes.set_xlabel(f"test {name} (higher is better), mean and standard deviation over the seeds")
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def over_fewer(table: pd.DataFrame, *, label: str) -> Figure:
    """Gain in points of all modalities over fewer, from `over_fewer`, with the 95 % intervals that decide."""
    groups = table[["backbone", "modalities", "over"]].drop_duplicates().to_dict("records")
    rows = [f"{row['backbone']}: {row['modalities']} over {row['over']}" for row in groups]
    metric = metric_name(table["metric"].iloc[0])
    with plt.rc_context(figures.STYLE):
        count = len(table["modalities"].iloc[0])
        title = f"{NUMBERS[count].capitalize()} against {NUMBERS[count - 1].split()[0]}"
        figure, axes = new_figure(8.0, 2.2 + 0.36 * len(rows), title, label)
        for side in _SIDES:
            mine = table[table["spcl"] == side[0]]
            ends = np.array([deciding(row) for row in mine.to_dict("records")])
            spread = np.abs(ends.T - mine["gain"].to_numpy())
            _points(axes, side, 100 * mine["gain"], 100 * np.nan_to_num(spread))
        axes.axvline(0, color="black", linewidth=0.8)
        _rows(axes, rows)
        axes.set_xlabel(f"points gained in test {metric}, mean and 95 % interval over {over_what(table.iloc[0])}")
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def pace(curves: pd.DataFrame, backbone: str, *, label: str, cap: float) -> Figure:
    """Threshold, share of selected utterances and modality ratios per epoch, means over the seeds.

    `curves` is the table of `tables.curves`. A ratio compares a modality's summed true-class probability with
    the smallest one, with SPCL over the selected utterances; 1 for all is balance.
    """
    mine = curves[curves["backbone"] == backbone]
    ratios = [column for column in mine if column.startswith("ratio_")]
    shown = ["threshold", "selected_share", *ratios]
    means = (mine[mine["spcl"] == flag].groupby("epoch").mean(numeric_only=True) for flag in (1, 0))
    on, off = (found.reindex(columns=shown) for found in means)
    with plt.rc_context(figures.STYLE):
        figure, axes = new_figure(
            11.0, 4.0, f"{backbone}, {NUMBERS[len(ratios)]}: the pace of the curriculum", label, columns=3
        )
        axes[0].plot(on.index, on["threshold"], "-", color=BLUE)
        axes[0].axhline(cap, color="0.5", linestyle=":", linewidth=1)
        axes[0].set_yscale("log")
        axes[0].yaxis.set_major_formatter("{x:g}")
        axes[0].set_ylabel("threshold (dotted: the cap)")
        axes[1].plot(on.index, 100 * on["selected_share"], "-", color=BLUE)
        axes[1].set_ylim(-3, 103)
        axes[1].set_ylabel("selected utterances, per cent")
        palette = dict(zip(_MODALITY_MARKS, COLOURS[2:5], strict=True))
        for column in ratios:
            modality = column.removeprefix("ratio_")
            for values, width, words in ((on, 2.0, "with"), (off, 0.9, "without")):
                style = {"linestyle": _MODALITY_MARKS[modality], "color": palette[modality], "linewidth": width}
                axes[2].plot(values.index, values[column], label=f"{modality}, {words}", **style)
        axes[2].set_ylabel("modality ratio (1: the weakest)")
        figure.legend(loc="outside lower right", ncols=6, frameon=False, fontsize=8, title="modality ratio, SPCL")
        for ax in axes:
            ax.set_xlabel("epoch")
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            ax.grid(axis="y", alpha=0.3)
    return figure


def _points(axes: Axes, side: tuple, x: pd.Series, spread: np.ndarray | pd.Series) -> None:
    """Without or with SPCL, one point per row."""
    _, words, colour, marker, offset = side
    style = {"fmt": marker, "color": colour, "capsize": 2, "markersize": 5}
    axes.errorbar(x, np.arange(len(x)) + offset, xerr=spread, label=words, **style)


def _rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.3)
