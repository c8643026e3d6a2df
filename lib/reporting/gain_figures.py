"""What gains are worth over seeds and test units: each with three intervals, and how much more seeds would help."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import special

from lib.reporting.figures import BLUE, GREEN, ORANGE, STYLE, metric_name, new_figure
from lib.reporting.heatmap import heatmap
from lib.reporting.two_sources import Components
from lib.reporting.verdicts import UNDECIDED

_INTERVALS = (
    ("t_interval", "new seeds, these test units", ORANGE, 1.6, -0.24),
    ("new_units", "new test units, these networks", GREEN, 1.6, 0.0),
    ("combined", "both: this one decides", BLUE, 3.2, 0.24),
)
MOST_ROWS = 20
"""Of one forest plot."""
SEEDS = (5, 10, 20, 40, 80)
EFFECTS = (0.5, 1.0, 1.5, 2.0, 3.0)
"""Of the heat map: seeds, and true differences in margins."""


def forest(gains: pd.DataFrame, *, label: str, title: str = "What each gain is worth") -> Figure:
    """Each row of gain tables with its three 95 % intervals, the margin as a band, and the answer in words.

    A panel per metric, since margins are in its units. Rows without a combined interval show what they have.
    """
    parts = [rows for _, rows in gains.groupby("metric", sort=False)]
    sizes = [len(rows) for rows in parts]
    with plt.rc_context(STYLE):
        height = 1.7 + 0.62 * sum(sizes) + 0.6 * len(parts)
        figure, panels = new_figure(10.5, height, title, label, heights=sizes)
        for axes, rows in zip(np.atleast_1d(panels), parts, strict=True):
            _panel(axes, rows)
        handles, words = np.atleast_1d(panels)[0].get_legend_handles_labels()
        figure.legend(handles, words, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def sheets(gains: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each forest plot that can be read, by what its file name ends with: all in one, else one per metric,
    each in as few parts as `MOST_ROWS` allows, which differ by one row at most."""
    if len(gains) <= MOST_ROWS:
        return {"": gains}
    found = {}
    for metric, rows in gains.groupby("metric", sort=False):
        ends = np.linspace(0, len(rows), -(-len(rows) // MOST_ROWS) + 1).round().astype(int)
        parts = [rows.iloc[start:end] for start, end in pairwise(ends)]
        found |= {f"_{metric}" + (f"_{n}" if len(parts) > 1 else ""): part for n, part in enumerate(parts, start=1)}
    return found


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    margin = rows["margin"].iloc[0]
    axes.axvspan(-margin, margin, color="0.9", label="within the margin", zorder=0)
    axes.axvline(0, color="black", linewidth=0.8)
    for place, row in enumerate(rows.to_dict("records")):
        for stem, words, colour, width, offset in _INTERVALS:
            ends, y = [row[f"{stem}_low"], row[f"{stem}_high"]], place + offset
            # Else a cap, half as long as the line is wide, would take the interval across a 0 that it leaves out.
            drawn = {"color": colour, "linewidth": width, "solid_capstyle": "butt"}
            axes.plot(ends, [y, y], **drawn, label=words if not place else None)
            axes.plot(row["gain"], y, "o", color=colour, markersize=3.5 if offset < 0.2 else 5.5)
        axes.text(1.02, place, in_words(row), transform=axes.get_yaxis_transform(), va="center", fontsize=8.5)
    names = [f"{row.variant}\nover {row.baseline}" for row in rows.itertuples()]
    axes.set_yticks(range(len(rows)), names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    reduction = "reduction of " if rows["better"].iloc[0] == "lower" else ""
    axes.set_xlabel(f"gain: {reduction}{metric_name(rows['metric'].iloc[0])}; margin {margin:g}, positive is better")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))  # else the figures of small gains run together
    axes.grid(axis="x", alpha=0.3)


def in_words(row: dict) -> str:
    """The answer of a gain, what would decide an undecided one, and whether it outlasts the table's other rows."""
    said = row["answer"]
    if said == UNDECIDED:
        plan = row["would_decide"] if isinstance(row["would_decide"], str) else ""
        return "\n".join([said, *plan.replace("; ", "\n").splitlines()])
    after = "" if not row["combined_p"] < 0.05 else f"\np {row['combined_p']:.2g}, Holm {row['holm_p']:.2g}"
    return f"{said}{after}"


def power_map(gains: pd.DataFrame, *, label: str, seeds: Sequence[int] = SEEDS) -> Figure:
    """With which chance a true difference of so many margins would be seen with so many seeds on these test units.

    A panel per metric; the spread is the median of the table's rows. Seen: the 95 % interval excludes 0 on the right
    side. Rows of the map are whole turns where units are tested in turns.
    """
    parts = [rows for _, rows in gains.dropna(subset="combined_error").groupby("metric", sort=False)]
    with plt.rc_context(STYLE):
        title = "Chance to see a difference, by seeds and size"
        figure, panels = new_figure(1.2 + 4.2 * max(1, len(parts)), 4.2, title, label, columns=max(1, len(parts)))
        for axes, rows in zip(np.atleast_1d(panels), parts, strict=False):
            parts_of = rows[["seed_variance", "unit_variance", "rest_variance"]].median()
            components = Components(*parts_of, folds=int(rows["folds"].iloc[0]))
            units, unit, margin = int(rows["units"].iloc[0]), rows["unit"].iloc[0], rows["margin"].iloc[0]
            shown = [-(-n // components.folds) * components.folds for n in seeds]
            values = [[power(components, n, units, effect * margin) for effect in EFFECTS] for n in shown]
            values = 100 * np.array(values)
            words = np.vectorize("{:.0f}".format)(values)
            heatmap(axes, values, words, size=9, cmap="Blues", vmin=0, vmax=100, square=False)
            axes.set_xticks(np.arange(len(EFFECTS)) + 0.5, [f"{effect * margin:g}" for effect in EFFECTS])
            axes.set_yticks(np.arange(len(shown)) + 0.5, shown)
            axes.set_title(f"{metric_name(rows['metric'].iloc[0])}, {units} {unit}s, per cent", fontsize=10)
            axes.set_xlabel(f"true difference (margin {margin:g})")
            axes.set_ylabel("seeds")
            axes.tick_params(length=0, rotation=0)
    return figure


def power(components: Components, seeds: int, units: int, effect: float) -> float:
    """Of the two-sided t test at 5 %, on the side of the effect, from the noncentral t distribution."""
    error = components.error(seeds, units)
    if error.variance == 0:
        return 1.0
    limit = special.stdtrit(error.freedom, 0.975)
    return float(1 - special.nctdtr(error.freedom, effect / np.sqrt(error.variance), limit))
