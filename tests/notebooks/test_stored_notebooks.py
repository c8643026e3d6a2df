"""Notebooks as they are stored: executed, clean, and thin."""

import ast
import re
import subprocess
import sys

import nbformat
import pytest

from lib.workflow.checks import NBVAL
from lib.workflow.runs import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ABSOLUTE = re.compile(r"(?<![\w.:/<])/(?:home|root|Users|work|tmp|opt|mnt|data\d*)/\S+")
BAR = re.compile(r"\d+%\|.*\||it/s\]|s/it\]")
LONGEST = 40  # lines of a cell, about a screen
CHECKED = "# NBVAL_CHECK_OUTPUT"
FRACTION = re.compile(r"(?<!=)\b\d+\.\d{3,}")  # but for a named setting, which is exact


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


def test_some_output_is_checked_and_none_by_digits_that_a_processor_rounds(notebook):
    checked = [cell for cell in code_cells(notebook) if cell.source.startswith(CHECKED)]
    assert checked
    for cell in checked:
        said = "".join(output.text for output in cell.outputs)
        assert said.strip()
        assert not FRACTION.search(said)


def test_an_output_that_drifted_fails_where_it_is_checked_and_there_alone(tmp_path):
    """With the options of `run_all.sh test`."""
    cells = [
        nbformat.v4.new_code_cell(
            f"{mark}print('74 variants')",
            execution_count=1,
            outputs=[nbformat.v4.new_output("stream", name="stdout", text=f"{stored} variants\n")],
        )
        for mark, stored in ((f"{CHECKED}\n", 74), (f"{CHECKED}\n", 73), ("", 73))
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "drifted.ipynb")
    command = [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", *NBVAL, tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert re.search(r"1 failed, 2 passed", done.stdout), done.stdout
    assert "Cell 1" in done.stdout
