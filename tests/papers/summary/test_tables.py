"""The notebook over all result folders: it repeats what tables say and counts nothing twice."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from lib.papers.summary import Summary, tables
from lib.papers.summary.figures import claim_bars
from tests.papers.summary.kept_results import STAND_IN, make_results


def reading(**values) -> tables.Reading:
    return tables.Reading(Summary(results="results/summary/test", **values))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Iterator[Path]:
    """The parameter files, the kept results and those of one stand-in."""
    root = tmp_path_factory.mktemp("workspace")
    make_results(root)
    shutil.copytree(tables.WORKSPACE / "params", root / "params")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "WORKSPACE", root)
        yield root


@pytest.fixture(scope="module")
def folders(workspace):
    return reading().folders


@pytest.fixture(scope="module")
def real(workspace):
    return reading(stand_ins=False).folders


def test_every_parameter_file_but_its_own_is_in_exactly_one_state(folders):
    names = {(path.parent.name, path.stem) for path in (tables.WORKSPACE / "params").glob("*/*.yaml")}
    assert {(f.notebook, f.name) for f in folders} == {run for run in names if run[0] not in ("summary", "explore")}
    states = tables.states(folders).set_index("notebook")
    listed = [name for cell in states.to_numpy().ravel() for name in cell.split(", ") if name]
    assert len(listed) == len(folders)


def test_without_stand_ins_nothing_synthetic_is_left(folders, real):
    assert 0 < len(real) < len(folders)
    assert reading(stand_ins=False).label == "results of all papers, real data"
    assert reading().label.endswith("SYNTHETIC stand-in")
    assert "SYNTHETIC" in " ".join(tables.claims_table(folders)["corpus"])
    assert "SYNTHETIC" not in " ".join(tables.claims_table(real)["corpus"])


def test_real_results_do_not_depend_on_which_quick_runs_there_are(workspace, real, tmp_path):
    shutil.move(workspace.joinpath("results", *STAND_IN), tmp_path)
    try:
        again = reading(stand_ins=False).folders
    finally:
        shutil.move(tmp_path / STAND_IN[1], workspace.joinpath("results", *STAND_IN))
    assert [(f.notebook, f.name, f.state) for f in again] == [(f.notebook, f.name, f.state) for f in real]


def test_directions_count_every_row_once(folders):
    every = tables.claims_table(folders, every=True)
    counts = tables.directions(every)
    assert counts[list(tables.VERDICTS)].to_numpy().sum() == len(every)
    synthetic = counts[counts["data"] == "SYNTHETIC stand-in"][list(tables.VERDICTS)].to_numpy().sum()
    assert synthetic == every["corpus"].str.endswith("SYNTHETIC stand-in").sum()
    assert len(tables.conclusions(every)) == every["claim"].nunique()


def test_a_damaged_folder_answers_nothing(folders):
    damaged = [replace(f, state="damaged", manifest={}) for f in folders]
    assert tables.claims_table(damaged).empty
    assert tables.results(damaged).empty


def test_the_figure_shows_what_was_not_run_and_marks_stand_ins():
    row = {"as claimed": 0, "no difference beyond the margin": 2, "opposite": 1, "undecided": 3}
    counts = pd.DataFrame(
        [{"claim": "a", "data": "the paper's corpus"} | row, {"claim": "b", "data": "SYNTHETIC stand-in"} | row]
    )
    real, synthetic = claim_bars(counts).axes
    assert real.get_title() == "the paper's corpus"
    assert [text.get_text() for text in real.texts if text.get_text()] == ["2", "1", "3", "not run"]
    assert (synthetic.get_title(), synthetic.title.get_color()) == ("SYNTHETIC stand-in", "#b00020")
