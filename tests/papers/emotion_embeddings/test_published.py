"""The published numbers of EEA, LF-RNN and MulT, of a later paper of the same group."""

from pathlib import Path

import pytest

from lib.reporting import published

PUBLISHED = Path(__file__).parents[3] / "lib/papers/emotion_embeddings/published.csv"
MOSEI = ("anger", "disgust", "fear", "happy", "sad", "surprise")
IEMOCAP = ("neutral", "happy", "sad", "angry", "excited", "frustrated")


@pytest.mark.parametrize(
    ("corpus", "names", "accuracy"), [("mosei", MOSEI, "weighted_acc"), ("iemocap", IEMOCAP, "acc")]
)
def test_every_emotion_and_the_average_of_every_system(corpus, names, accuracy):
    table = published.runs(PUBLISHED, corpus)
    expected = {f"{metric}{end}" for metric in (accuracy, "f1_positive") for end in ("", *(f"_{n}" for n in names))}
    for system in ("EEA", "LF-RNN", "MulT"):
        assert set(table.loc[table["variant"] == system, "metric"]) == expected
    assert table["value"].between(0.2, 0.9).all()
    assert set(table["status"]) == {"published"}


def test_numbers_as_printed():
    """Rows of that paper's table 4 (CMU-MOSEI) and table 3 (IEMOCAP)."""
    mosei, iemocap = (
        published.runs(PUBLISHED, corpus).set_index(["variant", "metric"])["value"] for corpus in ("mosei", "iemocap")
    )
    assert mosei["EEA", "weighted_acc"] == pytest.approx(0.642)
    assert mosei["MulT", "weighted_acc_disgust"] == pytest.approx(0.716)
    assert mosei["LF-RNN", "f1_positive_surprise"] == pytest.approx(0.206)
    assert iemocap["EEA", "acc_neutral"] == pytest.approx(0.736)
