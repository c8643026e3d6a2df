import csv
import math
import os

import numpy as np
import pytest

from lib import data
from lib.data.corpus import SPLITS, Corpus, Split
from lib.data.iemocap import iemocap_dictionaries as dictionaries
from lib.data.iemocap import iemocap_stacked as iemocap
from lib.data.iemocap.iemocap_dictionaries import LABELS, WIDTHS, Utterances
from lib.data.io.ordering import RULE, natural_order
from lib.errors import InputError
from tests.data.samples import REAL, STAND_IN, assert_same_corpus, sequences

FOLDER = "iemocap/non_combined"


def utterances(n: int = 20, steps: int = 3) -> Utterances:
    """Spread over the five sessions, in an order that is not sorted; all nine labels."""
    rng = np.random.default_rng(0)
    features, _ = sequences(WIDTHS, n, steps, rng)
    ids = tuple(f"Ses0{row % 5 + 1}{'FM'[row % 2]}_impro0{row % 3}_F{n - row:03d}" for row in range(n))
    return Utterances(ids, np.arange(n) % len(LABELS), features)


def in_order(of: Utterances) -> Utterances:
    """The same utterances in the order of the reader."""
    rows = [of.ids.index(key) for key in natural_order(of.ids)]
    return Utterances(tuple(of.ids[row] for row in rows), of.labels[rows], {m: x[rows] for m, x in of.features.items()})


def edit_table(root, change):
    """Apply `change` to the rows of the label table."""
    path = root / FOLDER / dictionaries.TABLE
    with path.open(newline="") as handle:
        rows = list(csv.reader(handle))
    rows = change(rows) or rows
    with path.open("w", newline="") as handle:
        csv.writer(handle).writerows(rows)


def edit_dictionary(root, modality, change):
    """Apply `change` to one of the saved dictionaries."""
    path = root / FOLDER / dictionaries.FEATURE_FILES[modality]
    content = np.load(path, allow_pickle=True).item()
    content = change(content) or content
    np.save(path, content, allow_pickle=True)


@pytest.fixture
def root(tmp_path):
    """A data folder with the dictionaries of `utterances()`."""
    iemocap.write_dictionaries(tmp_path, utterances(), REAL)
    return tmp_path


def test_dictionaries_are_read_back(root):
    written, found = in_order(utterances()), dictionaries.stack(root / FOLDER)
    assert found.ids == written.ids == tuple(sorted(written.ids))
    np.testing.assert_array_equal(found.labels, written.labels, strict=True)
    for modality, width in WIDTHS.items():
        np.testing.assert_array_equal(found.features[modality], written.features[modality], strict=True)
        assert found.features[modality].shape == (20, 3, width)


@pytest.mark.parametrize("split", ["paper", "session"])
def test_every_utterance_is_in_one_split_with_its_own_data(root, split):
    written, corpus = utterances(), iemocap.read(root, split=split)
    assert corpus.label_names == ("fea", "neu", "ang", "fru", "exc", "sur", "hap", "dis", "sad")
    assert list(corpus.modalities.items()) == [("text", 300), ("audio", 80), ("video", 310)]
    assert sorted(key for part in corpus.splits.values() for key in part.ids) == sorted(written.ids)
    for part in corpus.splits.values():
        rows = [written.ids.index(key) for key in part.ids]
        np.testing.assert_array_equal(part.labels, written.labels[rows], strict=True)
        for modality in WIDTHS:
            np.testing.assert_array_equal(part.features[modality], written.features[modality][rows], strict=True)
            assert part.features[modality].flags.writeable


def test_sessions_do_not_mix(root):
    corpus = iemocap.read(root, split="session")
    sessions = {split: {key[:5] for key in corpus.splits[split].ids} for split in SPLITS}
    assert sessions == {"train": {"Ses01", "Ses02", "Ses03"}, "valid": {"Ses04"}, "test": {"Ses05"}}
    assert "1-3 train, 4 validation, 5 test" in corpus.source.split_rule


@pytest.mark.parametrize("n", [*range(6877, 6885)])
def test_the_paper_split_has_the_published_sizes(n):
    parts = iemocap.paper_split(n, seed=3)
    assert len(parts["test"]) == 860
    assert len(parts["train"]) == math.floor(0.75 * n)
    assert len(parts["valid"]) in (860, 861)
    np.testing.assert_array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(n))


def test_the_paper_split_follows_its_seed(root):
    ids = {seed: iemocap.read(root, seed=seed).splits["test"].ids for seed in (0, 1)}
    assert ids[0] != ids[1]
    assert iemocap.read(root, seed=1).splits["test"].ids == ids[1]
    assert "seed 1" in iemocap.read(root, seed=1).source.split_rule


def test_unused_labels_and_the_two_broken_utterances_are_dropped(root):
    first, second = utterances().ids[:2]

    def rename(rows):
        for row in rows[1:]:
            if row[2] == first:
                row[3] = "xxx"
            if row[2] == second:
                row[2] = "Ses03M_impro03_M001"
        rows.append(["", "", "Ses03M_impro03_M030", "neu", "", "", ""])
        rows.append(["", "", "Ses05F_impro09_F999", "oth", "", "", ""])

    edit_table(root, rename)
    for modality in WIDTHS:
        edit_dictionary(
            root,
            modality,
            lambda content: {
                "Ses03M_impro03_M030": np.empty((0, 1)),  # its data are missing
                **{"Ses03M_impro03_M001" if key == second else key: value for key, value in content.items()},
            },
        )
    assert dictionaries.stack(root / FOLDER).ids == tuple(natural_order(utterances().ids[2:]))


def test_the_order_is_that_of_the_ids_and_utterances_without_audio_are_ignored(root):
    edit_dictionary(root, "audio", lambda content: dict(list(content.items())[:0:-1]))
    found, whole = dictionaries.stack(root / FOLDER), in_order(utterances())
    kept = [row for row, key in enumerate(whole.ids) if key != utterances().ids[0]]
    assert found.ids == tuple(whole.ids[row] for row in kept)
    np.testing.assert_array_equal(found.features["text"], whole.features["text"][kept])
    assert found.notes == (f"the dictionaries' order of utterances is not used: {RULE}",)


def test_copies_that_were_filled_in_another_order_give_the_same_split(root, tmp_path_factory, monkeypatch):
    before = iemocap.read(root, seed=3)
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.mktemp("another")))
    for modality in WIDTHS:
        edit_dictionary(root, modality, lambda content: dict(sorted(content.items(), reverse=True)))
    after = iemocap.read(root, seed=3)
    assert_same_corpus(after, before)
    assert after.source.warnings == before.source.warnings != ()


def test_lengths_leave_out_padding_on_either_side(root):
    written = utterances(steps=6)
    for modality in WIDTHS:
        written.features[modality][...] = 0
    written.features["audio"][0, 1, 5] = 1
    written.features["text"][0, 4, 0] = 1  # steps 1 to 4, with empty ones between
    written.features["video"][1, 5, 0] = 1
    iemocap.write_dictionaries(root, written, REAL)
    corpus = iemocap.read(root)
    lengths = {k: n for part in corpus.splits.values() for k, n in zip(part.ids, part.lengths, strict=True)}
    assert [lengths[key] for key in written.ids] == [4, 1] + [0] * 18


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[3].__setitem__(3, "fear"), r"line 4: unknown label 'fear'; known: fea, neu"),
        (lambda rows: rows.append(rows[1]), "line 22: utterance Ses01F_impro00_F020 stands twice"),
        (lambda rows: rows.__delitem__(5), "no label for utterance Ses05F_impro01_F016"),
        (lambda rows: rows[0].__setitem__(2, "id"), "no column wav_file"),
        (lambda rows: rows[4].__delitem__(slice(3, None)), "line 5: no emotion: the row ends before"),
        (lambda rows: [rows[0]] + [[*row[:3], "xxx"] for row in rows[1:]], "no utterance with a usable label"),
        (lambda rows: [[]], "no column wav_file, emotion"),
    ],
)
def test_a_bad_label_table(root, change, message):
    edit_table(root, change)
    with pytest.raises(InputError, match=message) as refusal:
        iemocap.read(root)
    assert "non_combined" in str(refusal.value)


KEY = "Ses03F_impro02_F018"


@pytest.mark.parametrize(
    ("modality", "change", "message"),
    [
        ("text", lambda d: {k: v for k, v in d.items() if k != KEY}, f"no numbers for utterance {KEY}"),
        ("video", lambda d: d | {KEY: "gone"}, f"no numbers for utterance {KEY}"),
        ("video", lambda d: d | {KEY: d[KEY][:, :-1]}, rf"{KEY} has shape \(3, 309\), expected \(3, 310\)"),
        ("audio", lambda d: d | {KEY: d[KEY][1:]}, rf"{KEY} has shape \(2, 80\), expected \(3, 80\)"),
        ("text", lambda d: d | {KEY: d[KEY] * np.nan}, f"{KEY} holds NaN or infinity"),
        ("text", lambda d: d | {KEY: d[KEY].astype(np.float64) * 1e300}, f"{KEY} holds .*, too large for float32"),
        ("audio", lambda d: d | {KEY: np.array(["a"])}, f"no numbers for utterance {KEY}"),
        ("audio", lambda d: [d], "not a saved dictionary"),
    ],
)
def test_a_bad_dictionary(root, modality, change, message):
    edit_dictionary(root, modality, change)
    with pytest.raises(InputError, match=message) as refusal:
        iemocap.read(root)
    assert dictionaries.FEATURE_FILES[modality] in str(refusal.value)


def test_a_truncated_or_hostile_dictionary(root, tmp_path):
    path = root / FOLDER / "text_feat_10036.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"text_feat_10036\.npy: not a complete, readable pickle"):
        iemocap.read(root)

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'marker'}",)

    np.save(path, {KEY: Evil()}, allow_pickle=True)
    with pytest.raises(InputError, match=r"text_feat_10036\.npy: the pickle asks for posix\.system"):
        iemocap.read(root)
    assert not (tmp_path / "marker").exists()


def test_missing_files_are_named_with_what_to_do(root, tmp_path_factory):
    (root / FOLDER / "visual_feat_10036.npy").unlink()
    with pytest.raises(InputError, match=r"visual_feat_10036\.npy: missing; see \./run_all\.sh data get iemocap$"):
        iemocap.read(root)
    with pytest.raises(InputError, match=r"X_train\.npy: missing \(and 6 more\)"):
        iemocap.read(tmp_path_factory.mktemp("empty"))


def test_an_unknown_split_or_session(root):
    with pytest.raises(InputError, match="unknown IEMOCAP split 'speaker'; known: paper, session"):
        iemocap.read(root, split="speaker")
    with pytest.raises(InputError, match="'Ses06F_x' names no session"):
        iemocap.session_split(("Ses01F_x", "Ses06F_x"))


def test_the_cache_is_used_until_a_file_changes(root, monkeypatch):
    first = iemocap.read(root)
    with monkeypatch.context() as patch:
        patch.setattr(dictionaries, "stack", lambda folder: pytest.fail("stacked again"))
        assert_same_corpus(iemocap.read(root), first)
    edit_dictionary(root, "audio", lambda content: {key: value + 1 for key, value in content.items()})
    found = iemocap.read(root).splits["train"]
    np.testing.assert_array_equal(found.features["audio"], first.splits["train"].features["audio"] + 1)


# Stacked arrays


def stacked_corpus(source=REAL) -> Corpus:
    rng = np.random.default_rng(2)
    splits = {}
    for split, n in {"train": 12, "valid": 5, "test": 4}.items():
        features, lengths = sequences(WIDTHS, n, 3, rng)
        splits[split] = Split(features, lengths, np.arange(n) % 9, tuple(f"{split}_{row}" for row in range(n)))
    return Corpus("classes", LABELS, WIDTHS, splits, source)


def test_stacked_arrays_are_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(iemocap, "_ROWS_PER_WRITE", 5)
    iemocap.write(tmp_path, stacked_corpus())
    found = iemocap.read(tmp_path)
    assert_same_corpus(found, stacked_corpus())
    assert found.source.split_rule.startswith("as stored")
    assert set(found.source.files) == {path.relative_to(tmp_path).as_posix() for path in iemocap.files(tmp_path)}
    stored = np.load(tmp_path / "iemocap/X_train.npy")
    assert (stored.shape, stored.dtype) == ((12, 3, 690), np.float32)
    np.testing.assert_array_equal(stored[..., 300:380], stacked_corpus().splits["train"].features["audio"])
    assert np.load(tmp_path / "iemocap/Y_val.npy").dtype == np.float64


def test_stored_label_order_is_translated(tmp_path):
    """The authors' numbers follow an unordered set (spec colearning, quirk 9); `labels.npy` says what they mean."""
    iemocap.write(tmp_path, stacked_corpus())
    order = [4, 2, 0, 1, 3, 8, 7, 6, 5]
    np.save(tmp_path / "iemocap/labels.npy", np.array(LABELS)[order])
    for name in ("train", "val", "test"):
        path = tmp_path / f"iemocap/Y_{name}.npy"
        np.save(path, np.argsort(order)[np.load(path).astype(int)].astype(np.float64))
    assert_same_corpus(iemocap.read(tmp_path), stacked_corpus())


def test_dictionaries_come_before_stacked_arrays(root):
    iemocap.write(root, stacked_corpus())
    assert len(iemocap.read(root).splits["train"]) == 15
    assert [path.name for path in iemocap.files(root)] == [
        "df_iemocap.csv",
        "text_feat_10036.npy",
        "audio_feat_10036.npy",
        "visual_feat_10036.npy",
    ]


def test_stacked_arrays_have_no_sessions(tmp_path):
    iemocap.write(tmp_path, stacked_corpus())
    with pytest.raises(InputError, match="no ids to split by session; put the label table and the three dictionaries"):
        iemocap.read(tmp_path, split="session")


def put(value, *index):
    def change(array):
        array[index] = value
        return array

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("X_train", lambda x: x[..., :-1], r"X_train\.npy: float32 \(12, 3, 689\), expected \(12, T, 690\)"),
        ("X_val", lambda x: x[1:], r"X_val\.npy: float32 \(4, 3, 690\), expected \(5, T, 690\)"),
        ("X_test", lambda x: x[0], r"X_test\.npy"),
        ("X_test", lambda x: x.astype("U3"), r"X_test\.npy: <U3"),
        ("X_test", put(np.inf, 2, 1, 301), r"X_test\.npy: audio of row 2 holds NaN or infinity"),
        ("Y_test", put(np.nan, 3), r"Y_test\.npy: label nan in row 3, expected 0 to 8"),
        ("Y_test", put(9, 1), r"Y_test\.npy: label 9\.0 in row 1"),
        ("Y_test", put(0.5, 1), r"Y_test\.npy: label 0\.5 in row 1"),
        ("Y_test", put(-1, 1), r"Y_test\.npy: label -1\.0 in row 1"),
        ("Y_test", lambda y: y[:, None], r"Y_test\.npy: labels float64 \(4, 1\), expected \(N,\)"),
        ("labels", put("joy", 0), r"labels\.npy: labels \['joy', 'neu'"),
        ("labels", put("neu", 0), r"labels\.npy"),
        ("labels", lambda names: names[:5], r"Y_train\.npy: label 5\.0 in row 5, expected 0 to 4"),
        ("labels", lambda names: np.array(1), r"labels\.npy"),
    ],
)
def test_bad_stacked_arrays(tmp_path, name, change, message):
    iemocap.write(tmp_path, stacked_corpus())
    path = tmp_path / f"iemocap/{name}.npy"
    np.save(path, change(np.load(path)))
    with pytest.raises(InputError, match=message):
        iemocap.read(tmp_path)


def test_a_truncated_stacked_array(tmp_path):
    iemocap.write(tmp_path, stacked_corpus())
    path = tmp_path / "iemocap/X_train.npy"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"X_train\.npy: not a complete \.npy file"):
        iemocap.read(tmp_path)


def test_a_stand_in_stays_one(tmp_path):
    iemocap.write(tmp_path, stacked_corpus(STAND_IN))
    source = data.load("iemocap", tmp_path).source
    assert (source.label, source.split_rule) == ("sample-like, SYNTHETIC stand-in", "drawn")
    iemocap.write_dictionaries(tmp_path, utterances(), STAND_IN)
    source = data.load("iemocap", tmp_path, split="session").source
    assert (source.synthetic, source.ceilings) == (True, STAND_IN.ceilings)
    assert source.split_rule.startswith("by session")
    note = tmp_path / "iemocap/stand_in.json"
    note.write_text(note.read_text()[:-9])
    with pytest.raises(InputError, match=r"stand_in\.json: not the note of a stand-in corpus"):
        data.load("iemocap", tmp_path)
