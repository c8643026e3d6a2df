"""The LMF notebook's library: which networks are trained, how they are chosen, and what its tables say."""

from pathlib import Path

import numpy as np
import pytest

from lib import papers, params
from lib.data.arrays.lmf_pickles import POM
from lib.errors import InputError
from lib.papers import lmf_conclusions, lmf_context, lmf_tables
from lib.papers import low_rank_fusion as lmf
from lib.papers.lmf_settings import chosen
from lib.params.low_rank_fusion import LowRankFusion, Setting
from lib.training.random_search import SPACES
from lib.training.records import Record

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "audio_hidden": 4,
    "video_hidden": 4,
    "text_hidden": 8,
    "audio_dropout": 0.1,
    "video_dropout": 0.1,
    "text_dropout": 0.1,
    "factor_learning_rate": 0.003,
    "learning_rate": 0.003,
    "rank": 2,
    "batch_size": 16,
    "weight_decay": 0.001,
}
GIVEN = {
    "samples": 96,
    "dataset": "mosi_lmf_like",
    "targets": ["sentiment"],
    "setting": SMALL,
    "seeds": [0, 1],
    "epochs": 2,
    "patience": 2,
    "ranks": [1, 2],
    "search_draws": 2,
    "search_seed": 7,
    "results": "results/x",
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))


def given(**changes) -> LowRankFusion:
    return params.check(LowRankFusion, GIVEN | changes, where="test")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A whole small run: parameters, task, records, run table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        p = given(results=str(tmp_path_factory.mktemp("run")))
        (task,) = lmf.load_tasks(p)
        records = lmf.train_all(p, [task])
    return p, task, records, lmf_tables.scores(p, [task], records)


def test_the_grid_holds_every_variant_with_every_seed(trained):
    p, _, records, _ = trained
    kinds = [record.tags["kind"] for record in records]
    repeated = ["LMF", "TFN", "LMF legacy", "LMF rank 1", "LMF best draw"]
    assert kinds == [kind for kind in repeated[:-1] for _ in p.seeds] + ["draw 000", "draw 001"] + ["LMF best draw"] * 2
    assert all(record.status == "finished" for record in records)


def test_a_finished_run_is_not_trained_again(trained):
    p, task, records, _ = trained
    before = {path.name: path.stat().st_mtime_ns for path in (Path(p.results) / "members").glob("*.safetensors")}
    again = lmf.train_all(p, [task])
    assert {
        path.name: path.stat().st_mtime_ns for path in (Path(p.results) / "members").glob("*.safetensors")
    } == before
    assert [r.key for r in again] == [r.key for r in records]


def test_the_draws_are_those_of_the_published_lists_and_repeatable():
    p = given(search_draws=5)
    settings = lmf.drawn(p)
    assert settings == lmf.drawn(p)
    assert settings != lmf.drawn(given(search_draws=5, search_seed=8))
    for setting in settings:
        for name, value in setting.model_dump().items():
            assert value in SPACES["mosi"][name]


def test_the_winner_has_the_lowest_validation_loss_and_is_repeated_with_other_seeds(trained):
    p, task, records, _ = trained
    draws = [r for r in records if r.tags["kind"].startswith("draw")]
    winner = lmf.best_draw(records)
    assert lmf.valid_loss(winner) == min(map(lmf.valid_loss, draws))
    repeats = lmf.repeats_of_winner(p, task, records)
    original = next(m for m in lmf.search(p, task) if m.variant == winner.variant)
    assert [m.seed for m in repeats] == list(p.seeds)
    assert p.search_seed not in p.seeds
    assert all((m.model, m.recipe) == (original.model, original.recipe) for m in repeats)


def record_with(loss: float, status: str = "finished", search: str = lmf.SEARCHED) -> Record:
    return Record(
        "v",
        0,
        "k",
        status,
        "",
        {},
        1,
        "loop on cpu",
        0.0,
        {"search": search},
        {"valid_loss": np.array([9.0, loss])},
        {},
        "",
    )


def test_what_cannot_win_the_search():
    """Neither a run that diverged nor one that was not drawn, however low its loss."""
    best = record_with(0.5)
    assert lmf.best_draw([record_with(0.1, "diverged"), record_with(0.2, search=""), record_with(0.7), best]) is best
    assert lmf.best_draw([record_with(0.1, "diverged")]) is None


def test_the_dearest_members_start_first(trained, monkeypatch):
    p, task, _, _ = trained
    handed = []

    def sweep(members, *_, **__):
        handed.extend(members)
        return [
            Record(m.variant, m.seed, "", "finished", "", {}, 0, "loop on cpu", 0, dict(m.tags), {}, {}, "")
            for m in members
        ]

    monkeypatch.setattr(lmf, "sweep", sweep)
    members = lmf.grid(p, task) + lmf.search(p, task)
    found = lmf._balanced(p, task, members, 0, len(members), lambda *_: None)
    costs = [lmf.cost(member) for member in handed]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]
    assert [(r.variant, r.seed) for r in found] == [(m.variant, m.seed) for m in members]


def test_lmf_and_tfn_share_everything_but_the_fusion(trained):
    p, task, _, _ = trained
    members = {m.tags["kind"]: m for m in lmf.grid(p, task) if m.seed == 0}
    ours, theirs = members["LMF"], members["TFN"]
    assert ours.recipe == theirs.recipe
    for name in ("input_sizes", "hidden_sizes"):
        assert ours.model.arguments[name] == theirs.model.arguments[name]
    one, other = ours.model.build(), theirs.model.build()
    subnets = [{k: v.shape for k, v in m.named_parameters() if "subnet" in k} for m in (one, other)]
    assert subnets[0] == subnets[1]


def test_legacy_leaves_fusion_weights_and_bias_at_their_start(trained):
    p, task, _, _ = trained
    members = {m.tags["kind"]: m for m in lmf.grid(p, task) if m.seed == 0}
    trained_names = {}
    for kind in ("LMF", "LMF legacy"):
        model = members[kind].model.build()
        groups = members[kind].recipe.optimiser(model).param_groups
        trained_names[kind] = {name for group in groups for name in group["param_names"]}
    assert trained_names["LMF"] - trained_names["LMF legacy"] == {"fusion_weights", "fusion_bias"}


def test_protocol_of_the_scripts():
    p = given()
    (task,) = lmf.load_tasks(p)
    recipe = lmf.recipe(p, task.corpus, task.setting)
    assert (recipe.loss, recipe.ties, recipe.abandon_on_nan, recipe.reshuffle, recipe.drop_last) == (
        "l1_sum",
        "earlier",
        True,
        True,
        False,
    )
    assert recipe.plateau_patience is None
    emotions = given(dataset="iemocap_lmf_like", targets=["sad"], search_draws=0)
    (task,) = lmf.load_tasks(emotions)
    assert lmf.recipe(emotions, task.corpus, task.setting).tested_epoch == "selected"
    assert lmf.recipe(emotions, task.corpus, task.setting, legacy=True).tested_epoch == "last"
    assert lmf.recipe(emotions, task.corpus, task.setting).loss == "cross_entropy_sum"


def test_a_last_batch_of_one_is_refused():
    with pytest.raises(InputError, match="57 training samples leave a last batch of one at batch size 8"):
        lmf.load_tasks(given(samples=97, setting=SMALL | {"batch_size": 8}, search_draws=0))


def test_scores_of_a_run(trained):
    _, task, records, table = trained
    first = table[(table["variant"] == "LMF") & (table["seed"] == 0) & (table["split"] == "test")]
    values = first.set_index("metric")["value"]
    predicted, labels = records[0].outputs["test"][:, 0], task.corpus.splits["test"].labels
    assert values["mae"] == pytest.approx(np.abs(predicted - labels).mean())
    assert values["acc2_nonneg"] == pytest.approx(np.mean((predicted >= 0) == (labels >= 0)))
    assert "validation loss of 2 draws" in table.loc[table["kind"] == "LMF best draw", "selected_on"].iloc[0]
    assert "drawn at random" in table.loc[table["kind"] == "draw 000", "selected_on"].iloc[0]


def test_single_draws_stand_in_no_table_of_means(trained):
    p, task, _, table = trained
    shown = lmf_tables.score_table(p, [task], table, "mae")
    assert list(shown["variant"]) == ["LMF", "TFN", "LMF legacy", "LMF rank 1", "LMF best draw"]
    assert set(shown["n"]) == {2}


def test_the_rank_sweep_takes_the_settings_rank_from_lmf(trained):
    p, task, _, table = trained
    ranks = lmf_tables.rank_table(p, task, table, "mae").set_index("rank")
    shown = lmf_tables.score_table(p, [task], table, "mae").set_index("variant")
    assert list(ranks.index) == [1, 2]
    assert ranks.loc[2, "score"] == shown.loc["LMF", "score"]
    assert ranks.loc[1, "score"] == shown.loc["LMF rank 1", "score"]
    assert ranks.loc[2, "parameters"] - ranks.loc[1, "parameters"] == 5 + 5 + 5 + 1  # one more rank
    assert (ranks["seconds_per_epoch"] > 0).all()


def test_how_much_of_a_number_is_selection(trained):
    p, task, records, table = trained
    found = lmf_tables.selection_table(p, task, table, records, "mae").set_index("choice")
    test = table[(table["split"] == "test") & (table["metric"] == "mae")].set_index(["variant", "seed"])["value"]
    draws = [test["draw 000", 7], test["draw 001", 7]]
    assert found.loc["all draws, mean", "score"] == pytest.approx(np.mean(draws))
    assert found.loc["best draw by test, as searched", "score"] == min(draws)
    assert found.loc["best draw by validation, as searched", "score"] == test[lmf.best_draw(records).variant, 7]
    repeats = [test["LMF best draw", 0], test["LMF best draw", 1]]
    assert found.loc["its setting, other seeds", "score"] == pytest.approx(np.mean(repeats))
    sentences = lmf_conclusions.selection(found.reset_index(), "mae")
    once = found.loc["best draw by validation, as searched", "score"]
    assert f"reports mae {once:.4f}" in sentences[0]
    assert ("better" in sentences[0]) == (once < np.mean(repeats))
    listed = lmf_tables.draw_table(records, table, task, ("mae",))
    assert listed["validation_loss"].is_monotonic_increasing
    assert listed["variant"].iloc[0] == lmf.best_draw(records).variant


def test_gains_are_those_of_lmf(trained):
    p, task, _, table = trained
    (row,) = lmf_tables.fusion_gain(p, [task], table, "mae", lmf.TFN).to_dict("records")
    shown = lmf_tables.score_table(p, [task], table, "mae").set_index("variant")["score"]
    assert (row["variant"], row["baseline"]) == ("LMF", "TFN")
    assert row["gain"] == pytest.approx(shown["TFN"] - shown["LMF"])  # a lower error is a positive gain


def test_the_manifest_says_what_was_selected_on_what(trained):
    import json

    p, task, records, _ = trained
    lmf_context.write_manifest(p, [task], records, seconds=1.0)
    written = json.loads((Path(p.results) / "manifest.json").read_text())
    assert written["data"][0]["synthetic"] is True
    assert "validation loss of 2 draws" in written["run"]["selected_on"]["hyper-parameters"]


def test_traits_by_name_have_a_network_each_with_its_chosen_setting(tmp_path):
    p = given(
        dataset="pom_lmf_like",
        targets=["Vivid", "Nervous"],
        setting=None,
        search_draws=0,
        ranks=[],
        epochs=1,
        results=str(tmp_path),
    )
    tasks = lmf.load_tasks(p)
    assert [(t.name, t.column, t.setting) for t in tasks] == [
        ("Vivid", 5, chosen("pom", "Vivid")),
        ("Nervous", 13, chosen("pom", "Nervous")),
    ]
    records = lmf.train_all(p, tasks)
    table = lmf_tables.scores(p, tasks, records)
    test = table[(table["split"] == "test") & (table["metric"] == "mae")].set_index(["variant", "seed"])["value"]
    for record in records:
        column = {"Vivid": 5, "Nervous": 13}[record.tags["task"]]
        labels = tasks[0].corpus.splits["test"].labels
        assert test[record.variant, record.seed] == pytest.approx(
            np.abs(record.outputs["test"] - labels)[:, column].mean()
        )
    assert test["mean: LMF", 1] == pytest.approx((test["Vivid: LMF", 1] + test["Nervous: LMF", 1]) / 2)
    assert lmf_tables.groups(p, tasks) == ["Vivid", "Nervous", "mean"]


def test_the_settings_are_those_of_the_authors():
    assert chosen("iemocap", "happy") == Setting(
        audio_hidden=4, video_hidden=16, text_hidden=128, audio_dropout=0.3, video_dropout=0.1, text_dropout=0.5,
        factor_learning_rate=0.003, learning_rate=0.001, rank=1, batch_size=128, weight_decay=0.002,
    )  # fmt: skip
    assert chosen("pom", "Confident") == chosen("pom", "Persuasive") == chosen("pom", "Passionate")
    for trait in POM.layouts[1]:
        assert chosen("pom", trait).rank in (1, 4, 8, 16)
    with pytest.raises(InputError, match="no published setting for mosi sentiment"):
        chosen("mosi", "sentiment")


def test_confusion_counts_every_test_sample_of_every_seed(trained):
    p, task, records, _ = trained
    panels, names = lmf_tables.confusion_panels(p, task, records)
    assert names == ("-3", "-2", "-1", "+0", "+1", "+2", "+3")
    assert [title for title, _ in panels] == ["TFN, 2 seeds", "LMF, 2 seeds"]
    rounded = np.round(np.clip(task.corpus.splits["test"].labels, -3, 3)).astype(int)
    for _, counts in panels:
        np.testing.assert_array_equal(counts.sum(axis=1), 2 * np.bincount(rounded + 3, minlength=7))


def test_published_numbers_stand_beside_ours_and_are_not_compared_on_a_stand_in(trained):
    from lib.reporting import published, published_lmf

    p, task, _, table = trained
    paper = published_lmf.runs(published.load(), "mosi", lambda t, kind: lmf_context.paper_variant(p, [task], t, kind))
    compared = lmf_context.comparison_table(p, [task], table, paper, "mae").set_index(["variant", "quantity"])
    assert compared.loc[("LMF", "mae"), "paper"] == 0.912
    assert compared.loc[("LMF", "gain over TFN"), "paper"] == pytest.approx(0.058)
    assert compared["verdict"].str.startswith("not comparable: stand-in data").all()


def test_deviations_are_named_on_the_published_files_alone():
    same = {"dataset": "mosi_lmf", "samples": 0, "epochs": 500, "patience": 20}
    assert lmf_context.deviations(given(**same)) == []
    assert lmf_context.deviations(given(**same | {"epochs": 9})) == ["9 epochs instead of 500"]
    assert lmf_context.deviations(given()) == []
    trait = same | {"dataset": "pom_lmf", "targets": ["Vivid"]}
    assert lmf_context.deviations(given(**trait)) == ["1 of 16 traits"]
    assert lmf_context.deviations(given(**trait | {"targets": ["all"]})) == []


def test_a_missing_pickle_is_one_clear_line(tmp_path):
    for name in ("mosi", "pom", "iemocap", "paper"):
        p = papers.load(ROOT / "params" / "low_rank_fusion" / f"{name}.yaml", results="r", data_root=str(tmp_path))
        with pytest.raises(InputError, match=r"\.pkl: missing; see \./run_all\.sh data get \w+_lmf$") as caught:
            lmf.load_tasks(p)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": ["happy"]}, "no target 'happy' in mosi_lmf_like; there are: sentiment"),
        ({"setting": None}, "hyperparams.txt has no row for 'sentiment'"),
        ({"search_seed": 1}, "search_seed is among the seeds"),
        ({"samples": 0}, "samples must be positive for a stand-in"),
        ({"ranks": [1, 1]}, "ranks holds a value twice"),
        ({"setting": SMALL | {"rank": 0}}, "key 'setting.rank' = 0"),
        ({"dataset": "pom_lmf_like", "targets": ["all", "Vivid"]}, "`all` is one network for every trait"),
        (
            {"dataset": "iemocap_lmf_like", "targets": ["sad"], "setting": None},
            "the search is compared with one setting",
        ),
    ],
)
def test_impossible_parameters_are_refused(changes, message):
    with pytest.raises(InputError, match=r"^test: ") as caught:
        given(**changes)
    assert message in str(caught.value)
