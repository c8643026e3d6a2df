"""Notebooks as they are stored: executed, clean, and thin."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ABSOLUTE = re.compile(r"(?<![\w.:/<])/(?:home|root|Users|work|tmp|opt|mnt|data\d*)/\S+")
BAR = re.compile(r"\d+%\|.*\||it/s\]|s/it\]")
LONGEST = 40  # lines of a cell, about a screen


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_every_cell_is_executed_in_order_without_error(notebook):
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error"]
    assert not [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"]


def test_outputs_hold_no_machine_path_and_no_progress_bar(notebook):
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = {"text": output.get("text", ""), **output.get("data", {})}
            for kind, text in data.items():
                if kind.startswith("image/"):
                    continue
                assert not ABSOLUTE.search(str(text)), ABSOLUTE.search(str(text))
                assert not BAR.search(str(text))


def test_cells_fit_a_screen_and_define_no_class(notebook):
    for cell in code_cells(notebook):
        assert len(cell.source.splitlines()) <= LONGEST
        assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.ClassDef)]


def test_synthetic_results_say_so(notebook):
    """Every table and caption of a stand-in carries the words; the stored notebooks all run on stand-ins."""
    tables = [
        text
        for cell in code_cells(notebook)
        for output in cell.outputs
        if (text := output.get("data", {}).get("text/markdown", "")).count("\n|") > 1
    ]
    assert tables
    assert all("SYNTHETIC stand-in" in text for text in tables)
