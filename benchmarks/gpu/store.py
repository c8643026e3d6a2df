"""What has been measured, a csv per table: whole at any time, and only by the present code on the present device."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.gpu.cells import Cell, Row
from lib.files import atomic_path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("lib/models", "lib/training", "lib/data", "lib/metrics", "benchmarks", "tests/parity")
DONE = "measured"


def code_version() -> str:
    """Of all that a number can depend on in this workspace, documentation and pages aside."""
    digest = hashlib.sha256()
    for path in sorted(p for folder in CODE for p in (ROOT / folder).rglob("*.py") if "page" not in p.name):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


class Store:
    """The rows of one table by place of their cell. `stamp` (code, torch, device, mode) must be equal to be kept."""

    def __init__(self, path: Path, cells: Sequence[Cell], stamp: Mapping[str, str]):
        self.path, self.cells, self.stamp = path, cells, dict(stamp)
        self.rows: dict[int, list[Row]] = self._kept()

    def _kept(self) -> dict[int, list[Row]]:
        if not self.path.exists():
            return {}
        table = pd.read_csv(self.path, dtype=str, keep_default_na=False).to_dict("records")
        mine = [row for row in table if row.get("state") == DONE and self._is_present(row)]
        found = {}
        for place, cell in enumerate(self.cells):
            rows = [row for row in mine if all(row.get(name) == str(value) for name, value in cell.key.items())]
            if rows:
                found[place] = rows
        return found

    def _is_present(self, row: Row) -> bool:
        return all(row.get(name) == value for name, value in self.stamp.items())

    @property
    def missing(self) -> list[int]:
        return [place for place in range(len(self.cells)) if place not in self.rows]

    def add(self, place: int, rows: Sequence[Row]) -> None:
        """Keep what a cell gave, and write the table."""
        self.rows[place] = [dict(self.cells[place].key) | dict(row) | self.stamp for row in rows]
        self.write()

    def write(self, otherwise: str = "not yet measured") -> None:
        """The whole table in the order of its cells; those without rows say why."""
        rows = [
            row
            for place, cell in enumerate(self.cells)
            for row in self.rows.get(place) or [dict(cell.key) | {"state": otherwise} | self.stamp]
        ]
        with atomic_path(self.path) as target:
            pd.DataFrame(rows).to_csv(target, index=False, float_format="%.6g")
