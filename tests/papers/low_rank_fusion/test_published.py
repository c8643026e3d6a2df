"""The published numbers of LMF and TFN (spec low_rank_fusion, section 13)."""

from pathlib import Path

import pytest

from lib.papers.low_rank_fusion.study import TABLE_2
from lib.reporting import published
from lib.run_table import by_seed

PUBLISHED = Path(__file__).parents[3] / "lib/papers/low_rank_fusion/published.csv"


@pytest.mark.parametrize(
    ("corpus", "metric", "expected"),
    [
        ("mosi", "mae", {"LMF": 0.912, "TFN": 0.970, "LMF, third party": 1.069}),
        ("mosi", "acc2_nonneg", {"LMF": 0.764, "TFN": 0.739, "LMF, third party": 0.721}),
        ("mosi", "acc7_rounded", {"LMF": 0.328, "TFN": 0.321, "LMF, third party": 0.316}),
        ("pom", "corr", {"LMF": 0.396, "TFN": 0.093, "LMF, third party": 0.248}),
        ("pom", "acc7_rounded", {"LMF": 0.428, "TFN": 0.316, "LMF, third party": 0.345}),
    ],
)
def test_table_2(corpus, metric, expected):
    assert by_seed(published.runs(PUBLISHED, corpus), metric).loc[0].to_dict() == pytest.approx(expected)


def test_emotions_stand_one_by_one_with_weighted_f1():
    found = by_seed(published.runs(PUBLISHED, "iemocap"), "weighted_f1").loc[0]
    assert len(found) == 12
    assert found["happy: LMF"] == pytest.approx(0.858)
    assert found["neutral: TFN"] == pytest.approx(0.654)
    assert found["sad: LMF, third party"] == pytest.approx(0.784)


def test_speeds_and_sample_counts_are_no_scores():
    assert set(published.runs(PUBLISHED, "mosi")["metric"]) == set(TABLE_2["mosi"])
    assert set(published.runs(PUBLISHED, "pom")["metric"]) == set(TABLE_2["pom"])
