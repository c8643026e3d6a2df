"""Every model option trains an epoch on every corpus that it claims to support, by way of the real file formats."""

import numpy as np
import pytest

from lib import params
from lib.data.arrays.emotion_arrays import IEMOCAP, MOSEI
from lib.data.io import vector_files
from lib.data.ravdess.clips import EMOTIONS
from lib.data.stand_ins.synthetic_emotions import load_iemocap, load_mosei
from lib.data.stand_ins.synthetic_emotions import word_vectors as made_vectors
from lib.errors import InputError
from lib.papers.emotion_embeddings import EmotionEmbeddings, tables
from lib.papers.emotion_embeddings import study as eea
from lib.workflow.freshness import Freshness
from lib.workflow.runs import Run
from tests.data.ravdess.test_ravdess import write_ravdess
from tests.papers.emotion_tasks import write_meld

SMALL = {
    "models": list(eea.KINDS),
    "ablation": True,
    "contrasts": ["attention_over_time", "final_states", "every_step_positions", "other_loss"],
    "seeds": [0],
    "epochs": 1,
    "batch_size": 13,  # leaves a last batch of one, which stops the reference
    "hidden": {"text": 24, "audio": 4, "video": 3},
    "early_hidden": 6,
    "transformer": {"width": 8, "heads": 2, "layers": 1, "feedforward": 8, "head_hidden": 4},
    "mult": {"width": 8, "heads": 2, "layers": 1},
}
SAMPLES = 67


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def root(tmp_path):
    """A data folder with both corpora and the word vectors, in the released formats."""
    folder = tmp_path / "data"
    mosei, iemocap = load_mosei(folder, SAMPLES), load_iemocap(folder, SAMPLES)
    MOSEI.write(folder, mosei)
    IEMOCAP.write(folder, iemocap)
    names = mosei.label_names + iemocap.label_names
    vector_files.write(folder / vector_files.RELEASED, dict(zip(names, made_vectors(names), strict=True)))
    write_meld(folder)
    return folder


def trained(root, tmp_path, **changes):
    given = SMALL | {"data_root": str(root), "results": str(tmp_path / "run")} | changes
    p = params.check(EmotionEmbeddings, given, where="test")
    study = eea.study(p)
    assert len(study.tasks[0].corpus.splits["train"]) % p.batch_size == 1 or "meld_text" in p.datasets
    return study.train().records


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("dataset", ["mosei_emotions", "iemocap_emotions"])
def test_every_option_on_three_modalities(root, tmp_path, dataset, cell):
    shape = {"layers": 2, "bidirectional": True} if cell == "lstm" else {"layers": 1, "bidirectional": False}
    records = trained(root, tmp_path, datasets=[dataset], cell=cell, **shape)
    assert len(records) == len(eea.KINDS) + 6 + 4
    assert {r.status for r in records} == {"finished"}
    assert all(np.isfinite(r.outputs["test"]).all() for r in records)


@pytest.mark.parametrize("loss", ["bce", "soft_cross_entropy", "l1", "mse"])
def test_every_loss_and_both_optimisers(root, tmp_path, loss):
    for optimiser in ("adam", "sgd"):
        kept = {"models": ["eea"], "contrasts": [], "ablation": False, "datasets": ["iemocap_emotions"]}
        (record,) = trained(root, tmp_path, loss=loss, optimiser=optimiser, weight_decay=0.01, clip_norm=None, **kept)
        assert record.status == "finished"
        assert np.isfinite(record.history["train_loss"]).all()


def test_a_run_depends_on_the_files_of_all_its_corpora(root, tmp_path, monkeypatch):
    monkeypatch.setenv("REPRISE_DATA", str(root))
    found = Freshness(memory=tmp_path / "hashes.json").inputs(Run("emotion_embeddings", "paper")).files
    assert {"data/cmu-mosei/ey_test.h5", "data/iemocap/iemocap_data.pkl", "lib/data/arrays/emotion_arrays.py"} <= set(
        found
    )
    (root / "iemocap" / "iemocap_data.pkl").unlink()
    with pytest.raises(InputError, match=r"see \./run_all\.sh data get iemocap_emotions"):
        Freshness(memory=tmp_path / "hashes.json").inputs(Run("emotion_embeddings", "paper"))


def test_the_models_that_read_text_alone(root, tmp_path):
    models = ["eea", "ef_rnn", "lf_rnn", "ef_lf_rnn", "transformer"]
    contrasts = ["attention_over_time", "final_states", "other_loss"]
    records = trained(
        root, tmp_path, datasets=["meld_text"], models=models, contrasts=contrasts, ablation=False,
        modalities=["text"], select_by="weighted_acc", hidden={"text": 6, "audio": 1, "video": 1}, batch_size=6,
    )  # fmt: skip
    assert [r.status for r in records] == ["finished"] * 8


def test_sound_and_face_in_folds_with_word_vectors_of_a_file(tmp_path):
    """Classes become one question per emotion, text has no network, and each seed tests actors of its own."""
    clips = write_ravdess(tmp_path / "data")
    numbers = np.random.default_rng(0).normal(size=(len(EMOTIONS), 6))
    lines = (f"{word} {' '.join(map(str, row))}" for word, row in zip(EMOTIONS, numbers, strict=True))
    (tmp_path / "data" / "words.txt").write_text("\n".join(lines), encoding="utf-8")
    given = SMALL | {
        "datasets": ["ravdess"], "corpus_options": {"fold": "by_seed"}, "emotion_vectors": "words.txt",
        "models": ["eea", "ef_rnn", "lf_rnn", "transformer"], "contrasts": ["final_states"], "seeds": [0, 1, 9],
        "modalities": ["audio", "video"], "select_by": "weighted_acc", "batch_size": 18,
        "data_root": str(tmp_path / "data"), "results": str(tmp_path / "run"),
    }  # fmt: skip
    study = eea.study(params.check(EmotionEmbeddings, given, where="test"))
    first, second = study.tasks
    assert first.corpus.task == "multilabel" and study.questions == (first,)
    for task, actors in ((first, (1, 2, 3)), (second, (4, 5, 6))):
        test = task.corpus.splits["test"]
        assert sorted(test.ids) == sorted(clip.id for clip in clips if clip.actor in actors)
        expected = [next(clip.emotion for clip in clips if clip.id == name) for name in test.ids]
        assert (test.labels.sum(axis=1) == 1).all() and test.labels.argmax(axis=1).tolist() == expected
    records = study.train().records
    kinds = ["EEA", "EF-RNN", "LF-RNN", "EF transformer", "EEA, audio", "EEA, video", "EEA, final states"]
    assert [(r.variant, r.seed) for r in records] == [(k, s) for ss in ((0,), (1, 9)) for k in kinds for s in ss]
    assert {r.status for r in records} == {"finished"}
    assert len(records[0].outputs["test"]) == 9
    assert 0 <= first.score("test", records[0].outputs["test"])[eea.EXCLUSIVE] <= 1
    spaces = tables.spaces(study.train(), first)
    assert [modality for modality, _ in spaces] == ["text", "audio", "audio", "video", "video"]
    words = numbers / np.linalg.norm(numbers, axis=1, keepdims=True)
    np.testing.assert_allclose(spaces["text", "frozen"][0], words @ words.T, atol=1e-5)
    assert tables.space_table(spaces)["correlation_with_text"].notna().sum() == 4
