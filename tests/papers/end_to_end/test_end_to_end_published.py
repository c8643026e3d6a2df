"""The published numbers of the end-to-end paper as they are compared."""

import pytest

from lib.papers.end_to_end import tables
from lib.run_table import by_seed


def test_the_main_tables_and_not_the_ablation_are_read():
    """Spec end_to_end, section 9."""
    scores = {kind: tables.paper(kind) for kind in ("iemocap", "mosei")}
    acc, f1 = (by_seed(scores["iemocap"], metric).loc[0] for metric in ("acc", "f1_positive"))
    assert acc.to_dict() == pytest.approx({"LF-LSTM": 0.718, "LF-TRANS": 0.788, "FE2E": 0.845, "MESM 0.7": 0.844})
    assert f1.to_dict() == pytest.approx({"LF-LSTM": 0.495, "LF-TRANS": 0.503, "FE2E": 0.588, "MESM 0.7": 0.574})
    acc, f1 = (by_seed(scores["mosei"], metric).loc[0] for metric in ("weighted_acc", "f1_positive"))
    assert acc.to_dict() == pytest.approx({"LF-LSTM": 0.631, "LF-TRANS": 0.641, "FE2E": 0.676, "MESM 0.5": 0.668})
    assert f1["MESM 0.5"] == pytest.approx(0.468)


def test_emotions_have_the_names_of_the_corpus():
    table = tables.paper("iemocap")
    names = {metric.removeprefix("acc_") for metric in table["metric"] if metric.startswith("acc_")}
    assert names == {"ang", "exc", "fru", "hap", "neu", "sad"}
    mosei = tables.paper("mosei")
    names = {metric.removeprefix("f1_positive_") for metric in mosei["metric"] if metric.startswith("f1_positive_")}
    assert names == {"anger", "disgust", "fear", "happy", "sad", "surprise"}


def test_operations_are_shares_of_the_dense_models():
    found = tables.operations().set_index("threshold")["paper_ratio"]
    assert found[1.0] == 1
    assert found.loc[[0.1, 0.5, 0.7]].round(3).to_list() == [0.339, 0.502, 0.599]
    assert found.is_monotonic_increasing
