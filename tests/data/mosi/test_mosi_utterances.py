import csv
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lib import data
from lib.data.corpus import SPLITS
from lib.data.mosi import mosi_tables, mosi_utterances
from lib.data.mosi.mosi_labels import write_sentiment
from lib.data.mosi.mosi_tables import WIDTHS, segment_of, video_of
from lib.errors import InputError
from tests.data.samples import REAL, STAND_IN, utterance_table


@pytest.fixture
def root(tmp_path):
    """A data folder with the tables of `utterance_table()`."""
    table, values = utterance_table()
    mosi_utterances.write(tmp_path, table, values, REAL)
    return tmp_path


def edit(path, change):
    """Apply `change` to the rows of a table."""
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.reader(handle))
    rows = change(rows) or rows
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle, quoting=csv.QUOTE_ALL).writerows(rows)


def test_tables_are_read_back(root):
    written, _ = utterance_table()
    found = mosi_tables.read(root / "mosi_utterance")
    assert (found.ids, found.transcripts) == (written.ids, written.transcripts)
    np.testing.assert_array_equal(found.in_test, written.in_test, strict=True)
    np.testing.assert_array_equal(found.classes, written.classes, strict=True)
    for modality in WIDTHS:
        np.testing.assert_array_equal(found.features[modality], written.features[modality], strict=True)


def test_tables_are_as_published(root):
    folder = root / "mosi_utterance"
    assert [path.relative_to(folder).as_posix() for path in mosi_tables.paths(folder)] == [
        "transcripts.csv",
        "text_train.csv",
        "text_test.csv",
        "audio/audio_train0.csv",
        "audio/audio_test0.csv",
        "video/video_train0.csv",
        "video/video_test0.csv",
    ]
    transcripts = (folder / "transcripts.csv").read_bytes().splitlines(keepends=True)
    table, _ = utterance_table()
    assert transcripts[0].decode() == f'"{table.ids[0]}","GRÜSSE, NUMBER 0","1","{table.classes[0]}"\r\n'
    first = (folder / "text_train.csv").read_text().split(",")[0]
    assert first == f'"{np.flatnonzero(~table.in_test)[0]}"'


def test_the_rows_of_the_feature_tables_may_be_in_any_order(root):
    """Upstream they are shuffled, alike in the three tables of a split."""
    before = data.load("mosi_utterances", root)
    n = int((~utterance_table()[0].in_test).sum())
    order = np.random.default_rng(5).permutation(n)
    for name in ("text_train.csv", "audio/audio_train0.csv", "video/video_train0.csv"):
        edit(root / "mosi_utterance" / name, lambda rows: [rows[row] for row in order])
    after = data.load("mosi_utterances", root)
    for split in SPLITS:
        assert after.splits[split].ids == before.splits[split].ids
        for modality in WIDTHS:
            one, other = (corpus.splits[split].features[modality] for corpus in (after, before))
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("context", [1, 4, 20])
def test_a_sample_is_an_utterance_after_its_predecessors(root, context):
    table, values = utterance_table()
    row_of = {key: row for row, key in enumerate(table.ids)}
    corpus = mosi_utterances.read(root, context=context)
    assert sorted(key for split in corpus.splits.values() for key in split.ids) == sorted(table.ids)
    for part in corpus.splits.values():
        for sample, key in enumerate(part.ids):
            seen = [row_of[f"{video_of(key)}_{n}"] for n in range(1, segment_of(key) + 1)][-context:]
            assert part.lengths[sample] == len(seen)
            assert part.labels[sample] == values[key]
            for modality in ("text", "video"):
                window = part.features[modality][sample]
                assert window.shape == (context, WIDTHS[modality])
                np.testing.assert_array_equal(window[context - len(seen) :], table.features[modality][seen])
                assert not window[: context - len(seen)].any()


def test_audio_is_standardised_with_the_training_utterances(root):
    table, values = utterance_table()
    table.features["audio"][:, 3] = 7.1  # constant everywhere
    table.features["audio"][:, 4] = np.where(table.in_test, 5, 0.1)  # constant in training
    mosi_utterances.write(root, table, values, REAL)
    corpus = mosi_utterances.read(root)
    audio = {split: part.features["audio"][:, -1].astype(np.float64) for split, part in corpus.splits.items()}
    varying = [column for column in range(73) if column not in (3, 4)]
    np.testing.assert_allclose(audio["train"][:, varying].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(audio["train"][:, varying].std(axis=0), 1, atol=1e-6)
    assert not any(part[:, [3, 4]].any() for part in audio.values())
    rows = {split: [table.ids.index(key) for key in corpus.splits[split].ids] for split in SPLITS}
    train = table.features["audio"][rows["train"]].astype(np.float64)
    expected = (table.features["audio"][rows["test"]] - train.mean(axis=0)) / np.where(
        train.std(axis=0) > 0, train.std(axis=0), 1
    )
    np.testing.assert_allclose(audio["test"][:, varying], expected[:, varying], rtol=1e-5, atol=1e-6)


def test_the_split_is_by_video(root):
    table, _ = utterance_table()
    corpus = mosi_utterances.read(root)
    videos = {split: sorted({video_of(key) for key in corpus.splits[split].ids}) for split in SPLITS}
    tested = {video_of(key) for key, test in zip(table.ids, table.in_test, strict=True) if test}
    training = sorted({video_of(key) for key in table.ids} - tested)
    assert videos == {"train": training[:3], "valid": training[3:], "test": sorted(tested)}
    assert any("learned with the labels" in warning for warning in corpus.source.warnings)
    assert any("optimistic" in warning for warning in corpus.source.warnings)


def test_classes_are_the_sign_of_the_sentiment(root):
    regression, classes = (mosi_utterances.read(root, task=task) for task in ("regression", "classes"))
    assert (classes.task, classes.label_names) == ("classes", ("negative", "non-negative"))
    for split in SPLITS:
        labels = classes.splits[split].labels
        assert labels.dtype == np.int64
        np.testing.assert_array_equal(labels, regression.splits[split].labels >= 0)


def test_the_cache_is_used_until_a_table_changes(root, monkeypatch):
    first = mosi_utterances.read(root)
    with monkeypatch.context() as patch:
        patch.setattr(mosi_tables, "read", lambda folder: pytest.fail("parsed again"))
        again = mosi_utterances.read(root)
    np.testing.assert_array_equal(again.splits["test"].features["audio"], first.splits["test"].features["audio"])
    edit(root / "mosi_utterance/text_test.csv", lambda rows: [[row[0], "5.5", *row[2:]] for row in rows])
    assert (mosi_utterances.read(root).splits["test"].features["text"][:, -1, 0] == 5.5).all()


def cell(line, column, value):
    return lambda rows: rows[line - 1].__setitem__(column, value)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "audio/audio_train0.csv",
            lambda rows: rows[4].__delitem__(-1),
            r"audio_train0\.csv, line 5: 73 columns, expected 74",
        ),
        ("text_test.csv", cell(3, 7, "n/a"), r"text_test\.csv, line 3: could not convert string to float: 'n/a'"),
        ("text_test.csv", cell(3, 7, ""), r"text_test\.csv, line 3: could not convert"),
        ("video/video_test0.csv", cell(2, 0, "nan"), r"video_test0\.csv: video of line 2 holds NaN or infinity"),
        ("video/video_test0.csv", cell(2, 0, "1e999"), r"video_test0\.csv: video of line 2 holds NaN or infinity"),
        ("video/video_train0.csv", cell(6, 100, "2"), r"video_train0\.csv, line 6: the label is not that of the tran"),
        ("audio/audio_test0.csv", lambda rows: rows.__delitem__(-1), r"audio_test0\.csv: \d+ rows, but text_test\.csv"),
        (
            "text_train.csv",
            cell(2, 0, "0.5"),
            r"text_train\.csv, line 2: transcript number 0\.5; expected each of 0 to",
        ),
        ("text_train.csv", cell(2, 0, "5000"), r"text_train\.csv, line 2: transcript number 5000"),
        ("text_train.csv", cell(2, 0, "-1"), r"text_train\.csv, line 2: transcript number -1"),
        (
            "text_train.csv",
            lambda rows: rows[3].__setitem__(0, rows[2][0]),
            r"text_train\.csv, line 4: transcript numb",
        ),
        ("transcripts.csv", cell(4, 0, "video"), r"transcripts\.csv, line 4: not an utterance id with label 0 or 1"),
        ("transcripts.csv", cell(4, 3, "2"), r"transcripts\.csv, line 4: not an utterance id with label 0 or 1"),
        ("transcripts.csv", cell(4, 0, "v_00_1"), r"transcripts\.csv, line 4: utterance v_00_1 stands twice"),
        ("transcripts.csv", lambda rows: rows.append(["v_99_1", "", "1", "0"]), "no features for utterance v_99_1"),
    ],
)
def test_bad_tables_are_named_with_the_line(root, name, change, message):
    edit(root / "mosi_utterance" / name, change)
    with pytest.raises(InputError, match=message):
        mosi_utterances.read(root)


def test_a_table_that_is_not_text(root):
    (root / "mosi_utterance/text_train.csv").write_bytes(b"\x80\x04" * 50)
    with pytest.raises(InputError, match=r"text_train\.csv: not a table of text but a pickle"):
        mosi_utterances.read(root)


def test_a_gap_in_a_video(root):
    table, _ = utterance_table()
    renamed = tuple("v_00_77" if key == "v_00_1" else key for key in table.ids)
    mosi_tables.write(root / "mosi_utterance", replace(table, ids=renamed))
    with pytest.raises(InputError, match="no utterance v_00_1: its video has later ones"):
        mosi_utterances.read(root)


def test_labels_that_contradict_the_transcripts(root):
    table, values = utterance_table()
    key = next(key for key, value in values.items() if value > 0)
    write_sentiment(root, table.segments(), values | {key: -0.2})
    with pytest.raises(
        InputError, match=f"sentiment -0.2 for utterance {key}, which the transcripts call non-negative"
    ):
        mosi_utterances.read(root)


def test_a_video_in_both_splits_or_too_few_videos(root):
    table, values = utterance_table()
    torn = table.in_test.copy()
    torn[0] = not torn[0]
    mosi_utterances.write(root, replace(table, in_test=torn), values, REAL)
    with pytest.raises(InputError, match="video v_00 is in training and test"):
        mosi_utterances.read(root)
    mosi_utterances.write(root, *utterance_table(train_videos=10), REAL)
    with pytest.raises(InputError, match="10 training videos, 10 go to validation"):
        mosi_utterances.read(root)


def test_bad_options(root):
    with pytest.raises(InputError, match="context 0, expected 1"):
        mosi_utterances.read(root, context=0)
    with pytest.raises(InputError, match="unknown task 'ordinal'; known: regression, classes"):
        mosi_utterances.read(root, task="ordinal")


def test_missing_files_are_named_with_what_to_do(root):
    (root / "mfn/data/y_valid.h5").unlink()
    with pytest.raises(InputError, match=r"y_valid\.h5: missing; see \./run_all\.sh data get mosi_utterances$"):
        mosi_utterances.read(root)


def test_a_stand_in_stays_one(root):
    mosi_utterances.write(root, *utterance_table(), STAND_IN)
    source = data.load("mosi_utterances", root).source
    assert source.label == "sample-like, SYNTHETIC stand-in"
    assert "made up" in source.warnings
    assert any("learned with the labels" in warning for warning in source.warnings)


def test_the_real_corpus(real_root):
    corpus = data.load("mosi_utterances", real_root)
    assert {split: len(part) for split, part in corpus.splits.items()} == {"train": 1228, "valid": 219, "test": 752}
    videos = {split: {video_of(key) for key in part.ids} for split, part in corpus.splits.items()}
    assert {split: len(found) for split, found in videos.items()} == {"train": 52, "valid": 10, "test": 31}
    assert min(videos["valid"]) > max(videos["train"])
    labels = {split: part.labels for split, part in corpus.splits.items()}
    positive = [int((labels[split] >= 0).sum()) for split in SPLITS]
    assert (positive[0] + positive[1], positive[2]) == (709, 467)
    everything = np.round(np.concatenate(list(labels.values())))
    assert [int((everything == score).sum()) for score in range(-3, 4)] == [80, 385, 404, 403, 379, 463, 85]
    assert corpus.splits["test"].features["text"].shape == (752, 20, 100)


def test_text_of_the_target_utterance_predicts_the_real_sign(real_root):
    """Logistic regression on the 62 training videos scores 0.757 (inventory 1.4), 0.621 being all positive."""
    splits = data.load("mosi_utterances", real_root, task="classes", context=1).splits
    text = {split: part.features["text"][:, -1] for split, part in splits.items()}
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
    model.fit(
        np.concatenate([text["train"], text["valid"]]),
        np.concatenate([splits["train"].labels, splits["valid"].labels]),
    )
    assert model.score(text["test"], splits["test"].labels) >= 0.74
