"""Low-rank fusion as a study: which networks are trained, how they are chosen, and what its tables say."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib import papers, params
from lib.errors import InputError
from lib.papers.low_rank_fusion import LowRankFusion, chosen, conclusions, tables
from lib.papers.low_rank_fusion import study as lmf
from lib.papers.low_rank_fusion.means import run_table, with_means
from lib.reporting import gains
from lib.reporting.report import Report
from lib.run_table import by_seed
from lib.study import Runs, Study, Task
from lib.training.records import DIVERGED, Record
from lib.training.trained import SLOT

ROOT = Path(__file__).resolve().parents[3]
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
def trained(tmp_path_factory) -> Runs:
    """A whole small run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return lmf.study(given(results=str(tmp_path_factory.mktemp("run")))).train()


@pytest.fixture
def task(trained) -> Task:
    return trained.study.tasks[0]


@pytest.fixture
def scores(trained):
    return tables.score_table(trained.table, "mae")


def test_the_grid_holds_every_variant_with_every_seed(trained):
    p = trained.study.p
    kinds = [record.tags["kind"] for record in trained.records]
    repeated = ["LMF", "TFN", "concatenation", "LMF legacy", "LMF rank 1", "LMF best draw"]
    assert kinds == [kind for kind in repeated[:-1] for _ in p.seeds] + ["draw 000", "draw 001"] + ["LMF best draw"] * 2
    assert all(record.status == "finished" for record in trained.records)


def test_chunks_train_all_but_the_repeats_of_the_winner(trained):
    ((corpus, members),) = trained.study.grids
    assert corpus is trained.study.tasks[0].corpus
    assert [(m.variant, m.seed) for m in members] == [(r.variant, r.seed) for r in trained.records[:-2]]


def test_a_finished_run_is_not_trained_again(trained):
    folder = Path(trained.study.p.results) / "members"
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
    again = trained.study.train()
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")} == before
    assert [r.key for r in again.records] == [r.key for r in trained.records]


def test_the_winner_has_the_lowest_validation_loss_and_is_repeated_with_other_seeds(trained, task):
    p, records = trained.study.p, trained.records
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
    handed = []

    def sweep_grids(grids, *_, **__):
        members = [member for _, several in grids for member in several]
        handed.append(members)
        return [
            Record(m.variant, m.seed, "", "finished", "", {}, 0, "loop on cpu", 0, dict(m.tags), {}, {}, "")
            for m in members
        ]

    monkeypatch.setattr("lib.study.sweep_grids", sweep_grids)
    found = Study(trained.study.p, trained.study.tasks, trained.study.grid, cost=lmf.cost).train()
    costs = [lmf.cost(member) for member in handed[0]]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1]
    assert trained.study.cost is lmf.cost
    assert [(r.variant, r.seed) for r in found.records] == [(m.variant, m.seed) for _, m in trained.study.members]


@pytest.mark.parametrize("other", ["TFN", "concatenation"])
def test_lmf_and_the_others_share_everything_but_the_fusion(trained, other):
    members = {m.tags["kind"]: m for _, m in trained.study.members if m.seed == 0}
    ours, theirs = members["LMF"], members[other]
    assert ours.recipe == theirs.recipe
    for name in ("input_sizes", "hidden_sizes"):
        assert ours.model.arguments[name] == theirs.model.arguments[name]
    one, other = ours.model.build(), theirs.model.build()
    subnets = [{k: v.shape for k, v in m.named_parameters() if "subnet" in k} for m in (one, other)]
    assert subnets[0] == subnets[1]


def test_legacy_leaves_fusion_weights_and_bias_at_their_start(trained):
    members = {m.tags["kind"]: m for _, m in trained.study.members if m.seed == 0}
    trained_names = {}
    for kind in ("LMF", "LMF legacy"):
        model = members[kind].model.build()
        groups = members[kind].recipe.optimiser(model).param_groups
        trained_names[kind] = {name for group in groups for name in group["param_names"]}
    assert trained_names["LMF"] - trained_names["LMF legacy"] == {"fusion_weights", "fusion_bias"}


def test_protocol_of_the_scripts():
    p = given()
    ((_, member), *_) = lmf.study(p).members
    recipe = member.recipe
    assert (recipe.loss, recipe.ties, recipe.abandon_on_nan, recipe.reshuffle, recipe.drop_last) == (
        "l1_sum",
        "earlier",
        True,
        True,
        False,
    )
    assert recipe.plateau_patience is None
    emotions = lmf.study(given(dataset="iemocap_lmf_like", targets=["sad"], search_draws=0))
    recipes = {m.tags["kind"]: m.recipe for _, m in emotions.members}
    assert recipes["LMF"].tested_epoch == "selected"
    assert recipes["LMF legacy"].tested_epoch == "last"
    assert recipes["LMF"].loss == "cross_entropy_sum"


def test_a_last_batch_of_one_is_refused():
    with pytest.raises(InputError, match="57 training samples leave a last batch of one at batch size 8"):
        lmf.study(given(samples=97, setting=SMALL | {"batch_size": 8}, search_draws=0))


def test_scores_of_a_run(trained, task):
    table = trained.table
    first = table[(table["variant"] == "LMF") & (table["seed"] == 0) & (table["split"] == "test")]
    values = first.set_index("metric")["value"]
    predicted, labels = trained.records[0].outputs["test"][:, 0], task.corpus.splits["test"].labels
    assert values["mae"] == pytest.approx(np.abs(predicted - labels).mean())
    assert values["acc2_nonneg"] == pytest.approx(np.mean((predicted >= 0) == (labels >= 0)))
    assert "validation loss of 2 draws" in table.loc[table["kind"] == "LMF best draw", "selected_on"].iloc[0]
    assert "drawn at random" in table.loc[table["kind"] == "draw 000", "selected_on"].iloc[0]


def test_single_draws_stand_in_no_table_of_means(scores):
    assert list(scores["variant"]) == ["LMF", "TFN", "concatenation", "LMF legacy", "LMF rank 1", "LMF best draw"]
    assert set(scores["n"]) == {2}


def test_the_rank_sweep_takes_the_settings_rank_from_lmf(trained, task, scores):
    ranks = tables.rank_table(trained, task, scores).set_index("rank")
    shown = scores.set_index("variant")
    assert list(ranks.index) == [1, 2]
    assert ranks.loc[2, "score"] == shown.loc["LMF", "score"]
    assert ranks.loc[1, "score"] == shown.loc["LMF rank 1", "score"]
    assert ranks.loc[2, "parameters"] - ranks.loc[1, "parameters"] == 5 + 5 + 5 + 1  # one more rank
    assert (ranks["seconds_per_epoch"] > 0).all()


def test_how_much_of_a_number_is_selection(trained, task):
    records, table = trained.records, trained.table
    found = tables.selection_table(trained, task).set_index("choice")
    test = table[(table["split"] == "test") & (table["metric"] == "mae")].set_index(["variant", "seed"])["value"]
    draws = [test["draw 000", 7], test["draw 001", 7]]
    assert found.loc["all draws, mean", "score"] == pytest.approx(np.mean(draws))
    assert found.loc["best draw by test, as searched", "score"] == min(draws)
    assert found.loc["best draw by validation, as searched", "score"] == test[lmf.best_draw(records).variant, 7]
    repeats = [test["LMF best draw", 0], test["LMF best draw", 1]]
    assert found.loc["its setting, other seeds", "score"] == pytest.approx(np.mean(repeats))
    sentences = conclusions.selection(found.reset_index(), "mae")
    once = found.loc["best draw by validation, as searched", "score"]
    assert f"reports mae {once:.4f}" in sentences[0]
    assert ("better" in sentences[0]) == (once < np.mean(repeats))
    listed = tables.draw_table(trained, task).set_index("variant", drop=False)
    assert listed["validation_loss"].is_monotonic_increasing
    assert listed["variant"].iloc[0] == lmf.best_draw(records).variant
    assert listed.loc["draw 001", "mae"] == test["draw 001", 7]


def test_gains_are_those_of_lmf(trained, scores):
    (row,) = gains.pairs(trained.table, "mae", [(lmf.LMF, lmf.TFN)]).to_dict("records")
    shown = scores.set_index("variant")["score"]
    assert (row["variant"], row["baseline"]) == ("LMF", "TFN")
    assert row["gain"] == pytest.approx(shown["TFN"] - shown["LMF"])  # a lower error is a positive gain


def test_other_ranks_are_set_against_the_settings_own(trained):
    pairs = lmf.contrasts(trained.study.p, ())[lmf.LMF]
    assert pairs == [("LMF rank 1", "LMF"), ("LMF rank 2", "LMF")]
    found = gains.pairs(trained.table, "mae", pairs, trained)
    assert list(found["variant"]) == ["LMF rank 1"]  # the other is LMF itself
    assert conclusions.comparisons([found])[0].startswith("mae: LMF rank 1 ")


def test_a_sentence_is_decided_by_the_combined_interval(trained):
    """Two seeds have none: then it is that over the seeds."""
    row = gains.pairs(trained.table, "mae", [(lmf.LMF, lmf.TFN)], trained).iloc[0]
    row = row.drop(["answer", "would_decide"]).to_dict()  # so that they are found from what follows
    wide = row | {"t_interval_low": 0.01, "t_interval_high": 0.03, "gain": 0.02, "gain_std": 0.001}
    (alone,) = conclusions.comparisons([pd.DataFrame([wide])])
    assert alone.endswith("(95 % interval +0.0100 to +0.0300 over 2 seeds): better.")
    both = {"combined_error": 0.02, "combined_low": -0.03, "combined_high": 0.07, "answer": "undecided"}
    (both_said,) = conclusions.comparisons(
        [pd.DataFrame([wide | both | {"would_decide": "about 9 seeds would decide"}])]
    )
    units = f"2 seeds and {row['units']} utterances"
    assert both_said.endswith(
        f"(95 % interval -0.0300 to +0.0700 over {units}): undecided; about 9 seeds would decide."
    )


def test_the_manifest_says_what_was_selected_on_what(trained):
    p = trained.study.p
    Report(trained.study).finish(trained, lmf.selected_on(p))
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
    runs = lmf.study(p).train()
    tasks, columns = runs.study.tasks, {"Vivid": 5, "Nervous": 13}
    assert [(t.name, lmf.output(t.corpus, t.name), lmf.setting(p, t)) for t in tasks] == [
        (name, column, chosen("pom", name)) for name, column in columns.items()
    ]
    table = run_table(runs)
    test = table[(table["split"] == "test") & (table["metric"] == "mae")].set_index(["variant", "seed"])["value"]
    labels = tasks[0].corpus.splits["test"].labels
    for record in runs.records:
        column = columns[record.tags["task"]]
        assert test[record.variant, record.seed] == pytest.approx(
            np.abs(record.outputs["test"] - labels)[:, column].mean()
        )
    assert test["mean: LMF", 1] == pytest.approx((test["Vivid: LMF", 1] + test["Nervous: LMF", 1]) / 2)
    assert lmf.groups(p) == ["Vivid", "Nervous", "mean"]
    means = table[table["task"] == "mean"]
    assert set(means["best_epoch"]) == {-1}
    assert list(means["variant"].unique()) == ["mean: LMF", "mean: TFN", "mean: concatenation", "mean: LMF legacy"]
    asked = ["Vivid: LMF", "Vivid: TFN", "Nervous: LMF", "Nervous: TFN"]
    assert list(dict.fromkeys(run.name for run in lmf.asked(runs))) == asked
    floor = {t.name: lmf.constant(t) for t in tasks}
    train = tasks[0].corpus.splits["train"].labels
    (mean,) = gains.pairs(table, "mae", [("mean: LMF", "mean: TFN")], with_means(runs)).to_dict("records")
    both = [with_means(runs).without_units("mae")[f"{trait}: LMF", 1].scores for trait in columns]
    assert with_means(runs).without_units("mae")["mean: LMF", 1].scores == pytest.approx(np.mean(both, axis=0))
    assert mean["units"] == len(labels) and np.isfinite(mean["new_units_low"])
    assert floor["Nervous"]["mae"] == pytest.approx(np.abs(labels[:, 13] - np.median(train[:, 13])).mean())


def test_a_mean_over_traits_needs_all_of_them(tmp_path):
    traits = {"dataset": "pom_lmf_like", "targets": ["Vivid", "Nervous"], "setting": None, "search_draws": 0}
    runs = lmf.study(given(**traits, ranks=[], epochs=1, results=str(tmp_path))).train()
    found = by_seed(run_table(lost(runs, "Nervous: LMF", 0)), "mae")
    assert np.isnan(found.loc[0, "mean: LMF"])
    assert np.isfinite(found.loc[[0, 1], "mean: TFN"]).all()
    assert np.isfinite(found.loc[1, "mean: LMF"])


def lost(runs: Runs, variant: str, seed: int) -> Runs:
    """The same runs, of which this one has diverged."""
    gone = {"status": DIVERGED, "weights": "", "outputs": {}}

    def seen(record: Record) -> Record:
        return Record(**vars(record) | gone) if (record.variant, record.seed) == (variant, seed) else record

    return Runs(runs.study, [(task, member, seen(record)) for task, member, record in runs.done])


def test_both_fusions_are_asked_with_slots(trained):
    asked = lmf.asked(trained)
    assert [(run.name, run.seed) for run in asked] == [("LMF", 0), ("LMF", 1), ("TFN", 0), ("TFN", 1)]
    scores = by_seed(trained.table, "mae")
    for run in asked:
        assert run.absence == SLOT
        assert run.plain() == scores.loc[run.seed, run.name]
    assert len(lmf.asked(lost(trained, "LMF", 0))) == 3


def test_confusion_counts_every_test_sample_of_every_seed(trained, task):
    variants = [lmf.TFN, lmf.LMF]
    panels = trained.confusion(task, variants)
    assert task.classes.names == ("-3", "-2", "-1", "0", "+1", "+2", "+3")
    assert [title for title, _ in panels] == ["TFN", "LMF"]
    rounded = np.round(np.clip(task.corpus.splits["test"].labels, -3, 3)).astype(int)
    for _, counts in panels:
        np.testing.assert_array_equal(counts.sum(axis=1), 2 * np.bincount(rounded + 3, minlength=7))
    panels = lost(trained, "LMF", 0).confusion(task, variants)
    assert [title for title, _ in panels] == ["TFN", "LMF (1 of 2 seeds)"]
    np.testing.assert_array_equal(panels[1][1].sum(axis=1), np.bincount(rounded + 3, minlength=7))


def test_published_numbers_stand_beside_ours_and_are_not_compared_on_a_stand_in(trained):
    p, folder = trained.study.p, Path(trained.study.p.results)
    Report(trained.study).published(lmf.paper(p), trained.table, lmf.beside_published(p), ("mae",), **lmf.comparable(p))
    compared = pd.read_csv(folder / "tables" / "published_mae.csv").set_index(["variant", "quantity"])
    assert compared.loc[("LMF", "mae"), "paper"] == 0.912
    assert compared.loc[("LMF", "gain over TFN"), "paper"] == pytest.approx(0.058)
    assert compared["verdict"].str.startswith("not comparable: stand-in data").all()


def test_a_missing_pickle_is_one_clear_line(tmp_path):
    for name in ("mosi", "pom", "iemocap", "paper"):
        p = papers.load(ROOT / "params" / "low_rank_fusion" / f"{name}.yaml", results="r", data_root=str(tmp_path))
        with pytest.raises(InputError, match=r"\.pkl: missing; see \./run_all\.sh data get \w+_lmf$") as caught:
            lmf.study(p)
        assert "\n" not in str(caught.value)
