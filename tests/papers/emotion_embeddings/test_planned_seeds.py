"""`seeds: auto`: several corpora get the seeds that the neediest comparison asks for, also where scores are mended."""

import json

import numpy as np
import pytest

from lib.errors import InputError
from lib.papers.emotion_embeddings import study as eea
from lib.reporting import gains, seed_plan
from tests.data.ravdess.test_ravdess import write_ravdess
from tests.papers.emotion_embeddings.test_emotion_embeddings import READ, given
from tests.papers.notebook_cells import HIDDEN, run_cells
from tests.papers.planned_seeds import answering, check_goes_on

AUTO = {
    "models": ["eea", "lf_rnn", "transformer"],
    "ablation": False,
    "contrasts": [],
    "contrast_baselines": False,
    "epochs": 1,
    "seeds": "auto",
    "most_seeds": 30,
}
KINDS = ("EEA", "LF-RNN", "EF transformer")
COMPARISONS = ["MOSEI: EEA against MOSEI: LF-RNN", "IEMOCAP: EEA against IEMOCAP: LF-RNN"]
METRICS = ["weighted_acc", "acc"]
MISTAKES = 3
"""Samples of which a training may get an emotion wrong."""


@pytest.fixture(scope="module")
def networks():
    return {}


def study(folder, **changes):
    return eea.study(given(**AUTO | {"results": str(folder)} | changes), READ)


def nearly_right(monkeypatch, networks, tasks):
    """All is answered right but for a few emotions of a few samples."""
    labels = {task.name: task.corpus.splits["test"].labels for task in tasks}

    def answers(member, rng):
        right = labels[member.tags["task"]].copy()
        for sample in rng.integers(len(right), size=rng.integers(MISTAKES + 1)):
            emotion = rng.integers(right.shape[1])
            right[sample, emotion] = 1 - right[sample, emotion]
        return np.where(right == 1, 2.0, -2.0)

    return answering(monkeypatch, networks, answers)


@pytest.fixture
def trained(tmp_path, monkeypatch, networks):
    return nearly_right(monkeypatch, networks, study(tmp_path).tasks)


def every(seeds):
    return sorted((f"{task}: {kind}", seed) for task in ("MOSEI", "IEMOCAP") for kind in KINDS for seed in seeds)


def test_both_corpora_get_the_seeds_that_the_neediest_comparison_asks_for(trained, tmp_path):
    runs = study(tmp_path).train()
    seeds = runs.study.p.seeds
    assert 5 < len(seeds) < 30 and sorted(trained) == every(seeds)
    told = seed_plan.table(runs)
    assert told["comparison"].tolist() == COMPARISONS and told["metric"].tolist() == METRICS
    assert told["why it stopped"].str.startswith(seed_plan.LIMIT).tolist() == [True, False]
    assert told["planned"].iloc[1] == len(seeds), "one of which test units are the limit asks for no more"
    assert set(told["run"]) == {len(seeds)}


def test_scores_at_the_published_thresholds_know_the_pilot(trained, tmp_path):
    runs = study(tmp_path).train()
    rescored = eea.as_published(runs)
    assert rescored.study.p.seeds == runs.study.p.seeds
    left = rescored.without_units("f1_positive")
    assert [seed for (name, seed), each in left.items() if name == "MOSEI: EEA" and each.pilot] == [0, 1, 2, 3, 4]
    pair = [("MOSEI: EEA", "MOSEI: LF-RNN")]
    assert gains.pairs(rescored.table, "f1_positive", pair, rescored)["n"].tolist() == [len(runs.study.p.seeds)]


@pytest.mark.parametrize("number", [13, 37], ids=["in the pilot", "after it"])
def test_what_is_interrupted_goes_on_with_the_same_plan(number, trained, tmp_path):
    check_goes_on(lambda name: study(tmp_path / name).train(), trained, number, every)


@pytest.mark.slow
def test_the_notebook_shows_the_seeds_and_its_tables_are_over_all_of_them(tmp_path, monkeypatch):
    asked = {"samples": 60, "hidden": HIDDEN, "most_seeds": 7}
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path / "cache"))
    tasks = eea.study(given(**AUTO | asked | {"results": str(tmp_path)})).tasks
    trained = nearly_right(monkeypatch, {}, tasks)
    found = run_cells("emotion_embeddings", tmp_path, monkeypatch, **AUTO | asked)
    seeds = sorted({seed for _, seed in trained})
    assert len(seeds) > 5
    told = found.table("seeds")
    assert told["comparison"].tolist() == COMPARISONS and set(told["run"]) == {len(seeds)}
    assert set(found.table("gain_weighted_acc_mosei")["n"]) == {len(seeds)}
    assert "epoch selected by validation weighted_acc 5 to 7 seeds" in found.text
    assert set(found.table("overview_iemocap")["n"]) == {len(seeds)}
    run = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["run"]
    assert (run["seeds"], run["params"]["seeds"], run["params"]["most_seeds"]) == (seeds, "auto", 7)


def test_a_list_is_run_as_it_is_and_nothing_is_planned(trained, tmp_path):
    runs = study(tmp_path, seeds=[0, 7], most_seeds=0).train()
    assert sorted(trained) == every([0, 7]) and runs.study.plan is None


@pytest.mark.parametrize("models", [["eea", "transformer"], ["ef_rnn", "lf_rnn"]])
def test_seeds_are_planned_where_the_claim_is_asked_alone(models):
    with pytest.raises(InputError, match="as many as tell eea from recurrent baselines: add eea and one of ef_rnn, "):
        given(**AUTO | {"models": models})


def test_folds_are_tested_in_whole_turns(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path / "cache"))
    write_ravdess(tmp_path / "data")
    options = {"datasets": ["ravdess"], "modalities": ["audio", "video"], "samples": 0, "select_by": "acc"}
    options |= {"corpus_options": {"fold": "by_seed"}, "data_root": str(tmp_path / "data"), "most_seeds": 20}
    p = given(**AUTO | options)
    assert (p.turn, p.seeds, p.possible_seeds) == (8, tuple(range(8)), tuple(range(16)))
    monkeypatch.setattr(eea, "emotion_vectors", lambda dataset, names, *_, **options: np.ones((len(names), 8)))
    read = eea.load(p)
    assert [one.seeds for one in read] == [(fold, fold + 8) for fold in range(8)]
    assert {member.seed for _, member in eea.study(p, read).members} == set(range(8))
