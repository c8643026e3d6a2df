"""Figures: emotions by model, score against cost, attention maps. Conventions: `figures`."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.reporting import figures
from lib.reporting.drawing import COLOURS
from lib.reporting.figures import BLUE, ORANGE, new_figure

_MARKS = ("o", "s", "^", "D", "v", "P")


def emotion_dots(table: pd.DataFrame, *, label: str, title: str, axis: str) -> Figure:
    """One row per emotion and for their average, one mark per model; the last row of the table is a constant answer."""
    emotions = [column for column in table if column != "variant"]
    with plt.rc_context(figures.STYLE):
        figure, axes = new_figure(7.2, 2.2 + 0.36 * len(emotions), title, label)
        for number, row in enumerate(table.to_dict("records")):
            constant = number == len(table) - 1
            style = {"color": "0.35", "marker": "|", "markersize": 14} if constant else {}
            style = style or {"color": COLOURS[number], "marker": _MARKS[number % len(_MARKS)], "markersize": 6}
            places = np.arange(len(emotions)) + (0 if constant else 0.09 * (number - (len(table) - 2) / 2))
            axes.plot([row[e] for e in emotions], places, linestyle="none", label=row["variant"], **style)
        axes.axhline(len(emotions) - 1.5, color="0.8", linewidth=0.8)
        axes.set_yticks(range(len(emotions)), emotions)
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xlabel(axis)
        axes.grid(axis="x", alpha=0.3)
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def cost_curves(costs: pd.DataFrame, scores: pd.DataFrame, *, label: str, metric: str) -> Figure:
    """Left, score against kept probability; right, shares of the dense model's operations and time.

    `costs` is that of `costs.cost_table`, `scores` has `threshold`, `score` and its 95 % t-interval, the
    dense model at 1.
    """
    with plt.rc_context(figures.STYLE):
        figure, axes = new_figure(9.6, 5.0, "Dense and sparse: score, operations, time", label, columns=2)
        sparse, dense = scores[scores["threshold"] < 1], scores[scores["threshold"] == 1]
        _interval(axes[0], sparse, BLUE, "o", "MESM, mean and 95 % t-interval")
        _interval(axes[0], dense, ORANGE, "s", "FE2E (all sites)")
        axes[0].set_ylabel(f"test {metric} (higher is better)")
        gathered, masked = (costs[costs["form"] == form] for form in ("gathered", "masked"))
        lines = {
            "nominal multiply-adds": (gathered, "nominal_ratio", BLUE, "-", "o"),
            "counted operations, saving form": (gathered, "counted_ratio", BLUE, "--", "^"),
            "time, saving form": (gathered, "seconds_ratio", ORANGE, "-", "s"),
            "time, masked form": (masked, "seconds_ratio", "0.5", ":", "D"),
        }
        for words, (rows, column, colour, line, mark) in lines.items():
            values = rows.sort_values("threshold")
            axes[1].plot(
                values["threshold"], values[column], line, color=colour, marker=mark, markersize=5, label=words
            )
        axes[1].axhline(1, color="black", linewidth=0.8, label="dense model")
        axes[1].set_ylabel("share of the dense model's (lower is cheaper)")
        axes[1].set_ylim(bottom=0)
        axes[1].set_xlim(axes[0].get_xlim())
        for ax in axes:
            ax.set_xticks(sorted(scores["threshold"]))
            ax.set_xlabel("threshold: attention mass that is kept")
            ax.grid(axis="y", alpha=0.3)
            ax.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return figure


def _interval(axes, rows: pd.DataFrame, colour: str, mark: str, words: str) -> None:
    rows = rows.sort_values("threshold")
    spread = np.abs(rows[["t_interval_low", "t_interval_high"]].to_numpy().T - rows["score"].to_numpy())
    style = {"fmt": f"{mark}-", "color": colour, "capsize": 3, "label": words}
    axes.errorbar(rows["threshold"], rows["score"], yerr=np.nan_to_num(spread), **style)


def attention_maps(maps: Mapping[str, Sequence], *, label: str, title: str) -> Figure:
    """Faces and spectrogram pieces above, the first stage's attention below; the informative region is outlined.

    `maps` holds by modality objects with `title`, `image`, `attention`, `kept` and `region`. Sites that were not kept
    are hatched out in grey.
    """
    columns = [(modality, each) for modality, found in maps.items() for each in found]
    with plt.rc_context(figures.STYLE):
        figure, _ = new_figure(1.75 * len(columns) + 0.4, 5.2, title, label)
        for ax in list(figure.axes):
            ax.remove()
        grid = figure.subplots(2, len(columns), squeeze=False)
        for place, (modality, each) in enumerate(columns):
            height, width = each.image.shape[:2]
            extent, origin = (0, width, height, 0), "upper"
            if modality == "audio":
                extent, origin = (0, width, 0, height), "lower"
            shown = {"extent": extent, "origin": origin, "aspect": "equal" if modality == "video" else "auto"}
            grid[0, place].imshow(each.image, cmap="gray", **shown)
            kept = np.where(each.kept, each.attention, np.nan)
            grid[1, place].set_facecolor("0.85")
            grid[1, place].imshow(kept, cmap="viridis", interpolation="nearest", **shown)
            for ax in grid[:, place]:
                if each.region is not None:
                    rows, cols = np.nonzero(each.region)
                    corner = cols.min(), rows.min()
                    box = plt.Rectangle(
                        corner, np.ptp(cols) + 1, np.ptp(rows) + 1, fill=False, color="#d55e00", linewidth=1.2
                    )
                    ax.add_patch(box)
                ax.set_xticks([])
                ax.set_yticks([])
            grid[0, place].set_title(f"{'face' if modality == 'video' else 'sound'}\n{each.title}", fontsize=8)
        grid[0, 0].set_ylabel("input", fontsize=9)
        grid[1, 0].set_ylabel("attention, kept sites", fontsize=9)
    return figure
