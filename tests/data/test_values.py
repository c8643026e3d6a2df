"""One rule for labels, and one option for features that are no finite number, in every reader."""

import pickle

import h5py
import numpy as np
import pytest

from lib import data
from lib.data.arrays import lmf_pickles, mfn_h5
from lib.data.corpora import CORPORA
from lib.data.corpus import Corpus
from lib.data.dialogues import spcl_pickles
from lib.data.io import label_rules
from lib.errors import InputError
from tests.data.readers import READERS

JUST_ABOVE = np.nextafter(np.float32(3), np.float32(4))


def test_rounding_of_float32_is_no_fault_and_goes():
    labels = np.array([JUST_ABOVE, 3.0000005, -3.0000005, 3.0, 1.23456789])
    np.testing.assert_array_equal(label_rules.scaled(labels, (-3, 3), "x"), [3, 3, -3, 3, 1.23456789])
    assert label_rules.scaled(labels.astype(np.float32), (-3, 3), "x").max() == 3.0
    means = np.array([np.full(16, 3 / 16, np.float32).sum(), np.float32(48) / np.float32(16)])
    assert label_rules.scaled(means, (-3, 3), "x").max() <= 3
    assert np.signbit(label_rules.scaled(np.array([-0.0]), (-3, 3), "x"))[0]


@pytest.mark.parametrize("value", [3.00001, 5.0, -3.2, 1e30])
def test_what_is_more_than_rounding_is_named(value):
    with pytest.raises(InputError, match=rf"x: label of row 1 is {value:.9g}, outside -3 to 3".replace("+", r"\+")):
        label_rules.scaled(np.array([0.0, value]), (-3, 3), "x")


LABELS = {
    "mosi": ("mfn/data/y_test.h5", "label"),
    "mmmo": ("mfn/new_data/mmmo/y_train.h5", "label"),
    "pom": ("mfn/new_data/pom/y_valid.h5", "label"),
    "mosi_utterances": ("mfn/data/y_valid.h5", "label"),
    "mosei_emotions": ("cmu-mosei/ey_train.h5", "intensity"),
    "mosi_lmf": ("lmf/mosi.pkl", "label"),
    "pom_lmf": ("lmf/pom.pkl", "label"),
    "iemocap_lmf": ("lmf/iemocap.pkl", "label"),
    "iemocap_emotions": ("iemocap/iemocap_data.pkl", "label"),
}
"""Readers of real-valued labels, and of pairs of absent and present."""


def put_label(path, value: float) -> None:
    """In row 1 of the file's labels; of a pickle, of its first split."""
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            dataset = next(iter(file.values()))
            dataset[(1,) + (0,) * (dataset.ndim - 1)] = value
        return
    tree = pickle.loads(path.read_bytes())
    part = tree
    while not isinstance(part, dict) or not {"label", "labels"} & set(part):
        part = next(iter(part.values()))
    labels = part["label" if "label" in part else "labels"]
    labels[(1,) + (0,) * (labels.ndim - 1)] = value
    path.write_bytes(pickle.dumps(tree))


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("value", [8.0, -4.0, np.nan, np.inf])
def test_every_reader_refuses_a_label_off_its_scale_by_row_and_value(name, value, tmp_path):
    READERS[name].make(tmp_path)
    file, what = LABELS[name]
    put_label(tmp_path / file, value)
    with pytest.raises(InputError) as caught:
        READERS[name].read(tmp_path)
    assert str(tmp_path / file) in str(caught.value)
    said = f"is {value:g}, outside" if np.isfinite(value) else "holds NaN or infinity"
    assert f"{what} of row 1" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(("name", "top"), [("mosi", 3), ("mmmo", 5), ("pom", 7), ("mosi_lmf", 3), ("pom_lmf", 7)])
def test_every_reader_takes_rounding_and_puts_it_on_the_scale(name, top, tmp_path):
    READERS[name].make(tmp_path)
    put_label(tmp_path / LABELS[name][0], float(np.nextafter(np.float32(top), np.float32(9))))
    labels = np.concatenate([s.labels.ravel() for s in data.load(name, tmp_path, label="all").splits.values()])
    assert labels.max() == top


def test_a_pair_that_says_neither_is_refused(tmp_path):
    READERS["iemocap_lmf"].make(tmp_path)
    (path,) = lmf_pickles.IEMOCAP.files(tmp_path)
    tree = pickle.loads(path.read_bytes())
    tree["happy"]["valid"]["label"][1] = [0, 0]
    path.write_bytes(pickle.dumps(tree))
    with pytest.raises(InputError, match=r"valid: label of row 1 is \[0\.0, 0\.0\]: neither absent nor present"):
        data.load("iemocap_lmf", tmp_path)


FEATURES = {
    "mosi": "mfn/data/X_train.h5",
    "mmmo": "mfn/new_data/mmmo/audio_valid.h5",
    "pom": "mfn/new_data/pom/video_test.h5",
    "iemocap, stacked": "iemocap/X_val.npy",
    "iemocap": "iemocap/non_combined/audio_feat_10036.npy",
    "mosi_utterances": "mosi_utterance/audio/audio_train0.csv",
    "mosi_words": "mosi_utterance/audio/audio_train0.csv",
    "mosi_conversations": "mosi_utterance/text_test.csv",
    "mosi_lmf": "lmf/mosi.pkl",
    "iemocap_lmf": "lmf/iemocap.pkl",
    "mosei_emotions": "cmu-mosei/audio_test.h5",
    "iemocap_emotions": "iemocap/iemocap_data.pkl",
    "iemocap_nine": "iemocap/covarep_train.p",
    "ravdess": "ravdess/openface_au/au_mfcc.pkl",
    "ravdess_dialogues": "ravdess/openface_au/au_mfcc.pkl",
    "iemocap_conversations": "spcl/iemocap/iemocap.pkl",
    "meld_conversations": "spcl/meld/meld.pkl",
    "iemocap_conversations_mmgcn": "mmgcn/iemocap/IEMOCAP_features.pkl",
    "meld_conversations_mmgcn": "mmgcn/meld/MELD_features_raw1.pkl",
}
"""A file of features of every reader."""


def spoil(node: object, value: float) -> object:
    """The first table of features found in the tree, in float64, with this value in it."""
    done = [False]

    def walk(node: object, key: object = "") -> object:
        if isinstance(node, dict):
            return {k: walk(v, k if isinstance(k, str) and k.islower() else key) for k, v in node.items()}
        if isinstance(node, tuple):
            return tuple(walk(item) for item in node)
        rows = isinstance(node, list) and node and isinstance(node[0], np.ndarray)
        if not done[0] and key not in ("label", "labels") and (isinstance(node, np.ndarray) or rows):
            done[0] = True
            array = np.array(node, np.float64)
            array[(0,) * array.ndim] = value
            return list(array) if rows else array
        return node

    return walk(node)


def put_feature(path, value: float) -> None:
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            dataset = next(iter(file.values()))
            dataset[(0,) * dataset.ndim] = value
    elif path.suffix == ".csv":
        first, *rest = path.read_text().splitlines()
        cells = first.split(",")
        path.write_text("\n".join([",".join([cells[0], f'"{value}"', *cells[2:]]), *rest]))
    elif path.suffix == ".npy":
        array = np.load(path, allow_pickle=True)
        if array.shape:
            array = array.astype(np.float64)
            array[(0,) * array.ndim] = value
        np.save(path, array if array.shape else np.array(spoil(array.item(), value), object), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(spoil(pickle.loads(path.read_bytes()), value)))


@pytest.mark.parametrize("name", FEATURES)
@pytest.mark.parametrize("value", [np.inf, 1e300])
def test_one_option_for_every_reader_and_the_message_names_it(name, value, tmp_path):
    READERS[name].make(tmp_path)
    corpus = name.partition(",")[0]
    before = data.load(corpus, tmp_path, nonfinite="zero")
    put_feature(tmp_path / FEATURES[name], value)
    with pytest.raises(InputError) as caught:
        data.load(corpus, tmp_path)
    line = str(caught.value)
    assert ("NaN or infinity (inf)" if np.isinf(value) else "1e+300, too large for float32") in line
    assert str(tmp_path / FEATURES[name]) in line
    assert line.endswith("`nonfinite: zero` sets such numbers to 0")
    for _ in range(2):  # read, and from the cache
        after = data.load(corpus, tmp_path, nonfinite="zero")
        assert isinstance(after, Corpus)
        told = set(after.source.warnings) - set(before.source.warnings)
        assert any("1 NaN or infinities in" in note and "set to 0" in note for note in told)
    with pytest.raises(InputError, match=r"too large|NaN or infinity"):
        data.load(corpus, tmp_path)


@pytest.mark.parametrize("name", sorted({name.partition(",")[0] for name in FEATURES}))
def test_the_option_changes_nothing_where_all_is_finite(name, tmp_path):
    READERS[name].make(tmp_path)
    error, zero = data.load(name, tmp_path), data.load(name, tmp_path, nonfinite="zero")
    assert error.source.warnings == zero.source.warnings
    for split, part in error.splits.items():
        for modality, array in part.features.items():
            np.testing.assert_array_equal(array, zero.splits[split].features[modality], strict=True)


def test_an_unknown_value_of_the_option_is_refused(tmp_path):
    READERS["mmmo"].make(tmp_path)
    with pytest.raises(InputError, match="unknown value 'mean' of nonfinite; known: error, zero"):
        mfn_h5.MMMO.read(tmp_path, nonfinite="mean")


def test_a_label_that_is_no_class_is_named_by_dialogue_and_utterance(tmp_path):
    READERS["iemocap_conversations"].make(tmp_path)
    (path,) = spcl_pickles.IEMOCAP.files(tmp_path)
    tree = pickle.loads(path.read_bytes())
    key = tree["trainVid"][0]
    tree["label"][key] = [float(label) for label in tree["label"][key]]
    path.write_bytes(pickle.dumps(tree))
    data.load("iemocap_conversations", tmp_path)  # whole numbers, stored as floats
    tree["label"][key][-1] = 6
    path.write_bytes(pickle.dumps(tree))
    with pytest.raises(InputError, match=rf"dialogue {key}: label 6\.0 in utterance \d+, expected 0 to 5"):
        data.load("iemocap_conversations", tmp_path)


@pytest.mark.parametrize(
    "name", [name for name, corpus in CORPORA.items() if corpus.stands_for and corpus.form != "recordings"]
)
@pytest.mark.parametrize("samples", [1, 2, 3, 4, 5])
def test_a_stand_in_that_is_too_small_says_what_to_raise(name, samples):
    try:
        corpus = data.load(name, samples=samples)
    except InputError as error:
        assert "raise `samples`" in str(error)
    else:
        assert all(len(split) for split in corpus.splits.values())
