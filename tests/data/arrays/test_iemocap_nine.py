"""The `.p` files of nine emotions: there and back, the dropped step, -inf, and what is refused."""

import os
import pickle

import numpy as np
import pytest

from lib import data
from lib.data.arrays.emotion_arrays import NINE
from lib.data.arrays.emotion_rules import IEMOCAP_ALL_EMOTIONS
from lib.data.corpus import SPLITS
from lib.errors import InputError

SIZES = {"train": 6, "valid": 3, "test": 4}
WIDTHS = {"text": ("text", 5), "covarep": ("audio", 4), "facet": ("video", 3)}
STEPS = 7


def stored(name: str, split: str) -> np.ndarray:
    """What `put` writes: finite numbers that differ between files, and one-hot labels over all eleven columns."""
    rng = np.random.default_rng([len(name), *split.encode()])
    if name == "y":
        return np.eye(11)[rng.permutation(11)[: SIZES[split]]]
    return rng.normal(size=(SIZES[split], STEPS, WIDTHS[name][1]))


def put(root, **changed) -> None:
    """All twelve files; `changed` maps `<name>_<split>` to other contents. Protocol 2 is what Python 2 wrote."""
    folder = root / "iemocap"
    folder.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        for name in (*WIDTHS, "y"):
            value = changed.get(f"{name}_{split}", stored(name, split))
            (folder / f"{name}_{split}.p").write_bytes(pickle.dumps(value, protocol=2))


def test_nine_of_eleven_columns_and_all_but_the_last_step(tmp_path):
    put(tmp_path)
    corpus = data.load("iemocap_nine", tmp_path)
    assert (corpus.task, corpus.label_names) == ("multilabel", IEMOCAP_ALL_EMOTIONS)
    assert corpus.modalities == {"text": 5, "audio": 4, "video": 3}
    assert sorted(corpus.source.files) == sorted(f"iemocap/{n}_{s}.p" for s in SPLITS for n in (*WIDTHS, "y"))
    for split, part in corpus.splits.items():
        np.testing.assert_array_equal(part.labels, stored("y", split)[:, 1:10])
        for name, (modality, _) in WIDTHS.items():
            np.testing.assert_array_equal(part.features[modality], stored(name, split)[:, :-1].astype(np.float32))


def test_what_is_written_comes_back(tmp_path):
    put(tmp_path / "a")
    made = NINE.read(tmp_path / "a")
    NINE.write(tmp_path / "b", made)
    again = NINE.read(tmp_path / "b")
    for split, part in made.splits.items():
        np.testing.assert_array_equal(again.splits[split].labels, part.labels)
        for modality, x in part.features.items():
            np.testing.assert_array_equal(again.splits[split].features[modality], x)


def test_minus_infinity_in_audio_becomes_zero_and_is_counted(tmp_path):
    audio = stored("covarep", "test")
    audio[1, 2, :2] = -np.inf
    audio[0, -1, 0] = -np.inf  # in the dropped step
    put(tmp_path, covarep_test=audio)
    corpus = NINE.read(tmp_path)
    assert corpus.splits["test"].features["audio"][1, 2, :2].tolist() == [0, 0]
    assert any(words.startswith("2 audio values of -inf set to 0") for words in corpus.source.warnings)


def spoilt(name: str, split: str, value: float) -> np.ndarray:
    array = stored(name, split)
    array.flat[0] = value
    return array


@pytest.mark.parametrize(
    ("file", "value", "message"),
    [
        ("covarep_test", spoilt("covarep", "test", np.nan), "holds NaN or infinity"),
        ("covarep_test", spoilt("covarep", "test", np.inf), "holds NaN or infinity"),
        ("text_train", spoilt("text", "train", -np.inf), "holds NaN or infinity"),
        ("facet_valid", stored("facet", "valid")[:2], "samples or steps differ"),
        ("facet_valid", stored("facet", "valid")[:, :5], "samples or steps differ"),
        ("y_train", stored("y", "train")[:, :9], "expected 11 columns"),
        ("y_train", stored("y", "train") * 2, "zeros and ones"),
        ("y_train", spoilt("y", "train", np.nan), "zeros and ones"),
        ("text_test", {"text": 1}, "dict, expected an array of numbers with 3 axes"),
        ("text_test", stored("text", "test")[0], "expected an array of numbers with 3 axes"),
    ],
)
def test_damage_is_one_clear_line(tmp_path, file, value, message):
    put(tmp_path, **{file: value})
    with pytest.raises(InputError, match=message) as caught:
        NINE.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_and_a_missing_one(tmp_path):
    put(tmp_path)
    path = tmp_path / "iemocap" / "text_valid.p"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="not a complete, readable pickle"):
        NINE.read(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=r"text_valid\.p: missing; see \./run_all\.sh data get iemocap_nine"):
        NINE.read(tmp_path)


class _Hostile:
    def __reduce__(self):
        return os.system, ("touch hostile",)


def test_a_pickle_that_asks_for_code_is_refused_and_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path, facet_train=_Hostile())
    with pytest.raises(InputError, match="which is not plain data"):
        NINE.read(tmp_path)
    assert not (tmp_path / "hostile").exists()
