"""Real notebooks of which all, some or single trainings are lost: the rest is a result, and what is lost is said."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from lib.errors import Diverged
from lib.papers import schemas
from tests.faults import tiny
from tests.papers.notebook_cells import TINY, diverge, overflow, run_cells, tamper


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_the_runner_says_so_in_one_line_and_keeps_the_list(tmp_path):
    """A whole run of a real notebook, whose learning rate is a power too high."""
    workspace = tiny.make(tmp_path)
    workspace.parameters(tiny.RUN, **tiny.TINY | {"learning_rate": 1e30, "epochs": 1})
    command = [sys.executable, "-P", "-m", "lib.workflow.runner", *tiny.RUN.split("/")]
    ended = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}, check=False)
    assert ended.returncode == 1
    failure = json.loads(workspace.path(tiny.RUN, "failure.json").read_text())
    assert failure["state"] == "diverged"
    assert failure["message"].startswith(f"all {tiny.MEMBERS} trainings diverged (the first: rate 0, seed 0")
    assert "smaller learning rate" in failure["message"]
    assert "\n" not in failure["message"]
    assert len(pd.read_csv(workspace.path(tiny.RUN, "tables/lost_runs.csv"))) == tiny.MEMBERS


def test_every_notebook_with_a_grid_is_tried():
    assert {notebook for notebook, schema in schemas().items() if schema.grid} <= set(TINY)


@pytest.mark.parametrize("notebook", TINY)
def test_a_grid_that_diverges_ends_with_one_line_after_the_list_of_its_runs(notebook, tmp_path, monkeypatch):
    tamper(monkeypatch, diverge(lambda member: True))
    with pytest.raises(Diverged) as caught:
        run_cells(notebook, tmp_path, monkeypatch)
    line = str(caught.value)
    assert "\n" not in line
    lost = pd.read_csv(tmp_path / "tables" / "lost_runs.csv", keep_default_na=False, dtype={"train_loss": str})
    assert line.startswith(f"all {len(lost)} trainings diverged (the first: {lost.loc[0, 'variant']}, seed 0")
    assert "training loss 3e+33, validation loss nan" in line
    assert "smaller learning rate" in line
    assert set(lost["seed"]) >= {0, 1, 2}  # the search of low-rank fusion has seeds of its own
    assert not lost.duplicated(["variant", "seed"]).any()
    assert set(zip(lost["epoch"], lost["train_loss"], lost["valid_loss"], strict=True)) == {(1, "3e+33", "nan")}
    for variant in lost["variant"].unique():
        assert variant in caught.value.shown.replace("&#95;", "_")


def test_a_search_alone_is_no_answer(tmp_path, monkeypatch):
    """Whether LMF is better than TFN: where all of both diverged, draws of other learning rates do not tell."""
    tamper(monkeypatch, diverge(lambda member: not member.variant.startswith("draw")))
    with pytest.raises(Diverged, match=r"^all 9 trainings diverged \(the first: LMF, seed 0"):
        run_cells("low_rank_fusion", tmp_path, monkeypatch)
    lost = pd.read_csv(tmp_path / "tables" / "lost_runs.csv")
    assert {"LMF", "TFN", "LMF legacy"} < set(lost["variant"])


SOME = {
    "iemocap_negative_colearning": "rate 0",
    "low_rank_fusion": "LMF",
    "emotion_embeddings": "MOSEI",
    "unseen_emotions": "anger",
    "self_paced_balance": "SPCL",
    "end_to_end_sparse": "MESM",
    "bench": "plain",
}
"""By notebook a word in the name of every variant that is lost with all its seeds."""


@pytest.mark.slow
@pytest.mark.parametrize("notebook", SOME)
def test_variants_without_any_run_leave_the_others_a_result(notebook, tmp_path, monkeypatch):
    tamper(monkeypatch, diverge(lambda member: SOME[notebook] in member.variant))
    found = run_cells(notebook, tmp_path, monkeypatch)
    lost = found.table("lost_runs")
    assert lost["variant"].str.contains(SOME[notebook]).all()
    assert f"{len(lost)} of " in found.text
    assert "What follows is made of the others" in found.text
    assert (found.folder / "manifest.json").is_file()
    assert "nan to" not in found.text
    runs = found.runs()
    assert runs[runs["status"] == "finished"]["value"].notna().any()
    assert set(runs[runs["status"] == "diverged"]["variant"]) >= set(lost["variant"])


@pytest.mark.parametrize("lost", [(0,), (0, 1)], ids=["one seed", "two seeds"])
@pytest.mark.parametrize("notebook", ["mosi_positive_colearning", "explore"])
def test_intervals_are_over_the_seeds_that_are_left(notebook, lost, tmp_path, monkeypatch):
    """With one seed left there is no interval, and the sentences say so."""
    tamper(monkeypatch, diverge(lambda member: member.seed in lost))
    found = run_cells(notebook, tmp_path, monkeypatch)
    stem = next((found.folder / "tables").glob("scores_*.csv")).stem
    scores = found.table(stem)
    assert set(scores["n"]) == {3 - len(lost)}
    assert scores["t_interval_low"].isna().all() == (len(lost) == 2)
    assert scores["score"].notna().all()
    assert "nan" not in found.text.replace("validation loss nan", "").replace("| nan |", "")


@pytest.mark.parametrize("notebook", ["iemocap_negative_colearning", "mosi_positive_colearning", "low_rank_fusion"])
def test_outputs_that_are_not_finite_have_no_scores_and_enter_no_matrix(notebook, tmp_path, monkeypatch):
    tamper(monkeypatch, overflow(lambda member: member.seed == 0))
    found = run_cells(notebook, tmp_path, monkeypatch)
    lost = found.table("lost_runs")
    assert set(lost["seed"]) == {0}
    assert lost["reason"].str.contains("test split hold NaN or infinity").all()
    runs = found.runs()
    values = runs[(runs["split"] == "test") & (runs["seed"] == 0)]["value"]
    assert len(values)
    assert np.isnan(values).all()
    if "colearning" in notebook:
        confusion = found.table("confusion")
        assert confusion["matrix"].str.contains("2 of 3 seeds").all()
