"""What stands beside LMF: the bag of words on the same folds, and the complexity claim."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from lib.data.pretrained import PARTS
from lib.metrics.scores import regression
from lib.papers.low_rank_fusion import ANCHOR_FILES, LowRankFusion, conclusions, tables
from lib.papers.low_rank_fusion import study as lmf
from tests.papers.low_rank_fusion.test_low_rank_fusion import given


def words(**changes) -> LowRankFusion:
    return given(dataset="mosi_words", samples=0, search_draws=0, **changes)


def test_the_reference_point_of_the_standard_folds():
    if not os.environ.get("REPRISE_DATA"):
        pytest.skip("needs the public corpora: set REPRISE_DATA to their folder")
    study = lmf.study(words())
    table = tables.linear_table(study, tables.text_models(study)).set_index("model")
    best = table.loc[tables.BAG_OF_WORDS]
    assert (round(best["mae"], 3), round(best["acc2_nonneg"], 3)) == (1.164, 0.688)


@pytest.mark.slow  # MiniLM reads 2,199 utterances, unless the cache has their vectors
@pytest.mark.parametrize("glove", ["", "minilm"])
def test_linear_models_on_the_vectors_that_the_network_reads(glove):
    root = os.environ.get("REPRISE_DATA")
    if not root or PARTS["minilm"].survey(Path(root)).state != "present":
        pytest.skip("needs the public corpora and MiniLM: set REPRISE_DATA, ./run_all.sh data get minilm")
    study = lmf.study(words(glove=glove))
    table = tables.linear_table(study, tables.text_models(study)).set_index("model")
    assert table.loc[tables.SENTENCE_VECTOR, "mae"] == pytest.approx(0.952, abs=0.02)
    if glove:
        assert table.loc[f"{tables.MEAN_VECTOR}, last 20 words", "mae"] < table.loc[tables.BAG_OF_WORDS, "mae"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder that holds nothing yet."""
    monkeypatch.setenv("REPRISE_DATA", str(tmp_path))
    return tmp_path


def put(folder: Path, names) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize("glove", ["", "glove", "words.txt"])
def test_a_run_reads_the_anchors_part_where_it_is_and_does_not_need_it(glove, folder):
    needed = words(glove=glove).further_files()
    assert not set(needed) & set(ANCHOR_FILES)
    put(folder, ANCHOR_FILES[1:])
    assert words(glove=glove).further_files() == needed  # half of it is none
    put(folder, ANCHOR_FILES)
    assert words(glove=glove).further_files() == (*needed, *ANCHOR_FILES)
    assert words(glove=glove, data_root=str(folder / "elsewhere")).further_files() == needed
    assert given().further_files() == ()  # no words


def test_a_run_whose_words_are_minilms_needs_the_part_once(folder):
    assert words(glove="minilm").further_files() == ANCHOR_FILES
    put(folder, ANCHOR_FILES)
    assert words(glove="minilm").further_files() == ANCHOR_FILES


def a_few_words(monkeypatch, **changes) -> SimpleNamespace:
    """A study of 12 utterances, whose sentence vectors tell the sentiment."""
    rng = np.random.default_rng(0)
    labels = {name: rng.standard_normal(12) for name in ("train", "valid", "test")}
    texts = {name: [f"a film {value > 0} {name} {i}" for i, value in enumerate(y)] for name, y in labels.items()}
    told = {text: value for name in texts for text, value in zip(texts[name], labels[name], strict=True)}
    monkeypatch.setattr(tables.mosi_words, "transcripts", lambda root: texts)
    monkeypatch.setattr(tables, "sentence_vectors", lambda part, root: np.array([[told[text]] for text in part]))
    splits = {name: Sized(labels=y, features={"text": y[:, None, None]}) for name, y in labels.items()}
    corpus = SimpleNamespace(splits=splits)
    task = SimpleNamespace(corpus=corpus, metrics=("mae", "acc2_nonneg"))
    task.score = lambda split, out: regression(out[:, 0], labels[split])
    return SimpleNamespace(tasks=[task], p=words(**changes))


class Sized(SimpleNamespace):
    def __len__(self):
        return len(self.labels)


@pytest.mark.parametrize("glove", ["", "glove"])
def test_the_anchor_stands_in_the_table_or_what_is_lacking_does(glove, folder, monkeypatch):
    study = a_few_words(monkeypatch, glove=glove)
    models = tables.text_models(study)
    assert tables.SENTENCE_VECTOR not in models
    last = tables.linear_table(study, models).iloc[-1]
    assert last["model"] == f"{tables.SENTENCE_VECTOR}: not measured, needs ./run_all.sh data get minilm"
    assert np.isnan(last["mae"])
    put(folder, ANCHOR_FILES)
    table = tables.linear_table(study, tables.text_models(study)).set_index("model")
    assert table.index[-1] == tables.SENTENCE_VECTOR
    assert table.loc[tables.SENTENCE_VECTOR, "mae"] < 0.1 < table.loc[tables.BAG_OF_WORDS, "mae"]


def test_the_anchor_and_the_published_score_are_said_beside_lmf():
    paper, scores = lmf.paper(words()), pd.DataFrame({"variant": ["LMF"], "score": [1.25]})
    reference = pd.DataFrame({"model": [tables.BAG_OF_WORDS, tables.SENTENCE_VECTOR], "mae": [1.16, 0.9524]})
    (said,) = conclusions.anchors(reference, scores, paper, "mae")
    assert "0.9524; LMF here 1.2500; published LMF, with three modalities, 0.912." in said
    (said,) = conclusions.anchors(reference[:1], scores, paper, "mae")
    assert said.endswith("was not measured: ./run_all.sh data get minilm.")


def test_the_mean_vector_leaves_padding_out():
    steps = np.zeros((2, 3, 2), np.float32)
    steps[0, 1:] = [[1, 2], [3, 0]]
    np.testing.assert_allclose(tables._mean_vector(steps), [[2, 1], [0, 0]])


def test_the_penalty_is_chosen_by_validation():
    """On noise the strongest penalty is best in validation, and no other is taken."""
    rng = np.random.default_rng(0)
    vectors = {name: rng.standard_normal((40, 30)) for name in ("train", "valid", "test")}
    corpus = SimpleNamespace(splits={name: SimpleNamespace(labels=rng.standard_normal(40)) for name in vectors})
    found = tables._ridge_on_vectors(corpus, vectors)
    strong = Ridge(alpha=max(tables.PENALTIES)).fit(vectors["train"], corpus.splits["train"].labels)
    np.testing.assert_allclose(found, strong.predict(vectors["test"]), rtol=1e-9)


def test_linear_models_that_read_no_less_are_what_fusions_are_set_against(monkeypatch):
    asked = {}
    monkeypatch.setattr(tables.gains, "pairs", lambda table, metric, pairs, runs: asked.update({metric: pairs}))
    task = SimpleNamespace(metrics=("mae",))
    runs = SimpleNamespace(study=SimpleNamespace(tasks=[task]), table=None)
    runs.beside = lambda name, of: runs
    ridge = f"{tables.MEAN_VECTOR}, last 20 words"
    names = [tables.BAG_OF_WORDS, "the same, last 20 words", "training mean", ridge]
    tables.gains_over_linear(runs, {name: [np.zeros((1, 1))] for name in names})
    assert asked["mae"] == [(kind, name) for name in (tables.BAG_OF_WORDS, ridge) for kind in lmf.FUSIONS]


def test_what_makes_the_distance_from_the_bag_of_words():
    reference = pd.DataFrame(
        {"model": [tables.BAG_OF_WORDS, "short", "single", "mean"], "mae": [1.16, 1.18, 1.15, 1.46]}
    )
    (sentence,) = conclusions.why_not_linear(reference, pd.DataFrame({"variant": ["LMF"], "score": [1.25]}), 20)
    assert sentence.startswith(
        "Of the difference of +0.090 MAE between LMF and the bag of words, reading only the last 20"
    )
    assert "makes +0.020 and doing without pairs of words -0.030" in sentence
    assert "the other +0.100" in sentence
    nothing = pd.DataFrame({"variant": ["LMF"], "score": [np.nan]})
    assert conclusions.why_not_linear(reference, nothing, 20) == []


def test_weights_at_the_papers_sizes_are_those_counted_in_the_reference():
    """Spec low_rank_fusion, section 3; its TFN counts hold two constants that are not trained."""
    table = tables.complexity_table(repeats=1)
    assert list(table["weights"]) == [237_347, 2_503_061 - 2, 11_588_501 - 2]
    assert table["fusion_weights"].iloc[0] == 4 * (33 + 33 + 65) + 4 + 1
    assert (table[["train_samples_per_s", "test_samples_per_s"]] > 0).all(axis=None)
