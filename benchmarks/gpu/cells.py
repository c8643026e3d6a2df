"""A table of measurements as a list of cells, each computed by itself, so that a table can be stopped and gone on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

Key = Mapping[str, str | int]
Row = dict[str, object]


@dataclass(frozen=True)
class Setting:
    """Where it is measured ("cuda" or "cpu"), and whether with tiny sizes."""

    device: str
    quick: bool


@dataclass(frozen=True)
class Cell:
    """`key` identifies what `measure` gives: one row, or several that belong together. Nothing is built before."""

    key: Key
    measure: Callable[[], Row | Sequence[Row]]


@dataclass(frozen=True)
class Table:
    """`share` is its part of the time, relative to the other tables'; what one leaves the next ones get."""

    name: str
    title: str
    words: str
    share: float
    cells: Callable[[Setting], list[Cell]]

    def listed(self, setting: Setting) -> list[Cell]:
        """Its cells; where something that is not installed is needed to list them, a single one that fails with it."""
        try:
            return self.cells(setting)
        except ImportError as error:
            return [Cell({"table": self.name}, partial(self._refuse, error))]

    @staticmethod
    def _refuse(error: ImportError) -> Row:
        raise error
