"""The end-to-end models on sound and a sentence, each seed with other actors: tables, figures, the whole notebook."""

import numpy as np
import pytest

from lib import params
from lib.data.ravdess import clips
from lib.papers.end_to_end import EndToEnd, attention, tables
from lib.papers.end_to_end import study as e2e
from lib.reporting.verdicts import NO_DIFFERENCE
from tests.data.ravdess.test_ravdess import small, write_ravdess
from tests.papers.notebook_cells import run_cells

SETTING = {"learning_rate": 0.01, "epochs": 1, "batch_size": 8, "early_stop": 5}
GIVEN = {
    "dataset": "ravdess_raw",
    "corpus_options": {"fold": "by_seed", "step_ms": 50, "scale": "log"},
    "samples": None,
    "models": {"mme2e": SETTING, "mme2e_sparse": SETTING},
    "modalities": ["text", "audio"],
    "alone": ["text"],
    "threshold": 0.5,
    "thresholds": [0.7],
    "changes": [],
    "form": "gathered",
    "encoder": {"channels": [2, 2, 2, 2], "flatten_size": 8, "width": 8, "layers": 1, "heads": 2},
    "text_encoder": {
        "hidden_size": 8,
        "layers": 1,
        "heads": 2,
        "intermediate_size": 8,
        "embedding_size": 8,
        "vocabulary": 50,
    },
    "text_max_len": 8,
    "seeds": [1, 0, 9],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("ravdess")
    write_ravdess(root / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRISE_CACHE", str(root / "cache"))
        yield root


@pytest.fixture(scope="module")
def trained(folder):
    given = GIVEN | {"results": str(folder / "run"), "data_root": str(folder / "data")}
    p = params.check(EndToEnd, given, where="test")
    corpora = e2e.load_corpora(p)
    return p, corpora, e2e.study(p, corpora).train()


def test_each_seed_tests_other_actors(trained):
    p, corpora, runs = trained
    actors = {clip.id: clip.actor for clip in small()}
    assert [len(study_task.corpus.splits["test"]) for study_task in runs.study.tasks] == [9, 9]
    for task, member, record in runs.done:
        tested = {actors[key] for key in task.corpus.splits["test"].ids}
        assert tested == set(clips.folds(member.seed % 8)["test"])
        assert len(record.outputs["test"]) == 9
    assert corpora.raw is corpora.of("mme2e", p.seeds[0]) is corpora.of("mme2e", 9)
    assert corpora.test_labels().shape == (18, 8)
    listed = tables.corpus_table(p, corpora)
    assert listed["utterances"].tolist() == [54, 9, 9] * 2 and listed["by"].nunique() == 2


def test_the_sentence_alone_is_a_variant_that_hears_nothing(trained):
    p, corpora, runs = trained
    assert e2e.main_variants(p) == ["FE2E", "MESM 0.5", "FE2E, text alone"]
    task, member, record = next(run for run in runs.done if run[1].variant == "FE2E, text alone")
    assert (member.train_on, member.evaluate_on, member.model.arguments["modalities"]) == (
        ("text",),
        ("text",),
        ["text"],
    )
    assert set(task.corpus.splits["test"].texts) == {clips.SENTENCES[0]}
    assert np.ptp(record.outputs["test"], axis=0).max() < 1e-5  # whoever says it, and how
    overview = tables.overview_table(p, corpora, runs.table).set_index("variant")
    assert overview.loc[tables.ALWAYS, "acc"] == pytest.approx(1 / 8)
    assert {"class_acc", "class_acc_std"} <= set(overview.columns)


def test_units_are_the_actors_that_a_seed_tests(trained):
    _, _, runs = trained
    left = runs.without_units("f1_positive")
    for seed in (0, 1, 9):
        assert left["MESM 0.5", seed].unit == "speaker"
        assert left["MESM 0.5", seed].names == tuple(f"actor {actor:02d}" for actor in clips.folds(seed % 8)["test"])
    dense = tables.dense_table(runs)
    assert set(dense["units"]) == {6} and set(dense["folds"]) == {2}
    assert dense["combined_low"].notna().all() and dense["answer"].isin(["undecided", NO_DIFFERENCE]).all()


def test_attention_is_shown_on_a_clip_that_was_not_trained_on(trained):
    _, corpora, runs = trained
    run = next(run for run in runs.done if (run[1].variant, run[1].seed) == ("MESM 0.5", 0))
    maps = attention.maps(runs, corpora, run)
    assert list(maps) == ["audio"]
    pieces = run[0].corpus.splits["test"].take(slice(0, 1)).inputs["audio"].numpy()
    np.testing.assert_array_equal(maps["audio"][0].image, pieces[0, 0])
    assert attention.mass_table(runs, corpora).empty


def test_the_papers_numbers_are_those_of_another_corpus(trained):
    p, corpora, runs = trained
    found = tables.comparison_table(runs, corpora, tables.paper(p.kind))
    assert found["verdict"].str.startswith("not comparable: different corpus").all()
    assert found["difference"].isna().all() and set(found["variant"]) == {"FE2E", "MESM 0.5", "MESM 0.7"}


def test_the_whole_notebook(folder, monkeypatch):
    given = GIVEN | {"data_root": str(folder / "data"), "changes": ["corrected"]}
    finished = run_cells("end_to_end_sparse", folder / "notebook", monkeypatch, **given)
    assert "RAVDESS (recordings of sound), real data" in finished.text
    assert "the same two sentences are said with every emotion" in finished.text
    assert "SYNTHETIC" not in finished.text
    assert "2 folds in turns, of which the first is fold 1 of 8 by actor: 4, 5, 6 tested" in finished.text
    assert "This run has no model on hand-crafted features to compare with." in finished.text
    worth = finished.table("gain_worth")
    assert len(worth) == 9 and (worth["unit"] == "speaker").all()
    assert (folder / "notebook" / "figures" / "forest.png").exists()
    assert set(finished.table("dense_and_sparse")["metric"]) == {"f1_positive", "acc", "class_acc"}
