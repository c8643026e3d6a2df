"""Emotion embeddings as a study: which networks are trained, and what the tables say."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from lib import params
from lib.errors import InputError
from lib.metrics.presence import acc, best_thresholds, decisions, f1_positive, weighted_acc
from lib.models.eea import EEA as Model
from lib.papers.emotion_embeddings import EmotionEmbeddings, conclusions, tables
from lib.papers.emotion_embeddings import study as eea
from lib.reporting import modality_section
from lib.reporting.report import Report
from lib.reporting.verdicts import NO_DIFFERENCE, UNDECIDED
from lib.run_table import run_table
from lib.training.trained import ZEROS
from tests.papers.emotion_tasks import small_task

GIVEN = {
    "samples": 120,
    "datasets": ["mosei_emotions_like", "iemocap_emotions_like"],
    "models": list(eea.KINDS),
    "ablation": True,
    "contrasts": ["attention_over_time", "final_states", "every_step_positions", "other_loss"],
    "seeds": [0, 1],
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 0.01,
    "layers": 1,
    "dropout": 0.1,
    "hidden": {"text": 8, "audio": 4, "video": 3},
    "early_hidden": 6,
    "transformer": {"width": 8, "heads": 2, "layers": 1, "feedforward": 8, "head_hidden": 4},
    "mult": {"width": 10, "heads": 2, "layers": 1},
    "results": "results/x",
}


def given(**changes) -> EmotionEmbeddings:
    return params.check(EmotionEmbeddings, GIVEN | changes, where="test")


ON_MOSEI, ON_IEMOCAP = small_task("mosei_emotions_like", "MOSEI"), small_task("iemocap_emotions_like", "IEMOCAP")
READ = [ON_MOSEI, ON_IEMOCAP]
MOSEI, IEMOCAP = (eea.task(given(), read) for read in READ)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A whole small run: parameters, runs, run table."""
    p = given(results=str(tmp_path_factory.mktemp("run")))
    runs = eea.study(p, READ).train()
    return p, runs, runs.table


def test_the_grid_holds_every_variant_with_every_seed(trained):
    p, runs, _ = trained
    records = runs.records
    sets = ["text+audio", "text+video", "audio+video", "text", "audio", "video"]
    changed = ["EF transformer, over time", "EEA, final states", "MulT, positions at every step", "EEA, cross-entropy"]
    kinds = [*eea.KINDS.values(), *(f"EEA, {subset}" for subset in sets), *changed]
    names = [(f"{task}: {kind}", seed) for task in ("MOSEI", "IEMOCAP") for kind in kinds for seed in p.seeds]
    assert [(r.variant, r.seed) for r in records] == names
    assert {r.status for r in records} == {"finished"}
    # Chunks train the same members on the same corpora.
    assert [corpus for corpus, _ in runs.study.grids] == [task.corpus for task in runs.study.tasks]
    assert [(m.variant, m.seed) for _, members in runs.study.grids for m in members] == names


def test_the_reference_protocol():
    """Spec emotion_embeddings, sections 6 and 7."""
    p = given()
    variants = {v.kind: v for v in eea.variants(p, MOSEI.corpus)}
    recipe = eea.recipe(p, ON_MOSEI, variants["EEA"])
    assert (recipe.loss, recipe.plateau_factor, recipe.plateau_patience, recipe.clip_norm) == ("bce", 0.1, 5, 1.0)
    assert (recipe.ties, recipe.reshuffle, recipe.drop_last, recipe.patience) == ("earlier", True, False, 8)
    assert recipe.select_by == "weighted_acc"
    assert eea.recipe(p, ON_IEMOCAP, variants["EEA"]).select_by == "acc"
    assert eea.recipe(given(select_by="weighted_acc"), ON_IEMOCAP, variants["EEA"]).select_by == "weighted_acc"
    assert eea.recipe(p, ON_MOSEI, variants["EEA, cross-entropy"]).loss == "soft_cross_entropy"


def test_only_the_faithful_transformer_is_evaluated_in_batches():
    p = given()
    in_batches = {
        v.kind for v in eea.variants(p, MOSEI.corpus) if eea.recipe(p, ON_MOSEI, v).evaluation_batch is not None
    }
    assert in_batches == {"EF transformer"}


def test_a_change_changes_one_thing():
    p = given()
    specs = {v.kind: eea.model_spec(p, ON_MOSEI, v) for v in eea.variants(p, MOSEI.corpus)}
    for changed, faithful, option in (
        ("EF transformer, over time", "EF transformer", {"attention_axis": "time"}),
        ("EEA, final states", "EEA", {"pooling": "final_states"}),
        ("MulT, positions at every step", "MulT", {"positions": "every_step"}),
        ("EEA, cross-entropy", "EEA", {}),
    ):
        assert specs[changed].arguments == {**specs[faithful].arguments, **option}
        assert specs[changed].name == specs[faithful].name


def test_the_contrast_of_a_cross_entropy_run_is_bce():
    p = given(loss="soft_cross_entropy")
    other = eea.variants(p, MOSEI.corpus)[-1]
    assert (other.kind, other.loss) == ("EEA, bce", "bce")


def test_an_unread_modality_changes_nothing_but_keeps_the_initial_weights():
    p = given()
    specs = {v.kind: eea.model_spec(p, ON_MOSEI, v) for v in eea.variants(p, MOSEI.corpus)}
    whole, text = (specs[kind].build() for kind in ("EEA", "EEA, text"))
    assert [n for n, _ in whole.named_parameters()] == [n for n, _ in text.named_parameters()]
    members = {m.variant: m for m in eea.grid(p, ON_MOSEI) if m.seed == 0}
    assert members["MOSEI: EEA, text"].train_on == members["MOSEI: EEA, text"].evaluate_on == ("text",)


def test_a_finished_run_is_not_trained_again(trained):
    p, runs, _ = trained
    folder = Path(p.results) / "members"
    files = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}
    again = eea.study(p, READ).train()
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")} == files
    assert [r.key for r in again.records] == [r.key for r in runs.records]


def test_scores_of_a_run(trained):
    _, runs, table = trained
    for task in runs.study.tasks:
        record = next(r for r in runs.of(task) if r.variant == task.variant("EEA") and r.seed == 1)
        rows = table[(table["variant"] == record.variant) & (table["seed"] == 1) & (table["split"] == "test")]
        values = rows.set_index("metric")["value"]
        found, true = decisions(record.outputs["test"]), task.corpus.splits["test"].labels == 1
        for name, metric in (("acc", acc), ("weighted_acc", weighted_acc), ("f1_positive", f1_positive)):
            assert values[name] == pytest.approx(metric(found, true).mean())
            assert values[f"{name}_happy"] == pytest.approx(metric(found, true)[task.corpus.label_names.index("happy")])
        strict = (found == true).all(axis=1).mean()
        highest = np.mean(record.outputs["test"].argmax(1) == true.argmax(1))
        assert values.get("strict") == (pytest.approx(strict) if task.name == "MOSEI" else None)
        assert values.get("acc_exclusive") == (pytest.approx(highest) if task.name == "IEMOCAP" else None)


def test_a_threshold_moves_the_reported_decisions(trained):
    _, runs, _ = trained
    logits = runs.records[0].outputs["test"]
    low, high = (eea.task(given(threshold=x), ON_MOSEI).score("test", logits) for x in (0.05, 0.95))
    truths = MOSEI.corpus.splits["test"].labels == 1
    assert low["acc"] == pytest.approx(acc(decisions(logits, 0.05), truths).mean())
    assert high["acc"] == pytest.approx(acc(decisions(logits, 0.95), truths).mean())
    assert low["auc"] == high["auc"]


def test_the_table_of_models_holds_models_alone(trained):
    p, _, table = trained
    shown = tables.overview(p, IEMOCAP, table)
    assert list(shown["variant"]) == [IEMOCAP.variant(kind) for kind in eea.KINDS.values()]
    assert set(shown["n"]) == {2}
    one = table[(table["variant"] == "IEMOCAP: MulT") & (table["split"] == "test") & (table["metric"] == "auc")]
    assert shown.set_index("variant").loc["IEMOCAP: MulT", "auc"] == pytest.approx(one["value"].mean())
    assert "acc_exclusive" in shown
    assert "strict" in tables.overview(p, MOSEI, table)
    assert MOSEI.metrics == ("weighted_acc", "f1_positive", "auc")
    assert IEMOCAP.metrics == ("acc", "f1_positive", "auc")


def test_gains_are_those_of_eea_over_each_baseline(trained):
    p, runs, table = trained
    found = tables.eea_gains(p, MOSEI, runs, "weighted_acc")
    scores = tables.score_table(p, MOSEI, table, "weighted_acc").set_index("variant")["score"]
    assert set(found["variant"]) == {"MOSEI: EEA"}
    assert list(found["baseline"]) == [MOSEI.variant(kind) for kind in eea.KINDS.values() if kind != "EEA"]
    for row in found.to_dict("records"):
        assert row["gain"] == pytest.approx(scores["MOSEI: EEA"] - scores[row["baseline"]])
    (sentence,) = conclusions.comparisons(found)
    for kind in list(eea.KINDS.values())[1:]:
        assert kind in sentence


def test_without_eea_or_a_baseline_nothing_is_compared(trained):
    _, runs, _ = trained
    for models in (["eea"], ["ef_rnn"]):
        p = given(models=models, ablation=False, contrasts=[])
        assert tables.eea_gains(p, MOSEI, runs, "acc").empty
    assert conclusions.comparisons(pd.DataFrame()) == []


def test_the_ablation_measures_all_modalities_against_each_set(trained):
    p, runs, table = trained
    gain = tables.modality_gains(p, MOSEI, runs, "weighted_acc")
    found = tables.ablation(p, MOSEI, table, gain).set_index("modalities")
    assert list(found.index[:2]) == ["text+audio+video", "text+audio"]
    assert len(found) == 7
    whole = found.loc["text+audio+video"]
    assert np.isnan(whole["gain_of_all"])
    for name, row in found.iloc[1:].iterrows():
        assert row["gain_of_all"] == pytest.approx(whole["score"] - row["score"]), name
        assert row["gain_low"] <= row["gain_of_all"] <= row["gain_high"]
        assert row["new_units_low"] < row["gain_of_all"] < row["new_units_high"]
    assert tables.modality_gains(given(ablation=False), MOSEI, runs, "weighted_acc").empty
    assert tables.ablation(given(ablation=False), MOSEI, table, pd.DataFrame()).empty


@pytest.mark.parametrize(
    ("gain", "answer", "words"),
    [
        (0.1, "better", "better than text (+0.1000, 95 % interval -0.2000 to +0.3000 over 5 seeds and 31 videos)."),
        (-0.1, "worse", "worse than text (-0.1000,"),
        (0.001, NO_DIFFERENCE, "no different beyond the margin from text (+0.0010,"),
        (0.1, UNDECIDED, "not told apart from text (+0.1000, 95 % interval -0.2000 to +0.3000 over 5 seeds"),
        (0.1, UNDECIDED, "+0.3000 over 5 seeds and 31 videos; about 9 seeds would decide)."),
    ],
)
def test_sentences_about_modalities_follow_the_answers(gain, answer, words):
    scores = {"variant": ["MOSEI: EEA", "MOSEI: EEA, text"], "modalities": ["text+audio", "text"], "score": [0.7, 0.6]}
    row = {"baseline": "MOSEI: EEA, text", "gain": gain, "n": 5, "units": 31, "unit": "video", "combined_error": 0.1}
    row |= {"combined_low": -0.2, "combined_high": 0.3, "answer": answer}
    row["would_decide"] = "about 9 seeds would decide" if answer == UNDECIDED else ""
    (sentence,) = conclusions.modalities(MOSEI, pd.DataFrame(scores).assign(metric="acc"), pd.DataFrame([row]))
    assert words in sentence
    assert "Highest mean: text+audio (0.7000)" in sentence


def test_units_are_of_the_corpus_that_a_gain_is_on(trained):
    p, runs, _ = trained
    for task in runs.study.tasks:
        found = tables.contrast_gains(p, task, runs, "auc")
        assert set(found["units"]) == {len(task.corpus.splits["test"])}
        assert found["new_units_low"].notna().all() and found["combined_low"].isna().all()  # two seeds


def test_the_baselines_are_trained_with_the_changes_of_eea_if_asked():
    variants = {v.kind: v for v in eea.variants(given(contrast_baselines=True), MOSEI.corpus)}
    added = [kind for kind in variants if kind not in {v.kind for v in eea.variants(given(), MOSEI.corpus)}]
    names = ("EF-RNN", "LF-RNN", "EF+LF-RNN", "text-selective RNN")
    assert added == [f"{name}, {change}" for change in ("final states", "cross-entropy") for name in names]
    assert variants["LF-RNN, cross-entropy"].loss == "soft_cross_entropy"
    spec = eea.model_spec(given(), ON_MOSEI, variants["LF-RNN, final states"])
    assert spec.arguments["pooling"] == "final_states"
    assert [kind for kind in variants if kind.endswith("over time")] == ["EF transformer, over time"]


SCORES = {
    "EEA": [0.60, 0.61, 0.62],
    "EF-RNN": [0.58, 0.60, 0.62],  # EEA over it: 0.02, 0.01, 0
    "EF transformer": [0.50, 0.50, 0.50],
    "EF transformer, over time": [0.55, 0.56, 0.54],
    "EEA, final states": [0.65, 0.65, 0.65],
    "EF-RNN, final states": [0.60, 0.61, 0.62],  # 0.05, 0.04, 0.03
    "EEA, cross-entropy": [0.50, 0.52, 0.51],
    "EF-RNN, cross-entropy": [0.51, 0.52, 0.50],  # -0.01, 0, 0.01
}


def with_scores(metric: str) -> SimpleNamespace:
    """Runs on CMU-MOSEI of which no prediction is kept."""
    rows = [
        {"variant": f"MOSEI: {kind}", "seed": seed, "metrics": {"test": {metric: value}}, "selected_on": "-"}
        for kind, values in SCORES.items()
        for seed, value in enumerate(values)
    ]
    table = run_table(row | {"status": "finished"} for row in rows)
    return SimpleNamespace(table=table, without_units=lambda metric: {})


def test_what_a_change_does_to_the_claim_is_eeas_gain_with_it_less_that_as_published():
    options = {"models": ["eea", "ef_rnn", "transformer"], "ablation": False, "contrast_baselines": True}
    p = given(**options, contrasts=["attention_over_time", "final_states", "other_loss"], seeds=[0, 1, 2])
    found = tables.claims_mended(p, MOSEI, with_scores("weighted_acc"), "weighted_acc").set_index("mend")
    time, states, loss = (found.loc[name] for name in p.contrasts)
    assert (states["published"], states["mended"]) == (pytest.approx(0.01), pytest.approx(0.04))
    assert (states["gain"], states["sides"]) == (pytest.approx(0.03), "both")
    # Published is the README's cross-entropy, and bce the mend: from 0.00 to 0.01.
    assert (loss["published"], loss["mended"]) == (pytest.approx(0.0), pytest.approx(0.01))
    assert loss["gain"] == pytest.approx(0.01)
    # The transformer is what EEA is set against: what it gains, EEA's gain loses.
    assert (time["sides"], time["gain"]) == ("baseline", pytest.approx(-0.05))
    assert time["note"].startswith("beside the claim") and not states["note"]
    alone = tables.claims_mended(
        given(**options | {"contrast_baselines": False}, contrasts=["final_states"], seeds=[0, 1, 2]),
        MOSEI,
        with_scores("weighted_acc"),
        "weighted_acc",
    )
    assert alone.empty, "EEA's own mend says nothing of the claim without the baselines'"


def test_each_change_is_measured_against_its_own_model(trained):
    p, runs, _ = trained
    found = tables.contrast_gains(p, IEMOCAP, runs, "acc").set_index("variant")
    assert found["baseline"].to_dict() == {
        "IEMOCAP: EF transformer, over time": "IEMOCAP: EF transformer",
        "IEMOCAP: EEA, final states": "IEMOCAP: EEA",
        "IEMOCAP: MulT, positions at every step": "IEMOCAP: MulT",
        "IEMOCAP: EEA, cross-entropy": "IEMOCAP: EEA",
    }
    sentences = conclusions.contrasts(found.reset_index())
    assert len(sentences) == 4
    assert "the reference's with every seed" in sentences[2]  # convolved, no feature is exactly 0


def test_single_emotions(trained):
    _, _, table = trained
    found = tables.per_emotion(IEMOCAP, table, "EEA").set_index("emotion")
    assert list(found.index) == ["neutral", "happy", "sad", "angry"]
    labels = IEMOCAP.corpus.splits["test"].labels
    assert found.loc["sad", "acc_of_never"] == pytest.approx(1 - labels[:, 2].mean())
    whole = table[(table["variant"] == "IEMOCAP: EEA") & (table["split"] == "test") & (table["metric"] == "auc")]
    assert found["auc"].mean() == pytest.approx(whole["value"].mean())


def test_the_baseline_of_the_confusion_is_chosen_by_validation(trained):
    p, _, table = trained
    kind = tables.best_baseline(p, IEMOCAP, table)
    valid = table[(table["split"] == "valid") & (table["metric"] == "acc") & (table["task"] == "IEMOCAP")]
    means = valid.groupby("kind")["value"].mean()[[k for k in eea.KINDS.values() if k != "EEA"]]
    assert means[kind] == means.max()
    assert tables.best_baseline(given(models=["eea"], contrasts=[]), IEMOCAP, table) is None


def test_confusion_counts_every_test_sample_of_every_seed(trained):
    _, runs, _ = trained
    assert MOSEI.classes is None
    assert IEMOCAP.classes.names == ("neutral", "happy", "sad", "angry")
    panels = runs.confusion(runs.study.tasks[1], {kind: IEMOCAP.variant(kind) for kind in ("MulT", "EEA")})
    assert [title for title, _ in panels] == ["MulT", "EEA"]
    for _, counts in panels:
        np.testing.assert_array_equal(counts.sum(axis=1), 2 * IEMOCAP.corpus.splits["test"].labels.sum(axis=0))


def test_the_trained_networks_are_asked_and_the_ones_trained_again(trained, tmp_path):
    p, runs, table = trained
    task = runs.study.tasks[1]
    kinds = tables.looked_at(p, task, table)
    assert kinds == [tables.best_baseline(p, task, table), "EEA"]
    asked = runs.trained([task.variant(kind) for kind in kinds])
    assert {(run.name, run.absence) for run in asked} == {(task.variant(kind), ZEROS) for kind in kinds}
    rows = table[(table["metric"] == "acc") & (table["split"] == "test")]
    scores = rows.set_index(["variant", "seed"])["value"]
    for run in asked:  # with everything present they score what the run table says
        assert run.plain() == scores[run.name, run.seed]
    again = tables.retrained(p, task, table, floor=0.75)
    assert again["share_mean"].sum() == pytest.approx(scores["IEMOCAP: EEA"].mean() - 0.75)
    assert set(again["score_none"]) == {0.75}
    options = {"label": task.label, "noise": (0, 1), "missing": (1,), "suffix": "_iemocap"}
    shown = modality_section.write(asked, "acc", tmp_path, retrained=again, **options)
    shares = pd.read_csv(tmp_path / "tables" / "modality_share_iemocap.csv")
    assert list(shares["model"].unique()) == [*dict.fromkeys(run.name for run in asked), "IEMOCAP: EEA, trained again"]
    told = next(text for text in shown if isinstance(text, str) and text.startswith("Absent from"))
    assert "Absent from IEMOCAP: EEA, trained again: not in training either" in told
    without = p.model_copy(update={"ablation": False})
    assert tables.retrained(without, task, table, 0.75).empty
    assert modality_section.write(asked, "acc", tmp_path / "b", retrained=pd.DataFrame(), **options)


def test_floors_are_predictions_that_read_nothing():
    floor = eea.floor(IEMOCAP.corpus).set_index("prediction")
    never, always = floor.loc["no emotion, ever"], floor.loc["every emotion, always"]
    absent = 1 - IEMOCAP.corpus.splits["test"].labels.mean()
    assert never["acc"] == pytest.approx(absent)
    assert always["acc"] == pytest.approx(1 - absent)
    assert (never["weighted_acc"], always["weighted_acc"], never["auc"]) == (0.5, 0.5, 0.5)
    assert never["f1_positive"] == 0
    assert never["weighted_f1"] > 0.6  # the reference's F1 rewards never finding anything


def test_the_text_space_is_frozen_and_the_maps_learn(trained):
    _, runs, _ = trained
    found = tables.spaces(runs, runs.study.tasks[0])
    moments = [("audio", "before"), ("audio", "after"), ("video", "before"), ("video", "after")]
    assert list(found) == [("text", "frozen"), *moments]
    words = ON_MOSEI.vectors / np.linalg.norm(ON_MOSEI.vectors, axis=1, keepdims=True)
    for cosines in found["text", "frozen"]:
        np.testing.assert_allclose(cosines, words @ words.T, atol=1e-6)
    for modality in ("audio", "video"):
        assert not np.allclose(found[modality, "before"], found[modality, "after"], atol=1e-3)
        assert not np.allclose(*found[modality, "before"], atol=1e-3)  # seeds start from maps of their own
    table = tables.space_table(found).set_index(["modality", "training"])
    upper = np.triu_indices(6, k=1)
    after = found["audio", "after"]
    assert table.loc[("audio", "after"), "mean_cosine"] == pytest.approx(after[:, *upper].mean(), abs=1e-6)
    expected = np.mean([np.corrcoef(found["text", "frozen"][0][upper], one[upper])[0, 1] for one in after])
    assert table.loc[("audio", "after"), "correlation_with_text"] == pytest.approx(expected, abs=1e-5)
    assert len(conclusions.geometry(MOSEI, table.reset_index())) == 2
    assert conclusions.geometry(MOSEI, tables.space_table({})) == []


def test_cosines_do_not_depend_on_the_threads_of_the_notebook():
    """Six emotions and twelve units, as in the quick run, are summed in another order by two threads."""
    torch.manual_seed(0)
    model = Model({"text": 5, "audio": 4}, {"text": 24, "audio": 12}, torch.randn(6, 24))
    found, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(tables.cosines(model, "audio"))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)


def test_published_numbers_stand_beside_ours_and_are_never_compared(trained):
    p, runs, _ = trained
    paper, rescored, comparable = eea.paper(ON_MOSEI), eea.as_published(runs), eea.comparable(p, ON_MOSEI)
    averages = tables.published_averages(p, MOSEI, rescored, paper, comparable)
    single = tables.published_emotions(MOSEI, rescored.table, paper, comparable)
    assert set(averages["variant"]) == {"MOSEI: EEA", "MOSEI: LF-RNN", "MOSEI: MulT"}
    assert list(single["quantity"][:2]) == ["weighted_acc_anger", "weighted_acc_disgust"]
    assert len(single) == 12
    for found in (averages, single):
        assert found["verdict"].str.startswith("not comparable: stand-in data, different corpus").all()
        assert found["difference"].isna().all()
        assert found[["paper", "reproduced"]].notna().all(axis=None)
    row = averages.set_index(["variant", "quantity"]).loc[("MOSEI: EEA", "weighted_acc")]
    assert row["paper"] == pytest.approx(0.642)


def test_emotions_that_the_run_does_not_have_are_left_out(trained):
    _, _, table = trained
    paper = eea.paper(ON_IEMOCAP)  # six are published, four are here
    single = tables.published_emotions(IEMOCAP, table, paper, {"same_corpus": False})
    assert list(single["quantity"]) == [
        f"{metric}_{name}" for metric in ("acc", "f1_positive") for name in IEMOCAP.corpus.label_names
    ]


def test_nothing_was_published_on_other_corpora(trained):
    p, runs, table = trained
    paper = eea.paper(dataclasses.replace(ON_MOSEI, dataset="meld_text"))
    assert paper.empty
    assert tables.published_averages(p, MOSEI, runs, paper, {"same_corpus": False}).empty
    assert tables.published_emotions(MOSEI, table, paper, {"same_corpus": False}).empty


def test_text_of_the_published_split_stands_beside_the_paper_and_other_folds_do_not(trained):
    _, runs, _ = trained
    real = dataclasses.replace(MOSEI.corpus.source, synthetic=False)
    corpus = dataclasses.replace(MOSEI.corpus, source=real)
    read = dataclasses.replace(ON_MOSEI, dataset="mosei_text", corpus=corpus)
    text = {"datasets": ["mosei_text"], "samples": 0, "modalities": ["text"], "models": ["eea", "lf_rnn"]}
    text |= {"ablation": False, "contrasts": []}
    said = {}
    for split in ("end_to_end", "standard"):
        p = given(**text, corpus_options={"split": split})
        task, rescored = eea.task(p, read), eea.as_published(runs)
        found = tables.published_averages(p, task, rescored, eea.paper(read), eea.comparable(p, read))
        told = conclusions.beside_published(found)
        assert len(told) == 4 * (split == "end_to_end")  # two scores of two models
        assert all("beside the published" in sentence and "nothing is judged" in sentence for sentence in told)
        said[split] = found[found["quantity"] == "f1_positive"].set_index("variant")
    beside, other = said["end_to_end"].loc["MOSEI: EEA"], said["standard"].loc["MOSEI: EEA"]
    assert beside["verdict"].startswith("fewer modalities: same utterances, labels and split; text only, the paper had")
    assert beside["difference"] == beside["reproduced"] - beside["paper"]
    assert other["verdict"].startswith("not comparable: other folds of the same utterances, text only")
    assert np.isnan(other["difference"])


def test_published_decisions_are_at_the_thresholds_of_the_best_validation_f1(trained):
    _, runs, table = trained
    task = runs.study.tasks[0]
    record = runs.scored([task.variant("EEA")], task)[0][2]
    valid, test = (task.corpus.splits[name].labels for name in ("valid", "test"))
    thresholds = best_thresholds(record.outputs["valid"], valid)
    rescored = eea.as_published(runs)
    rows = rescored.table
    own = rows[(rows["variant"] == record.variant) & (rows["seed"] == record.seed) & (rows["split"] == "test")]
    values = own.set_index("metric")["value"]
    expected = f1_positive(decisions(record.outputs["test"], thresholds), test == 1)
    assert values["f1_positive"] == pytest.approx(expected.mean())
    assert [values[f"f1_positive_{name}"] for name in task.corpus.label_names] == pytest.approx(list(expected))
    plain = table[(table["variant"] == record.variant) & (table["split"] == "test")].set_index(["metric", "seed"])
    assert plain.loc[("auc", record.seed), "value"] == values["auc"]
    left = rescored.without_units("f1_positive")[record.variant, record.seed]
    others = np.array(task.corpus.splits["test"].ids) != left.names[3]
    found = f1_positive(decisions(record.outputs["test"][others], thresholds), test[others] == 1)
    assert left.scores[3] == pytest.approx(found.mean())


def in_folds(p: EmotionEmbeddings) -> list[eea.Emotions]:
    """The small corpus twice, the halves of its test split as folds, each with a seed of its own."""
    found = []
    for seed in p.seeds:
        splits = dict(ON_IEMOCAP.corpus.splits)
        test = splits["test"]
        rows = np.arange(len(test)) % len(p.seeds) == seed
        features = {m: x[rows] for m, x in test.features.items()}
        ids = tuple(name for name, row in zip(test.ids, rows, strict=True) if row)
        splits["test"] = dataclasses.replace(
            test, features=features, lengths=test.lengths[rows], labels=test.labels[rows], ids=ids
        )
        source = dataclasses.replace(ON_IEMOCAP.corpus.source, split_rule=f"fold {seed}")
        corpus = dataclasses.replace(ON_IEMOCAP.corpus, splits=splits, source=source)
        found.append(dataclasses.replace(ON_IEMOCAP, name="", corpus=corpus, seeds=(seed,)))
    return found


def test_a_corpus_in_folds_is_one_question_and_each_seed_tests_its_own(tmp_path):
    p = given(results=str(tmp_path), models=["eea", "lf_rnn"], ablation=False, contrasts=[], epochs=1)
    read = in_folds(p)
    study = eea.study(p, read)
    assert [task.corpus for task in study.tasks] == [emotions.corpus for emotions in read]
    assert study.questions == study.tasks[:1]
    assert [eea.of_task(read, task) for task in study.tasks] == read
    runs = study.train()
    assert [(r.variant, r.seed) for r in runs.records] == [(k, s) for s in p.seeds for k in ("EEA", "LF-RNN")]
    for task, _, record in runs.done:
        assert len(record.outputs["test"]) == len(task.corpus.splits["test"]) < len(ON_IEMOCAP.corpus.splits["test"])
    (task,) = study.questions
    assert set(tables.overview(p, task, runs.table)["n"]) == {2}
    ((_, counts),) = runs.confusion(task, ("EEA",))
    np.testing.assert_array_equal(counts.sum(axis=1), ON_IEMOCAP.corpus.splits["test"].labels.sum(axis=0))
    spaces = tables.spaces(runs, task)
    assert {len(cosines) for cosines in spaces.values()} == {2}
    (said,) = eea.folds(study)
    assert "each seed another one of 2 folds" in said
    assert eea.folds(eea.study(given(), READ)) == []


def test_plain_accuracy_is_told_beside_its_floor(trained):
    p, _, table = trained
    (sentence,) = conclusions.floors(IEMOCAP, eea.floor(IEMOCAP.corpus), tables.overview(p, IEMOCAP, table))
    score = tables.score_table(p, IEMOCAP, table, "acc").set_index("variant").loc["IEMOCAP: EEA", "score"]
    never = eea.floor(IEMOCAP.corpus)["acc"].iloc[0]
    assert f"{score:.4f}, {'above' if score > never else 'not above'} the {never:.4f}" in sentence


def test_the_manifest_says_what_was_selected_on_what(trained):
    p, runs, _ = trained
    Report(runs.study).finish(runs, eea.selected_on(p))
    written = json.loads((Path(p.results) / "manifest.json").read_text())
    assert written["run"]["selected_on"] == {
        "epoch, mosei_emotions_like": "validation weighted accuracy",
        "epoch, iemocap_emotions_like": "validation accuracy",
        "hyper-parameters": "none (fixed in the YAML)",
    }
    assert [source["synthetic"] for source in written["data"]] == [True, True]


def test_vectors_that_do_not_fit_the_text_size_are_refused():
    with pytest.raises(InputError, match="hidden size 7 of text, but emotion vectors of width 8"):
        eea.grid(given(hidden={"text": 7, "audio": 4, "video": 3}), ON_MOSEI)
