"""The emotion corpora: their formats there and back, what is refused, and the stand-ins' ceilings."""

import csv
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from lib import data
from lib.data import iemocap_emotions, meld_text, mosei_emotions, synthetic_emotions, word_vectors
from lib.errors import InputError


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("cache")))


LIKE = {"mosei_emotions_like": mosei_emotions, "iemocap_emotions_like": iemocap_emotions}


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


def test_stand_ins_are_multilabel_or_exclusive():
    mosei, iemocap = (data.load(name, samples=200) for name in LIKE)
    assert {len(c.splits["train"].labels[0]) for c in (mosei, iemocap)} == {6, 4}
    count = mosei.splits["train"].labels.sum(axis=1)
    assert (count == 0).any()
    assert (count > 1).any()
    assert (iemocap.splits["train"].labels.sum(axis=1) == 1).all()
    assert {len(s) for s in mosei.splits.values()} == {120, 30, 50}


@pytest.mark.parametrize(
    ("name", "channels"), [("mosei", synthetic_emotions.MOSEI), ("iemocap", synthetic_emotions.IEMOCAP)]
)
def test_ceilings_grow_with_the_modalities_and_are_met_by_the_best_decision(name, channels):
    """The text's cue is read by projecting on the word vectors; taking it as the answer scores what was computed."""
    corpus = data.load(f"{name}_emotions_like", samples=4000)
    ceilings = corpus.source.ceilings
    assert ceilings["text+audio+video"]["acc"] > ceilings["text"]["acc"] > ceilings["video"]["acc"] > 0.5
    split = corpus.splits["train"]
    mean = split.features["text"].sum(axis=1) / split.lengths[:, None]
    directions = 2 * synthetic_emotions.word_vectors(corpus.label_names)
    shown = mean @ np.linalg.pinv(directions) > 0.5
    right = (shown == (split.labels == 1)).mean()
    if name == "mosei":
        assert right == pytest.approx(1 - channels["text"].error, abs=0.01)
        assert ceilings["text"]["weighted_acc"] == pytest.approx(1 - channels["text"].error)
    assert right == pytest.approx(ceilings["text"]["acc"], abs=0.02)


def test_minus_infinity_in_audio_becomes_zero_and_is_reported(tmp_path):
    mosei_emotions.write(tmp_path, data.load("mosei_emotions_like", samples=40))
    with h5py.File(tmp_path / "cmu-mosei" / "audio_test.h5", "r+") as file:
        file["d1"][0, -1, 0] = -np.inf
    corpus = mosei_emotions.read(tmp_path)
    assert corpus.splits["test"].features["audio"][0, -1, 0] == 0
    assert any("1 audio values of -inf set to 0" in warning for warning in corpus.source.warnings)


@pytest.mark.parametrize(("file", "value"), [("audio_test.h5", np.nan), ("video_train.h5", np.inf)])
def test_other_non_finite_numbers_are_refused(tmp_path, file, value):
    mosei_emotions.write(tmp_path, data.load("mosei_emotions_like", samples=40))
    with h5py.File(tmp_path / "cmu-mosei" / file, "r+") as opened:
        opened["d1"][0, -1, 0] = value
    with pytest.raises(InputError, match="hold NaN or infinity"):
        mosei_emotions.read(tmp_path)


def test_any_intensity_above_zero_is_present(tmp_path):
    mosei_emotions.write(tmp_path, data.load("mosei_emotions_like", samples=40))
    with h5py.File(tmp_path / "cmu-mosei" / "ey_test.h5", "r+") as file:
        file["d1"][0] = [0, 0.33, 0, 1, 3, 0]
    np.testing.assert_array_equal(mosei_emotions.read(tmp_path).splits["test"].labels[0], [0, 1, 0, 1, 1, 0])


def damaged_iemocap(tmp_path: Path, change) -> None:
    iemocap_emotions.write(tmp_path, data.load("iemocap_emotions_like", samples=40))
    (path,) = iemocap_emotions.files(tmp_path)
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
        iemocap_emotions.read(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mosei_emotions", "iemocap_emotions"])
def test_missing_files_name_the_way_to_them(name, tmp_path):
    with pytest.raises(InputError, match=rf"missing.*see \./run_all\.sh data get {name}"):
        data.load(name, tmp_path)


def test_word_vectors_from_the_pickle_and_from_lines(tmp_path):
    vectors = {"sad": np.array([1.0, 2.0]), "Sad": np.array([5.0, 6.0]), "happy": np.array([3.0, 4.0])}
    word_vectors.write(tmp_path / "glove.pt", vectors)
    (tmp_path / "glove.txt").write_text("the 9 9\nhappy 3 4\nsad 1 2\n")
    for name in ("glove.pt", "glove.txt"):
        found = word_vectors.emotion_vectors(tmp_path / name, ["happy", "sad"])
        np.testing.assert_array_equal(found, [[3, 4], [1, 2]])
        assert found.dtype == np.float32
    np.testing.assert_array_equal(
        word_vectors.emotion_vectors(tmp_path / "glove.pt", ["sad"], capitalised=True), [[5, 6]]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("happy 1 2\n", "no vector of sad"),
        ("happy 1\nsad 1 2\n", "several lengths"),
        ("happy 1 x\nsad 1 2\n", "numbers"),
    ],
)
def test_unusable_word_vectors_are_refused(tmp_path, text, message):
    (tmp_path / "v.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        word_vectors.emotion_vectors(tmp_path / "v.txt", ["happy", "sad"])
    with pytest.raises(InputError, match="no such file"):
        word_vectors.emotion_vectors(tmp_path / "none.txt", ["happy"])


def test_learned_vectors_put_words_of_equal_company_together():
    kinds = [(["a", "red", "apple"], 7), (["a", "green", "apple"], 6), (["the", "dog", "barks"], 4)]
    sentences = [words for words, times in [*kinds, (["the", "cat", "barks"], 3)] for _ in range(times)]
    found = word_vectors.learned(sentences, 4)
    assert set(found) == {"a", "red", "green", "apple", "the", "dog", "cat", "barks"}
    lengths = [np.linalg.norm(vector) for vector in found.values()]
    np.testing.assert_allclose(lengths, word_vectors.typical_length(4), rtol=1e-5)
    alike = {pair: found[pair[0]] @ found[pair[1]] for pair in (("red", "green"), ("red", "cat"), ("dog", "cat"))}
    assert min(alike["red", "green"], alike["dog", "cat"]) > alike["red", "cat"]
    again = word_vectors.learned(sentences, 4)
    np.testing.assert_allclose(np.stack(list(found.values())), np.stack(list(again.values())), atol=1e-6)


def meld(folder: Path) -> None:
    """Three small tables with every everyday word in the training one."""
    (folder / "meld").mkdir()
    lines = [(" ".join(words) + " now, you see", emotion) for emotion, words in meld_text.EVERYDAY.items()]
    columns = ["Utterance", "Emotion", "Dialogue_ID", "Utterance_ID"]
    for name in ("train", "dev", "test"):
        with (folder / "meld" / f"{name}_sent_emo.csv").open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(columns)
            for number, (text, emotion) in enumerate(lines):
                writer.writerow([text if name == "train" else f"You\u2019re so unheard-of {text}!", emotion, 0, number])


def test_meld_is_words_with_one_emotion_each(tmp_path):
    meld(tmp_path)
    corpus = meld_text.read(tmp_path, words=5, width=6)
    train, test = corpus.splits["train"], corpus.splits["test"]
    assert train.features["text"].shape == (7, 5, 6)
    np.testing.assert_array_equal(train.labels, np.eye(7))
    assert train.ids[3] == "train_0_3"
    vectors = meld_text.emotion_vectors(tmp_path, width=6)
    assert vectors.shape == (7, 6)
    assert not test.features["text"][:, -1].any()  # `!` does not occur in training: a zero step
    np.testing.assert_array_equal(test.features["text"][0, -2], train.features["text"][0, -1])


def test_words_of_an_utterance():
    assert meld_text.tokens("You\u2019re NOT--so sure?!") == ["you're", "not", "so", "sure", "?", "!"]


def test_an_unknown_emotion_in_the_table_is_named(tmp_path):
    meld(tmp_path)
    path = tmp_path / "meld" / "dev_sent_emo.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("fear,0", "bored,0"), encoding="utf-8")
    with pytest.raises(InputError, match=r"dev_sent_emo\.csv, line \d+: emotion 'bored'"):
        meld_text.read(tmp_path, words=5, width=6)
