"""One picture over all papers: what the runs say about each claim."""

import textwrap

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lib.papers.summary.evidence import KINDS
from lib.reporting.caption import SYNTHETIC
from lib.reporting.figures import BLUE, GREEN, ORANGE, STYLE
from lib.reporting.verdicts import AS_CLAIMED, NO_DIFFERENCE, OPPOSITE, UNDECIDED

_LOOK = {AS_CLAIMED: (BLUE, ""), NO_DIFFERENCE: (GREEN, ".."), OPPOSITE: (ORANGE, "//"), UNDECIDED: ("0.75", "")}


def claim_bars(directions: pd.DataFrame) -> Figure:
    """Shares of `tables.directions`: a bar per claim, a panel per kind of evidence."""
    claims = list(dict.fromkeys(directions["claim"]))
    kinds = [kind for kind in KINDS if kind in set(directions["data"])]
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(
            1, len(kinds), figsize=(4.2 + 3.4 * len(kinds), 1.2 + 0.75 * len(claims)),
            sharey=True, squeeze=False, layout="constrained",
        )  # fmt: skip
        for axes, kind in zip(panels[0], kinds, strict=True):
            rows = directions[directions["data"] == kind].set_index("claim").reindex(claims)
            left = pd.Series(0.0, index=rows.index)
            total = rows[list(_LOOK)].sum(axis=1)
            for name, (colour, hatch) in _LOOK.items():
                share = (rows[name] / total).fillna(0.0)
                bars = axes.barh(
                    range(len(claims)), share, left=left, color=colour, hatch=hatch, label=name, height=0.6
                )
                counts = [f"{n:.0f}" if n > 0 else "" for n in rows[name].fillna(0)]
                for text in axes.bar_label(bars, counts, label_type="center"):
                    text.set_bbox({"color": "white", "pad": 1.5} if text.get_text() else None)
                left += share
            for position in (i for i, n in enumerate(total) if not n > 0):
                axes.text(0.02, position, "not run", va="center", color="0.4")
            synthetic = kind == SYNTHETIC
            axes.set_title(kind, color="#b00020" if synthetic else "black", weight="bold" if synthetic else "normal")
            axes.set(xlim=(0, 1), xticks=[], yticks=range(len(claims)))
        axes = panels[0][0]
        axes.set_yticklabels([textwrap.fill(claim, 48) for claim in claims])
        axes.invert_yaxis()
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
        figure.suptitle("What the runs say about each claim (number of gains, by verdict)")
    return figure
