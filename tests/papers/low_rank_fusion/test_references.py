"""What stands beside LMF: the bag of words on the same folds, and the complexity claim."""

import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from lib import data
from lib.papers.low_rank_fusion import conclusions, tables


def test_the_reference_point_of_the_standard_folds():
    if not os.environ.get("REPRISE_DATA"):
        pytest.skip("needs the public corpora: set REPRISE_DATA to their folder")
    table = tables.reference_table(data.load("mosi_words"), "", 20).set_index("model")
    best = table.loc[tables.BAG_OF_WORDS]
    assert (round(best["mae"], 3), round(best["acc2_nonneg"], 3)) == (1.164, 0.688)


@pytest.mark.slow  # MiniLM reads 2,199 utterances, unless the cache has their vectors
def test_linear_models_on_the_vectors_that_the_network_reads():
    if not os.environ.get("REPRISE_DATA"):
        pytest.skip("needs the public corpora and MiniLM: set REPRISE_DATA to their folder")
    corpus = data.load("mosi_words", text="minilm")
    table = tables.reference_table(corpus, "", 20, "minilm").set_index("model")
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


def test_a_network_on_frozen_vectors_stands_beside_ridge_regression_on_them():
    names = [tables.BAG_OF_WORDS, "short", "single", "mean", "ridge on the mean word vector, last 20 words"]
    reference = pd.DataFrame({"model": names, "mae": [1.16, 1.18, 1.15, 1.46, 0.96]}).assign(acc2_nonneg=0.7)
    row = {"variant": ["LMF"], "score": [1.0], "t_interval_low": [0.98], "t_interval_high": [1.02]}
    scores = {"mae": pd.DataFrame(row), "acc2_nonneg": pd.DataFrame(row)}
    sentences = conclusions.against_reference(reference, scores, 20, "minilm")
    assert sentences[1] == "LMF is better by MAE."
    assert sentences[2:] == [
        "ridge on the mean word vector, last 20 words: MAE 0.960, accuracy 0.700. The linear model is better by MAE."
    ]


def test_sentences_about_the_reference_follow_the_numbers():
    reference = pd.DataFrame(
        {"model": [tables.BAG_OF_WORDS, "short", "single", "mean"], "mae": [1.16, 1.18, 1.15, 1.46]}
    ).assign(acc2_nonneg=[0.69, 0.68, 0.7, 0.45])

    def about(low: float, high: float) -> str:
        row = {"variant": ["LMF"], "score": [(low + high) / 2], "t_interval_low": [low], "t_interval_high": [high]}
        scores = {"mae": pd.DataFrame(row), "acc2_nonneg": pd.DataFrame(row | {"score": [0.66]})}
        return conclusions.against_reference(reference, scores, 20)[1]

    assert about(1.2, 1.3).startswith("The bag of words is better by MAE. Of the difference of +0.090")
    assert "makes +0.020" in about(1.2, 1.3)
    assert "the other +0.100" in about(1.2, 1.3)
    assert about(1.0, 1.1).startswith("LMF is better")
    assert about(1.1, 1.2).startswith("The two are not told apart")


def test_weights_at_the_papers_sizes_are_those_counted_in_the_reference():
    """Spec low_rank_fusion, section 3; its TFN counts hold two constants that are not trained."""
    table = tables.complexity_table(repeats=1)
    assert list(table["weights"]) == [237_347, 2_503_061 - 2, 11_588_501 - 2]
    assert table["fusion_weights"].iloc[0] == 4 * (33 + 33 + 65) + 4 + 1
    assert (table[["train_samples_per_s", "test_samples_per_s"]] > 0).all(axis=None)
