"""MOSEI's hand-crafted features, and both hand-crafted corpora as batches for the baselines."""

import pickle

import numpy as np
import pytest
import torch

from lib.data.corpus import SPLITS
from lib.data.iemocap import iemocap_handcrafted
from lib.data.mosei import mosei_handcrafted
from lib.data.mosei.mosei_handcrafted import SILENT
from lib.data.recordings.handcrafted_batches import feature_files
from lib.data.recordings.raw_decoding import Options
from lib.data.recordings.raw_layout import Problem, read
from lib.data.recordings.raw_preprocessing import preprocess
from lib.data.recordings.streamed_corpus import open_handcrafted
from lib.data.stand_ins.synthetic_handcrafted import write_mosei
from lib.data.stand_ins.synthetic_raw import write
from lib.errors import InputError
from lib.models.handcrafted_baselines import LFRNN, LFTransformer

SIZES = {"train": 4, "valid": 2, "test": 2}


def sequences(rng, steps=3):
    return {m: rng.normal(size=(steps, width)) for m, width in mosei_handcrafted.WIDTHS.items()}


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return {f"video-{i}_{i}": sequences(rng) for i in range(3)}


def test_mosei_round_trip(table, tmp_path):
    mosei_handcrafted.write_phase(tmp_path, "train", table)
    found, problems = mosei_handcrafted.read_phase(tmp_path, "train")
    assert problems == {} and list(found) == list(table)
    for utterance_id, expected in table.items():
        for modality, array in expected.items():
            assert found[utterance_id][modality].dtype == np.float32
            np.testing.assert_array_equal(found[utterance_id][modality], array.astype(np.float32))


def test_mosei_silence_and_faults(table, tmp_path):
    first, second, third = table
    table[first]["audio"][1, 5] = -np.inf
    table[second]["video"][0, 0] = np.inf
    mosei_handcrafted.write_phase(tmp_path, "test", table)
    found, problems = mosei_handcrafted.read_phase(tmp_path, "test")
    assert list(found) == [first, third]
    assert problems == {first: SILENT, second: "features hold NaN or infinity"}
    assert found[first]["audio"][1, 5] == 0 and found[first]["audio"][1].any()


def stored(tmp_path, **changes):
    rng = np.random.default_rng(1)
    content = {"id": np.array([b"a_0", b"a_1", b"a_0"]), "label": np.zeros(3)}
    for key, width in (("text", 300), ("audio", 74), ("vision", 35)):
        content[key] = rng.normal(size=(3, 2, width))
    content |= changes
    (path,) = mosei_handcrafted.files(tmp_path, "valid")
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps({key: value for key, value in content.items() if value is not None}))
    return content


def test_of_a_repeated_id_the_first_counts(tmp_path):
    content = stored(tmp_path)
    found, problems = mosei_handcrafted.read_phase(tmp_path, "valid")
    assert list(found) == ["a_0", "a_1"] and not problems
    np.testing.assert_array_equal(found["a_0"]["text"], content["text"][0].astype(np.float32))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vision": None}, "not a table with id"),
        ({"id": np.array([1, 2, 3])}, "not names"),
        ({"audio": np.zeros((3, 2, 73))}, r"audio: float64 of shape \(3, 2, 73\), expected \(3, time, 74\)"),
        ({"text": np.zeros((2, 2, 300))}, r"text: .* expected \(3, time, 300\)"),
        ({"text": np.array(["x"])}, "text: "),
    ],
)
def test_damaged_mosei_files(changes, message, tmp_path):
    stored(tmp_path, **changes)
    with pytest.raises(InputError, match=message):
        mosei_handcrafted.read_phase(tmp_path, "valid")


def corpus(kind, root):
    """A prepared stand-in, and random features; returns the ids of each split."""
    write(kind, root / "mme2e", SIZES, frames=1)
    preprocess(kind, root / "mme2e", root / "out", Options(frame_count="images"))
    rng = np.random.default_rng(2)
    ids = {}
    for split, items in read(kind, root / "mme2e").splits.items():
        ids[split] = [item.id for item in items]
        if kind == "mosei":
            mosei_handcrafted.write_phase(root / "mme2e", split, {i: sequences(rng) for i in ids[split]})
            continue
        frames = {f"image_{s}_{i}": rng.normal(size=35) for s in "LR" for i in range(2)}
        audio = {s: rng.normal(size=(iemocap_handcrafted.AUDIO_WIDTH, 4)) for s in "LR"}
        text = {i: rng.normal(size=(n, 300)) for n, i in enumerate(ids[split])}  # the first has no words
        tables = {"text": text, "audio": dict.fromkeys(text, audio), "video": dict.fromkeys(text, frames)}
        iemocap_handcrafted.write_phase(root / "mme2e", split, tables)
    return ids


@pytest.mark.parametrize("kind", ["iemocap", "mosei"])
def test_both_corpora_feed_both_baselines(kind, tmp_path):
    ids = corpus(kind, tmp_path)
    loaded = open_handcrafted(tmp_path / "out" / kind, tmp_path / "mme2e")
    assert loaded.source.synthetic and len(loaded.label_names) == 6
    listed = [path.name for split in SPLITS for path in feature_files(kind, tmp_path / "mme2e", split)]
    assert set(loaded.source.files) == set(listed)
    expected = [] if kind == "mosei" else [Problem(ids[s][0], "empty text", "kept") for s in SPLITS]
    assert list(loaded.problems) == expected
    batch = loaded.splits["train"].take(np.array([2, 0]))
    assert batch.ids == (ids["train"][2], ids["train"][0])
    assert batch.sizes == {"text": 300, "audio": 144 if kind == "iemocap" else 74, "video": 35}
    for model in (LFRNN(batch.sizes), LFTransformer(batch.sizes, layers=1)):
        logits = model(**batch.inputs)
        torch.nn.functional.binary_cross_entropy_with_logits(logits, batch.targets).backward()
        assert logits.shape == (2, 6) and any(p.grad.any() for p in model.parameters() if p.grad is not None)


def test_utterances_without_features_are_told(tmp_path):
    ids = corpus("mosei", tmp_path)
    path = mosei_handcrafted.files(tmp_path / "mme2e", "train")[0]
    found, _ = mosei_handcrafted.read_phase(tmp_path / "mme2e", "train")
    del found[ids["train"][1]]
    found[ids["train"][2]]["audio"][0, 0] = -np.inf
    mosei_handcrafted.write_phase(tmp_path / "mme2e", "train", found)
    loaded = open_handcrafted(tmp_path / "out" / "mosei", tmp_path / "mme2e")
    assert loaded.splits["train"].ids == tuple(ids["train"][i] for i in (0, 2, 3))
    assert loaded.problem_counts() == {("skipped", "no hand-crafted features"): 1, ("replaced", SILENT): 1}
    path.unlink()
    with pytest.raises(InputError, match=r"train\.pkl: missing"):
        open_handcrafted(tmp_path / "out" / "mosei", tmp_path / "mme2e")


def test_mosei_stand_in_shows_what_was_prepared(tmp_path):
    root = tmp_path / "mme2e"
    write("mosei", root, SIZES)
    preprocess("mosei", root, tmp_path / "out")
    steps = {"text": 9, "audio": 20, "video": 4}
    write_mosei(tmp_path / "out" / "mosei", root, steps)
    loaded = open_handcrafted(tmp_path / "out" / "mosei", root)
    assert not [problem for problem in loaded.problems if problem.outcome == "skipped"]
    part = loaded.splits["test"]
    for row, item in enumerate(read("mosei", root).splits["test"]):
        sequences = part.sequences[row]
        assert {m: len(x) for m, x in sequences.items()} == steps
        words = min(len(item.text.split()), steps["text"])
        assert sequences["text"].any(axis=1).sum() == words
        assert sequences["video"].any(axis=1).sum() == 1 and sequences["audio"][0, :22].any()
