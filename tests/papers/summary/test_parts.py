"""What the page keeps of each run: shown again while nothing has changed, made anew once anything has."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lib.papers.summary import parts
from lib.papers.summary.page import page, write_page
from lib.reporting.result_folders import read_folder, write_contents
from tests.papers.summary.test_page import make

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def made(monkeypatch) -> list[str]:
    """The runs whose parts were made, not remembered."""
    names, of = [], parts._made
    monkeypatch.setattr(parts, "_made", lambda folder: (names.append(folder.name), of(folder))[1])
    return names


def written(results: Path, memory: Path) -> str:
    names = sorted(path.name for path in (results / "low_rank_fusion").iterdir())
    return write_page(results, [("low_rank_fusion", name) for name in names], memory).read_text(encoding="utf-8")


def test_only_the_run_that_changed_is_made_again_and_the_page_is_that_of_one_without_memory(tmp_path, made):
    results, memory = tmp_path / "results", tmp_path / "memory"
    for name in ("one", "two"):
        make(results, name=name)
    first = written(results, memory)
    assert made == ["one", "two"]
    assert written(results, memory) == first
    assert made == ["one", "two"]
    table = results / "low_rank_fusion" / "two" / "tables" / "gain_mae_over_TFN.csv"
    table.write_text(table.read_text().replace("-0.0456", "0.7777"))
    write_contents(table.parents[1])
    changed = written(results, memory)
    assert made == ["one", "two", "two"]
    assert "0.778" in changed
    assert "0.778" not in first
    assert changed == page(read_folder(results, "low_rank_fusion", name) for name in ("one", "two"))


def test_a_run_that_was_damaged_since_is_not_shown_from_memory(tmp_path):
    results, memory = tmp_path / "results", tmp_path / "memory"
    folder = make(results, name="one")
    assert "0.512" in written(results, memory)
    (folder / "figures" / "confusion.png").write_bytes(b"another")
    assert "0.512" not in written(results, memory)


def test_other_code_makes_it_anew(tmp_path, made, monkeypatch):
    results, memory = tmp_path / "results", tmp_path / "memory"
    make(results, name="one")
    written(results, memory)
    monkeypatch.setattr(parts, "_code", lambda: "another")
    written(results, memory)
    assert made == ["one", "one"]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"key": 1}', "null"])
def test_a_damaged_memory_costs_time_alone(tmp_path, made, damage):
    results, memory = tmp_path / "results", tmp_path / "memory"
    make(results, name="one")
    first, kept = written(results, memory), memory / "low_rank_fusion.one.json"
    key = json.loads(kept.read_text())["key"]
    kept.write_text(damage.replace("1", json.dumps(key)))
    assert written(results, memory) == first
    assert made == ["one", "one"]


def test_where_nothing_can_be_kept_the_page_is_written_all_the_same(tmp_path):
    results, memory = tmp_path / "results", tmp_path / "memory"
    make(results, name="one")
    memory.write_text("a file in its way")
    assert "0.512" in written(results, memory)


def test_the_page_loads_nothing_that_trains_or_draws():
    command = [
        sys.executable,
        "-c",
        "import sys; sys.path.insert(0, ''); import lib.papers.summary.page; print(*sys.modules)",
    ]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert "pandas" in loaded
    assert not {"torch", "matplotlib", "scipy.stats", "sklearn"} & set(loaded)
