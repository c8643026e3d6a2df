"""RAVDESS in turns: each seed another fold; and what stands beside LMF and TFN there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from lib.data.ravdess.clips import EMOTIONS
from lib.errors import InputError
from lib.papers.low_rank_fusion import conclusions, tables
from lib.papers.low_rank_fusion import study as lmf
from lib.reporting import gains
from lib.reporting.claims import claims
from lib.reporting.report import Report
from lib.run_table import by_seed
from lib.study import Runs
from tests.data.ravdess.test_ravdess import write_ravdess
from tests.papers.low_rank_fusion.test_low_rank_fusion import given

RAVDESS = {
    "dataset": "ravdess", "samples": 0, "targets": ["emotion"], "search_draws": 0, "ranks": [2], "seeds": [0, 1, 8],
    "unimodal": True, "corpus_options": {"fold": "by_seed"},
}  # fmt: skip
KINDS = ["LMF", "TFN", "concatenation", "LMF legacy", "audio alone", "video alone"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("ravdess")
    write_ravdess(root / "data")
    return root


@pytest.fixture(scope="module")
def runs(folder) -> Runs:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRISE_CACHE", str(folder / "cache"))
        return lmf.study(given(**RAVDESS, data_root=str(folder / "data"), results=str(folder / "run"))).train()


def test_each_seed_trains_on_its_own_fold_and_a_fold_is_one_corpus(runs):
    first, second = runs.study.tasks
    assert {(task is first, record.seed) for task, _, record in runs.done} == {(True, 0), (True, 8), (False, 1)}
    assert first.corpus.splits["test"].ids != second.corpus.splits["test"].ids
    assert [record.variant for _, _, record in runs.done if record.seed == 1] == KINDS
    assert runs.study.questions == (first,)
    assert len(runs.of(first)) == len(runs.of(second)) == len(runs.done) == 3 * len(KINDS)


def test_one_of_eight_emotions_is_scored_on_the_fold_of_the_seed(runs):
    test = runs.table[(runs.table["split"] == "test") & (runs.table["metric"] == "acc")].set_index(["variant", "seed"])
    for task, member, record in runs.done:
        assert member.recipe.loss == "cross_entropy_sum"
        labels, logits = task.corpus.splits["test"].labels, record.outputs["test"]
        assert logits.shape == (len(labels), len(EMOTIONS))
        assert test.loc[(record.variant, record.seed), "value"] == np.mean(logits.argmax(axis=1) == labels)
    ((_, counts),) = runs.confusion(runs.study.tasks[0], ["LMF"])
    assert counts.sum() == sum(len(task.corpus.splits["test"]) for task, _, r in runs.done if r.variant == "LMF")


PAIRS = (("LMF legacy", "TFN"), ("LMF", "TFN"), ("LMF", "LMF legacy"))


def test_alone_is_the_concatenation_that_is_fed_one_modality(runs):
    members = {member.variant: member for _, member, record in runs.done if record.seed == 0}
    assert members["audio alone"].train_on == members["audio alone"].evaluate_on == ("audio",)
    assert members["concatenation"].train_on == ("audio", "video")
    assert members["audio alone"].model == members["concatenation"].model
    assert lmf.asked(runs)[0].modalities == ("audio", "video")


def test_the_legacy_protocol_of_classes_is_that_of_iemocap(runs):
    legacy = {member.variant: member.recipe.tested_epoch for _, member, _ in runs.done}
    assert (legacy["LMF legacy"], legacy["LMF"]) == ("last", "selected")


def test_every_fusion_is_set_against_each_modality_alone(runs):
    asked = lmf.contrasts(runs.study.p, ("audio", "video"))
    assert asked["TFN"] == [("LMF", "TFN")]
    assert asked["concatenation"] == [("LMF", "concatenation"), ("TFN", "concatenation")]
    assert asked["video alone"] == [(kind, "video alone") for kind in ("LMF", "TFN", "concatenation")]
    found = gains.pairs(runs.table, "acc", asked["video alone"])
    assert set(found["n"]) == {3}
    assert "audio alone" not in lmf.contrasts(given(), ("audio", "video"))


def test_what_the_corrected_optimiser_does_to_the_claim_is_what_it_does_to_lmf(runs):
    """TFN never had the fault, and falls out."""
    (row,) = tables.claims_mended(runs, runs.table, "weighted_f1").to_dict("records")
    over = {(a, b): gains.pairs(runs.table, "weighted_f1", [(a, b)], runs).iloc[0] for a, b in PAIRS}
    assert (row["sides"], row["margin"], row["quirk"]) == ("variant", 0.01, "1 and 3")
    assert row["published"] == over["LMF legacy", "TFN"]["gain"]
    assert row["mended"] == over["LMF", "TFN"]["gain"]
    effect = over["LMF", "LMF legacy"]
    columns = ["gain", "gain_std", "unit", "units", "combined_low", "combined_high"]
    assert pd.Series(row)[columns].equals(effect[columns])


def test_a_constant_answer_is_scored_on_every_fold_and_said_once(runs, capsys):
    floor = Report(runs.study).constants(lmf.constant, "Constant")
    each = [lmf.constant(task) for task in runs.study.tasks]
    most = [np.bincount(task.corpus.splits["train"].labels).argmax() for task in runs.study.tasks]
    for task, answer, found in zip(runs.study.tasks, most, each, strict=True):
        assert found["acc"] == np.mean(task.corpus.splits["test"].labels == answer)
    assert list(floor.index) == [""]
    assert list(floor) == ["prediction", "weighted_f1", "acc"]
    assert floor.loc["", "acc"] == pytest.approx(np.mean([found["acc"] for found in each]))
    scores = {metric: tables.score_table(runs.table, metric) for metric in runs.study.tasks[0].metrics}
    (said,) = conclusions.floors(runs.study.questions, floor, scores)
    assert "always the most frequent emotion of training" in said


def test_logistic_regression_reads_what_the_networks_read(runs):
    models = tables.logistic_models(runs.study)
    table = tables.linear_table(runs.study, models).set_index("model")
    assert list(table.index) == [f"logistic regression, {read}" for read in ("audio", "video", "audio and video")]
    found = []
    for task in runs.study.tasks:
        train, test = task.corpus.splits["train"], task.corpus.splits["test"]
        model = LogisticRegression(max_iter=1000).fit(train.features["video"][:, 0], train.labels)
        found.append(np.mean(model.predict(test.features["video"][:, 0]) == test.labels))
    assert table.loc["logistic regression, video", "acc"] == pytest.approx(np.mean(found))
    # In the written corpus the sound tells the emotion, and the face nothing.
    assert table.loc["logistic regression, audio", "acc"] > table.loc["logistic regression, video", "acc"]


def test_gains_over_logistic_regression_are_those_of_each_seed_on_its_fold(runs):
    models = tables.logistic_models(runs.study)
    found = tables.gains_over_linear(runs, models)["acc"]
    whole, found = "logistic regression, audio and video", found.set_index(["variant", "baseline"])
    assert list(found.index) == [(kind, name) for name in models for kind in lmf.FUSIONS]
    assert list(models)[-1] == whole and len(models) == 3
    ours = by_seed(runs.table, "acc")["LMF"]
    gains_by_seed = []
    for task, _, record in runs.done:
        if record.variant == "LMF":
            out = models[whole][0 if task is runs.study.tasks[0] else 1]
            theirs = np.mean(out.argmax(axis=1) == task.corpus.splits["test"].labels)
            gains_by_seed.append(ours[record.seed] - theirs)
    assert found.loc[("LMF", whole), "gain"] == pytest.approx(np.mean(gains_by_seed))
    assert found.loc[("LMF", whole), "gain_std"] == pytest.approx(np.std(gains_by_seed, ddof=1))


def test_a_gain_is_over_the_actors_of_all_folds_and_decided_by_the_folds_means(runs):
    """Seeds 0 and 8 share a fold, which counts twice."""
    (row,) = gains.pairs(runs.table, "acc", [("LMF", "TFN")], runs).to_dict("records")
    actors = [len({name[-2:] for name in task.corpus.splits["test"].ids}) for task in runs.study.tasks]
    assert (row["unit"], row["units"], row["folds"]) == ("speaker", sum(actors), 2)
    each = by_seed(runs.table, "acc")
    by_fold = (each["LMF"] - each["TFN"]).loc[[0, 8]].mean(), (each["LMF"] - each["TFN"])[1]
    assert row["gain"] == pytest.approx((2 * by_fold[0] + by_fold[1]) / 3)
    spread = 2 * ((2 / 3 * (by_fold[0] - row["gain"])) ** 2 + (1 / 3 * (by_fold[1] - row["gain"])) ** 2)
    assert row["combined_error"] == pytest.approx(spread**0.5)
    assert row["combined_freedom"] == 1


def test_what_a_second_modality_is_worth_to_logistic_regression():
    linear = pd.DataFrame({"model": ["a", "v", "both"], "acc": [0.5, 0.6, 0.7]})
    own, worth = conclusions.second_modality(linear, "acc")
    assert own == "a: acc 0.5000, v: acc 0.6000, both: acc 0.7000."
    assert worth == "To logistic regression the second modality is worth +0.1000 acc."


def test_what_of_the_gain_over_a_network_is_its_weakness(runs):
    modalities, over_linear = ("audio", "video"), tables.gains_over_linear(runs, tables.logistic_models(runs.study))
    pairs = lmf.contrasts(runs.study.p, modalities)
    found = {
        ("acc", over): gains.pairs(runs.table, "acc", pairs[over], runs) for over in ("audio alone", "video alone")
    }
    audio, _, both = conclusions.over_one_modality(found, over_linear["acc"], "acc", modalities)
    network = found["acc", "audio alone"]
    linear = over_linear["acc"].set_index("baseline").loc["logistic regression, audio"]
    weakness = linear["baseline_score"].iloc[0] - network["baseline_score"].iloc[0]
    assert weakness == pytest.approx((network["gain"].to_numpy() - linear["gain"].to_numpy())[0])
    assert weakness > 0  # a few epochs on little: the sound tells more than the network finds
    assert f"{weakness:.4f} of the gain over that network is its own weakness, not fusion" in audio
    for table in (network, linear):
        assert f"{table['gain'].min():+.4f} to {table['gain'].max():+.4f} acc" in audio
    assert both.endswith("over logistic regression on audio and video.")
    without = conclusions.over_one_modality({}, over_linear["acc"], "acc", modalities)
    assert "network" not in "".join(without) and len(without) == 3


def test_a_network_that_is_no_weaker_than_logistic_regression_is_not_blamed():
    network = pd.DataFrame({"gain": [0.01, 0.02], "baseline_score": [0.6, 0.6]})
    linear = pd.DataFrame({"baseline": ["logistic regression, video"] * 2, "gain": [0.11, 0.12], "baseline_score": 0.5})
    said = conclusions.over_one_modality({("acc", "video alone"): network}, linear, "acc", ("video",))[0]
    assert "+0.0100 to +0.0200 acc (from 0.6000) over the network that is fed video alone" in said
    assert "weakness" not in said


def test_nothing_is_published_of_ravdess_and_its_gain_answers_the_claim(runs):
    p = runs.study.p
    Report(runs.study).published(
        lmf.paper(p), runs.table, lmf.beside_published(p), lmf.TABLE_2[p.family], runs=runs, **lmf.comparable(p)
    )
    table = pd.read_csv(Path(p.results) / "tables" / "published_weighted_f1.csv")
    assert table["paper"].isna().all() and table["difference"].isna().all()
    assert set(table["verdict"]) == {"not comparable: different corpus, not published"}
    (claim,) = [claim for claim in claims() if claim.notebook == "low_rank_fusion"]
    (answer,) = table.query(claim.rows, engine="python").to_dict("records")
    (gain,) = gains.pairs(runs.table, "weighted_f1", [("LMF", "TFN")], runs).to_dict("records")
    assert answer["reproduced"] == pytest.approx(gain["gain"])
    assert answer["combined_low"] == pytest.approx(gain["combined_low"]) and answer["unit"] == "speaker"
    assert claim.table.split("|") == ["published_mae", "published_weighted_f1"]


def test_an_option_that_the_run_sets_itself_is_refused():
    with pytest.raises(InputError, match=r"corpus_options: option 'samples' is set by the run; leave it out"):
        lmf.study(given(corpus_options={"samples": 9}))
