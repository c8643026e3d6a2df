"""The benchmark for a GPU: what it keeps, what it says when time is up, and what it refuses. No GPU is needed."""

import pandas as pd
import pytest
import torch

from benchmarks import torch_compile
from benchmarks.gpu import filling, measure
from benchmarks.gpu import run as gpu
from benchmarks.gpu.cells import Cell, Setting, Table
from benchmarks.gpu.compiled import VERDICT
from benchmarks.gpu.page import gpu_section
from benchmarks.gpu.store import Store
from lib.errors import InputError

STAMP = {"code": "a", "device": "cpu"}


def cells(count: int = 3) -> list[Cell]:
    return [Cell({"model": f"m{i}"}, lambda: {"seconds": 1.0}) for i in range(count)]


def test_what_was_measured_is_kept_and_the_rest_is_missing(tmp_path):
    store = Store(tmp_path / "t.csv", cells(), STAMP)
    store.add(1, [{"seconds": 2.5, "state": "measured"}, {"seconds": 3.5, "state": "measured"}])
    again = Store(tmp_path / "t.csv", cells(), STAMP)
    assert again.missing == [0, 2]
    assert [row["seconds"] for row in again.rows[1]] == ["2.5", "3.5"]


@pytest.mark.parametrize("changed", [{"code": "b"}, {"device": "another"}])
def test_rows_of_other_code_or_device_are_measured_again(tmp_path, changed):
    Store(tmp_path / "t.csv", cells(), STAMP).add(1, [{"state": "measured"}])
    assert Store(tmp_path / "t.csv", cells(), STAMP | changed).missing == [0, 1, 2]


def test_a_failure_is_written_and_tried_again(tmp_path):
    Store(tmp_path / "t.csv", cells(), STAMP).add(0, [{"state": "failed: out of memory"}])
    assert "failed" in pd.read_csv(tmp_path / "t.csv")["state"][0]
    assert Store(tmp_path / "t.csv", cells(), STAMP).missing == [0, 1, 2]


def test_without_time_every_row_says_so(tmp_path):
    store = Store(tmp_path / "t.csv", cells(), STAMP)
    filling.fill(Table("t", "", "", 1, lambda setting: cells()), store, Setting("cpu", quick=True), seconds=0)
    assert pd.read_csv(tmp_path / "t.csv")["state"].tolist() == [filling.OUT_OF_TIME] * 3


def test_without_a_gpu_nothing_is_measured_in_full(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no GPU"):
        gpu.run(quick=False, minutes=1, out=tmp_path)
    with pytest.raises(InputError, match="--out"):
        gpu.run(quick=True, minutes=1, out=None)
    assert not any(tmp_path.iterdir())


def test_the_page_claims_nothing_without_results(tmp_path):
    assert "Not measured" in "\n".join(gpu_section(tmp_path))


def test_a_cell_says_in_which_type_it_fails():
    def fails() -> dict[str, object]:
        raise RuntimeError("no such product\nmore")

    assert measure.measured(Cell({"computed in": "bfloat16"}, fails)) == [
        {"state": "fails in bfloat16: RuntimeError: no such product"}
    ]
    assert measure.measured(Cell({"model": "m"}, fails)) == [{"state": "failed: RuntimeError: no such product"}]


def test_a_table_whose_cells_cannot_be_listed_says_why():
    def listed(setting: Setting) -> list[Cell]:
        raise ModuleNotFoundError("No module named 'pytest'")

    (cell,) = Table("parity", "", "", 1, listed).listed(Setting("cpu", quick=True))
    assert measure.measured(cell) == [{"state": "failed: ModuleNotFoundError: No module named 'pytest'"}]


def test_a_model_that_compiles_too_long_says_so(monkeypatch):
    monkeypatch.setattr(torch_compile, "LIMIT_S", 0.01)
    assert torch_compile.apart("MME2E, dense", quick=True) == {"compiling_s": "not within 0.01", VERDICT: "not known"}


@pytest.mark.slow
def test_every_cell_can_be_measured_with_tiny_sizes(tmp_path):
    gpu.run(quick=True, minutes=10, out=tmp_path)
    for path in tmp_path.glob("*.csv"):
        rows = pd.read_csv(path, dtype=str)
        strange = rows[rows["state"] != "measured"]
        assert strange.empty, f"{path.name}: {strange.to_dict('records')}"
