"""What stands beside LMF: the bag of words on the same folds, and the complexity claim."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from lib.data.pretrained import PARTS
from lib.papers.low_rank_fusion import LowRankFusion, conclusions, tables
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
def test_linear_models_on_the_vectors_that_the_network_reads():
    root = os.environ.get("REPRISE_DATA")
    if not root or PARTS["minilm"].survey(Path(root)).state != "present":
        pytest.skip("needs the public corpora and MiniLM: set REPRISE_DATA, ./run_all.sh data get minilm")
    study = lmf.study(words(glove="minilm"))
    table = tables.linear_table(study, tables.text_models(study)).set_index("model")
    assert table.loc[tables.SENTENCE_VECTOR, "mae"] == pytest.approx(0.952, abs=0.02)
    assert table.loc[f"{tables.MEAN_VECTOR}, last 20 words", "mae"] < table.loc[tables.BAG_OF_WORDS, "mae"]


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
