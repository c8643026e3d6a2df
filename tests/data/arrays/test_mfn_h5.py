import h5py
import numpy as np
import pytest

from lib import data
from lib.data.arrays.mfn_h5 import MMMO, MOSI, POM, POM_TRAITS
from lib.data.corpus import SPLITS
from lib.errors import InputError
from tests.data.samples import REAL, STAND_IN, assert_same_corpus, mfn_corpus

CASES = [
    (MOSI, ("text", "audio", "video")),
    (MMMO, ("audio", "video")),
    (MMMO, ("text", "audio", "video")),
    (POM, ("audio", "video")),
]


@pytest.mark.parametrize(("layout", "modalities"), CASES)
def test_what_is_written_is_read_back(layout, modalities, tmp_path):
    corpus = mfn_corpus(layout, modalities)
    layout.write(tmp_path, corpus)
    found = layout.read(tmp_path, label="all")
    assert_same_corpus(found, corpus)
    assert list(found.source.files) == [path.relative_to(tmp_path).as_posix() for path in layout.files(tmp_path)]
    assert found.source.label.endswith("real data")


def test_files_are_as_published(tmp_path):
    MOSI.write(tmp_path, mfn_corpus(MOSI, ("text", "audio", "video")))
    POM.write(tmp_path, mfn_corpus(POM, ("audio", "video")))
    shapes = {}
    for path in tmp_path.rglob("*.h5"):
        with h5py.File(path) as file:
            (key,) = file
            shapes[path.relative_to(tmp_path).as_posix()] = (key, file[key].shape, file[key].dtype.str)
    assert shapes["mfn/data/X_train.h5"] == ("data", (7, 5, 325), "<f8")
    assert shapes["mfn/data/y_test.h5"] == ("data", (4,), "<f8")
    assert shapes["mfn/new_data/pom/audio_valid.h5"] == ("d1", (3, 5, 43), "<f8")
    assert shapes["mfn/new_data/pom/y_valid.h5"] == ("d1", (3, 17), "<f8")
    assert len(shapes) == 6 + 9


def test_columns_of_mosi_are_text_audio_video(tmp_path):
    corpus = mfn_corpus(MOSI, ("text", "audio", "video"))
    MOSI.write(tmp_path, corpus)
    with h5py.File(tmp_path / "mfn/data/X_test.h5") as file:
        row = file["data"][2, 4]
    for modality, columns in {"text": slice(300), "audio": slice(300, 305), "video": slice(305, 325)}.items():
        np.testing.assert_array_equal(row[columns], corpus.splits["test"].features[modality][2, 4])


def test_many_rows_are_written_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("lib.data.arrays.named_arrays._ROWS_PER_WRITE", 3)
    corpus = mfn_corpus(MOSI, ("text", "audio", "video"))
    MOSI.write(tmp_path, corpus)
    assert_same_corpus(MOSI.read(tmp_path), corpus)


def test_lengths_count_from_the_first_step_of_any_modality(tmp_path):
    corpus = mfn_corpus(MMMO, ("audio", "video"))
    train = corpus.splits["train"]
    train.features["audio"][:2] = 0
    train.features["video"][0] = 0
    train.features["audio"][1, 2] = 1
    train.features["video"][1, :4] = 0
    train.features["audio"][2, -1] = 0  # a zero step inside is not padding
    MMMO.write(tmp_path, corpus)
    found = MMMO.read(tmp_path).splits["train"].lengths
    assert found.tolist() == [0, 3, *train.lengths[2:]]


def test_pom_labels_by_trait(tmp_path):
    corpus = mfn_corpus(POM, ("audio", "video"))
    POM.write(tmp_path, corpus)
    for label in (None, "Sentiment"):
        found = POM.read(tmp_path, label=label)
        assert found.label_names == ("Sentiment",)
        np.testing.assert_array_equal(found.splits["test"].labels, corpus.splits["test"].labels[:, 14])
    assert POM.read(tmp_path, label="Humorous").splits["test"].labels[0] == corpus.splits["test"].labels[0, 16]
    with pytest.raises(InputError, match="no label 'Mood'; known: all, Confident"):
        POM.read(tmp_path, label="Mood")


def test_absences_are_said(tmp_path):
    corpus = mfn_corpus(POM, ("audio", "video"))
    corpus.splits["train"].features["video"][:3] = 0
    POM.write(tmp_path, corpus)
    warnings = POM.read(tmp_path).source.warnings
    assert "no text: not all of its files are there" in warnings
    assert "video is all zero in 3 of 7 train, 0 of 3 valid, 0 of 4 test samples" in warnings


def test_text_counts_only_if_complete(tmp_path):
    MMMO.write(tmp_path, mfn_corpus(MMMO, ("text", "audio", "video")))
    (tmp_path / "mfn/new_data/mmmo/text_train_emb.h5").unlink()
    found = MMMO.read(tmp_path)
    assert list(found.modalities) == ["audio", "video"]
    assert not any("text" in name for name in found.source.files)


def test_a_stand_in_stays_one(tmp_path):
    MOSI.write(tmp_path, mfn_corpus(MOSI, ("text", "audio", "video"), STAND_IN))
    source = MOSI.read(tmp_path).source
    assert source.label == "sample-like, SYNTHETIC stand-in"
    assert (source.ceilings, source.warnings) == (STAND_IN.ceilings, STAND_IN.warnings)
    assert len(source.files) == 6
    MOSI.write(tmp_path, mfn_corpus(MOSI, ("text", "audio", "video"), REAL))
    assert not MOSI.read(tmp_path).source.synthetic


def test_a_stand_in_that_was_half_written_or_half_replaced_is_marked(tmp_path):
    note = tmp_path / "mfn/data/stand_in.json"
    for source in (STAND_IN, REAL):
        corpus = mfn_corpus(MOSI, ("text", "audio", "video"), source)
        corpus.splits["test"].features["video"] = corpus.splits["test"].features["video"][:, :-1]
        with pytest.raises(ValueError, match="dimension"):
            MOSI.write(tmp_path, corpus)
        assert note.exists()


def rewrite(path, change, key=None):
    """Apply `change` to the array in an h5 file."""
    with h5py.File(path) as file:
        (old,) = file
        values = file[old][()]
    values = change(values)
    with h5py.File(path, "w") as file:
        file[key or old] = values


def put(value, *index):
    def change(array):
        array[index] = value
        return array

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("X_train.h5", lambda x: x[..., :-1], r"X_train\.h5: shape \(7, 5, 324\), expected \(N, T, 325\)"),
        ("X_valid.h5", lambda x: x[:, 0], r"X_valid\.h5: shape \(3, 325\)"),
        ("X_test.h5", lambda x: x[:-1], r"X_test\.h5: 3 samples, but y_test\.h5 has 4"),
        ("X_train.h5", put(np.nan, 5, 2, 11), r"X_train\.h5: text of row 5 holds NaN or infinity"),
        ("X_train.h5", put(-np.inf, 6, 0, 324), r"X_train\.h5: video of row 6 holds NaN or infinity \(-inf\)"),
        ("X_train.h5", put(1e39, 6, 0, 324), r"video of row 6 holds 1e\+39, too large for float32"),
        ("X_train.h5", lambda x: x.astype("S8"), r"X_train\.h5: dataset 'data' is \|S8"),
        ("y_test.h5", put(np.nan, 1), r"y_test\.h5: label of row 1 holds NaN or infinity"),
        ("y_test.h5", put(3.2, 2), r"y_test\.h5: label of row 2 is 3\.2, outside -3\.0 to 3\.0"),
        ("y_test.h5", lambda y: y[:, None], r"y_test\.h5: labels \(4, 1\), expected \(4,\)"),
        ("y_test.h5", lambda y: y[0], r"y_test\.h5: dataset 'data' is float64 \(\)"),
    ],
)
def test_bad_content_is_named(name, change, message, tmp_path):
    MOSI.write(tmp_path, mfn_corpus(MOSI, ("text", "audio", "video")))
    rewrite(tmp_path / "mfn/data" / name, change)
    with pytest.raises(InputError, match=message):
        MOSI.read(tmp_path)


def test_modalities_of_different_length(tmp_path):
    MMMO.write(tmp_path, mfn_corpus(MMMO, ("audio", "video")))
    rewrite(tmp_path / "mfn/new_data/mmmo/video_test.h5", lambda x: x[:, 1:])
    with pytest.raises(InputError, match=r"\*_test\.h5: the modalities differ in time steps: .*'audio': 5, 'video': 4"):
        MMMO.read(tmp_path)


def test_damaged_or_missing_files(tmp_path):
    MOSI.write(tmp_path, mfn_corpus(MOSI, ("text", "audio", "video")))
    path = tmp_path / "mfn/data/X_train.h5"
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:100], b"", b"not HDF5 at all"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"X_train\.h5: not a complete HDF5 file"):
            MOSI.read(tmp_path)
    path.write_bytes(whole)
    rewrite(path, lambda x: x, key="d1")
    with pytest.raises(InputError, match=r"X_train\.h5: no dataset 'data', only \['d1'\]"):
        MOSI.read(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=r"X_train\.h5: missing; see \./run_all\.sh data get mosi$"):
        MOSI.read(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    corpus = mfn_corpus(MOSI, ("text", "audio", "video"))
    MOSI.write(tmp_path, corpus)
    whole = (tmp_path / "mfn/data/X_train.h5").read_bytes()
    corpus.splits["train"].features["video"] = corpus.splits["train"].features["video"][:, :-1]
    with pytest.raises(ValueError, match="dimension"):
        MOSI.write(tmp_path, corpus)
    assert (tmp_path / "mfn/data/X_train.h5").read_bytes() == whole
    assert not list(tmp_path.rglob("*.part"))


def test_pom_wants_all_traits_to_write(tmp_path):
    POM.write(tmp_path, mfn_corpus(POM, ("audio", "video")))
    with pytest.raises(InputError, match=r"labels \(7,\), expected \(7, 17\)"):
        POM.write(tmp_path, POM.read(tmp_path))


@pytest.mark.parametrize(
    ("name", "sizes", "widths"),
    [("mmmo", (220, 40, 80), {"audio": 74, "video": 36}), ("pom", (600, 100, 203), {"audio": 43, "video": 41})],
)
def test_the_real_files(name, sizes, widths, real_root):
    corpus = data.load(name, real_root)
    assert tuple(len(corpus.splits[split]) for split in SPLITS) == sizes
    for modality, width in widths.items():
        assert corpus.splits["train"].features[modality].shape == (sizes[0], 20, width)
    assert not corpus.source.synthetic


def test_the_real_labels(real_root):
    labels = np.concatenate([part.labels for part in data.load("mmmo", real_root).splits.values()])
    assert (labels.min(), labels.max()) == (1, 5)
    np.testing.assert_array_equal(labels * 2, np.round(labels * 2))
    traits = np.concatenate([part.labels for part in data.load("pom", real_root, label="all").splits.values()])
    capped = [POM_TRAITS[column] for column in np.flatnonzero(traits.max(axis=0) <= 5)]
    assert capped == ["Reserved", "Trusting", "Relaxed", "Outgoing", "Thorough", "Nervous"]
