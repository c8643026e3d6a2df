"""What stands beside LMF: the bag of words on the same folds, and the complexity claim."""

import os

import pandas as pd
import pytest

from lib import data
from lib.papers.low_rank_fusion import conclusions, tables


def test_the_reference_point_of_the_standard_folds():
    if not os.environ.get("REPRISE_DATA"):
        pytest.skip("needs the public corpora: set REPRISE_DATA to their folder")
    table = tables.reference_table(data.load("mosi_words"), "", 20).set_index("model")
    best = table.loc[tables.BAG_OF_WORDS]
    assert (round(best["mae"], 3), round(best["acc2_nonneg"], 3)) == (1.164, 0.688)


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
