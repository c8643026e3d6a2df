"""Figures: score against modality-dropout rate, confusion matrices and their difference, gains.

Each function returns a Figure that carries the corpus label under its title, in bold red for a stand-in.
What colour tells, marker, line style or words tell too.
"""

import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.errors import InputError
from lib.metrics.scores import Direction, direction
from lib.reporting.caption import is_synthetic
from lib.reporting.drawing import COLOURS, STYLE
from lib.reporting.gains import summary
from lib.reporting.heatmap import heatmap
from lib.run_table import by_seed

BLUE, ORANGE, GREEN = COLOURS[:3]
_VERDICTS = {
    "positive": (BLUE, "o"),
    "negative": (ORANGE, "v"),
    "neutral": ("0.6", "s"),
    "no verdict": ("white", "D"),
}
_NAMES = {
    "acc": "accuracy",
    "acc2_nonneg": "two-class accuracy",
    "mae": "MAE",
    "corr": "correlation",
    "cross_entropy": "cross-entropy",
}


def rate_curve(
    table: pd.DataFrame,
    metric: str,
    *,
    baseline: str,
    label: str,
    title: str | None = None,
    split: str = "test",
    published: pd.DataFrame | None = None,
    better: Direction | None = None,
) -> Figure:
    """Score against modality-dropout rate, and the unimodal variant `baseline` as a horizontal line.

    Lines are means over seeds, bands their 95 % t-intervals, points the single seeds. `published` is a run
    table of the paper's numbers with the same variant names; its means are drawn dashed. Raises InputError
    for an unknown metric, split or baseline.
    """
    better = better or direction(metric)
    name = metric_name(metric)
    with plt.rc_context(STYLE):
        figure, axes = new_figure(
            7.2, 5.2, title or f"{name[0].upper()}{name[1:]} against modality-dropout rate", label
        )
        _curve(axes, table, metric, split, baseline)
        if published is not None:
            whose = "published (paper's corpus)" if is_synthetic(label) else "published"
            _published_curve(axes, published, metric, split, baseline, whose)
        axes.set_xlabel("modality-dropout rate in training")
        axes.set_ylabel(f"{split} {name} ({better} is better)")
        axes.margins(x=0.03)
        axes.grid(axis="y", alpha=0.3)
        figure.legend(
            loc="outside lower center", ncols=2, frameon=False, fontsize=9, handlelength=1.8, columnspacing=1.2
        )
    return figure


def confusion_matrices(
    panels: Sequence[tuple[str, np.ndarray]],
    label_names: Sequence[str],
    *,
    label: str,
    title: str = "Confusion matrices",
) -> Figure:
    """Confusion matrices (rows true, columns predicted) in one label order, and the last minus the first.

    A panel is (title, counts (C, C)). Numbers are counts; colour is the share of the true class, on one scale
    for all panels. With two or more panels another one shows the difference of these shares in percentage
    points. A class without samples has an empty row. Raises ValueError if a matrix does not fit the label
    names.
    """
    size = len(label_names)
    for name, counts in panels:
        if np.shape(counts) != (size, size):
            raise ValueError(f"{name!r}: matrix of shape {np.shape(counts)} for {size} labels")
    shares = [_shares(counts) for _, counts in panels]
    columns, bars = (len(panels) + 1, 2) if len(panels) > 1 else (1, 1)
    square, words = max(2.4, 0.42 * size), 0.085 * max(map(len, label_names))  # inches
    width, height = columns * (square + words + 0.35) + 0.9 * bars, square + 0.75 * words + 1.55
    with plt.rc_context(STYLE):
        figure, axes = new_figure(max(width, 5.0), height, title, label, columns=columns)
        axes = np.atleast_1d(axes)
        for ax, (name, counts), share in zip(axes, panels, shares, strict=False):
            _heatmap(ax, share, np.asarray(counts).astype(str), label_names, cmap="Blues", vmin=0, vmax=1)
            ax.set_title(name, fontsize=11)
        _colourbar(figure, axes[: len(panels)], "share of the true class")
        if len(panels) > 1:
            points = 100 * (shares[-1] - shares[0])
            rounded = np.nan_to_num(np.round(points)).astype(int)
            signed = np.vectorize(lambda v: f"{v:+d}" if v else "0")(rounded)
            limit = max(1.0, float(np.abs(np.nan_to_num(points)).max()))
            _heatmap(axes[-1], points, signed, label_names, cmap="PuOr", vmin=-limit, vmax=limit)
            axes[-1].set_title(f"{panels[-1][0]} minus {panels[0][0]}", fontsize=11)
            _colourbar(figure, axes[-1:], "difference, percentage points")
        axes[0].set_ylabel("true class")
    return figure


def gain_bars(gains: pd.DataFrame, *, label: str, title: str | None = None) -> Figure:
    """Mean gain of each variant of a gain table over its baseline, with 95 % t-interval, verdict and n.

    Positive means better, whatever the direction of the metric. Raises InputError for an empty table or one
    with several baselines or metrics.
    """
    several = [column for column in ("baseline", "metric", "split") if len(set(gains[column])) != 1]
    if several:
        raise InputError(f"the gain table must have exactly one {', '.join(several)}", where="gain bars")
    baseline, metric, split, better = gains[["baseline", "metric", "split", "better"]].iloc[0]
    name = metric_name(metric)
    with plt.rc_context(STYLE):
        heading = title or f"Gain in {name} over {baseline!r}"
        figure, axes = new_figure(7.2, 1.9 + 0.4 * len(gains), heading, label)
        for place, row in enumerate(gains.to_dict("records")):
            colour, marker = _VERDICTS[row["verdict"]]
            axes.barh(place, row["gain"], height=0.6, color=colour, alpha=0.5)
            ends = [row["t_interval_low"], row["t_interval_high"]]
            axes.plot(ends, [place, place], color="black", linewidth=1.2, solid_capstyle="butt")
            axes.plot(row["gain"], place, marker, color=colour, markeredgecolor="black", markersize=7)
            words = f"{row['verdict']}, n={row['n']}"
            axes.text(1.02, place, words, transform=axes.get_yaxis_transform(), va="center", fontsize=9)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks(range(len(gains)), gains["variant"])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        reduction = "reduction of " if better == "lower" else ""
        axes.set_xlabel(f"{reduction}{split} {name}: mean paired gain and 95 % t-interval over the seeds")
        axes.grid(axis="x", alpha=0.3)
    return figure


def new_figure(
    width: float, height: float, title: str, label: str, columns: int = 1, heights: Sequence[float] = (1.0,)
):
    """A figure with title and corpus label, and its axes. Sizes in inches; `heights` are those of its rows, relative.

    pyplot makes it, because only then a notebook knows how to show it, and lets go of it at once, so that it
    is shown once and its memory is freed.
    """
    synthetic = is_synthetic(label)
    figure, axes = plt.subplots(
        len(heights), columns, figsize=(width, height), layout="constrained", height_ratios=heights
    )
    plt.close(figure)
    y = height - 0.12
    for text, size, style in (
        (title, 13, {"color": "black"}),
        (label, 10, {"color": "#b00020", "weight": "bold"} if synthetic else {"color": "0.35"}),
    ):
        lines = textwrap.wrap(text, int(width * 72 / (0.6 * size)))
        figure.text(0.1 / width, y / height, "\n".join(lines), fontsize=size, va="top", **style)
        y -= len(lines) * size * 1.3 / 72 + 0.04
    figure.get_layout_engine().set(rect=(0, 0, 1, (y - 0.05) / height), w_pad=0.08)
    return figure, axes


def _curve(axes: Axes, table: pd.DataFrame, metric: str, split: str, baseline: str) -> None:
    rated, flat = _rated_and_flat(table, metric, split, baseline)
    axes.fill_between(
        rated["rate"],
        rated["t_interval_low"],
        rated["t_interval_high"],
        color=BLUE,
        alpha=0.18,
        linewidth=0,
    )
    axes.plot(rated["rate"], rated["score"], "-o", color=BLUE, label=f"modality dropout, {spread(rated['n'])}")
    seeds = by_seed(table, metric, split)[rated["variant"]].to_numpy()
    places = np.broadcast_to(rated["rate"].to_numpy(), seeds.shape)
    faint = {"alpha": 0.35, "markersize": 4, "markeredgewidth": 0}
    axes.plot(places.ravel(), seeds.ravel(), "o", color=BLUE, label="single seeds", **faint)
    axes.axhspan(flat["t_interval_low"], flat["t_interval_high"], color=ORANGE, alpha=0.15, linewidth=0)
    axes.axhline(flat["score"], color=ORANGE, label=f"{baseline}, {spread(flat[['n']])}")


def spread(n: pd.Series) -> str:
    """What the line and band of a curve are, given the number of seeds at each of its points."""
    if n.max() < 2:
        return "one seed: no interval" if n.max() else "undefined with every seed"
    return f"mean and 95 % t-interval ({counted(n)})"


def counted(n: pd.Series) -> str:
    """The number of seeds at all points, or the least and the most."""
    return f"n={n.min()}" if n.min() == n.max() else f"n={n.min()} to {n.max()}"


def _published_curve(axes: Axes, table: pd.DataFrame, metric: str, split: str, baseline: str, whose: str) -> None:
    rated, flat = _rated_and_flat(table, metric, split, baseline)
    words = f"{whose}, mean (n={rated['n'].max()})"
    axes.plot(rated["rate"], rated["score"], "--s", color="0.25", markersize=4, label=words)
    axes.axhline(flat["score"], color="0.25", linestyle=":", label=f"{whose}, {baseline}")


def _rated_and_flat(table: pd.DataFrame, metric: str, split: str, baseline: str) -> tuple[pd.DataFrame, pd.Series]:
    """Summary rows of the variants with a rate, by rising rate, and the row of the unimodal variant."""
    means = summary(table, metric, split)
    flat = means[means["variant"] == baseline]
    if flat.empty:
        raise InputError(
            f"no variant {baseline!r}", where="rate curve", todo=f"there are: {', '.join(means['variant'])}"
        )
    return means.dropna(subset="rate").sort_values("rate"), flat.iloc[0]


def _heatmap(axes: Axes, values: np.ndarray, words: np.ndarray, label_names: Sequence[str], **colours) -> None:
    heatmap(axes, values, words, size=9, **colours)
    axes.set_facecolor("0.93")  # shows through where a class has no samples
    ticks = np.arange(len(label_names)) + 0.5
    axes.set_xticks(ticks, label_names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, label_names, rotation=0)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted class")


def _colourbar(figure: Figure, axes: np.ndarray, words: str) -> None:
    bar = figure.colorbar(axes[-1].collections[0], ax=list(axes), aspect=25, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label(words)


def _shares(counts: np.ndarray) -> np.ndarray:
    """Rows divided by their sums; NaN (drawn empty) for a class without samples."""
    counts = np.asarray(counts, np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)


def metric_name(metric: str) -> str:
    return _NAMES.get(metric, metric.replace("_", " "))
