"""What people bring, recognised, checked, told, and stored as a corpus folder."""

import h5py
import numpy as np
import pytest

from lib.data.own import corpus_folder, importing
from lib.errors import InputError
from tests.data.hostile_pickles import attacks
from tests.data.own.brought import SPLITS, features, mmsa, mult, write_folder, write_pickle, write_sequences


def bring(path, tmp_path, **options):
    """The corpus that `data import` stores, and what it says."""
    said = []
    importing.bring(path, "mine", tmp_path / "data", say=said.append, **options)
    return corpus_folder.read(tmp_path / "data", name="mine"), said


def test_an_aligned_pickle_of_mmsa(tmp_path):
    corpus, said = bring(write_pickle(tmp_path / "aligned_50.pkl", mmsa()), tmp_path, licence="mine")
    assert (corpus.task, corpus.scale.limits, corpus.scale.neutral) == ("regression", (-3.0, 3.0), 0.0)
    train = corpus.splits["train"]
    np.testing.assert_array_equal(train.features["video"], features("train")["video"])
    np.testing.assert_array_equal(train.lengths, 1 + np.arange(12) % 6)
    assert train.ids[:3] == ("trainv0$_$0", "trainv0$_$1", "trainv1$_$2")
    assert corpus.source.cluster == "video"
    assert corpus.source.split_rule == "that of the MMSA pickle"
    assert "train: 12 samples of 6 videos; labels from -2.5 to 3, mean 0.25" in said
    classes, _ = bring(tmp_path / "aligned_50.pkl", tmp_path, task="classes")
    assert classes.label_names == ("negative", "positive")
    np.testing.assert_array_equal(classes.splits["train"].labels, [0] * 5 + [1] * 7)


def test_an_unaligned_pickle_is_brought_to_the_steps_of_the_text(tmp_path):
    tree = mmsa(aligned=False)
    corpus, said = bring(write_pickle(tmp_path / "unaligned.pkl", tree), tmp_path)
    assert any("as many equal parts as the text has steps" in line for line in said)
    test = corpus.splits["test"]
    assert {m: x.shape for m, x in test.features.items()} == {"text": (6, 6, 4), "audio": (6, 6, 3), "video": (6, 6, 2)}
    np.testing.assert_array_equal(test.lengths, [1, 2, 3, 4, 5, 6])
    frames = tree["test"]["vision"][3]  # four words, twelve frames
    np.testing.assert_allclose(test.features["video"][3, 1], frames[3:6].mean(axis=0), rtol=1e-6)
    assert not test.features["video"][3, 4:].any()


def test_a_pickle_of_mult(tmp_path):
    corpus, said = bring(write_pickle(tmp_path / "mosi_data.pkl", mult()), tmp_path)
    assert "- train audio: 2 times -inf set to 0, as the loaders of MMSA and MulT do" in said
    assert corpus.task == "regression"
    assert corpus.splits["test"].ids[0] == "testv0 0.1 0"
    assert not corpus.splits["train"].features["audio"][3, -1, :2].any()
    emotions, _ = bring(write_pickle(tmp_path / "iemocap_data.pkl", mult(emotions=True)), tmp_path)
    assert emotions.task == "multilabel"
    assert emotions.label_names == ("neutral", "happy", "sad", "angry")
    np.testing.assert_array_equal(emotions.splits["train"].labels[:2], [[0, 1, 0, 1], [1, 0, 1, 0]])


def test_computational_sequences_are_aligned_to_words(tmp_path):
    folder = write_sequences(tmp_path / "csd")
    corpus, _ = bring(folder, tmp_path)
    assert {name: len(split) for name, split in corpus.splits.items()} == {"train": 6, "valid": 2, "test": 4}
    test = corpus.splits["test"]
    assert test.ids == ("v4[0]", "v4[1]", "v5[0]", "v5[1]")
    with h5py.File(folder / "COVAREP.csd") as file:
        frames = file["COVAREP/data/v4/features"][()]
    np.testing.assert_allclose(test.features["audio"][1, -1], frames[50:60].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(test.features["audio"][0, -3], frames[:10].mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(test.lengths, [3, 3, 3, 3])


def test_what_a_careful_colleague_says(tmp_path):
    tree = mmsa()
    for part in tree.values():
        part["vision"][:, :, 1] = 0
    tree["test"]["id"][0] = "trainv0$_$0"
    for key in ("text", "audio", "vision"):
        tree["test"][key][5] = tree["train"][key][5]
    tree["valid"]["audio"][4, -1, 0] = np.nan
    tree["valid"]["text"][2] = 0
    path = write_pickle(tmp_path / "aligned_50.pkl", tree)
    said = []
    importing.bring(path, "mine", tmp_path / "data", say=said.append)
    for line in (
        "! valid audio: 1 NaN in 1 samples; refused unless a run sets `nonfinite: zero`",
        "! valid text: 1 of 5 samples are zero throughout",
        "! train video: 1 of 2 columns never change",
        "! 1 ids stand in train and in test, as trainv0$_$0: what is learned of the one tells the other",
        "! 1 videos stand in train and in test, as trainv0: what is learned of the one tells the other",
        "! 1 samples in test are copies of samples in train, as trainv2$_$5 and testv2$_$5: "
        "what is learned of the one tells the other",
    ):
        assert line in said


def test_a_sound_corpus_has_nothing_that_needs_attention(tmp_path):
    _, said = bring(write_folder(tmp_path / "brought"), tmp_path)
    assert "test: 6 samples of 3 speakers; bad 3 (50%), good 3 (50%)" in said
    assert not [line for line in said if line.startswith("!")]


def test_importing_again_replaces_and_a_failure_leaves_what_was_there(tmp_path):
    before, _ = bring(write_folder(tmp_path / "brought"), tmp_path)
    with pytest.raises(InputError):
        bring(write_pickle(tmp_path / "bad.pkl", {"train": 1}), tmp_path)
    assert corpus_folder.read(tmp_path / "data", name="mine").digest == before.digest
    after, _ = bring(write_pickle(tmp_path / "aligned_50.pkl", mmsa()), tmp_path)
    assert after.task == "regression"
    assert [path.name for path in (tmp_path / "data" / "own").iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["My Corpus", "9lives", "a/b", "..", ""])
def test_names_are_plain(tmp_path, name):
    with pytest.raises(InputError, match="is no name"):
        importing.bring(write_folder(tmp_path / "brought"), name, tmp_path / "data")


def test_a_known_name_is_refused(tmp_path):
    with pytest.raises(InputError, match="known already"):
        importing.bring(write_folder(tmp_path / "brought"), "mosi", tmp_path, taken=lambda name: name == "mosi")


def _short_sound(part):
    part.update(audio=part["audio"][:, :3], audio_lengths=[9] * len(part["id"]))


def _each(change):
    def damaged(tree):
        for split in SPLITS:
            change(tree[split])
        return tree

    return damaged


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda tree: [tree], "not a corpus of MMSA or MulT"),
        (lambda tree: {"train": tree["train"]}, "not a corpus of MMSA or MulT"),
        (_each(lambda part: part.pop("regression_labels") is part.pop("classification_labels")), "no classification_"),
        (_each(lambda part: part.update(regression_labels=np.full(len(part["id"]), 9.0))), "lie on no scale"),
        (_each(lambda part: part.update(regression_labels=np.full(len(part["id"]), np.nan))), "lie on no scale"),
        (_each(lambda part: part.update(text="words")), "text is str"),
        (_each(lambda part: part.update(text=part["raw_text"])), "text is object"),
        (_each(lambda part: part.update(vision=part["vision"][:-1])), "samples, the labels"),
        (_each(lambda part: part.update(audio=part["audio"][:, :, :0])), "audio is float32"),
        (_each(lambda part: part.update(id=part["id"][:-1])), "ids for"),
        (_each(lambda part: part.update(id=["same"] * len(part["id"]))), "sample same stands twice"),
        (_each(lambda part: [part.pop(key) for key in ("text", "audio", "vision")]), "no features"),
        (_each(_short_sound), "lengths of audio"),
        (lambda tree: tree["train"].update(audio=np.zeros((12, 6, 9))) or tree, "modalities or widths differ"),
    ],
)
def test_a_faulty_pickle_is_one_line_and_nothing_is_stored(tmp_path, damage, message):
    path = write_pickle(tmp_path / "aligned_50.pkl", damage(mmsa()))
    with pytest.raises(InputError) as caught:
        bring(path, tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data" / "own" / "mine").exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_each(lambda part: part.update(labels=part["labels"][:, :, [0, 0, 0]])), "labels of shape"),
        (_each(lambda part: part.update(labels="none")), "no arrays of numbers"),
        (lambda tree: tree["test"].update(labels=np.zeros((6, 1, 2))) or tree, "of one shape"),
    ],
)
def test_faulty_labels_of_mult_are_one_line(tmp_path, damage, message):
    with pytest.raises(InputError) as caught:
        bring(write_pickle(tmp_path / "mosi_data.pkl", damage(mult())), tmp_path)
    assert message in str(caught.value)


def test_a_pickle_that_asks_for_code_is_refused(tmp_path):
    marker = tmp_path / "ran"
    for content, _ in attacks(marker).values():
        (tmp_path / "aligned_50.pkl").write_bytes(content)
        with pytest.raises(InputError) as caught:
            bring(tmp_path / "aligned_50.pkl", tmp_path)
        assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "folds.csv").unlink(), "video and split"),
        (lambda folder: (folder / "folds.csv").write_text("video,split\nv0,train\n"), "no split for video"),
        (lambda folder: (folder / "folds.csv").write_text("video,split\nv0,dev\n"), "split 'dev'"),
        (lambda folder: (folder / "folds.csv").write_text("video,split\nv0,test\nv0,train\n"), "stands in two splits"),
        (lambda folder: (folder / "glove_vectors.csd").unlink(), "no sequence of text"),
        (lambda folder: (folder / "Opinion.csd").unlink(), "no sequence of labels"),
        (lambda folder: (folder / "COVAREP.csd").write_bytes(b"\x89HDF\r\n\x1a\n1234"), "COVAREP.csd"),
        (lambda folder: h5py.File(folder / "COVAREP.csd", "w").create_group("pitch/data/v0"), "nobody knows what"),
        (lambda folder: _edit(folder, lambda group: group.pop("v4")["features"]), None),
        (
            lambda folder: _edit(folder, _replaced("intervals", np.zeros((3, 2)))),
            "do not fit",
        ),
        (
            lambda folder: _edit(folder, _replaced("features", np.zeros((60, 9)))),
            "do not fit",
        ),
        (lambda folder: _edit(folder, lambda group: _link(group, "v4")), "no group 'v4'"),
    ],
)
def test_faulty_computational_sequences_are_one_line(tmp_path, damage, message):
    folder = write_sequences(tmp_path / "csd")
    damage(folder)
    if message is None:  # a video without sound is no fault, and told
        _, said = bring(folder, tmp_path)
        assert "- 2 utterances without audio: zeros" in said
        return
    with pytest.raises(InputError) as caught:
        bring(folder, tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def _edit(folder, change):
    with h5py.File(folder / "COVAREP.csd", "r+") as file:
        change(file["COVAREP/data"])


def _replaced(key, value):
    def change(videos):
        del videos["v4"][key]
        videos["v4"][key] = value

    return change


def _link(group, key):
    del group[key]
    group[key] = h5py.ExternalLink("elsewhere.h5", "/data")
