"""Measures cells of one table in a process of its own: `python -m benchmarks.gpu.measure TABLE DEVICE MODE FILE`.

The places of the cells come as JSON on standard input. Every result is one JSON line appended to FILE, so that whoever
ends this process keeps what it has done.
"""

import json
import os
import sys
from pathlib import Path

import torch

from benchmarks.gpu.cells import Cell, Setting
from benchmarks.gpu.tables import BY_NAME


def measured(cell: Cell) -> list[dict[str, object]]:
    """The cell's rows, with how it went."""
    try:
        rows = cell.measure()
    except (RuntimeError, ArithmeticError, MemoryError, ValueError, TypeError, ImportError, OSError) as error:
        first = next(iter(str(error).splitlines()), "")
        return [{"state": f"failed: {type(error).__name__}: {first[:160]}"}]
    return [dict(row) | {"state": "measured"} for row in ([rows] if isinstance(rows, dict) else rows)]


def main(name: str, device: str, mode: str, file: str) -> None:
    torch.set_num_threads(1)
    cells, parent = BY_NAME[name].cells(Setting(device, mode == "quick")), os.getppid()
    for place in json.load(sys.stdin):
        if os.getppid() != parent:  # nobody waits any more
            return
        line = json.dumps({"place": place, "rows": measured(cells[place])}, default=str)
        with Path(file).open("a", encoding="utf-8") as target:
            target.write(line + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
