"""Every cell of the page, by row and column: tables against their files, the list of runs against the manifests."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from lib.data.corpora import CORPORA
from lib.papers.summary.page import page
from lib.reporting.result_folders import read_folder
from lib.reporting.tables import readable
from lib.workflow.runs import known_runs
from tests.papers.summary.kept_results import make_results


class Tables(HTMLParser):
    """The tables of a page: attributes, heading, and rows of cells with the row's attributes."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[dict, list[str], list[tuple[dict, list[str]]]]] = []
        self._into: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.found.append((dict(attributes), [], []))
        elif tag == "tr":
            self.found[-1][2].append((dict(attributes), []))
        elif tag in ("th", "td"):
            self._into = self.found[-1][1] if tag == "th" else self.found[-1][2][-1][1]
            self._into.append("")

    def handle_data(self, data):
        if self._into is not None:
            self._into[-1] += data

    def handle_endtag(self, tag):
        if tag in ("th", "td"):
            self._into = None


OF_PAPER = {
    "iemocap_negative_colearning": {"iemocap"},
    "mosi_positive_colearning": {"mosi"},
    "low_rank_fusion": {"mosi", "pom", "iemocap"},
    "emotion_embeddings": {"mosei", "iemocap"},
    "unseen_emotions": {"mosei", "iemocap"},
    "self_paced_balance": {"iemocap", "meld"},
    "end_to_end_sparse": {"mosei", "iemocap"},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    return make_results(tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def tables(results) -> list:
    return Tables(page(read_folder(results, run.notebook, run.name) for run in known_runs())).found


def differing(file: Path, head: list[str], rows: list[list[str]]) -> list[str]:
    """The columns in which a shown table differs from its file."""
    expected = readable(pd.read_csv(file), digits=3).astype(str)
    shown = pd.DataFrame(rows, columns=head)
    assert len(shown) == len(expected), file
    return [name for name in head if name not in expected or list(shown[name]) != list(expected[name])]


def test_every_table_repeats_its_file_cell_by_cell(tables, results):
    with_file = [
        (a["data-file"], head, [cells for _, cells in rows if cells]) for a, head, rows in tables if a.get("data-file")
    ]
    assert len(with_file) > 50
    wrong = {file: columns for file, head, rows in with_file if (columns := differing(results / file, head, rows))}
    assert wrong == {}
    file, head, rows = next(entry for entry in with_file if len(entry[2]) > 1 and entry[2][0] != entry[2][1])
    assert differing(results / file, head, [rows[1], rows[0], *rows[2:]]) != []


def test_the_list_of_runs_repeats_the_manifests(tables, results):
    head, rows = next((head, rows) for about, head, rows in tables if about.get("id") == "matrix")
    shown = {about["data-run"]: dict(zip(head, cells, strict=True)) for about, cells in rows if cells}
    assert set(shown) == {str(run) for run in known_runs() if run.notebook not in ("summary", "explore")}
    run_before = {name for name, cells in shown.items() if cells["state"] != "not run"}
    assert len(run_before) > 5
    for name, cells in shown.items():
        if name not in run_before:
            assert {cells[key] for key in head[3:]} == {""}
            continue
        manifest = json.loads((results / name / "manifest.json").read_text())
        run, minutes = manifest["run"], manifest["volatile"]["durations"].get("training, all runs", 0) / 60
        assert cells["seeds"] == str(len(run["seeds"]))
        assert cells["minutes of training"] == f"{minutes:.1f}"
        assert cells["hyper-parameters chosen by"] == run["selected_on"]["hyper-parameters"]
        chosen = [how for what, how in run["selected_on"].items() if what.startswith("epoch")]
        assert chosen
        assert cells["epoch chosen by"] == "; ".join(chosen)
        assert cells["commit"].startswith(manifest["code"]["commit"][:7])
        assert cells["corpus"] == "; ".join(source["label"] for source in manifest["data"])
        families = {CORPORA[name].family for name in run["params"].get("datasets") or [run["params"]["dataset"]]}
        own = OF_PAPER.get(name.split("/")[0], set())
        expected = "the paper's corpus" if families <= own else "another real corpus"
        expected = "SYNTHETIC stand-in" if "stand-in" in cells["state"] else expected
        assert cells["evidence"].partition(",")[0] == expected
        assert ("stand-in" in cells["state"]) == any(source["synthetic"] for source in manifest["data"])
