"""A matrix as coloured squares with a word in each, drawn as seaborn's `heatmap` draws it.

That one draws the whole figure once more for every panel, to see whether tick labels overlap, which ours set anyway.
"""

import numpy as np
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes

DARK_BELOW = 0.408
"""Relative luminance (W3C, 0 to 1) of a square up to which its word is white."""


def heatmap(
    axes: Axes,
    values: Float[np.ndarray, "rows columns"],
    words: Shaped[np.ndarray, "rows columns"],
    *,
    size: float,
    cmap: str,
    vmin: float,
    vmax: float,
    square: bool = True,
) -> None:
    """Draw it, the first row on top; a NaN is left empty. `size` is that of the words, in points."""
    rows, columns = values.shape
    axes.set_aspect("equal" if square else "auto")
    for spine in axes.spines.values():
        spine.set_visible(False)
    shown = np.ma.masked_invalid(values)
    mesh = axes.pcolormesh(shown, cmap=cmap, vmin=vmin, vmax=vmax, linewidths=0.5, edgecolor="white")
    axes.set(xlim=(0, columns), ylim=(0, rows))
    axes.invert_yaxis()
    axes.set_yticks(np.arange(rows) + 0.5, [""] * rows, va="center")
    mesh.update_scalarmappable()
    colours = mesh.get_facecolors()[:, :3]
    linear = np.where(colours <= 0.03928, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    for place, word in enumerate(words.flat):
        if not np.ma.getmaskarray(shown).flat[place]:
            colour = "w" if luminance[place] <= DARK_BELOW else ".15"
            across, down = place % columns + 0.5, place // columns + 0.5
            # Within its square, so it needs no place of its own: the layout would measure each.
            axes.text(across, down, str(word), color=colour, ha="center", va="center", size=size, in_layout=False)
