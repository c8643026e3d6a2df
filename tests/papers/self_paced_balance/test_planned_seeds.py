"""`seeds: auto`: a development set for every further seed, and plans by gains that are made of several variants."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lib.errors import InputError
from lib.papers.self_paced_balance import over_fewer
from lib.papers.self_paced_balance import study as self_paced
from lib.reporting import gains, seed_plan
from tests.data.ravdess.test_ravdess import write_ravdess
from tests.papers.notebook_cells import run_cells
from tests.papers.planned_seeds import answering, check_goes_on
from tests.papers.self_paced_balance.small_grid import MMGCN, given

BACKBONES = {"mmgcn": MMGCN | {"epochs": 1}}
AUTO = {
    "samples": 40,
    "backbones": BACKBONES,
    "subsets": ["atv", "at"],
    "mends": [],
    "mend_subsets": [],
    "seeds": "auto",
    "most_seeds": 16,
}
MISTAKEN = 0.4
"""Share of the trainings that are."""
VARIANTS = ("MMGCN atv", "MMGCN atv + SPCL", "MMGCN at", "MMGCN at + SPCL")
COMPARISONS = [
    "MMGCN atv + SPCL against MMGCN atv",
    "MMGCN at + SPCL against MMGCN at",
    "MMGCN atv - at, with SPCL against MMGCN atv - at, without SPCL",
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def networks():
    return {}


@pytest.fixture(scope="module")
def corpora():
    return {}


@pytest.fixture(autouse=True)
def each_corpus_once(monkeypatch, corpora):
    draw = self_paced.corpus_with

    def corpus_with(p, modalities, **options):
        key = (p.dataset, p.samples, *sorted(options.items()))
        if key not in corpora:
            few = {"expected_from": 5} if p.samples else {}  # of the best reachable scores, which nothing here asks
            corpora[key] = draw(p, modalities, **options, **few)
        return corpora[key]

    monkeypatch.setattr(self_paced, "corpus_with", corpus_with)


def study(folder, **changes):
    return self_paced.study(given(**AUTO | {"results": str(folder)} | changes))


@pytest.fixture
def trained(tmp_path, monkeypatch, networks):
    """All answer right, but for one utterance with SPCL and some of the seeds."""
    corpus = study(tmp_path).tasks[0].corpus
    labels, classes = self_paced.flat_labels(corpus, "test"), len(corpus.label_names)

    def answers(member, rng):
        answered = labels.copy()
        if member.tags["spcl"] and rng.random() < MISTAKEN:
            answered[rng.integers(len(labels))] = rng.integers(classes)
        return np.eye(classes)[answered]

    return answering(monkeypatch, networks, answers)


def every(seeds):
    return sorted((variant, seed) for variant in VARIANTS for seed in seeds)


def test_the_neediest_comparison_decides_be_it_of_pairs_or_of_differences_of_pairs(trained, tmp_path):
    asked = study(tmp_path)
    assert len(asked.tasks) == 5, "later development sets are read when they are asked for"
    runs = asked.train()
    seeds = runs.study.p.seeds
    assert 5 < len(seeds) < 16 and sorted(trained) == every(seeds)
    told = seed_plan.table(runs)
    assert told["comparison"].tolist() == COMPARISONS
    assert (set(told["metric"]), set(told["margin"]), set(told["pilot"])) == ({"weighted_f1"}, {0.01}, {5})
    assert told["planned"].max() == len(seeds)
    assert told["planned"].idxmax() == 2, "a difference of differences spreads most"


def test_every_further_seed_has_a_development_set_of_its_own(trained, tmp_path):
    asked = study(tmp_path)
    runs = asked.train()
    assert runs.study.tasks[:5] == asked.tasks and len(runs.study.tasks) == len(runs.study.p.seeds)
    for task, member, record in runs.done:
        assert task is runs.study.tasks[member.seed]
        assert record.tags["development"] == " ".join(task.corpus.splits["valid"].ids)
    assert self_paced.development_sets(asked).startswith("The seeds have development sets of their own, of ")


def test_what_gains_are_made_of_knows_the_pilot(trained, tmp_path):
    runs = study(tmp_path).train()
    each = gains.sides(runs.table, "weighted_f1", runs=runs)
    over = f"{over_fewer.BETTER} atv, at"
    for sides in (
        over_fewer.compared(runs, each, "mmgcn", "at", spcl=True),
        over_fewer.compared(runs, each, "mmgcn", over, spcl=True),
    ):
        for side in sides:
            assert [seed for seed, left in side.left.items() if left.pilot] == [0, 1, 2, 3, 4]
            assert set(side.left) == set(runs.study.p.seeds)
    listed = replace(runs, study=replace(runs.study, plan=None))
    ours, theirs = over_fewer.claimed(runs), over_fewer.claimed(listed)
    assert ours["gain"].equals(theirs["gain"]) and (ours["combined_error"] != theirs["combined_error"]).all()


@pytest.mark.parametrize("number", [7, 22], ids=["in the pilot", "after it"])
def test_what_is_interrupted_goes_on_with_the_same_plan(number, trained, tmp_path):
    check_goes_on(lambda name: study(tmp_path / name).train(), trained, number, every)


@pytest.mark.slow
def test_the_notebook_shows_the_seeds_and_its_tables_are_over_all_of_them(trained, tmp_path, monkeypatch):
    layers = {"layers": 1, "batch_size": 8, "pace": {"threshold": 0.3, "growth": 1.5}}
    found = run_cells("self_paced_balance", tmp_path, monkeypatch, **AUTO | layers)
    seeds = sorted({seed for _, seed in trained})
    assert len(seeds) > 5
    told = found.table("seeds")
    assert told["comparison"].tolist() == COMPARISONS and set(told["run"]) == {len(seeds)}
    assert "4 variants, 5 to 16 seeds" in found.text
    assert set(found.table("trimodal_weighted_f1")["n"]) == {len(seeds)}
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["run"]["seeds"] == seeds
    assert (manifest["run"]["params"]["seeds"], manifest["run"]["params"]["most_seeds"]) == ("auto", 16)


def test_a_list_is_run_as_it_is_and_nothing_is_planned(trained, tmp_path):
    runs = study(tmp_path, seeds=[0, 7], most_seeds=0).train()
    assert sorted(trained) == every([0, 7]) and runs.study.plan is None
    assert [task is done for task, (done, *_) in zip(runs.study.tasks, runs.done[:: len(VARIANTS)], strict=True)]
    assert self_paced.development_sets(runs.study).startswith("The 2 seeds have 2 different development sets of ")


def test_folds_are_tested_in_whole_turns(tmp_path):
    write_ravdess(tmp_path / "data")
    options = {
        "dataset": "ravdess_dialogues",
        "corpus_options": {"fold": "by_seed"},
        "data_root": str(tmp_path / "data"),
    }
    options |= {"samples": 0, "subsets": ["av", "a", "v"], "most_seeds": 20}
    asked = study(tmp_path, **options)
    assert (asked.p.seeds, asked.p.possible_seeds) == (tuple(range(8)), tuple(range(16)))
    assert len(asked.tasks) == 8 and {member.seed for _, member in asked.members} == set(range(8))
    with pytest.raises(InputError, match="most_seeds 7 is less than the pilot's 8 seeds, whole turns of 8 folds"):
        study(tmp_path, **options | {"most_seeds": 7})
