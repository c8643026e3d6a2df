"""Processes of the benchmark for a GPU that die, hang or are interrupted: what is kept, said and gone on with."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pandas as pd

from benchmarks.gpu import filling
from benchmarks.gpu.store import Store
from tests.benchmarks.fake_tables import MODULE, SETTING, fill, table

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30
"""Seconds after which a test gives up waiting; nothing is timed."""


def states(file: Path) -> list[str]:
    return pd.read_csv(file)["state"].tolist()


def test_a_killed_process_takes_one_cell_with_it(tmp_path):
    fill(tmp_path / "t.csv", PATIENCE, "answers,is_killed,answers,is_killed")
    killed = "failed: the process was ended by SIGKILL"
    assert states(tmp_path / "t.csv") == ["measured", killed, "measured", killed]


def test_a_process_that_never_starts_ends_its_table(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(filling, "MODULE", "tests.benchmarks.no_such_module")
    one, file = table("answers,answers"), tmp_path / "t.csv"
    filling.fill(one, Store(file, one.cells(SETTING), {"code": "a"}), SETTING, PATIENCE)
    assert states(file) == ["failed: the process ended with code 1 at its start"] * 2
    assert capfd.readouterr().err.count("no_such_module") == 1  # it was not tried again for every cell


def test_the_end_of_time_ends_the_process(tmp_path, monkeypatch):
    def clock() -> float:
        """Time is up as soon as the first cell is measured, however long that takes here."""
        done = (tmp_path / "t.csv").exists() and "measured" in states(tmp_path / "t.csv")
        return PATIENCE + 1 if done else 0.0

    monkeypatch.setattr(filling, "monotonic", clock)
    fill(tmp_path / "t.csv", PATIENCE, "answers,hangs,answers")
    assert states(tmp_path / "t.csv") == ["measured", filling.OUT_OF_TIME, filling.OUT_OF_TIME]
    assert is_gone(measuring(tmp_path / "t.csv"))


def test_after_an_interruption_it_goes_on_where_it_was(tmp_path):
    file = tmp_path / "t.csv"
    command = [sys.executable, "-P", "-m", MODULE, "fill", str(file), str(PATIENCE), "answers,hangs,answers"]
    surroundings = os.environ | {"PYTHONPATH": str(ROOT)}
    heeds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # what a shell starts in the background does not
    started = subprocess.Popen(command, cwd=ROOT, env=surroundings, stderr=subprocess.DEVNULL, preexec_fn=heeds)
    wait_until(lambda: file.exists() and "measured" in states(file))
    first = measuring(file)
    started.send_signal(signal.SIGINT)
    started.wait(PATIENCE)
    assert is_gone(first)
    assert states(file) == ["measured", "not yet measured", "not yet measured"]
    one = table("answers,hangs,answers")
    store = Store(file, one.cells(SETTING), {"code": "a"})
    assert store.missing == [1, 2]
    store.add(1, [{"state": "measured"}])  # or it would hang again
    fill(file, PATIENCE, "answers,hangs,answers")
    assert states(file) == ["measured"] * 3
    assert measuring(file) == first  # which was not measured again
    assert int(pd.read_csv(file)["process"][2]) != first


def measuring(file: Path) -> int:
    """The process that measured the first cell."""
    return int(pd.read_csv(file)["process"][0])


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
