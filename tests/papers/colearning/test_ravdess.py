"""Both notebooks of co-learning on a corpus of classes that is tested fold by fold, from files in RAVDESS' form."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib import papers, params
from lib.data.ravdess import clips
from lib.errors import InputError
from lib.files import WORKSPACE
from lib.papers.colearning import IemocapColearning, MosiColearning
from lib.papers.colearning import study as colearning
from lib.papers.summary.quirks import worth
from lib.reporting.claims import answers
from lib.reporting.gains import gain_table
from lib.reporting.result_folders import read_folder, write_contents
from lib.reporting.verdicts import VERDICTS
from lib.training.recipe import ModelSpec
from tests.data.ravdess.test_ravdess import write_ravdess
from tests.papers.notebook_cells import TINY, run_cells
from tests.reporting.tables_of_runs import runs_of

MODELS = {"iemocap_negative_colearning": IemocapColearning, "mosi_positive_colearning": MosiColearning}
RAVDESS = {
    "samples": 0,
    "dataset": "ravdess",
    "target": ["audio"],
    "support": ["video"],
    "rates": [0.0, 0.8],
    "epochs": 2,
    "batch_size": 18,
    "learning_rate": 0.005,
    "corpus_options": {"fold": "by_seed"},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("ravdess")
    write_ravdess(root / "data")
    return root


@pytest.fixture
def given(whole, monkeypatch):
    """The parameters that a run on the sample needs beside those of its notebook."""
    monkeypatch.setenv("REPRISE_CACHE", str(whole / "cache"))
    return RAVDESS | {"data_root": str(whole / "data")}


def study_of(notebook, given, folder, **changes):
    widths = {"dropout": 0.5} if notebook == "iemocap_negative_colearning" else {"dropouts": [0.0] * 5}
    values = TINY[notebook] | widths | {"seeds": [0, 1]} | given | {"results": str(folder)} | changes
    return colearning.study(params.check(MODELS[notebook], values, where="test"))


@pytest.mark.parametrize("notebook", MODELS)
def test_each_seed_is_trained_and_tested_on_its_own_fold(notebook, given, tmp_path):
    study = study_of(notebook, given, tmp_path, seeds=[0, 1, 9])
    assert (study.folds, len(study.tasks)) == (2, 2)
    tested = {m.seed: {int(key[-2:]) for key in task.corpus.splits["test"].ids} for task, m in study.members}
    assert tested == {seed: set(clips.folds(seed % 8)["test"]) for seed in (0, 1, 9)}
    assert {m.recipe.loss for _, m in study.members} == {"cross_entropy"}
    assert [m.variant for _, m in study.members][:3] == ["rate 0", "rate 0.8", "audio only"]


def test_the_memory_fusion_network_has_an_output_per_class_and_no_part_for_text(given, tmp_path):
    study = study_of("mosi_positive_colearning", given, tmp_path)
    built = study.members[0][1].model.build()
    assert built.out_fc2.out_features == 8
    assert built.modalities == ("audio", "video")
    assert not hasattr(built, "lstm_l")


def test_a_score_is_asked_of_the_network_that_was_asked_before(tmp_path, monkeypatch):
    """Also by the key of its trainings: what is new is said of classes alone."""
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path / "cache"))
    stand_in = {"samples": 120, "dataset": "mosi_like", "seeds": [0]}
    values = TINY["mosi_positive_colearning"] | {"dropouts": [0.0] * 5} | stand_in
    values |= {"target": ["text"], "support": ["audio", "video"], "learning_rate": 0.005, "results": str(tmp_path)}
    study = colearning.study(params.check(MosiColearning, values, where="test"))
    blocks = ("att1", "att2", "gamma1", "gamma2", "out")
    sizes = {"hidden": dict.fromkeys(("text", "audio", "video"), 4), "memory": 4}
    sizes |= {"widths": dict.fromkeys(blocks, 4), "dropouts": dict.fromkeys(blocks, 0.0)}
    features = {"text": 300, "audio": 5, "video": 20}
    assert study.members[0][1].model == ModelSpec("mfn:MFN", {"features": features, **sizes})


def test_the_split_of_iemocap_is_no_option_of_other_corpora(given, tmp_path):
    study = study_of("iemocap_negative_colearning", given, tmp_path, split="session", corpus_options={"fold": 3})
    assert (study.folds, study.repeats) == (1, "the seeds")
    assert study.tasks[0].corpus.source.split_rule.startswith("fold 3 of 8")


def test_what_is_said_of_the_samples_is_true_of_every_fold(given, tmp_path):
    study = study_of("iemocap_negative_colearning", given, tmp_path, seeds=list(range(8)))
    said = colearning.describe(study.tasks).set_index("split")
    corpora = [task.corpus for task in study.tasks]
    assert set(said["folds"]) == {8}
    assert said.loc["train", "samples"] == "54" and said.loc["test", "samples"] == "9"
    calm = [int((corpus.splits["test"].labels == 1).sum()) for corpus in corpora]
    assert said.loc["test", "calm"] == f"{min(calm)} to {max(calm)}" and min(calm) < max(calm)


def test_the_floor_is_the_mean_over_the_folds(given, tmp_path):
    tasks = study_of("iemocap_negative_colearning", given, tmp_path).tasks
    for right in (9, 0):
        corpus = tasks[0].corpus
        majority = int(np.bincount(corpus.splits["train"].labels).argmax())
        test = replace(corpus.splits["test"], labels=np.where(np.arange(9) < right, majority, 7 - majority))
        changed = replace(corpus, splits=dict(corpus.splits) | {"test": test})
        (floor,) = colearning.references([replace(tasks[0], corpus=changed), tasks[1]]).to_dict("records")
        (other,) = colearning.references(tasks[1:]).to_dict("records")
        assert floor["acc"] == pytest.approx((right / 9 + other["acc"]) / 2)


def test_of_one_split_the_samples_are_counted_as_before(given, tmp_path):
    study = study_of("iemocap_negative_colearning", given, tmp_path, corpus_options={"fold": 0})
    said = colearning.describe(study.tasks)
    assert "folds" not in said and said["samples"].tolist() == [54, 9, 9]


@pytest.mark.parametrize("notebook", MODELS)
def test_a_notebook_on_it_says_nothing_of_other_corpora(notebook, given, tmp_path, monkeypatch):
    folder = tmp_path / notebook / "ravdess_audio"
    found = run_cells(notebook, folder, monkeypatch, **given)
    assert found.text.count("'train': 54, 'valid': 9, 'test': 9") == 3
    assert "Intervals are over the seeds, each of which tests one of 3 folds" in found.text
    assert "interval over the seeds, each of which tests one of 3 folds" in found.text
    summed = found.table("confusion")
    counted = summed.groupby("matrix")[[c for c in summed if c.startswith("predicted")]].sum().sum(axis=1)
    assert counted.to_dict() == {"rate 0": 27, "rate 0.8": 27}
    assert summed["true class"].unique().tolist() == list(clips.EMOTIONS)
    beside = found.table("published_acc")
    assert beside["verdict"].str.startswith("not comparable: different corpus").all()
    shares = found.table("modality_share")
    assert set(shares["modality"]) == {"audio", "video"} and set(shares["seeds"]) == {3}

    (data,) = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["data"]
    assert data["split_rule"].count("of 8 by actor") == 3
    write_contents(folder)
    found = answers(read_folder(tmp_path, notebook, folder.name))
    wanted = {
        "iemocap_negative_colearning": ["negative_colearning", "dropout_repairs", "negative_turned_positive"],
        "mosi_positive_colearning": ["positive_colearning", "dropout_adds"],
    }[notebook]
    assert [claim.id for claim in found] == wanted
    for rows in found.values():
        (row,) = rows.to_dict("records")
        assert row["corpus"] == "RAVDESS, real data"
        assert row["direction"] in VERDICTS
        assert np.isnan(row["difference"])  # nothing published is compared with it


@pytest.mark.parametrize("notebook", MODELS)
def test_a_mended_draw_is_set_against_the_published_one_and_moves_the_claims(notebook, given, tmp_path, monkeypatch):
    folder = tmp_path / notebook / "mended"
    found = run_cells(notebook, folder, monkeypatch, **given, mended_draw="sample")
    name = "rate 0.8, drawn by utterance"
    scores = found.table("scores_acc").set_index("variant")["score"]
    (gain,) = found.table("gain_acc_mended").to_dict("records")
    assert (gain["variant"], gain["baseline"]) == (name, "rate 0.8")
    assert gain["gain"] == pytest.approx(scores[name] - scores["rate 0.8"])
    effects = found.table("mended_claims").set_index("claim")
    wanted = {
        "iemocap_negative_colearning": {"dropout_repairs": "rate 0", "negative_turned_positive": "audio only"},
        "mosi_positive_colearning": {"dropout_adds": "rate 0"},
    }[notebook]
    assert set(effects.index) == set(wanted)
    for claim, baseline in wanted.items():
        assert effects.loc[claim, "published"] == pytest.approx(scores["rate 0.8"] - scores[baseline])
        assert effects.loc[claim, "mended"] == pytest.approx(scores[name] - scores[baseline])
        assert effects.loc[claim, "sides"] == "variant"
    assert "Mend `dropout_draw: sample`" in found.text

    write_contents(folder)
    (row,) = worth([read_folder(tmp_path, notebook, folder.name)]).query("run != ''").to_dict("records")
    assert (row["quirk"], row["row"]) == ("1", f"{name}, rate 0.8")
    assert row["gain"] == pytest.approx(gain["gain"])


def test_the_mended_draw_is_that_of_the_rate_of_the_contrast_alone(given, tmp_path):
    study = study_of("mosi_positive_colearning", given, tmp_path, seeds=[0], mended_draw="modality")
    draws = {m.variant: (m.modality_dropout.draw, m.modality_dropout.rates, m.tags) for _, m in study.members}
    assert draws == {
        "rate 0": ("minibatch", {"video": 0.0}, {"rate": 0.0}),
        "rate 0.8": ("minibatch", {"video": 0.8}, {"rate": 0.8}),
        "rate 0.8, drawn by modality": ("modality", {"video": 0.8}, {}),
        "audio only": ("minibatch", {"video": 0.0}, {}),
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"contrast": 0.0}, "needs a contrast above 0"),
        ({"dropout_draw": "sample"}, "against another dropout_draw"),
        ({"seeding": "sequential"}, "streams of its own"),
    ],
)
def test_a_mended_draw_that_mends_nothing_is_refused(given, tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        study_of("mosi_positive_colearning", given, tmp_path, mended_draw="sample", **changes)


def test_a_mended_draw_beside_them_leaves_the_published_variants_comparable(tmp_path):
    paper = papers.load(WORKSPACE / "params" / "mosi_positive_colearning" / "paper.yaml", results=str(tmp_path))
    assert not paper.mended_draw
    found = [
        colearning.comparable(paper.model_copy(update={"mended_draw": draw}), "mosi_positive_colearning")
        for draw in ("", "sample")
    ]
    assert found[0]["same_corpus"] and found[1] == found[0]


def test_a_corpus_of_the_other_notebook_is_not_the_paper_s(given, tmp_path):
    p = study_of("mosi_positive_colearning", given, tmp_path).p
    assert colearning.comparable(p.model_copy(update={"dataset": "iemocap"}), "mosi_positive_colearning") == {
        "same_corpus": False
    }


BROKEN = {"audio only": [0.5, 0.52, 0.51], "rate 0": [0.4, 0.43, 0.41]}
SAYINGS = {
    "repairs": (BROKEN | {"rate 0.8": [0.5, 0.53, 0.5]}, "repairs what training with it broke; then it is not told"),
    "more": (BROKEN | {"rate 0.8": [0.6, 0.63, 0.61]}, "repairs what training with it broke; then it is better than"),
    "partly": (
        BROKEN | {"rate 0.8": [0.45, 0.48, 0.46]},
        "repairs what training with it broke; then it is still worse",
    ),
    "not": (BROKEN | {"rate 0.8": [0.40, 0.42, 0.42]}, "does not visibly repair what training with it broke; then it"),
    "worse": (BROKEN | {"rate 0.8": [0.3, 0.33, 0.31]}, "worsens what training with it broke; then it is still worse"),
    "unclear": (
        {"audio only": [0.5, 0.4, 0.5], "rate 0": [0.4, 0.43, 0.41], "rate 0.8": [0.5, 0.54, 0.51]},
        "is better than never dropping it, while never dropping it is not told apart from audio only",
    ),
    "nothing": (BROKEN | {"rate 0": [0.51, 0.51, 0.51], "rate 0.8": [0.5, 0.5, 0.5]}, "so there is nothing to repair"),
}


@pytest.mark.parametrize("name", SAYINGS)
def test_whether_dropping_repairs_is_read_off_the_intervals(name, given, tmp_path):
    scores, words = SAYINGS[name]
    study = study_of("iemocap_negative_colearning", given, tmp_path, seeds=[0, 1, 2])
    table = runs_of(scores)
    found = {("acc", base): gain_table(table, "acc", base) for base in ("rate 0", "audio only")}
    said = colearning.conclusions(study, table, found)
    assert sum(words in sentence for sentence in said) == 1


def test_the_smallest_gain_that_could_be_seen_is_half_the_interval(given, tmp_path):
    study = study_of("iemocap_negative_colearning", given, tmp_path, seeds=[0, 1, 2])
    table = runs_of(SAYINGS["repairs"][0])
    found = {("acc", base): gain_table(table, "acc", base) for base in ("rate 0", "audio only")}
    row = found["acc", "audio only"].set_index("variant").loc["rate 0.8"]
    half = (row["t_interval_high"] - row["t_interval_low"]) / 2
    (sentence,) = [s for s in colearning.conclusions(study, table, found) if "rate 0.8 against audio" in s]
    assert sentence.endswith(f" would decide; a gain of less than {half:.4f} could not be seen.")
    assert pd.notna(half) and half > 0
