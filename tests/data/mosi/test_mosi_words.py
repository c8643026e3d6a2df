"""CMU-MOSI as words: the standard folds, and no learned feature on them."""

from dataclasses import replace

import numpy as np
import pytest

from lib import data
from lib.data.corpus import SPLITS
from lib.data.mosi import mosi_utterances, mosi_words
from lib.data.mosi.mosi_tables import Utterances, segment_of, video_of
from lib.errors import InputError
from tests.data.samples import REAL, STAND_IN, assert_same_corpus, utterance_table

WORDS = ("good", "bad", "movie", "so", "very")


def spoken() -> tuple[Utterances, dict[str, float]]:
    """`utterance_table()` with transcripts of 1 to 9 words; every one has a word of its own."""
    table, values = utterance_table()
    rng = np.random.default_rng(3)
    texts = [" ".join([*rng.choice(WORDS, rng.integers(0, 9)), f"own{row}"]).upper() for row in range(len(table.ids))]
    return replace(table, transcripts=tuple(texts)), values


@pytest.fixture
def root(tmp_path):
    mosi_utterances.write(tmp_path, *spoken(), REAL)
    return tmp_path


def test_folds_are_the_videos_in_order(root):
    corpus = data.load("mosi_words", root)
    videos = {name: list(dict.fromkeys(map(video_of, split.ids))) for name, split in corpus.splits.items()}
    flat = [video for name in SPLITS for video in videos[name]]
    assert flat == sorted({video_of(key) for key in spoken()[0].ids})
    assert {name: len(part) for name, part in videos.items()} == {"train": 9, "valid": 2, "test": 5}  # 52 : 10 : 31
    for split in corpus.splits.values():
        keys = [(video_of(key), segment_of(key)) for key in split.ids]
        assert keys == sorted(keys)


@pytest.mark.parametrize("side", ["front", "back"])
def test_a_sample_is_its_last_words(root, side):
    table, values = spoken()
    corpus = data.load("mosi_words", root, words=4, side=side)
    text_of = dict(zip(table.ids, table.transcripts, strict=True))
    kept = {name: [text_of[key].lower().split()[-4:] for key in s.ids] for name, s in corpus.splits.items()}
    numbers = mosi_words.vocabulary(kept["train"])
    for name, split in corpus.splits.items():
        for row, (words, key) in enumerate(zip(kept[name], split.ids, strict=True)):
            expected = [numbers.get(word, mosi_words.UNKNOWN) for word in words]
            zeros = [mosi_words.PADDING] * (4 - len(words))
            found = split.features["text"][row, :, 0].tolist()
            assert found == (zeros + expected if side == "front" else expected + zeros)
            assert split.lengths[row] == len(words)
            assert split.labels[row] == values[key]


def test_words_of_validation_and_test_alone_are_unknown(root):
    """Every utterance ends in a word of its own: outside training it must be number 1."""
    corpus = data.load("mosi_words", root)
    largest = corpus.splits["train"].features["text"].max()
    for name in ("valid", "test"):
        text = corpus.splits[name].features["text"][:, :, 0]
        assert (text[:, -1] == mosi_words.UNKNOWN).all()
        assert text.max() <= largest
    assert (corpus.splits["train"].features["text"][:, -1] > mosi_words.UNKNOWN).all()


def test_frequent_words_have_low_numbers():
    assert mosi_words.vocabulary([["b", "a", "c"], ["c", "b"], ["c"]]) == {"c": 2, "b": 3, "a": 4}


def test_nothing_with_learned_text_or_video_features_is_on_the_standard_folds(root, tmp_path_factory):
    """Other text and video features give the same corpus, bit for bit; other audio does not."""
    table, values = spoken()
    rng = np.random.default_rng(9)
    before = data.load("mosi_words", root)
    assert set(before.modalities) == {"text", "audio"}
    for changed in ({"text", "video"}, {"audio"}):
        other = {m: rng.permuted(x, axis=0) if m in changed else x for m, x in table.features.items()}
        elsewhere = tmp_path_factory.mktemp("other")
        mosi_utterances.write(elsewhere, replace(table, features=other), values, REAL)
        after = data.load("mosi_words", elsewhere)
        if changed == {"audio"}:
            with pytest.raises(AssertionError):
                assert_same_corpus(after, before)
        else:
            assert_same_corpus(after, before)


def test_learned_features_are_scored_on_the_repository_split_alone(root):
    """The reader that hands them out offers no other split: its test samples are the repository's test videos."""
    table, _ = spoken()
    corpus = data.load("mosi_utterances", root, context=1)
    allowed = {key for key, tested in zip(table.ids, table.in_test, strict=True) if tested}
    assert set(corpus.splits["test"].ids) == allowed
    with pytest.raises(InputError, match="no option 'split'"):
        data.load("mosi_utterances", root, split="standard")


def test_the_guard_on_the_real_files(real_root):
    words, vectors = data.load("mosi_words", real_root), data.load("mosi_utterances", real_root, context=1)
    assert {name: len(split) for name, split in words.splits.items()} == {"train": 1284, "valid": 229, "test": 686}
    assert dict(words.modalities) == {"text": 1, "audio": 73}
    test = words.splits["test"].features["text"]
    assert np.array_equal(test, np.round(test)), "word numbers, not features"
    assert len(vectors.splits["test"].ids) == 752
    overlap = set(words.splits["test"].ids) & set(vectors.splits["train"].ids)
    assert overlap, "the folds differ: this is why learned features may not be scored on the standard ones"


def test_audio_is_standardised_with_the_training_fold(root):
    audio = data.load("mosi_words", root).splits["train"].features["audio"]
    assert audio.shape[1:] == (1, 73)
    np.testing.assert_allclose(audio.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(audio.std(axis=0), 1, atol=1e-5)


def test_word_vectors_of_the_users_file(root):
    (root / "vectors.txt").write_text("good 1 2 3\nbad -1 -2 -3\nelsewhere 9 9 9\n", encoding="utf-8")
    corpus = data.load("mosi_words", root, glove="vectors.txt")
    assert corpus.modalities["text"] == 3
    assert "vectors.txt" in corpus.source.files
    table, _ = spoken()
    text_of = dict(zip(table.ids, table.transcripts, strict=True))
    known = {"good": [1, 2, 3], "bad": [-1, -2, -3]}
    for row, key in enumerate(corpus.splits["test"].ids):
        expected = [known.get(word, [0, 0, 0]) for word in text_of[key].lower().split()]
        assert corpus.splits["test"].features["text"][row, 20 - len(expected) :].tolist() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file of word vectors"),
        ("good 1 2\nbad 1\n", "line 2: 1 numbers, expected 2"),
        ("good one two\n", "not a file of word vectors"),
        ("nothing 1 2\n", "no vector of bad, good"),
    ],
)
def test_faults_of_a_file_of_word_vectors(root, content, message):
    if content is not None:
        (root / "v.txt").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        data.load("mosi_words", root, glove="v.txt")


def test_transcripts_follow_the_samples(root):
    corpus, texts = data.load("mosi_words", root), mosi_words.transcripts(root)
    table, _ = spoken()
    text_of = dict(zip(table.ids, table.transcripts, strict=True))
    for name, split in corpus.splits.items():
        assert texts[name] == [text_of[key].lower() for key in split.ids]


def test_a_stand_in_says_so(tmp_path):
    mosi_utterances.write(tmp_path, *spoken(), STAND_IN)
    assert data.load("mosi_words", tmp_path).source.label.endswith("SYNTHETIC stand-in")


def test_audio_far_from_the_training_fold_is_limited_and_counted(tmp_path):
    table, values = spoken()
    row = table.ids.index(max(table.ids))  # of the last video: in the test fold
    table.features["audio"][row, 5] = 1e6
    mosi_utterances.write(tmp_path, table, values, REAL)
    corpus = data.load("mosi_words", tmp_path)
    assert corpus.splits["test"].features["audio"].max() == mosi_words.AUDIO_LIMIT
    assert corpus.source.warnings[-1].count(": 1 utterances lie beyond") == 1
