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
    table = tables.linear_table(runs.study).set_index("model")
    assert list(table.index) == [f"logistic regression, {read}" for read in ("audio", "video", "audio and video")]
    found = []
    for task in runs.study.tasks:
        train, test = task.corpus.splits["train"], task.corpus.splits["test"]
        model = LogisticRegression(max_iter=1000).fit(train.features["video"][:, 0], train.labels)
        found.append(np.mean(model.predict(test.features["video"][:, 0]) == test.labels))
    assert table.loc["logistic regression, video", "acc"] == pytest.approx(np.mean(found))
    # In the written corpus the sound tells the emotion, and the face nothing.
    assert table.loc["logistic regression, audio", "acc"] > table.loc["logistic regression, video", "acc"]


def test_sentences_about_linear_models_follow_the_intervals():
    linear = pd.DataFrame({"model": ["a", "v", "both"], "acc": [0.5, 0.6, 0.7]})
    rows = [("LMF", 0.6, 0.5, 0.65), ("TFN", 0.7, 0.65, 0.75), ("concatenation", 0.8, 0.75, 0.85), ("other", 1, 1, 1)]
    scores = pd.DataFrame(rows, columns=["variant", "score", "t_interval_low", "t_interval_high"])
    worth, *beside = conclusions.against_linear(linear, scores, "acc")[1:]
    assert worth == "To logistic regression the second modality is worth +0.1000 acc."
    assert [line.split(" logistic")[0] for line in beside] == [
        "LMF lies below", "TFN lies around", "concatenation lies above",
    ]  # fmt: skip


def test_nothing_is_published_of_ravdess_and_its_gain_answers_the_claim(runs):
    p = runs.study.p
    Report(runs.study).published(
        lmf.paper(p), runs.table, lmf.beside_published(p), lmf.TABLE_2[p.family], **lmf.comparable(p)
    )
    table = pd.read_csv(Path(p.results) / "tables" / "published_weighted_f1.csv")
    assert table["paper"].isna().all() and table["difference"].isna().all()
    assert set(table["verdict"]) == {"not comparable: different corpus, not published"}
    (claim,) = [claim for claim in claims() if claim.notebook == "low_rank_fusion"]
    (answer,) = table.query(claim.rows, engine="python").to_dict("records")
    (gain,) = gains.pairs(runs.table, "weighted_f1", [("LMF", "TFN")]).to_dict("records")
    assert answer["reproduced"] == pytest.approx(gain["gain"])
    assert claim.table.split("|") == ["published_mae", "published_weighted_f1"]


def test_an_option_that_the_run_sets_itself_is_refused():
    with pytest.raises(InputError, match=r"corpus_options: option 'samples' is set by the run; leave it out"):
        lmf.study(given(corpus_options={"samples": 9}))
