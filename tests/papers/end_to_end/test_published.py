"""The published numbers of the end-to-end paper as they are compared (spec end_to_end, section 9)."""

from pathlib import Path

import pytest

from lib.reporting import published
from lib.run_table import by_seed

PUBLISHED = Path(__file__).parents[3] / "lib/papers/end_to_end/published.csv"


def test_the_main_tables_and_not_the_ablation():
    scores = {corpus: published.runs(PUBLISHED, corpus) for corpus in ("iemocap", "mosei")}
    acc, f1 = (by_seed(scores["iemocap"], metric).loc[0] for metric in ("acc", "f1_positive"))
    assert acc.to_dict() == pytest.approx({"LF-LSTM": 0.718, "LF-TRANS": 0.788, "FE2E": 0.845, "MESM 0.7": 0.844})
    assert f1.to_dict() == pytest.approx({"LF-LSTM": 0.495, "LF-TRANS": 0.503, "FE2E": 0.588, "MESM 0.7": 0.574})
    acc, f1 = (by_seed(scores["mosei"], metric).loc[0] for metric in ("weighted_acc", "f1_positive"))
    assert acc.to_dict() == pytest.approx({"LF-LSTM": 0.631, "LF-TRANS": 0.641, "FE2E": 0.676, "MESM 0.5": 0.668})
    assert f1["MESM 0.5"] == pytest.approx(0.468)


@pytest.mark.parametrize(
    ("corpus", "metric", "names"),
    [
        ("iemocap", "acc", {"ang", "exc", "fru", "hap", "neu", "sad"}),
        ("mosei", "f1_positive", {"anger", "disgust", "fear", "happy", "sad", "surprise"}),
    ],
)
def test_emotions_have_the_names_of_the_corpus(corpus, metric, names):
    metrics = published.runs(PUBLISHED, corpus)["metric"].unique()
    assert {name.removeprefix(f"{metric}_") for name in metrics if name.startswith(f"{metric}_")} == names


def test_printed_operations_grow_with_the_threshold():
    found = published.runs(PUBLISHED, "not named").set_index("threshold")["value"]
    assert (found / found[1.0]).loc[[0.1, 0.5, 0.7]].round(3).to_list() == [0.339, 0.502, 0.599]
    assert found.is_monotonic_increasing and len(found) == 10
