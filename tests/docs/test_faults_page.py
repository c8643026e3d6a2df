"""What docs/faults.md says of the campaign of kills is what its table holds."""

import csv
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_kill_ended_in_the_same_bits_and_the_page_says_so():
    with (ROOT / "benchmarks/results/kills.csv").open(newline="") as table:
        kills = list(csv.DictReader(table))
    good = [k for k in kills if k["identical"] == "True" and not k["half_written"] and k["last_exit_code"] == "0"]
    assert len(good) == len(kills) >= 50
    assert f"after {len(good)} of {len(kills)} kills" in (ROOT / "docs/faults.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there():
    page = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
    code = {path: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    there = {name for text in code.values() for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    files = {path.name for path in code}
    named = set(re.findall(r"`(?:\S+/)?(test_[\w.]+)`", page))
    assert len(named) > 20
    assert named <= there | files
