"""What docs/faults.md says of the campaign of kills is what its table holds."""

import csv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_kill_ended_in_the_same_bits_and_the_page_says_so():
    with (ROOT / "benchmarks/results/kills.csv").open(newline="") as table:
        kills = list(csv.DictReader(table))
    good = [k for k in kills if k["identical"] == "True" and not k["half_written"] and k["last_exit_code"] == "0"]
    assert len(good) == len(kills) >= 50
    assert f"after {len(good)} of {len(kills)} kills" in (ROOT / "docs/faults.md").read_text(encoding="utf-8")
