"""Figures as files, and as a notebook shows them. Workers import this, so it loads nothing but matplotlib."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from lib.files import atomic_path
from lib.training import workers
from lib.training.workers import WorkerLost

STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,  # a corpus or class name may hold a dollar sign
    "svg.hashsalt": "reprise",  # element ids that do not change from run to run
}
COLOURS = (
    *("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9"),
)
"""Told apart also by the colour-blind: the palette `colorblind` of seaborn."""
SHOWN_DPI, PNG_DPI = 100, 150


@dataclass(frozen=True)
class Picture:
    """A figure and the png that was written of it, which a notebook shows: it need not be drawn once more."""

    figure: Figure
    png: bytes

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
        width, height = (round(SHOWN_DPI * inches) for inches in self.figure.get_size_inches())
        data = {"image/png": b64encode(self.png).decode("ascii"), "text/plain": repr(self.figure)}
        return data, {"image/png": {"width": width, "height": height}}


class Meanwhile:
    """What is drawn by workers while this process goes on, where there are any; `wait` until it is there."""

    def __init__(self, cores: int):
        self._cores = cores
        self._under_way: dict[Path, tuple[Callable[[], None], Callable[[], None]]] = {}

    def draw(self, path: Path, work: Callable[[], None]) -> None:
        """Have `work`, which writes this file, done. One for the same file that is under way comes first."""
        self._end(path)
        if self._cores > 1 and workers.ready():
            self._under_way[path] = (work, workers.beside(work))
        else:
            work()

    def wait(self) -> None:
        """Raises what a drawing has raised."""
        for path in list(self._under_way):
            self._end(path)

    def _end(self, path: Path) -> None:
        if path in self._under_way:
            work, end = self._under_way.pop(path)
            try:
                end()
            except WorkerLost:
                work()


def save(figure: Figure, stem: Path, meanwhile: Meanwhile | None = None) -> Picture:
    """Write `<stem>.png` (150 dpi) and `<stem>.svg`, each whole or not at all; the latter `meanwhile`, if given.

    The same figure gives the same bytes under the same matplotlib: no date, no random ids.
    """
    png, svg = (Path(stem).with_name(f"{Path(stem).name}.{kind}") for kind in ("png", "svg"))
    _lay_out(figure)
    (meanwhile or Meanwhile(cores=1)).draw(svg, partial(_write, figure, svg, format="svg", metadata={"Date": None}))
    _write(figure, png, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return Picture(figure, png.read_bytes())


def _write(figure: Figure, target: Path, **options: object) -> None:
    with matplotlib.rc_context(STYLE), atomic_path(target) as path:
        figure.savefig(path, **options)


def _lay_out(figure: Figure) -> None:
    """Once, for both files: each drawing would do it anew, a third of its time, and a little differently."""
    if (engine := figure.get_layout_engine()) is not None:
        with matplotlib.rc_context(STYLE):
            engine.execute(figure)
        figure.set_layout_engine(None)  # "none" leaves one behind, for which each file would be drawn twice
