"""The notebook over all result folders: it repeats what tables say and counts nothing twice."""

from dataclasses import replace

import pandas as pd
import pytest

from lib.papers import summary
from lib.params.summary import Summary
from lib.reporting.claims import condensed
from lib.reporting.summary_figures import claim_bars


def parameters(**values) -> Summary:
    return Summary(results="results/summary/test", **values)


@pytest.fixture(scope="module")
def folders():
    return summary.read_all(parameters())


def test_every_parameter_file_but_its_own_is_in_exactly_one_state(folders):
    names = {(path.parent.name, path.stem) for path in (summary.WORKSPACE / "params").glob("*/*.yaml")}
    assert {(f.notebook, f.name) for f in folders} == {run for run in names if run[0] not in ("summary", "explore")}
    states = summary.states(folders).set_index("notebook")
    listed = [name for cell in states.to_numpy().ravel() for name in cell.split(", ") if name]
    assert len(listed) == len(folders)


def test_without_stand_ins_nothing_synthetic_is_left(folders):
    real = summary.read_all(parameters(stand_ins=False))
    assert 0 < len(real) < len(folders)
    assert not summary.source(parameters(), real).synthetic
    assert summary.source(parameters(), folders).synthetic
    assert not summary.claims_table(real)["corpus"].str.contains("SYNTHETIC").any()


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
