"""The script of linear models, on files in RAVDESS' form: the sound tells the emotion there, the face does not."""

import pytest

from benchmarks import real_data_sanity
from lib import data
from tests.data.ravdess.test_ravdess import write_ravdess


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("ravdess")
    write_ravdess(root / "data")
    return root


@pytest.fixture
def root(whole, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(whole / "cache"))
    return whole / "data"


@pytest.mark.parametrize("protocol", ["18 actors", "21 actors"])
def test_what_tells_the_emotion_is_found_and_what_does_not_is_not(protocol, root):
    folds = [data.load("ravdess", root, fold=fold) for fold in range(8)]

    def accuracy(*modalities):
        if protocol == "18 actors":
            return real_data_sanity.by_validation(folds, modalities)
        return real_data_sanity.by_group(folds[0], modalities)

    assert accuracy("audio") > 0.75
    assert accuracy("video") < 0.4
    assert accuracy("audio", "video") > accuracy("video")


def test_without_opensmile_its_rows_are_left_out_with_a_reason(root, monkeypatch, capsys):
    monkeypatch.setattr(real_data_sanity, "find_spec", lambda name: None)
    found = list(real_data_sanity.ravdess(root))
    assert "with eGeMAPS: left out, the extra `opensmile` is not installed" in capsys.readouterr().out
    assert [row["corpus"] for row in found] == [
        f"ravdess, {seen}, {actors} actors"
        for seen in ("audio (functionals)", "video", "audio (functionals) and video")
        for actors in (21, 18)
    ]
    told = [row["corpus"] for row in found if row["expected"] is not None]
    assert told == ["ravdess, video, 21 actors"]  # of the others the inventory says nothing
    assert all(0 <= row["found"] <= 1 for row in found)
