"""The script of linear models, on files in RAVDESS' form: the sound tells the emotion there, the face does not."""

import numpy as np
import pandas as pd
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
    monkeypatch.setenv("REPRISE_DATA", str(whole / "data"))
    return whole / "data"


@pytest.fixture
def folds(root):
    return [data.load("ravdess", root, fold=fold) for fold in range(8)]


@pytest.fixture
def results(tmp_path, monkeypatch):
    path = tmp_path / "real_data_sanity.csv"
    monkeypatch.setattr(real_data_sanity, "RESULTS", path)
    return path


def asked_of(monkeypatch, *found):
    """The script has one corpus, of which it finds these rows."""
    monkeypatch.setattr(real_data_sanity, "CORPORA", {"a": lambda root: [row for rows in found for row in rows]})


@pytest.mark.parametrize("protocol", ["validated", "one strength", "21 actors"])
def test_what_tells_the_emotion_is_found_and_what_does_not_is_not(protocol, folds):
    def accuracy(*modalities):
        if protocol == "validated":
            return real_data_sanity.by_validation(folds, modalities)
        trained_on = real_data_sanity.OTHERS if protocol == "21 actors" else ("train",)
        return real_data_sanity.accuracy(folds, modalities, 0.1, trained_on)

    assert accuracy("audio") > 0.75
    assert accuracy("video") < 0.4
    assert accuracy("audio", "video") > accuracy("video")


def test_who_validates_trains_too_in_the_rows_with_a_figure(folds, monkeypatch):
    sizes, logistic = [], real_data_sanity.logistic

    def counted(vectors, labels, **options):
        sizes.append(len(vectors))
        np.testing.assert_allclose(vectors.mean(axis=0), 0, atol=1e-6)  # standardised over the actors trained on
        return logistic(vectors, labels, **options)

    monkeypatch.setattr(real_data_sanity, "logistic", counted)
    splits = folds[0].splits
    for trained_on in (("train",), real_data_sanity.OTHERS):
        right = real_data_sanity.told(folds[0], ("video",), 0.1, trained_on)("test")
        assert sizes.pop() == sum(len(splits[name]) for name in trained_on)
        assert len(right) == len(splits["test"])


def test_controls_know_no_emotion(folds):
    found = real_data_sanity.controls(folds)
    most, sentence = found[real_data_sanity.MOST_FREQUENT], found[real_data_sanity.SENTENCE]
    assert found[real_data_sanity.PERMUTED] < 0.3  # the sound itself tells more than 0.75
    assert 0 < most < 0.3 and 0 < sentence < 0.3
    said = real_data_sanity.sentences(folds[0])["test"]
    assert said[:, 0].tolist() == [key.split("-")[4] == "01" for key in folds[0].splits["test"].ids]


def test_without_opensmile_its_rows_have_no_number_and_say_why(root, monkeypatch):
    monkeypatch.setattr(real_data_sanity, "find_spec", lambda name: None)
    found = pd.DataFrame(real_data_sanity.ravdess(root)).set_index("corpus")
    lacking = found["found"].isna()
    sound = ("audio (egemaps)", "audio (egemaps) and video")
    actors = ("21 actors", "18 actors, one strength", "18 actors, validated")
    assert list(found.index[lacking]) == [f"ravdess, {seen}, {which}" for seen in sound for which in actors]
    assert set(found["about"][lacking]) == {"not measured: the extra `opensmile` is missing"}
    assert found["found"][~lacking].between(0, 1).all()
    told = found.index[found["expected"].notna()]
    controls = [name for name in found.index if "control" in name]
    assert list(told) == ["ravdess, video, 21 actors", *controls]  # of the others the inventory says nothing
    assert len(controls) == 3
    assert found.loc["ravdess, video, 21 actors", "within"] == False  # noqa: E712  the faces written here tell nothing


def test_the_table_is_kept_as_it_is_when_a_row_could_not_be_measured(results, monkeypatch, capsys):
    results.write_text("kept\n")
    there = real_data_sanity.rows("face", {"acc": 0.5}, {"acc": 0.51})
    asked_of(
        monkeypatch, there, real_data_sanity.rows("sound", {"acc": np.nan}, {"acc": None}, "not measured: no part")
    )
    assert real_data_sanity.main([]) == 0
    assert results.read_text() == "kept\n"
    shown = capsys.readouterr()
    assert shown.err == "real_data_sanity.csv stays as it is, not measured: sound\n"
    assert "face" in shown.out


@pytest.mark.parametrize(("found", "code"), [(0.53, 0), (0.52, 1), (0.59, 1)])
def test_a_number_that_is_too_far_off_fails_and_is_written_down(found, code, results, monkeypatch):
    asked_of(monkeypatch, real_data_sanity.rows("face", {"acc": found}, {"acc": 0.545}))
    assert real_data_sanity.main([]) == code
    assert pd.read_csv(results)["within"].tolist() == [not code]


def test_corpora_by_name_leave_the_table_alone(results, monkeypatch):
    asked_of(monkeypatch, real_data_sanity.rows("face", {"acc": 0.5}, {"acc": 0.5}))
    assert real_data_sanity.main(["a"]) == 0
    assert not results.exists()


def test_words_of_tfidf_are_those_of_training():
    texts = {"train": ["good film", "good film", "bad"], "valid": ["film new new"], "test": ["bad bad"]}
    vectors = real_data_sanity.tfidf(texts)
    assert [part.shape for part in vectors.values()] == [(3, 3), (1, 3), (1, 3)]  # good, film, good film
    assert vectors["test"].nnz == 0


def test_the_stored_table_is_within_its_figures_and_says_why_where_it_has_none():
    kept = pd.read_csv(real_data_sanity.RESULTS)
    told = kept["expected"].notna()
    assert kept["found"].notna().all()
    assert (
        kept["within"][told].all() and ((kept["found"] - kept["expected"]).abs()[told] <= kept["tolerance"][told]).all()
    )
    assert kept["about"][~told].notna().all()
    checked = set(kept["corpus"][told])
    assert {
        f"ravdess, {seen}, 21 actors" for seen in ("video", "audio (egemaps)", "audio (egemaps) and video")
    } < checked
