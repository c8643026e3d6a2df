"""The emotion corpora of the emotion-embedding release: their formats there and back, and what is refused."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from lib import data
from lib.data.arrays.emotion_arrays import IEMOCAP, MOSEI, NINE
from lib.data.arrays.emotion_rules import IEMOCAP_ALL_EMOTIONS
from lib.data.corpus import Corpus, Split
from lib.errors import InputError
from tests.data.samples import REAL, SIZES, assert_same_corpus, sequences

LIKE = {"mosei_emotions_like": MOSEI, "iemocap_emotions_like": IEMOCAP}


@pytest.mark.parametrize("name", LIKE)
def test_a_stand_in_survives_its_format_and_stays_marked(name, tmp_path):
    made = data.load(name, samples=40)
    LIKE[name].write(tmp_path, made)
    again = LIKE[name].read(tmp_path)
    assert again.source.synthetic
    assert again.source.label.endswith("SYNTHETIC stand-in")
    for split, part in made.splits.items():
        np.testing.assert_array_equal(again.splits[split].labels, part.labels)
        for modality, x in part.features.items():
            np.testing.assert_array_equal(again.splits[split].features[modality], x)
        np.testing.assert_array_equal(again.splits[split].lengths, part.lengths)


def test_minus_infinity_in_audio_becomes_zero_and_is_reported(tmp_path):
    MOSEI.write(tmp_path, data.load("mosei_emotions_like", samples=40))
    with h5py.File(tmp_path / "cmu-mosei" / "audio_test.h5", "r+") as file:
        file["d1"][0, -1, 0] = -np.inf
    corpus = MOSEI.read(tmp_path)
    assert corpus.splits["test"].features["audio"][0, -1, 0] == 0
    assert any("1 audio values of -inf set to 0" in warning for warning in corpus.source.warnings)


@pytest.mark.parametrize(("file", "value"), [("audio_test.h5", np.nan), ("video_train.h5", np.inf)])
def test_other_non_finite_numbers_are_refused(tmp_path, file, value):
    MOSEI.write(tmp_path, data.load("mosei_emotions_like", samples=40))
    with h5py.File(tmp_path / "cmu-mosei" / file, "r+") as opened:
        opened["d1"][0, -1, 0] = value
    with pytest.raises(InputError, match="holds NaN or infinity"):
        MOSEI.read(tmp_path)


def test_any_intensity_above_zero_is_present(tmp_path):
    MOSEI.write(tmp_path, data.load("mosei_emotions_like", samples=40))
    with h5py.File(tmp_path / "cmu-mosei" / "ey_test.h5", "r+") as file:
        file["d1"][0] = [0, 0.33, 0, 1, 3, 0]
    np.testing.assert_array_equal(MOSEI.read(tmp_path).splits["test"].labels[0], [0, 1, 0, 1, 1, 0])


def damaged_iemocap(tmp_path: Path, change) -> None:
    IEMOCAP.write(tmp_path, data.load("iemocap_emotions_like", samples=40))
    (path,) = IEMOCAP.files(tmp_path)
    tree = pickle.loads(path.read_bytes())
    change(tree)
    path.write_bytes(pickle.dumps(tree))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: tree.pop("valid"), "valid: no array of numbers 'text'"),
        (lambda tree: tree["test"].pop("vision"), "test: no array of numbers 'vision'"),
        (lambda tree: tree["test"].update(labels=np.zeros((10, 3, 2))), "expected (N, 4, 2)"),
        (lambda tree: tree["test"].update(audio=tree["test"]["audio"][:3]), "samples or steps differ"),
    ],
)
def test_a_damaged_pickle_is_one_clear_line(tmp_path, change, message):
    damaged_iemocap(tmp_path, change)
    with pytest.raises(InputError) as caught:
        IEMOCAP.read(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mosei_emotions", "iemocap_emotions", "iemocap_nine"])
def test_missing_files_name_the_way_to_them(name, tmp_path):
    with pytest.raises(InputError, match=rf"missing.*see \./run_all\.sh data get {name}"):
        data.load(name, tmp_path)


class Hostile:
    def __reduce__(self):
        return print, ("run",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path, capsys):
    (path,) = IEMOCAP.files(tmp_path)
    path.parent.mkdir()
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(InputError, match="which is not plain data"):
        IEMOCAP.read(tmp_path)
    assert capsys.readouterr().out == ""


def test_iemocap_cleans_minus_infinity_alone(tmp_path):
    def spoil(tree):
        tree["test"]["audio"][0, -1, :2] = -np.inf

    damaged_iemocap(tmp_path, spoil)
    corpus = IEMOCAP.read(tmp_path)
    assert not corpus.splits["test"].features["audio"][0, -1, :2].any()
    assert any("2 audio values of -inf set to 0" in warning for warning in corpus.source.warnings)
    damaged_iemocap(tmp_path, lambda tree: tree["test"]["text"].__setitem__((0, -1, 0), -np.inf))
    with pytest.raises(InputError, match="holds NaN or infinity"):
        IEMOCAP.read(tmp_path)


def test_a_damaged_hdf5_file_is_one_clear_line(tmp_path):
    MOSEI.write(tmp_path, data.load("mosei_emotions_like", samples=40))
    path = tmp_path / "cmu-mosei" / "ey_valid.h5"
    for name, values, message in (
        ("d2", np.zeros((6, 6)), "no dataset 'd1', only \\['d2'\\]"),
        ("d1", np.zeros((6, 5)), r"labels \(6, 5\), expected 6 intensities"),
        ("d1", np.full((6, 6), -0.33), "intensity of row 0, column 0, is -0.33, outside 0.0 to 3.0"),
        ("d1", np.zeros((7, 6)), "samples or steps differ"),
        ("d1", np.zeros(6), "expected an array of numbers with 2 axes"),
    ):
        with h5py.File(path, "w") as file:
            file[name] = values
        with pytest.raises(InputError, match=message):
            MOSEI.read(tmp_path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputError, match="not a complete HDF5 file"):
        MOSEI.read(tmp_path)


def nine_corpus() -> Corpus:
    """Every emotion once or more, and samples without any."""
    rng, widths, splits = np.random.default_rng(0), {"text": 4, "audio": 3, "video": 2}, {}
    for split, n in SIZES.items():
        features, lengths = sequences(widths, n, 5, rng)
        labels = np.eye(10, 9, dtype=np.float32)[rng.integers(10, size=n)]
        ids = tuple(f"nine_{split}_{row}" for row in range(n))
        splits[split] = Split(features, lengths, labels, ids)
    return Corpus("multilabel", IEMOCAP_ALL_EMOTIONS, widths, splits, REAL)


def rewrite(path: Path, array: np.ndarray) -> None:
    path.write_bytes(pickle.dumps(array, protocol=2))


def test_nine_emotions_there_and_back(tmp_path):
    made = nine_corpus()
    NINE.write(tmp_path, made)
    stored = pickle.loads((tmp_path / "iemocap" / "y_train.p").read_bytes())
    assert stored.shape == (SIZES["train"], 11)
    assert (stored.sum(axis=1) == 1).all()  # `other` where it is none of the nine
    assert pickle.loads((tmp_path / "iemocap" / "text_train.p").read_bytes()).shape == (SIZES["train"], 6, 4)
    assert_same_corpus(NINE.read(tmp_path), made)


@pytest.mark.parametrize(
    ("file", "array", "message"),
    [
        ("y_test.p", np.zeros((4, 9)), "expected 11 columns"),
        ("y_test.p", np.full((4, 11), 2.0), "zeros and ones"),
        ("y_test.p", np.zeros((3, 11)), "samples or steps differ"),
        ("covarep_test.p", np.zeros((4, 5, 3)), "samples or steps differ"),
        ("covarep_test.p", np.full((4, 6, 3), np.nan), "audio of row 0 holds NaN or infinity"),
        ("facet_test.p", [1, 2], "list, expected an array of numbers with 3 axes"),
    ],
)
def test_damaged_files_of_the_nine_are_refused(tmp_path, file, array, message):
    NINE.write(tmp_path, nine_corpus())
    rewrite(tmp_path / "iemocap" / file, array)
    with pytest.raises(InputError, match=message) as caught:
        NINE.read(tmp_path)
    assert "\n" not in str(caught.value)
