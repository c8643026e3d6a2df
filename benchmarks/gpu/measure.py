"""Measures cells of one table in a process of its own: `python -m benchmarks.gpu.measure TABLE DEVICE MODE FILE`.

The places of the cells come as JSON on standard input. A JSON line in FILE says that a cell has begun, another one what
it gave: whoever ends this process, or finds it ended, knows what is done and where it was.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu.cells import Cell, Row, Setting

FAILURES = (RuntimeError, ArithmeticError, MemoryError, ValueError, TypeError, ImportError, OSError)


def measured(cell: Cell) -> list[Row]:
    """The cell's rows, with how it went."""
    try:
        rows = cell.measure()
    except FAILURES as error:
        first = next(iter(str(error).splitlines()), "")
        kind = f"fails in {cell.key['computed in']}" if "computed in" in cell.key else "failed"
        return [{"state": f"{kind}: {type(error).__name__}: {first[:160]}"}]
    return [dict(row) | {"state": "measured"} for row in ([rows] if isinstance(rows, dict) else rows)]


def measure(cells: Sequence[Cell], places: Sequence[int], file: Path, parent: int) -> None:
    """One after the other, as long as the process that started this one is there."""
    for place in places:
        if os.getppid() != parent:  # nobody waits any more
            return
        append(file, {"place": place})
        append(file, {"place": place, "rows": measured(cells[place])})


def append(file: Path, found: dict[str, object]) -> None:
    line = json.dumps(found, default=str)
    with file.open("a", encoding="utf-8") as target:
        target.write(line + "\n")


def main(name: str, device: str, mode: str, file: str) -> None:
    parent = os.getppid()
    # Here, for all else of this module needs neither torch nor any table.
    import torch

    from benchmarks.gpu.tables import BY_NAME

    torch.set_num_threads(1)
    cells = BY_NAME[name].listed(Setting(device, mode == "quick"))
    measure(cells, json.load(sys.stdin), Path(file), parent)


if __name__ == "__main__":
    main(*sys.argv[1:])
