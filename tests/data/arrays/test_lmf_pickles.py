"""The released LMF pickles: both key types, label layouts, cleaning, stand-ins, damage."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from lib.data.arrays.lmf_pickles import IEMOCAP, MOSI, POM
from lib.data.corpus import SPLITS
from lib.errors import InputError

SIZES = {"train": 5, "valid": 2, "test": 3}


def section(columns: int, seed: int = 0) -> dict:
    """The splits of one task, by text keys."""
    rng = np.random.default_rng(seed)
    return {
        split: {
            "covarep": rng.normal(size=(n, 3)),
            "facet": rng.normal(size=(n, 2)),
            "glove": rng.normal(size=(n, 4, 6)),
            "label": _labels(columns, n, rng),
        }
        for split, n in SIZES.items()
    }


def _labels(columns: int, n: int, rng) -> np.ndarray:
    """MOSI's sentiment, IEMOCAP's absent and present, POM's traits."""
    if columns == 2:
        return np.eye(2)[rng.integers(2, size=n)]
    return rng.uniform(-3, 3, size=(n, 1)) if columns == 1 else rng.uniform(1, 7, size=(n, columns))


def in_bytes(node):
    return {key.encode(): in_bytes(value) for key, value in node.items()} if isinstance(node, dict) else node


def put(kind, root, tree, protocol: int = 2):
    (path,) = kind.files(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(tree, protocol=protocol))
    return path


@pytest.mark.parametrize("keys", [dict, in_bytes], ids=["str", "bytes"])
def test_mosi(tmp_path, keys):
    tree = section(1)
    tree["train"]["glove"][1, :3] = 0.0
    path = put(MOSI, tmp_path, keys(tree))
    corpus = MOSI.read(tmp_path)
    assert (corpus.task, corpus.label_names) == ("regression", ("Sentiment",))
    assert corpus.modalities == {"text": 6, "audio": 3, "video": 2}
    for split in SPLITS:
        part, stored = corpus.splits[split], tree[split]
        np.testing.assert_array_equal(part.features["text"], stored["glove"].astype(np.float32))
        np.testing.assert_array_equal(part.features["audio"][:, 0], stored["covarep"].astype(np.float32))
        np.testing.assert_array_equal(part.features["video"][:, 0], stored["facet"].astype(np.float32))
        np.testing.assert_array_equal(part.labels, stored["label"][:, 0])
    assert corpus.splits["train"].lengths.tolist() == [4, 1, 4, 4, 4]
    assert list(corpus.source.files) == [path.relative_to(tmp_path).as_posix()]
    assert not corpus.source.synthetic
    assert corpus.source.warnings == ()


@pytest.mark.parametrize("columns", [16, 17])
def test_pom_has_the_published_traits_in_either_layout(tmp_path, columns):
    tree = section(columns)
    put(POM, tmp_path, in_bytes(tree))
    corpus = POM.read(tmp_path)
    kept = [c for c in range(columns) if columns == 16 or c != 14]
    assert len(corpus.label_names) == 16
    assert corpus.label_names[-3:] == ("Nervous", "Persuasive", "Humorous")
    np.testing.assert_array_equal(corpus.splits["test"].labels, tree["test"]["label"][:, kept])
    one = POM.read(tmp_path, "Persuasive").splits["test"].labels
    np.testing.assert_array_equal(one, tree["test"]["label"][:, columns - 2])


def test_pom_sentiment_is_the_fifteenth_of_seventeen_columns(tmp_path):
    tree = section(17)
    put(POM, tmp_path, tree)
    np.testing.assert_array_equal(POM.read(tmp_path, "Sentiment").splits["valid"].labels, tree["valid"]["label"][:, 14])
    assert POM.read(tmp_path, "all").splits["valid"].labels.shape == (2, 17)
    put(POM, tmp_path, section(16))
    with pytest.raises(InputError, match="no label 'Sentiment'"):
        POM.read(tmp_path, "Sentiment")


@pytest.mark.parametrize("keys", [dict, in_bytes], ids=["str", "bytes"])
def test_iemocap_has_a_binary_task_per_emotion(tmp_path, keys):
    tree = {emotion: section(2, seed=0) for emotion in IEMOCAP.emotions}
    for number, emotion in enumerate(IEMOCAP.emotions):
        for split, n in SIZES.items():
            tree[emotion][split]["label"] = np.eye(2)[(np.arange(n) % (number + 1) == 0).astype(int)]
    tree["sad"]["test"]["glove"][0, 1:] = 0.0
    put(IEMOCAP, tmp_path, keys(tree))
    corpus = IEMOCAP.read(tmp_path, "sad")
    assert (corpus.task, corpus.label_names) == ("classes", ("absent", "present"))
    assert corpus.splits["train"].labels.tolist() == [1, 0, 1, 0, 1]
    assert corpus.splits["test"].lengths.tolist() == [1, 4, 4]
    assert "sad" in corpus.source.name
    assert IEMOCAP.read(tmp_path).splits["train"].labels.tolist() == [1, 1, 1, 1, 1]
    with pytest.raises(InputError, match="no 'joy', only"):
        IEMOCAP.read(tmp_path, "joy")


def test_nan_is_zeroed_and_counted(tmp_path):
    tree = section(1)
    tree["train"]["covarep"][0, :2] = np.nan
    tree["test"]["facet"][2, 1] = np.nan
    put(MOSI, tmp_path, tree)
    corpus = MOSI.read(tmp_path)
    assert corpus.splits["train"].features["audio"][0, 0].tolist()[:2] == [0.0, 0.0]
    assert corpus.source.warnings == (
        "2 NaN in train audio set to 0, as in the released loader",
        "1 NaN in test video set to 0, as in the released loader",
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [("covarep", np.inf), ("facet", -np.inf), ("glove", np.nan), ("covarep", 1e300)],
    ids=["audio inf", "video -inf", "text NaN", "beyond float32"],
)
def test_what_the_released_loader_leaves_is_refused_or_zeroed_by_name(tmp_path, key, value):
    tree = section(1)
    tree["valid"][key][1].flat[0] = value
    put(MOSI, tmp_path, tree)
    with pytest.raises(
        InputError, match=r"valid: \w+ of row 1 holds (NaN or infinity|1e\+300, too large).*; `nonfinite: zero`"
    ):
        MOSI.read(tmp_path)
    corpus = MOSI.read(tmp_path, nonfinite="zero")
    modality = {"covarep": "audio", "facet": "video", "glove": "text"}[key]
    assert corpus.splits["valid"].features[modality][1].flat[0] == 0.0
    assert corpus.source.warnings == (f"1 NaN or infinities in valid {modality} set to 0 (nonfinite: zero)",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("valid"), "valid: no 'valid', only 'train', 'test'"),
        (lambda t: t["test"].pop("facet"), "test: no 'facet', only"),
        (lambda t: t.update(train=[1]), "train: a list where a dictionary with 'glove' belongs"),
        (lambda t: t["train"].update(label=np.zeros((5, 2))), "train: 2 label columns, expected 1"),
        (lambda t: t["train"].update(label=np.zeros((4, 1))), "train: numbers of samples"),
        (
            lambda t: t["train"].update(glove=np.zeros((5, 6))),
            r"train: glove has shape \(5, 6\), expected 3 axes",
        ),
        (lambda t: t["valid"].update(facet="none"), "valid, facet: a str where an array of numbers belongs"),
        (lambda t: t["test"]["label"].fill(np.nan), "test: label of row 0 holds NaN or infinity"),
        (lambda t: t["test"].update(covarep=np.zeros((3, 4))), r"audio features have shape \(3, 1, 4\)"),
    ],
)
def test_a_wrong_file_is_one_clear_line(tmp_path, change, message):
    tree = section(1)
    change(tree)
    put(MOSI, tmp_path, tree)
    with pytest.raises(InputError, match=message):
        MOSI.read(tmp_path)


def test_missing_and_truncated_files(tmp_path):
    with pytest.raises(InputError, match=r"mosi\.pkl: missing"):
        MOSI.read(tmp_path)
    path = put(MOSI, tmp_path, section(1))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="not a complete, readable pickle"):
        MOSI.read(tmp_path)


@pytest.mark.parametrize("kind", [MOSI, POM], ids=["mosi", "pom"])
def test_write_then_read(tmp_path, kind):
    put(kind, tmp_path / "a", section(len(kind.layouts[-1])), protocol=4)
    corpus = kind.read(tmp_path / "a", "all")
    kind.write(tmp_path / "b", corpus)
    assert_same(kind.read(tmp_path / "b", "all"), corpus)
    with kind.files(tmp_path / "b")[0].open("rb") as handle:
        assert list(pickle.load(handle)) == [b"train", b"valid", b"test"]


def test_write_then_read_the_emotions(tmp_path):
    tree = {emotion: section(2, seed) for seed, emotion in enumerate(IEMOCAP.emotions)}
    put(IEMOCAP, tmp_path / "a", tree, protocol=4)
    corpora = {emotion: IEMOCAP.read(tmp_path / "a", emotion) for emotion in IEMOCAP.emotions}
    IEMOCAP.write(tmp_path / "b", corpora)
    for emotion, corpus in corpora.items():
        assert_same(IEMOCAP.read(tmp_path / "b", emotion), corpus)


def test_a_stand_in_stays_one(tmp_path):
    put(MOSI, tmp_path, section(1))
    corpus = MOSI.read(tmp_path)
    MOSI.write(tmp_path, replace(corpus, source=replace(corpus.source, synthetic=True)))
    assert MOSI.read(tmp_path).source.synthetic


def test_the_format_holds_no_audio_sequences(tmp_path):
    put(MOSI, tmp_path, section(1))
    corpus = MOSI.read(tmp_path)
    train = corpus.splits["train"]
    longer = replace(train, features=train.features | {"audio": np.zeros((5, 2, 3), np.float32)})
    with pytest.raises(InputError, match="audio has 2 steps"):
        MOSI.write(tmp_path, replace(corpus, splits={**corpus.splits, "train": longer}))


def assert_same(found, expected):
    assert (found.task, found.label_names, found.modalities) == (
        expected.task,
        expected.label_names,
        expected.modalities,
    )
    for split in SPLITS:
        a, b = found.splits[split], expected.splits[split]
        for modality in b.features:
            np.testing.assert_array_equal(a.features[modality], b.features[modality])
        np.testing.assert_array_equal(a.labels, b.labels)
        np.testing.assert_array_equal(a.lengths, b.lengths)
        assert a.ids == b.ids
