"""A small table whose cells die, hang or answer, and a command that fills it as `bench --gpu` does, without torch.

`python -m tests.benchmarks.fake_tables fill FILE SECONDS KIND,...` fills FILE; with the four arguments of
`benchmarks.gpu.measure` it stands in for that.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from benchmarks.gpu import filling, measure
from benchmarks.gpu.cells import Cell, Row, Setting, Table
from benchmarks.gpu.store import Store

SETTING = Setting("cpu", quick=True)
MODULE = "tests.benchmarks.fake_tables"


def answers() -> Row:
    return {"process": os.getpid()}


def is_killed() -> Row:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still there")


def hangs() -> Row:
    time.sleep(60)
    return {}


KINDS = {"answers": answers, "is_killed": is_killed, "hangs": hangs}


def table(kinds: str) -> Table:
    """One cell for every kind, separated by commas; the table's name is what a process is told of it."""
    return Table(
        kinds, "", "", 1, lambda setting: [Cell({"kind": k, "at": i}, KINDS[k]) for i, k in enumerate(kinds.split(","))]
    )


def fill(file: Path, seconds: float, kinds: str) -> None:
    one = table(kinds)
    filling.MODULE = MODULE
    filling.fill(one, Store(file, one.cells(SETTING), {"code": "a"}), SETTING, seconds)


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
    else:
        measure.measure(table(sys.argv[1]).cells(SETTING), json.load(sys.stdin), Path(sys.argv[4]), os.getppid())
