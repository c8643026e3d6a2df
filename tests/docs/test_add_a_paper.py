"""docs/add_a_paper.md, followed to the letter in a copy of the repository."""

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from tests.docs.clone import ROOT, run, workspace_copy

PAGE = ROOT / "docs" / "add_a_paper.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w./-]+)`:$")
CELL = re.compile(r"^# %% (text|code|parameters)\n", re.MULTILINE)


def steps(page: str) -> list[tuple[str, str]]:
    """Each block as (path, text), the path being what the line before it ends with; commands have none."""
    found = []
    for block in BLOCK.finditer(page):
        intro = page[: block.start()].rstrip().rpartition("\n")[2]
        found.append(("" if block[1] == "sh" else FILE.search(intro)[1], block[2]))
    return found


def notebook(text: str) -> nbformat.NotebookNode:
    """A cell from each part that a `# %%` begins."""
    before, *parts = CELL.split(text)
    assert not before
    cells = []
    for number, (kind, source) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
        new = nbformat.v4.new_markdown_cell if kind == "text" else nbformat.v4.new_code_cell
        tags = {"tags": ["parameters"]} if kind == "parameters" else {}
        cells.append(new(source.removesuffix("\n"), metadata=tags, id=f"cell-{number}"))
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def follow(page: str, root: Path) -> list[str]:
    """Do what the page says in the workspace `root`; returns what its command blocks printed."""
    said = []
    for path, text in steps(page):
        if not path:
            said.append(run(text, root))
            continue
        assert not (root / path).exists()
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith(".ipynb"):
            nbformat.write(notebook(text), root / path)
        else:
            (root / path).write_text(text, encoding="utf-8")
    return said


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> tuple[Path, list[str]]:
    root = workspace_copy(tmp_path_factory.mktemp("clone") / "clone")
    return root, follow(PAGE.read_text(encoding="utf-8"), root)


def test_the_page_is_short_and_touches_three_places():
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    written = {path for path, _ in steps(text)} | set(re.findall(r"> (\S+)", text)) - {""}
    places = {path.rpartition("/")[0] for path in written if "/" in path}
    assert places == {"lib/papers/paper_zero", "notebooks"} and "cd params/paper_zero\n" in text


def test_no_block_is_overlooked():
    text = PAGE.read_text(encoding="utf-8")
    assert len(steps(text)) == len(re.findall(r"^```\w+$", text, re.MULTILINE)) == text.count("\n```\n")


@pytest.mark.slow
def test_tables_hold_computed_numbers(followed):
    root, said = followed
    tables = root / "results" / "paper_zero" / "quick" / "tables"
    gain = pd.read_csv(tables / "gain_mae.csv")
    assert list(gain["variant"]) == ["early fusion"]
    runs = pd.read_csv(tables.parent / "runs.csv")
    mae = runs[(runs["metric"] == "mae") & (runs["split"] == "test")].groupby("variant")["value"].mean()
    assert gain["score"].item() == pytest.approx(mae["early fusion"], rel=1e-12)
    expected = mae["text only"] - mae["early fusion"]
    assert gain["gain"].item() == pytest.approx(expected, rel=1e-9)
    assert 0.1 < mae["early fusion"] < 3.0
    assert f"{expected:.4f}" in said[-1]
    assert "SYNTHETIC stand-in" in said[-1]


@pytest.mark.slow
def test_published_number_stands_beside_ours(followed):
    compared = pd.read_csv(followed[0] / "results/paper_zero/quick/tables/published_mae.csv")
    row = compared[(compared["variant"] == "early fusion") & (compared["quantity"] == "mae")].iloc[0]
    assert row["paper"] == pytest.approx(0.9488)
    assert row["verdict"] == "not comparable: stand-in data, different corpus"


@pytest.mark.slow
def test_the_run_is_a_whole_result_and_answers_the_claim(followed):
    folder = followed[0] / "results" / "paper_zero" / "quick"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert {"manifest.json", "report.html", "executed.ipynb", "status.json", "figures/gain_mae.svg"} <= names
    page = (folder.parent.parent / "index.html").read_text(encoding="utf-8")
    assert "Paper zero" in page and "Audio and video add to text" in page


@pytest.mark.slow
def test_its_outputs_are_stored_and_checked(followed):
    root, said = followed
    stored = nbformat.read(root / "notebooks" / "paper_zero.ipynb", as_version=4)
    assert all(c.execution_count for c in stored.cells if c.cell_type == "code")
    assert "stored notebooks/paper_zero.ipynb" in said[-1]
    cells = sum(c.cell_type == "code" for c in stored.cells)
    assert f"notebooks/paper_zero.ipynb {'.' * cells} " in said[-1]
    assert int(re.search(r"(\d+) passed", said[-1])[1]) >= cells + 4 + 5  # its YAMLs and parameters; as it is stored
    assert "failed" not in said[-1]
