"""The two published formats of IEMOCAP and MELD conversations: read, written, split, damaged, hostile."""

import pickle
import random
from dataclasses import replace

import numpy as np
import pytest

from lib.data.corpus import SPLITS, Source
from lib.data.dialogues import mmgcn_pickles, spcl_pickles
from lib.data.dialogues.conversation_batches import Dialogue
from lib.data.dialogues.stored_dialogues import MODALITIES, StoredDialogues
from lib.errors import InputError
from tests.data.samples import REAL, STAND_IN

WIDTHS = {"text": 4, "audio": 3, "video": 5}
LAYOUTS = {
    "spcl iemocap": spcl_pickles.IEMOCAP,
    "spcl meld": spcl_pickles.MELD,
    "mmgcn iemocap": mmgcn_pickles.IEMOCAP,
    "mmgcn meld": mmgcn_pickles.MELD,
}


def stored(kind, train: int = 23, test: int = 4, first: int = 1030) -> StoredDialogues:
    """Dialogues of 1 to 4 utterances; MELD's ids run over the border of its official parts."""
    rng = np.random.default_rng(0)
    ids = [str(first + i) if kind.name == "meld" else f"Ses0{1 + i % 5}F_impro{i:02d}" for i in range(train + test)]
    dialogues = []
    for key in ids:
        length = int(rng.integers(1, 5))
        features = {m: rng.normal(size=(length, width)).astype(np.float32) for m, width in WIDTHS.items()}
        speakers, labels = (rng.integers(n, size=length) for n in (kind.speakers, len(kind.label_names)))
        dialogues.append(Dialogue(key, speakers, labels, features))
    return StoredDialogues.checked(dialogues, ids[:train], ids[train:])


@pytest.fixture(params=LAYOUTS.values(), ids=LAYOUTS)
def layout(request):
    return request.param


def put(layout, root, tree) -> None:
    (path,) = layout.files(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(tree, protocol=2))


def tree_of(layout, root):
    """What the file holds, to be changed and put back."""
    layout.write(root, stored(layout.kind), REAL)
    with layout.files(root)[0].open("rb") as handle:
        tree = pickle.load(handle)
    return tree if isinstance(tree, dict) else list(tree)


SPEAKERS = {"iemocap": "speaker", "meld": "speakers"}
"""Of the SPCL files."""


def table(layout, tree, name: str) -> dict:
    if isinstance(tree, dict):
        return tree[{"speakers": SPEAKERS[layout.kind.name], "labels": "label", "video": "visual"}.get(name, name)]
    return tree[mmgcn_pickles.ITEMS.index(name)]


def test_what_is_written_is_read(layout, tmp_path):
    kept = stored(layout.kind)
    layout.write(tmp_path, kept, REAL)
    corpus = layout.read(tmp_path, seed=3)
    assert (corpus.task, corpus.label_names, corpus.modalities) == ("classes", layout.kind.label_names, WIDTHS)
    assert not corpus.source.synthetic
    assert [*corpus.source.files] == [layout.files(tmp_path)[0].relative_to(tmp_path).as_posix()]
    for name, split in corpus.splits.items():
        for row, key in enumerate(split.ids):
            dialogue, length = kept.dialogues[key], len(kept.dialogues[key])
            assert split.lengths[row] == length, name
            np.testing.assert_array_equal(
                split.labels[row], [*dialogue.labels, *[-1] * (split.labels.shape[1] - length)]
            )
            np.testing.assert_array_equal(split.speakers[row, :length], dialogue.speakers)
            for m in MODALITIES:
                np.testing.assert_array_equal(split.features[m][row, :length], dialogue.features[m])
                assert not split.features[m][row, length:].any()
    assert layout.read(tmp_path, seed=3).splits["train"].ids == corpus.splits["train"].ids, "from the cache"


def test_the_development_set_of_the_paper(layout, tmp_path):
    """A tenth of the stored list, rounded down; IEMOCAP's is shuffled with Python's stream (spec self_paced_balance,
    1.2)."""
    kept = stored(layout.kind)
    layout.write(tmp_path, kept, REAL)
    for seed in (0, 12):
        order = list(kept.train)
        if layout.kind.name == "iemocap":
            random.Random(seed).shuffle(order)
        corpus = layout.read(tmp_path, seed=seed)
        assert [corpus.splits[name].ids for name in SPLITS] == [tuple(order[2:]), tuple(order[:2]), kept.test]
        assert "2 of 23" in corpus.source.split_rule


def test_the_official_development_set_of_meld(tmp_path):
    for layout in (spcl_pickles.MELD, mmgcn_pickles.MELD):
        layout.write(tmp_path, stored(layout.kind, first=1030), REAL)
        official = layout.read(tmp_path, split="official")
        assert official.splits["valid"].ids == tuple(map(str, range(1039, 1053)))
        assert official.splits["train"].ids == tuple(map(str, range(1030, 1039)))
        assert not official.source.warnings
        paper = layout.read(tmp_path)
        assert paper.source.warnings == ("14 official development dialogues are trained on (quirk 13)",)
    layout.write(tmp_path, stored(layout.kind, first=0), REAL)
    with pytest.raises(InputError, match="no official development dialogues"):
        layout.read(tmp_path, split="official")
    spcl_pickles.IEMOCAP.write(tmp_path, stored(spcl_pickles.IEMOCAP.kind), REAL)
    with pytest.raises(InputError, match="use split 'paper'"):
        spcl_pickles.IEMOCAP.read(tmp_path, split="official")
    with pytest.raises(InputError, match="unknown split 'session'; known: paper, official"):
        spcl_pickles.IEMOCAP.read(tmp_path, split="session")


def test_melds_ninth_party_joins_the_eighth(tmp_path):
    for layout in (spcl_pickles.MELD, mmgcn_pickles.MELD):
        tree = tree_of(layout, tmp_path)
        rows = table(layout, tree, "speakers")
        rows[1030] = [8 if layout is spcl_pickles.MELD else [0.0] * 8 + [1.0]] * len(rows[1030])
        put(layout, tmp_path, tree)
        corpus = layout.read(tmp_path)
        row = corpus.splits["valid"].ids.index("1030")
        assert set(corpus.splits["valid"].speakers[row]) <= {7, -1}


def test_a_dialogue_of_one_utterance(layout, tmp_path):
    layout.write(tmp_path, stored(layout.kind), REAL)
    assert 1 in np.concatenate([split.lengths for split in layout.read(tmp_path).splits.values()])


def test_a_stand_in_stays_one(layout, tmp_path):
    layout.write(tmp_path, stored(layout.kind), STAND_IN)
    source = layout.read(tmp_path).source
    assert source.synthetic
    assert (source.name, source.ceilings, source.warnings[0]) == (STAND_IN.name, STAND_IN.ceilings, "made up")
    layout.write(tmp_path, stored(layout.kind), REAL)
    assert not layout.read(tmp_path).source.synthetic


def shorten(name):
    def change(layout, tree, key):
        table(layout, tree, name)[key] = list(table(layout, tree, name)[key])[:-1]

    return change


def replace_in(name, value):
    def change(layout, tree, key):
        table(layout, tree, name)[key] = value(table(layout, tree, name)[key])

    return change


def drop(name):
    return lambda layout, tree, key: table(layout, tree, name).pop(key)


def list_twice(layout, tree, key):
    lists = tree["testVid"] if isinstance(tree, dict) else tree[mmgcn_pickles.ITEMS.index("test")]
    lists.append(key)


FAULTS = {
    "empty dialogue": (replace_in("labels", lambda x: []), r"dialogue \S+: no utterances; leave the dialogue out"),
    "few speakers": (shorten("speakers"), r"4 labels but 3 speakers"),
    "few vectors": (shorten("video"), r"video features of shape \(3, 5\), expected a vector for each of 4"),
    "missing table row": (drop("audio"), r"dialogue \S+: no audio"),
    "label too large": (replace_in("labels", lambda x: [7] * 4), r"label 7 in utterance 0, expected 0 to [56]"),
    "label negative": (replace_in("labels", lambda x: [-1] * 4), r"label -1 in utterance 0"),
    "labels not whole": (replace_in("labels", lambda x: [0.5] * 4), "label 0.5 in utterance 0"),
    "labels no numbers": (replace_in("labels", lambda x: ["sad"] * 4), "labels are not numbers"),
    "speakers no list": (replace_in("speakers", lambda x: 4), "speakers are not a list"),
    "uneven vectors": (replace_in("text", lambda x: [[0.0]] * 3 + [[0.0, 1.0]]), "text are of different lengths"),
    "one number": (replace_in("text", lambda x: 4.0), r"text features of shape \(\), expected"),
    "other width": (
        replace_in("text", lambda x: np.zeros((4, 9))),
        r"text vectors of \d numbers, those of dialogue \S+ have \d",
    ),
    "infinite": (
        replace_in("audio", lambda x: np.full((4, 3), 1e300)),
        r"audio vector of utterance 0 holds 1e\+300, too large for float32; `nonfinite: zero`",
    ),
    "listed twice": (list_twice, "stands twice in the training and test lists"),
}


@pytest.mark.parametrize(("change", "message"), FAULTS.values(), ids=FAULTS)
def test_what_is_not_as_published_is_one_clear_line(layout, change, message, tmp_path):
    tree = tree_of(layout, tmp_path)
    key = next(k for k, labels in table(layout, tree, "labels").items() if len(labels) == 4)
    change(layout, tree, key)
    put(layout, tmp_path, tree)
    with pytest.raises(InputError, match=message) as found:
        layout.read(tmp_path)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("party", ["X", "m", None, True, 9, -1, 1.5, [1], "M" * 100])
def test_an_undeclared_speaker(layout, party, tmp_path):
    tree = tree_of(layout, tmp_path)
    parties = table(layout, tree, "speakers")
    key = next(iter(parties))
    parties[key] = [party] * len(parties[key])
    put(layout, tmp_path, tree)
    words = "not one-hot" if layout is mmgcn_pickles.MELD else "; the corpus declares (M, F|0, 1, 2, 3, 4, 5, 6, 7, 8)"
    with pytest.raises(InputError, match=words):
        layout.read(tmp_path)


@pytest.mark.parametrize(
    "row", [[0] * 9, [1] * 9, [1] + [0] * 7, [2] + [0] * 8, ["1"] + ["0"] * 8, [np.nan] + [0] * 8, [[1] + [0] * 8]]
)
def test_a_speaker_that_is_not_one_hot(row, tmp_path):
    layout = mmgcn_pickles.MELD
    tree = tree_of(layout, tmp_path)
    table(layout, tree, "speakers")[1030] = [row]
    put(layout, tmp_path, tree)
    with pytest.raises(InputError, match=r"dialogue 1030: a speaker that is not one-hot; expected 9 numbers"):
        layout.read(tmp_path)


def test_files_of_another_shape(tmp_path):
    spcl, mmgcn = spcl_pickles.MELD, mmgcn_pickles.IEMOCAP
    for tree in ([1, 2], "text", None):
        put(spcl, tmp_path, tree)
        with pytest.raises(InputError, match=r"meld\.pkl: a \w+ where a dictionary belongs"):
            spcl.read(tmp_path)
    tree = tree_of(spcl, tmp_path)
    put(spcl, tmp_path, {key: value for key, value in tree.items() if key != "visual"})
    with pytest.raises(InputError, match="no 'visual', only 'trainVid', 'testVid', 'speakers'"):
        spcl.read(tmp_path)
    put(spcl, tmp_path, tree | {"audio": [1]})
    with pytest.raises(InputError, match="a list where the audio by dialogue belong"):
        spcl.read(tmp_path)
    put(spcl, tmp_path, tree | {"testVid": []})
    with pytest.raises(InputError, match="no test dialogues"):
        spcl.read(tmp_path)
    for ids in (4, [[1]], [None]):
        put(spcl, tmp_path, tree | {"trainVid": ids})
        with pytest.raises(InputError, match="training dialogue"):
            spcl.read(tmp_path)
    items = tree_of(mmgcn, tmp_path)
    for wrong, words in ((items[:-1], "8 items, expected a list of 9"), ([*items, None], "10 items"), ({}, "a dict")):
        put(mmgcn, tmp_path, wrong)
        with pytest.raises(InputError, match=words):
            mmgcn.read(tmp_path)


def test_too_few_training_dialogues(layout, tmp_path):
    layout.write(tmp_path, stored(layout.kind, train=9), REAL)
    with pytest.raises(InputError, match="9 training dialogues, a tenth of which is none"):
        layout.read(tmp_path)


class Hostile:
    def __reduce__(self):
        return print, ("run by a pickle",)


def test_missing_truncated_and_hostile_files(layout, tmp_path, capsys):
    with pytest.raises(InputError, match=rf"pkl: missing; see \./run_all\.sh data get {layout.kind.name}_conv"):
        layout.read(tmp_path)
    tree = tree_of(layout, tmp_path)
    (path,) = layout.files(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="not a complete, readable pickle"):
        layout.read(tmp_path)
    table(layout, tree, "text")[next(iter(table(layout, tree, "text")))] = Hostile()
    put(layout, tmp_path, tree)
    with pytest.raises(InputError, match=r"asks for __builtin__\.print, which is not plain data"):
        layout.read(tmp_path)
    assert capsys.readouterr().out == ""


def test_numpy_scalars_and_python_2_strings_are_read(tmp_path):
    layout = spcl_pickles.IEMOCAP
    tree = tree_of(layout, tmp_path)
    tree["label"] = {key: [np.int64(x) for x in values] for key, values in tree["label"].items()}
    tree["trainVid"] = np.array(tree["trainVid"])
    expected = layout.read(tmp_path)
    put(layout, tmp_path, tree)
    found = layout.read(tmp_path)
    assert found.splits["train"].ids == expected.splits["train"].ids
    np.testing.assert_array_equal(found.splits["test"].labels, expected.splits["test"].labels)


def test_a_source_is_replaced_not_changed(tmp_path):
    source = Source("mine", False, {}, "none", "as stored")
    layout = spcl_pickles.IEMOCAP
    layout.write(tmp_path, stored(layout.kind), replace(source, synthetic=True))
    assert source.split_rule == "as stored"
    assert layout.read(tmp_path).source.split_rule.startswith("development: a tenth")
