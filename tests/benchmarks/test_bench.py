"""`./run_all.sh bench --quick` measures every table, though of tiny sizes, and writes the page over them."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.run import TABLES

ROOT = Path(__file__).resolve().parents[2]
NONE_IN_QUICK_MODE = {"overhead"}


@pytest.mark.slow
def test_every_table_can_be_measured(tmp_path):
    command = ["./run_all.sh", "bench", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in tmp_path.glob("*.csv")} == set(TABLES) - NONE_IN_QUICK_MODE | {"machine"}
    assert "in its quick mode" in (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
