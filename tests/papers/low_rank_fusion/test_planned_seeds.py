"""`seeds: auto`: with a search whose winner is repeated, and for means over traits."""

import json

import pytest

from lib import params
from lib.errors import InputError
from lib.papers.low_rank_fusion import LowRankFusion
from lib.papers.low_rank_fusion import study as lmf
from lib.papers.low_rank_fusion.means import with_means
from lib.reporting import seed_plan
from tests.data.ravdess.test_ravdess import write_ravdess
from tests.papers.low_rank_fusion.test_low_rank_fusion import GIVEN
from tests.papers.notebook_cells import run_cells
from tests.papers.planned_seeds import answering, check_goes_on

AUTO = {"seeds": "auto", "most_seeds": 24, "epochs": 1, "search_seed": 1000}
TRAITS = {"dataset": "pom_lmf_like", "targets": ["Vivid", "Nervous"], "setting": None, "search_draws": 0, "ranks": []}
KINDS = ("LMF", "TFN", "concatenation", "LMF legacy", "LMF rank 1", "LMF best draw")
ERROR, SPREAD = 0.3, 0.012
"""Of an answer: mean over the seeds, and standard deviation."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def networks():
    return {}


def study(folder, **changes):
    return lmf.study(params.check(LowRankFusion, GIVEN | AUTO | {"results": str(folder)} | changes, where="test"))


def nearly_right(monkeypatch, networks, asked):
    """All answers of a training are too high by about as much as those of another."""
    labels = asked.tasks[0].corpus.splits["test"].labels
    right = labels[:, None] if labels.ndim == 1 else labels
    return answering(monkeypatch, networks, lambda member, rng: right + ERROR + SPREAD * rng.standard_normal())


@pytest.fixture
def trained(tmp_path, monkeypatch, networks):
    return nearly_right(monkeypatch, networks, study(tmp_path))


def every(seeds):
    return sorted([*((kind, seed) for kind in KINDS for seed in seeds), ("draw 000", 1000), ("draw 001", 1000)])


def test_the_searched_settings_run_once_and_their_winner_with_every_planned_seed(trained, tmp_path):
    runs = study(tmp_path).train()
    seeds = runs.study.p.seeds
    assert 5 < len(seeds) < 24 and sorted(trained) == every(seeds)
    (told,) = seed_plan.table(runs).to_dict("records")
    assert (told["comparison"], told["metric"], told["margin"]) == ("LMF against TFN", "mae", 0.02)
    assert (told["pilot"], told["planned"], told["run"]) == (5, len(seeds), len(seeds))


@pytest.mark.parametrize("number", [11, 34], ids=["in the pilot", "among the winner's repeats"])
def test_what_is_interrupted_goes_on_with_the_same_plan(number, trained, tmp_path):
    check_goes_on(lambda name: study(tmp_path / name).train(), trained, number, every)


def test_the_notebook_shows_the_seeds_and_its_tables_are_over_all_of_them(trained, tmp_path, monkeypatch):
    given = {name: value for name, value in GIVEN.items() if name != "results"}
    found = run_cells("low_rank_fusion", tmp_path, monkeypatch, **given | AUTO)
    seeds = sorted({seed for _, seed in trained} - {1000})
    assert len(seeds) > 5
    assert set(found.table("seeds")["run"]) == {len(seeds)}
    assert set(found.table("gain_mae_over_TFN")["n"]) == {len(seeds)}
    selection = found.table("selection").set_index("choice")["n"]
    assert selection["its setting, other seeds"] == selection["setting of the YAML"] == len(seeds)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["run"]
    assert manifest["seeds"] == [*seeds, 1000] and manifest["params"]["seeds"] == "auto"
    assert "5 variants with 5 to 24 seeds" in found.text


def test_a_mean_over_traits_is_planned_by_itself(tmp_path, monkeypatch, networks):
    trained = nearly_right(monkeypatch, networks, study(tmp_path, **TRAITS))
    runs = study(tmp_path, **TRAITS).train()
    (told,) = seed_plan.table(runs).to_dict("records")
    assert (told["comparison"], told["metric"]) == ("mean: LMF against mean: TFN", "mae")
    assert told["why it stopped"] == seed_plan.ENOUGH and told["run"] == len(runs.study.p.seeds)
    assert {seed for _, seed in trained} == set(runs.study.p.seeds)
    assert seed_plan.table(with_means(runs)).equals(seed_plan.table(runs))
    left = with_means(runs).without_units("mae")
    assert [seed for (name, seed), each in left.items() if name == "mean: LMF" and each.pilot] == [0, 1, 2, 3, 4]


def test_every_emotion_is_planned_and_the_neediest_decides(tmp_path, monkeypatch):
    emotions = {"dataset": "iemocap_lmf_like", "targets": ["happy", "sad"], "search_draws": 0, "ranks": []}
    runs = study(tmp_path, **emotions, most_seeds=6, samples=200).train()
    told = seed_plan.table(runs)
    assert told["comparison"].tolist() == [f"{emotion}: LMF against {emotion}: TFN" for emotion in ("happy", "sad")]
    assert (set(told["metric"]), set(told["margin"])) == ({"weighted_f1"}, {0.01})
    assert set(told["run"]) == {len(runs.study.p.seeds)}


def test_a_list_is_run_as_it_is_and_nothing_is_planned(trained, tmp_path):
    runs = study(tmp_path, seeds=[0, 7], most_seeds=0).train()
    assert sorted(trained) == every([0, 7]) and runs.study.plan is None


def test_the_seed_of_the_search_is_none_that_may_be_run(tmp_path):
    with pytest.raises(InputError, match="search_seed is among the seeds"):
        study(tmp_path, search_seed=20)
    assert study(tmp_path, search_seed=24).p.search_seed == 24


def test_folds_are_tested_in_whole_turns(tmp_path):
    write_ravdess(tmp_path / "data")
    options = {"dataset": "ravdess", "targets": ["emotion"], "samples": 0, "search_draws": 0, "most_seeds": 20}
    options |= {"corpus_options": {"fold": "by_seed"}, "data_root": str(tmp_path / "data")}
    asked = study(tmp_path, **options)
    assert len(asked.tasks) == 8 and {member.seed for _, member in asked.members} == set(range(8))
    assert asked.p.possible_seeds == tuple(range(16))
