"""The matrix of `tests.processors` sets what it says, counts what pytest counts and does not pass what failed."""

import io
from pathlib import Path

import pytest

from tests import processors

ROUNDED_AS_SET = """
import os, pytest, torch

def test_instructions_and_threads():
    assert torch.backends.cpu.get_cpu_capability() == "DEFAULT"
    assert torch.get_num_threads() == 2

@pytest.mark.skip(reason="to be counted")
def test_skipped(): ...
"""


def table(*arguments: str) -> tuple[int, list[list[str]]]:
    out = io.StringIO()
    code = processors.main(arguments, out)
    return code, [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.getvalue().splitlines()[2:]]


@pytest.fixture
def best(monkeypatch) -> None:
    monkeypatch.setattr(processors, "best_of_this_processor", lambda: "default")


def test_runs_with_the_instructions_and_threads_of_the_row(tmp_path: Path):
    (tmp_path / "test_inside.py").write_text(ROUNDED_AS_SET)
    code, rows = table("--instructions", "default", "--threads", "2", str(tmp_path))
    assert code == 0
    (row,) = rows
    assert row[:5] == ["default", "2", "1", "0", "1"]
    assert int(row[5]) >= 1, "an import of torch alone takes a second"


@pytest.mark.parametrize("body", ["assert False", "import os; os._exit(3)"])
def test_what_fails_or_dies_is_a_failure(tmp_path: Path, best, body: str):
    (tmp_path / "test_inside.py").write_text(f"def test_it(): {body}\n")
    code, rows = table("--threads", "1", str(tmp_path))
    assert code == 1
    assert [row[3] for row in rows] == ["1", "-", "-"]
    assert [row[-1] for row in rows[1:]] == ["not run: the processor has default at best"] * 2


def test_asked_for_by_name_what_the_processor_lacks_is_refused(best, capsys):
    assert table("--instructions", "avx512") == (2, [])
    assert "cannot run avx512: the processor has default at best" in capsys.readouterr().err


def test_nothing_to_run_is_no_success(tmp_path: Path, best, capsys):
    assert table("--threads", "1", str(tmp_path)) == (2, [])
    assert "pytest found no test" in capsys.readouterr().err


def test_another_kind_of_processor_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(processors.platform, "machine", lambda: "aarch64")
    assert table() == (2, [])
    assert "the matrix is for x86 processors, this one is aarch64" in capsys.readouterr().err
