"""The published numbers of LMF and TFN as run tables."""

import pytest

from lib.reporting import published, published_lmf
from lib.run_table import by_seed


def named(task: str, kind: str) -> str:
    return f"{task}: {kind}" if task else kind


@pytest.mark.parametrize(
    ("family", "metric", "expected"),
    [
        ("mosi", "mae", {"LMF": 0.912, "TFN": 0.970, "LMF, third party": 1.069}),
        ("mosi", "acc2_nonneg", {"LMF": 0.764, "TFN": 0.739, "LMF, third party": 0.721}),
        ("mosi", "acc7_rounded", {"LMF": 0.328, "TFN": 0.321, "LMF, third party": 0.316}),
        ("pom", "corr", {"LMF": 0.396, "TFN": 0.093, "LMF, third party": 0.248}),
        ("pom", "acc7_rounded", {"LMF": 0.428, "TFN": 0.316, "LMF, third party": 0.345}),
    ],
)
def test_table_2(family, metric, expected):
    found = by_seed(published_lmf.runs(published.load(), family, named), metric)
    assert found.loc[0].to_dict() == pytest.approx(expected)


def test_emotions_stand_one_by_one_with_weighted_f1():
    found = by_seed(published_lmf.runs(published.load(), "iemocap", named), "weighted_f1").loc[0]
    assert len(found) == 12
    assert found["happy: LMF"] == pytest.approx(0.858)
    assert found["neutral: TFN"] == pytest.approx(0.654)
    assert found["sad: LMF, third party"] == pytest.approx(0.784)


def test_speeds_and_sample_counts_are_no_scores():
    assert set(published_lmf.runs(published.load(), "mosi", named)["metric"]) == {
        "mae",
        "corr",
        "acc2_nonneg",
        "f1_binary_weighted",
        "acc7_rounded",
    }
