"""docs/add_a_paper.md, followed to the letter in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "add_a_paper.md"
COPIED = ("lib", "params", "notebooks", "tests", "Snakefile", "run_all.sh", "pyproject.toml", "requirements.lock")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w./-]+)`:")


@dataclass(frozen=True)
class Step:
    """What a reader does: `kind` is file, line, text cell, code cell, parameters cell or commands."""

    kind: str
    text: str
    path: str = ""


def steps(page: str) -> list[Step]:
    """Each block, understood by the line before it."""
    found = []
    for block in BLOCK.finditer(page):
        intro = page[: block.start()].rstrip().rpartition("\n")[2]
        found.append(_step(intro, *block.groups()))
    return found


def _step(intro: str, kind: str, text: str) -> Step:
    if kind == "sh":
        return Step("commands", text)
    if found := FILE.fullmatch(intro):
        return Step("line" if kind == "diff" else "file", text, found[1])
    cells = {
        "Text cell:": "text cell",
        "Code cell:": "code cell",
        "Code cell, tagged `parameters`:": "parameters cell",
    }
    return Step(cells[intro], text.removesuffix("\n"))


def insert(path: Path, diff: str) -> None:
    """Apply a diff of kept and added lines; the kept ones must stand there once, one after the other."""
    kept = "".join(line[1:] for line in diff.splitlines(True) if line[0] == " ")
    new = "".join(line[1:] for line in diff.splitlines(True))
    text = path.read_text()
    assert text.count(kept) == 1
    path.write_text(text.replace(kept, new))


def cell(step: Step, position: int) -> nbformat.NotebookNode:
    if step.kind == "text cell":
        made = nbformat.v4.new_markdown_cell(step.text)
    else:
        tags = {"tags": ["parameters"]} if step.kind == "parameters cell" else {}
        made = nbformat.v4.new_code_cell(step.text, metadata=tags)
    made["id"] = f"cell-{position}"
    return made


def follow(page: str, root: Path) -> list[str]:
    """Do what the page says in the workspace `root`; returns what its command blocks printed."""
    cells, said = [], []
    for step in steps(page):
        if step.kind == "file":
            assert not (root / step.path).exists()
            (root / step.path).parent.mkdir(parents=True, exist_ok=True)
            (root / step.path).write_text(step.text)
        elif step.kind == "line":
            insert(root / step.path, step.text)
        elif step.kind == "commands":
            if cells:
                kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
                notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
                nbformat.write(notebook, root / "notebooks" / "paper_zero.ipynb")
                cells = []
            said.append(run(step.text, root))
        else:
            cells.append(cell(step, len(cells)))
    return said


def run(commands: str, root: Path) -> str:
    # What our own processes are started with is not in the reader's shell.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("REPRISE_", "PYTEST_", "PYTHON"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    variables = kept | {"PATH": path, "VIRTUAL_ENV": sys.prefix}
    done = subprocess.run(
        ["bash", "-e", "-c", commands], cwd=root, env=variables, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, commands + done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> tuple[Path, list[str]]:
    root = tmp_path_factory.mktemp("clone") / "clone"
    ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in COPIED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, root / name)
    return root, follow(PAGE.read_text(), root)


def test_the_page_has_a_block_of_every_kind():
    kinds = [step.kind for step in steps(PAGE.read_text())]
    assert set(kinds) == {"file", "line", "text cell", "code cell", "parameters cell", "commands"}
    assert kinds.count("line") == 1  # one registration


def test_no_block_is_overlooked():
    text = PAGE.read_text()
    assert len(steps(text)) == len(re.findall(r"^```\w+$", text, re.MULTILINE)) == text.count("\n```\n")


@pytest.mark.slow
def test_tables_hold_computed_numbers(followed):
    root, said = followed
    tables = root / "results" / "paper_zero" / "quick" / "tables"
    gain = pd.read_csv(tables / "gain_mae.csv")
    assert list(gain["variant"]) == ["early fusion"]
    scores = pd.read_csv(tables / "scores_mae.csv").set_index("variant")["score"]
    runs = pd.read_csv(tables.parent / "runs.csv")
    mae = runs[(runs["metric"] == "mae") & (runs["split"] == "test")].groupby("variant")["value"].mean()
    assert mae.loc["text only"] == pytest.approx(scores["text only"], rel=1e-12)
    expected = mae["text only"] - mae["early fusion"]
    assert gain["gain"].item() == pytest.approx(expected, rel=1e-9)
    assert 0.1 < scores["early fusion"] < 3.0
    assert f"{expected:.4f}" in said[1]
    assert "SYNTHETIC stand-in" in said[1]


@pytest.mark.slow
def test_published_number_stands_beside_ours(followed):
    compared = pd.read_csv(followed[0] / "results/paper_zero/quick/tables/published_mae.csv")
    row = compared[(compared["variant"] == "early fusion") & (compared["quantity"] == "mae")].iloc[0]
    assert row["paper"] == pytest.approx(0.9488)
    assert row["verdict"] == "not comparable: stand-in data, different corpus, other features and protocol"


@pytest.mark.slow
def test_the_run_is_a_whole_result(followed):
    folder = followed[0] / "results" / "paper_zero" / "quick"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert {"manifest.json", "report.html", "executed.ipynb", "status.json", "figures/gain_mae.svg"} <= names
    assert "paper zero" in (folder.parent.parent / "index.html").read_text()


@pytest.mark.slow
def test_its_outputs_are_stored_and_checked(followed):
    root, said = followed
    stored = nbformat.read(root / "notebooks" / "paper_zero.ipynb", as_version=4)
    assert all(c.execution_count for c in stored.cells if c.cell_type == "code")
    assert "stored notebooks/paper_zero.ipynb" in said[2]
    assert re.search(r"\d+ passed", said[2])
    assert "failed" not in said[2]
