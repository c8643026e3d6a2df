"""CMU-MOSEI as text: tables joined by time and held against each other, the two folds, and the real tables."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from lib import data
from lib.data.mosei import mosei_tables, mosei_text
from lib.data.mosei.mosei_tables import Utterances
from lib.errors import InputError

CLIPS = (9, 2, 4)  # not segments 0, 1, 2, and not in their order


def small(split: str, videos: int, rng: np.random.Generator) -> Utterances:
    keys = [(f"{split}_{video}", clip) for video in range(videos) for clip in CLIPS]
    strengths = rng.integers(0, 3, (len(keys), 6)) * rng.integers(0, 2, (len(keys), 1)) / 3
    return Utterances(
        ids=tuple(f"{video}_{clip}" for video, clip in keys),
        groups=tuple(video for video, _ in keys),
        texts=tuple(f'Then "{video}", a word{clip} or two, and more' for video, clip in keys),
        sentiment=rng.integers(-9, 10, len(keys)) / 3,
        intensities=strengths,
    )


def write_mosei(root: Path) -> dict[str, Utterances]:
    """The last clip of each video is not in the lists of the end-to-end paper."""
    rng = np.random.default_rng(0)
    folds = {split: small(split, videos, rng) for split, videos in (("train", 5), ("valid", 2), ("test", 2))}
    lists = {name: [key for key in fold.ids if not key.endswith("_4")][::-1] for name, fold in folds.items()}
    mosei_tables.write(root / "mosei", folds, lists)
    return folds


def edit(root: Path, name: str, change) -> None:
    """Change the rows of a table, below its heading, in place."""
    path, separator = root / "mosei" / name, "\t" if name.endswith("tsv") else ","
    with path.open(encoding="utf-8", newline="") as handle:
        heading, *rows = csv.reader(handle, delimiter=separator)
    change(rows, heading.index)
    with path.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle, delimiter=separator).writerows([heading, *rows])


def moved(*columns: str):
    """Each row gets the cells of the row before it."""

    def change(rows, index):
        for column in map(index, columns):
            cells = [row[column] for row in rows]
            for row, cell in zip(rows, cells[-1:] + cells[:-1], strict=True):
                row[column] = cell

    return change


def put(row: int, column: str, cell: str):
    def change(rows, index):
        rows[row][index(column)] = cell

    return change


def test_what_was_written_is_read(tmp_path):
    folds = write_mosei(tmp_path)
    found = mosei_text.utterances(tmp_path, "standard")
    for name, fold in folds.items():
        assert (found[name].ids, found[name].groups, found[name].texts) == (fold.ids, fold.groups, fold.texts)
        np.testing.assert_array_equal(found[name].sentiment, fold.sentiment)
        np.testing.assert_array_equal(found[name].intensities, fold.intensities)


def test_the_lists_choose_and_order_by_clip(tmp_path):
    folds = write_mosei(tmp_path)
    found = mosei_text.utterances(tmp_path, "end_to_end")["valid"]
    assert found.ids == ("valid_1_2", "valid_1_9", "valid_0_2", "valid_0_9")
    rows = [folds["valid"].ids.index(key) for key in found.ids]
    np.testing.assert_array_equal(found.intensities, folds["valid"].intensities[rows])
    assert found.texts == tuple(folds["valid"].texts[row] for row in rows)


def test_both_questions_of_the_same_words(tmp_path):
    folds = write_mosei(tmp_path)
    emotions = data.load("mosei_text", tmp_path, split="standard", window=4, width=5)
    sentiment = data.load("mosei_text_sentiment", tmp_path, split="standard", window=4, width=5)
    assert emotions.label_names == ("anger", "disgust", "fear", "happy", "sad", "surprise")
    np.testing.assert_array_equal(emotions.splits["test"].labels, folds["test"].intensities > 0)
    np.testing.assert_array_equal(sentiment.splits["test"].labels, folds["test"].sentiment)
    assert emotions.splits["test"].features["text"].shape == (6, 4, 5)
    assert emotions.source.cluster == sentiment.source.cluster == "video"
    assert (emotions.source.files, len(emotions.source.files)) == (sentiment.source.files, 8)
    assert "Zadeh et al. 2018" in emotions.source.licence


def test_learned_vectors_do_not_see_what_is_tested(tmp_path):
    write_mosei(tmp_path)
    before = data.load("mosei_text", tmp_path, split="standard", width=5).splits["train"].features["text"]
    edit(tmp_path, "unimse_test.tsv", lambda rows, at: [row.__setitem__(at("text"), "a new word") for row in rows])
    after = data.load("mosei_text", tmp_path, split="standard", width=5)
    np.testing.assert_array_equal(after.splits["train"].features["text"], before)
    assert not after.splits["test"].features["text"][0, -2].any()  # `new` does not occur in training


def test_words_from_the_users_file(tmp_path):
    write_mosei(tmp_path)
    (tmp_path / "mine.txt").write_text("more 1 0\nand 0 1\n")
    corpus = data.load("mosei_text", tmp_path, file="mine.txt", window=3)
    np.testing.assert_array_equal(corpus.splits["test"].features["text"][0], [[0, 0], [0, 1], [1, 0]])
    assert "mine.txt" in corpus.source.files


def swap_first_rows(rows, index):
    rows[0], rows[1] = rows[1], rows[0]


def test_the_order_of_rows_does_not_matter_to_the_join(tmp_path):
    write_mosei(tmp_path)
    before = mosei_text.utterances(tmp_path)
    edit(tmp_path, "mosei.csv", swap_first_rows)
    after = mosei_text.utterances(tmp_path)
    assert all(np.array_equal(after[name].intensities, before[name].intensities) for name in before)


EMOTIONS = ("happy", "sad", "anger", "surprise", "disgust", "fear")
WRONG = {
    "labels shuffled": ("mosei.csv", moved("sentiment", *EMOTIONS), r"label2[ab]|label6 of the utterance"),
    "emotions shuffled": ("mosei.csv", moved(*EMOTIONS), r"Labels\.csv, line \d+: label6 of the utterance of train_\d"),
    "sentiment shuffled": ("unimse_train.tsv", moved("label"), r"sentiment of train_0_\d is .*, but .* in mosei\.csv"),
    "check shuffled": ("CMU_MOSEI_Labels.csv", moved("label6"), "label6 of the utterance"),
    "times shuffled": ("unimse_train.tsv", moved("start", "stop"), "twice|sentiment|no labels"),
    "joined by segment": (
        "unimse_train.tsv",
        put(0, "start", "0"),
        r"no labels of the utterance of train_0 from 0\.000",
    ),
    "NaN label": ("mosei.csv", put(2, "sentiment", "nan"), r"mosei\.csv, line 4: sentiment 'nan', expected -3 to 3"),
    "NaN emotion": ("mosei.csv", put(2, "fear", "NaN"), r"line 4: fear 'NaN', expected 0 to 3"),
    "beyond the scale": ("mosei.csv", put(1, "anger", "3.1"), r"line 3: anger '3\.1', expected 0 to 3"),
    "row twice": ("mosei.csv", lambda rows, at: rows.append(rows[0]), "the utterance of train_0 .* stands twice"),
    "text twice": ("unimse_test.tsv", lambda rows, at: rows.append(rows[0]), "utterance test_0_9 stands twice"),
    "label missing": ("mosei.csv", lambda rows, at: rows.pop(), r"is not in mosei\.csv"),
    "check missing": ("CMU_MOSEI_Labels.csv", lambda rows, at: rows.pop(), "which mosei.csv has"),
    "no text": ("unimse_test.tsv", put(0, "text", "  "), "utterance test_0_9 has no text"),
    "no clip": ("unimse_test.tsv", put(0, "cid", "a"), "utterance test_0_a has no number"),
    "other fold": ("CMU_MOSEI_Labels.csv", put(0, "split", "2"), "train_0_9 is in another fold"),
    "no rows": ("unimse_valid.tsv", lambda rows, at: rows.clear(), r"unimse_valid\.tsv: no rows"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_refused_in_one_line(name, tmp_path):
    write_mosei(tmp_path)
    file, change, message = WRONG[name]
    edit(tmp_path, file, change)
    with pytest.raises(InputError, match=message) as refused:
        data.load("mosei_text", tmp_path, split="standard", width=5)
    assert "\n" not in str(refused.value)


def listed(root: Path, split: str) -> Path:
    return root / "mosei" / "MOSEI_split" / f"{split}_split.txt"


def test_lists_by_segment_number_are_refused(tmp_path):
    """Segment 2 of each video is also a clip's number, but another clip's: only the others give it away."""
    write_mosei(tmp_path)
    listed(tmp_path, "train").write_text("".join(f"train_0_{segment}\n" for segment in (2, 0, 1)))
    with pytest.raises(InputError, match=r"train_0_0 is no utterance <video>_<clip> .* \(2 of 3 ids\); clip numbers"):
        data.load("mosei_text", tmp_path, width=5)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("train_0_9\ntrain_0_9\n", "utterance train_0_9 stands twice"),
        ("\n\n", r"train_split\.txt: no utterances"),
        ("test_0_9\ntrain_0_9\n", "video test_0 is both in train and in test"),
    ],
)
def test_lists_that_do_not_fit_are_refused(lines, message, tmp_path):
    write_mosei(tmp_path)
    listed(tmp_path, "train").write_text(lines)
    with pytest.raises(InputError, match=message):
        data.load("mosei_text", tmp_path, width=5)


def test_an_unknown_split_is_named(tmp_path):
    write_mosei(tmp_path)
    with pytest.raises(InputError, match="unknown split 'random'; known: end_to_end, standard"):
        data.load("mosei_text", tmp_path, split="random")


@pytest.fixture(scope="module")
def real_folds():
    found = {}

    def read(root: Path, split: str) -> dict[str, Utterances]:
        if not (root / "mosei").is_dir():
            pytest.skip("needs CMU-MOSEI's tables: ./run_all.sh data get mosei_text")
        if split not in found:
            found[split] = mosei_text.utterances(root, split)
        return found[split]

    return read


def test_the_real_folds(real_root, real_folds):
    sizes = {name: [len(fold) for fold in real_folds(real_root, name).values()] for name in ("standard", "end_to_end")}
    assert sizes == {"standard": [16326, 1871, 4659], "end_to_end": [14524, 1765, 4188]}
    present = {
        name: (fold.intensities > 0).sum(axis=0).tolist() for name, fold in real_folds(real_root, "end_to_end").items()
    }
    assert present == {  # anger, disgust, fear, happy, sad, surprise
        "train": [3267, 2738, 1263, 7587, 4026, 1465],
        "valid": [318, 273, 169, 945, 509, 197],
        "test": [1015, 744, 371, 2220, 1066, 393],
    }


def test_the_real_split_by_segment_number_would_match_three_quarters_and_is_refused(real_root, real_folds, tmp_path):
    """What segment ids in the lists would do, counted on the real lists against the segment numbers."""
    real_folds(real_root, "standard")
    with (real_root / "mosei/mosei.csv").open(encoding="utf-8", newline="") as handle:
        segments = {f"{row['id']}_{row['segment_id']}" for row in csv.DictReader(handle)}
    names = listed(real_root, "train").read_text().split()
    assert 0.6 < np.mean([name in segments for name in names]) < 0.9
    (tmp_path / "mosei/MOSEI_split").mkdir(parents=True)
    for path in mosei_text.files(real_root):
        (tmp_path / path.relative_to(real_root)).symlink_to(path)
    listed(tmp_path, "train").unlink()
    listed(tmp_path, "train").write_text("\n".join(sorted(segments)))
    with pytest.raises(InputError, match=re.escape("is no utterance <video>_<clip>")):
        mosei_text.utterances(tmp_path)
