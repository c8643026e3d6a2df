"""The published numbers of LMF and TFN (spec low_rank_fusion, section 13), and when ours are comparable."""

from pathlib import Path

import pytest

from lib.data.corpus import Source
from lib.papers.low_rank_fusion import study as lmf
from lib.reporting import published
from lib.run_table import by_seed
from tests.papers.low_rank_fusion.test_low_rank_fusion import given

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
    assert set(published.runs(PUBLISHED, "mosi")["metric"]) == set(lmf.TABLE_2["mosi"])
    assert set(published.runs(PUBLISHED, "pom")["metric"]) == set(lmf.TABLE_2["pom"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"LMF": 0.796, "TFN": 0.886}),
        ({"targets": ["Vivid", "Nervous"], "setting": None}, {"mean: LMF": 0.796, "mean: TFN": 0.886}),
    ],
)
def test_published_traits_are_means(changes, expected):
    p = given(**{"dataset": "pom_lmf_like", "targets": ["all"], "search_draws": 0} | changes)
    found = by_seed(lmf.paper(p), "mae").loc[0]
    assert found[list(expected)].to_dict() == pytest.approx(expected)


@pytest.mark.parametrize(("targets", "own"), [(["sad"], "LMF"), (["happy", "sad"], "sad: LMF")])
def test_published_emotions_stand_one_by_one(targets, own):
    found = by_seed(lmf.paper(given(dataset="iemocap_lmf_like", targets=targets)), "weighted_f1").loc[0]
    assert found[[own, "neutral: TFN"]].tolist() == pytest.approx([0.859, 0.654])
    assert len(found) == 12


def test_deviations_are_named_on_the_published_files_alone():
    def deviations(**changes):
        return lmf.comparable(given(**changes)).get("deviations", "another corpus")

    same = {"dataset": "mosi_lmf", "samples": 0, "epochs": 500, "patience": 20}
    assert deviations(**same) == []
    assert deviations(**same | {"epochs": 9}) == ["9 epochs instead of 500"]
    assert deviations() == "another corpus"
    trait = same | {"dataset": "pom_lmf", "targets": ["Vivid"]}
    assert deviations(**trait) == ["1 of 16 traits"]
    assert deviations(**trait | {"targets": ["all"]}) == []
    assert deviations(**same | {"dataset": "mosi_utterances"}) == "another corpus"


@pytest.mark.parametrize(
    ("glove", "vectors"), [("", "learned word vectors"), ("glove", "50-d GloVe"), ("minilm", "MiniLM's word vectors")]
)
def test_words_on_the_standard_folds_stand_beside_the_published_numbers_without_a_verdict(glove, vectors):
    p = given(dataset="mosi_words", samples=0, glove=glove, epochs=500, patience=20)
    ours = lmf.paper(p)  # of the right form
    source = Source(name="CMU-MOSI (words)", synthetic=False, files={}, licence="", split_rule="")
    found = published.compare_groups(
        lmf.paper(p), ours, lmf.beside_published(p), metric="mae", source=source, **lmf.comparable(p)
    )
    assert found["verdict"].str.startswith("fewer modalities: same utterances, labels and split; text and audio").all()
    assert found["verdict"].str.contains(f"{vectors} instead of 300-d GloVe").all()
    assert found["difference"].eq(0).all()
