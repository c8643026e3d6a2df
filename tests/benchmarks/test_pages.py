"""The pages say what the csv files hold, and nothing else."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import page
from benchmarks.growth import exponent, mathematics
from benchmarks.growth_cases import AXES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def results(tmp_path):
    """A folder with few tables, one of them unknown to the page."""

    def write(name, *rows):
        pd.DataFrame(rows).to_csv(tmp_path / f"{name}.csv", index=False)

    (tmp_path / "machine.json").write_text(json.dumps({"mode": "full"}), encoding="utf-8")
    compared = {"variant": "rate 0", "device": "cpu"}
    write(
        "epochs",
        {"model": "A", **compared, "times faster": 2.5, "low": 2.25, "high": 2.75},
        {"model": "B", **compared, "times faster": 0.5, "low": 0.4, "high": 0.6},
        {"model": "C", **compared, "times faster": 1.0, "low": 0.9, "high": 1.1},
        {"model": "A", "variant": "rate 0", "device": "cuda", "times faster": None},
    )
    point = {"axis": "samples", "cpu_s": 1.0, "more_MiB": 2.0, "of its mathematics": 1}
    write(
        "growth",
        *({"model": "A", **point, "size": n, "at the end": 1.5, "of memory at the end": 1.0} for n in (1, 2)),
        *({"model": "B", **point, "size": n, "at the end": 1.1, "of memory at the end": None} for n in (1, 2)),
    )
    write("novel", {"what": "something else", "seconds": 1234.5})
    machine = {"processor": "P", "vector instructions": "AVX2", "cores": 2, "load average before": 0.25}
    write("machine", {"table": "epochs", "date": "2026-01-02", "mode": "full", "torch": "2", **machine})
    return tmp_path


def test_the_summary_is_computed_from_the_tables(results):
    page.write(results, results / "benchmarks.md")
    text = (results / "benchmarks.md").read_text(encoding="utf-8")
    assert "Of 3 settings the median is 1.00 times faster, the most is 2.50 (A, rate 0), the least 0.50" in text
    assert "In 1 of the 3 that have a range, every round was faster; in 1 every round was slower; in 1 the" in text
    assert re.search(r"by more than 0\.2: A \(samples, CPU seconds: 1\.50\)\.", text)
    assert "## Until something trains\n\nNot measured." in text
    assert all((results / name).exists() for name in re.findall(r"\]\(([^)]+)\)", text))


def test_the_tables_hold_everything_with_its_machine(results):
    page.write(results, results / "benchmarks.md")
    text = (results / "benchmarks_tables.md").read_text(encoding="utf-8")
    assert "Measured on 2026-01-02: P, AVX2, 2 cores, load average before 0.25, torch 2." in text
    assert "## novel" in text and "1.23e+03" in text
    assert all(f"## {title}" in text for title, _ in page.SECTIONS.values())


def test_the_pages_in_the_repository_lead_somewhere():
    for name in ("benchmarks.md", "benchmarks_tables.md"):
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert [link for link in re.findall(r"\]\(([^)]+)\)", text) if not (ROOT / "docs" / link).exists()] == []


def test_quadratic_growth_is_allowed_where_everything_meets_everything():
    assert mathematics("sequence length", "MFN") == 1
    assert mathematics("sequence length", "MME2E") == mathematics("dialogue length", "biddin") == 2
    assert {mathematics("samples", name) for name in AXES["samples"][1]} == {1}


def test_one_point_has_no_exponent():
    assert exponent([(20, 1.0)]) != exponent([(20, 1.0)])
