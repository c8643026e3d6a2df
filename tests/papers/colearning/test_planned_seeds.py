"""`seeds: auto`: a pilot, then as many seeds as its spread asks for, whatever stopped the run meanwhile."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from lib import params
from lib.errors import Diverged
from lib.papers.colearning import IemocapColearning, MosiColearning
from lib.papers.colearning import study as colearning
from lib.reporting import seed_plan
from lib.reporting.claims import claims
from lib.reporting.gains import gain_table
from lib.reporting.verdicts import margin
from lib.training import execution, loop
from lib.training.chunks import chunk
from lib.training.sweep import train_missing
from tests.data.ravdess.test_ravdess import write_ravdess
from tests.papers.colearning.test_colearning import MOSI
from tests.papers.colearning.test_ravdess import RAVDESS
from tests.papers.notebook_cells import TINY, diverge, run_cells, tamper

AUTO = {"samples": 600, "rates": [0.0, 0.8], "seeds": "auto", "most_seeds": 24}
MISTAKES = {"rate 0": 0.006, "rate 0.8": 0.003, "text only": 0.004}
"""Share of the test set that a tampered training gets wrong, on average over the seeds."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))


def study(folder, **changes):
    return colearning.study(
        params.check(MosiColearning, MOSI | AUTO | {"results": str(folder)} | changes, where="test")
    )


class Trained(list):
    """Variant and seed of each training that ended; with `stop_at`, the training after so many is interrupted."""

    stop_at: int | None = None


@pytest.fixture(scope="module")
def networks():
    """By variant what one real training left."""
    return {}


@pytest.fixture
def trained(tmp_path, monkeypatch, networks):
    """Nothing is trained but one network of each variant: all answer right but for a few samples of their own, so that
    seeds and not samples are what differs.
    """
    labels = torch.as_tensor(study(tmp_path).tasks[0].corpus.splits["test"].labels)
    done = Trained()

    def train(member, *args, **options):
        if len(done) == done.stop_at:
            done.stop_at = None
            raise KeyboardInterrupt
        done.append((member.variant, member.seed))
        rng = np.random.default_rng([member.seed, len(member.variant)])
        share = MISTAKES[member.variant] + 0.003 * rng.standard_normal()
        wrong = torch.as_tensor(rng.random(len(labels)) < share)
        right = torch.where(labels >= 0, 1.0, -1.0)
        if member.variant not in networks:
            networks[member.variant] = loop.train(member, *args, **options)
        one = networks[member.variant]
        return replace(one, outputs=one.outputs | {"test": torch.where(wrong, -right, right)[:, None]})

    monkeypatch.setattr(execution, "train", train)
    monkeypatch.setattr("lib.training.engine.pays_on_cpu", lambda member: False)
    return done


def every(seeds):
    return sorted((variant, seed) for variant in MISTAKES for seed in seeds)


def test_a_run_goes_on_to_as_many_seeds_as_its_pilot_asks_for(trained, tmp_path):
    runs = study(tmp_path).train()
    seeds = runs.study.p.seeds
    assert 5 < len(seeds) < 24 and seeds == tuple(range(len(seeds)))
    assert sorted(trained) == every(seeds)
    told = seed_plan.table(runs)
    assert told["comparison"].tolist() == [
        "rate 0 against text only",
        "rate 0.8 against text only",
        "rate 0.8 against rate 0",
    ]
    assert (set(told["metric"]), set(told["margin"])) == ({"acc2_nonneg"}, {0.01})
    assert (set(told["pilot"]), set(told["run"])) == ({5}, {len(seeds)})
    assert told["planned"].max() == len(seeds)
    assert set(told["why it stopped"]) == {seed_plan.ENOUGH}


def test_a_cap_stops_it_and_says_so(trained, tmp_path):
    runs = study(tmp_path, most_seeds=6).train()
    assert sorted(trained) == every(range(6))
    told = seed_plan.table(runs)
    assert set(told.loc[told["planned"] > 6, "why it stopped"]) == {seed_plan.CAP}


def test_what_is_interrupted_goes_on_with_the_same_plan(trained, tmp_path):
    """Once within the pilot, once after it, and nothing is trained twice."""
    whole = study(tmp_path / "whole").train().study.p.seeds
    for number in (7, 17):
        trained.clear()
        trained.stop_at = number
        with pytest.raises(KeyboardInterrupt):
            study(tmp_path / str(number)).train()
        assert study(tmp_path / str(number)).train().study.p.seeds == whole
        assert sorted(trained) == every(whole)


def test_records_beyond_the_pilot_do_not_enter_the_plan(trained, tmp_path):
    alone = study(tmp_path / "alone").train()
    study(tmp_path / "after", seeds=list(range(20)), most_seeds=0).train()
    trained.clear()
    after = study(tmp_path / "after").train()
    assert trained == []
    assert after.study.p.seeds == alone.study.p.seeds
    assert seed_plan.table(after).equals(seed_plan.table(alone))


def test_chunks_train_the_pilot_and_the_notebook_the_rest(trained, tmp_path):
    for index in (1, 2):
        for corpus, members in chunk(study(tmp_path).grids, index, 2):
            train_missing(members, corpus, tmp_path / "members")
    assert sorted(trained) == every(range(5))
    runs = study(tmp_path).train()
    assert len(runs.study.p.seeds) > 5 and sorted(trained) == every(runs.study.p.seeds)


def test_intervals_know_that_the_seeds_were_planned(trained, tmp_path):
    runs = study(tmp_path).train()
    listed = replace(runs, study=replace(runs.study, plan=None))
    ours, theirs = (gain_table(runs.table, "acc2_nonneg", "text only", runs=each) for each in (runs, listed))
    assert ours["gain"].equals(theirs["gain"]) and ours["units"].equals(theirs["units"])
    assert (ours["combined_error"] != theirs["combined_error"]).all()
    five = runs.first(5)
    pilot = gain_table(five.table, "acc2_nonneg", "text only", runs=five)
    listed = replace(five, study=replace(five.study, plan=None))
    assert pilot.equals(gain_table(five.table, "acc2_nonneg", "text only", runs=listed))
    assert seed_plan.wanted(replace(runs, study=replace(runs.study, pairs=lambda task: ()))) == 5


@pytest.mark.slow
def test_the_notebook_shows_the_seeds_and_its_tables_are_over_all_of_them(trained, tmp_path, monkeypatch):
    found = run_cells("mosi_positive_colearning", tmp_path, monkeypatch, **AUTO)
    seeds = sorted({seed for _, seed in trained})
    told = found.table("seeds")
    assert set(told["run"]) == {len(seeds)} and len(seeds) > 5
    assert "Seeds: how many each comparison needs" in found.text
    assert set(found.table("gain_acc2_nonneg_over_text_only")["n"]) == {len(seeds)}
    run = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["run"]
    assert run["seeds"] == seeds
    assert (run["params"]["seeds"], run["params"]["most_seeds"]) == ("auto", 24)


def test_a_list_is_run_as_it_is_and_nothing_is_planned(trained, tmp_path, monkeypatch):
    run_cells("mosi_positive_colearning", tmp_path, monkeypatch, **AUTO | {"seeds": [0, 7], "most_seeds": 0})
    assert sorted(trained) == every([0, 7])
    assert not (tmp_path / "tables" / "seeds.csv").exists()


def test_folds_are_tested_in_whole_turns_and_the_second_belongs_to_the_pilot(tmp_path, monkeypatch):
    write_ravdess(tmp_path / "data")
    values = TINY["iemocap_negative_colearning"] | RAVDESS | AUTO | {"samples": 0, "dropout": 0.5, "epochs": 1}
    values |= {"data_root": str(tmp_path / "data"), "results": str(tmp_path)}
    asked = colearning.study(params.check(IemocapColearning, values, where="test"))
    assert {m.seed for _, m in asked.members} == set(range(8)) and len(asked.tasks) == 8
    runs = asked.train()
    told = seed_plan.table(runs)
    assert set(told["pilot"]) == {16}
    assert len(runs.study.p.seeds) in (16, 24)
    for task, member, _ in runs.done:
        assert task is runs.study.tasks[member.seed % 8]


@pytest.mark.parametrize("lost", [None, "text only"], ids=["all", "one variant"])
def test_a_pilot_that_diverges_is_all_that_is_run(lost, tmp_path, monkeypatch):
    tamper(monkeypatch, diverge(lambda member: lost in (None, member.variant)))
    small = AUTO | {"samples": 60}
    if lost is None:
        with pytest.raises(Diverged, match="all 15 trainings diverged"):
            run_cells("mosi_positive_colearning", tmp_path, monkeypatch, **small)
        return
    runs = study(tmp_path, samples=60, most_seeds=5).train()
    told = seed_plan.table(runs)
    assert told["comparison"].size == 3
    against = told["comparison"].str.endswith("text only")
    assert (told.loc[against, "why it stopped"] == seed_plan.UNKNOWN).all()


def test_the_margins_are_those_of_the_claims():
    for claim in claims():
        if "colearning" in claim.notebook:
            for stem, least in zip(claim.table.split("|"), claim.margin, strict=True):
                metric = next(name for name in ("acc2_nonneg", "mae", "acc") if name in stem)
                assert margin(metric) == least
