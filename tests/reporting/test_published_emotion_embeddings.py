"""The published numbers of EEA, LF-RNN and MulT as run tables."""

import pytest

from lib.reporting import published
from lib.reporting import published_emotion_embeddings as eea

MOSEI = ("anger", "disgust", "fear", "happy", "sad", "surprise")
IEMOCAP = ("neutral", "happy", "sad", "angry")


@pytest.mark.parametrize(
    ("family", "names", "accuracy"), [("mosei", MOSEI, "weighted_acc"), ("iemocap", IEMOCAP, "acc")]
)
def test_every_emotion_and_the_average_of_every_system(family, names, accuracy):
    table = eea.runs(published.load(), family, names, lambda kind: f"X: {kind}")
    expected = {f"{metric}{end}" for metric in (accuracy, "f1_positive") for end in ("", *(f"_{n}" for n in names))}
    for system in ("EEA", "LF-RNN", "MulT"):
        assert set(table.loc[table["variant"] == f"X: {system}", "metric"]) == expected
    assert table["value"].between(0.2, 0.9).all()
    assert set(table["status"]) == {"published"}


def test_numbers_as_printed():
    """Rows of that paper's table 4 (CMU-MOSEI) and table 3 (IEMOCAP)."""
    mosei = eea.runs(published.load(), "mosei", MOSEI, str).set_index(["variant", "metric"])["value"]
    assert mosei["EEA", "weighted_acc"] == pytest.approx(0.642)
    assert mosei["MulT", "weighted_acc_disgust"] == pytest.approx(0.716)
    assert mosei["LF-RNN", "f1_positive_surprise"] == pytest.approx(0.206)
    iemocap = eea.runs(published.load(), "iemocap", IEMOCAP, str).set_index(["variant", "metric"])["value"]
    assert iemocap["EEA", "acc_neutral"] == pytest.approx(0.736)
    assert ("EEA", "acc_excited") not in iemocap.index


def test_emotions_that_the_run_does_not_have_are_left_out():
    table = eea.runs(published.load(), "mosei", ("happy",), str)
    assert set(table["metric"]) == {"weighted_acc", "weighted_acc_happy", "f1_positive", "f1_positive_happy"}
