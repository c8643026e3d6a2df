"""The notebook over all result folders: it repeats what tables say and counts nothing twice."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from lib.papers import summary
from lib.params.summary import Summary
from lib.reporting.claims import condensed
from lib.reporting.summary_figures import claim_bars
from tests.reporting.kept_results import STAND_IN, make_results


def parameters(**values) -> Summary:
    return Summary(results="results/summary/test", **values)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Iterator[Path]:
    """The parameter files, the kept results and those of one stand-in."""
    root = tmp_path_factory.mktemp("workspace")
    make_results(root)
    shutil.copytree(summary.WORKSPACE / "params", root / "params")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summary, "WORKSPACE", root)
        yield root


@pytest.fixture(scope="module")
def folders(workspace):
    return summary.read_all(parameters())


@pytest.fixture(scope="module")
def real(workspace):
    return summary.read_all(parameters(stand_ins=False))


def test_every_parameter_file_but_its_own_is_in_exactly_one_state(folders):
    names = {(path.parent.name, path.stem) for path in (summary.WORKSPACE / "params").glob("*/*.yaml")}
    assert {(f.notebook, f.name) for f in folders} == {run for run in names if run[0] not in ("summary", "explore")}
    states = summary.states(folders).set_index("notebook")
    listed = [name for cell in states.to_numpy().ravel() for name in cell.split(", ") if name]
    assert len(listed) == len(folders)


def test_without_stand_ins_nothing_synthetic_is_left(folders, real):
    assert 0 < len(real) < len(folders)
    assert summary.source(parameters(), real).label == "results of all papers, real data"
    assert summary.source(parameters(), folders).label.endswith("SYNTHETIC stand-in")
    assert "SYNTHETIC" in " ".join(summary.claims_table(folders)["corpus"])
    assert "SYNTHETIC" not in " ".join(summary.claims_table(real)["corpus"])


def test_real_results_do_not_depend_on_which_quick_runs_there_are(workspace, real, tmp_path):
    shutil.move(workspace.joinpath("results", *STAND_IN), tmp_path)
    try:
        again = summary.read_all(parameters(stand_ins=False))
    finally:
        shutil.move(tmp_path / STAND_IN[1], workspace.joinpath("results", *STAND_IN))
    assert [(f.notebook, f.name, f.state) for f in again] == [(f.notebook, f.name, f.state) for f in real]


def test_directions_count_every_row_once(folders):
    every = summary.claims_table(folders, every=True)
    counts = summary.directions(every)
    assert counts[list(summary.DIRECTIONS)].to_numpy().sum() == len(every)
    synthetic = counts[counts["data"] == "SYNTHETIC stand-in"][list(summary.DIRECTIONS)].to_numpy().sum()
    assert synthetic == every["corpus"].str.endswith("SYNTHETIC stand-in").sum()
    assert len(summary.conclusions(every)) == every["claim"].nunique()


def test_a_damaged_folder_answers_nothing(folders):
    damaged = [replace(f, state="damaged", manifest={}) for f in folders]
    assert summary.claims_table(damaged).empty
    assert summary.results(damaged).empty


def test_many_rows_become_their_mean_and_the_counts_of_their_directions():
    rows = pd.DataFrame({"value": [1.0, 2.0, 6.0], "direction": ["opposite", "as claimed", "as claimed"]})
    rows = rows.assign(low=0.0, high=0.0, row=0, what="x")
    (one,) = condensed(rows, longest=2).to_dict("records")
    assert (one["value"], one["rows"], one["direction"]) == (3.0, 3, "2 as claimed, 1 opposite")
    assert condensed(rows, longest=3)["rows"].tolist() == [1, 1, 1]


def test_the_figure_shows_what_was_not_run_and_marks_stand_ins():
    row = {"as claimed": 0, "not told apart": 2, "opposite": 1}
    counts = pd.DataFrame(
        [{"claim": "a", "data": "real data"} | row, {"claim": "b", "data": "SYNTHETIC stand-in"} | row]
    )
    real, synthetic = claim_bars(counts).axes
    assert [text.get_text() for text in real.texts if text.get_text()] == ["2", "1", "not run"]
    assert (synthetic.get_title(), synthetic.title.get_color()) == ("SYNTHETIC stand-in", "#b00020")
