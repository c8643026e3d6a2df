"""Utterances from a user's hand: folders, tables, arrays, and what does not fit."""

import numpy as np
import pandas as pd
import pytest
import yaml

from lib.data.corpus import Split
from lib.errors import InputError
from lib.export.inputs import FAR, Utterances, from_path, spread, strangers
from lib.export.loading import load_trained
from tests.data.own.brought import yaml_of


@pytest.fixture(scope="module")
def model(exported):
    return load_trained(exported)


@pytest.fixture
def arrays(model) -> dict[str, np.ndarray]:
    """Three utterances of one step less than in training."""
    rng = np.random.default_rng(0)
    known = model.about.modalities
    shapes = {m: (3, known[m].steps - 1, known[m].width) for m in model.about.reads}
    return {m: rng.normal(size=shape).astype(np.float32) for m, shape in shapes.items()}


def table_of(arrays, ids) -> pd.DataFrame:
    """The same as a table, a row per step."""
    steps = next(iter(arrays.values())).shape[1]
    columns = {f"{m}.{k}": x[:, :, k].ravel() for m, x in arrays.items() for k in range(x.shape[2])}
    return pd.DataFrame({"id": np.repeat(ids, steps), **columns})


def test_a_table_and_an_array_file_without_labels_give_the_same(model, arrays, tmp_path):
    ids = ["a", "b", "c"]
    np.savez(tmp_path / "mine.npz", ids=np.array(ids), **arrays)
    table_of(arrays, ids).to_csv(tmp_path / "mine.csv", index=False)
    table_of(arrays, ids).assign(label="anything").to_parquet(tmp_path / "mine.parquet", index=False)
    tables = [model.predict(tmp_path / f"mine.{ending}") for ending in ("npz", "csv", "parquet")]
    assert list(tables[0]["id"]) == ids
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])


@pytest.mark.parametrize(("padding", "sides"), [("front", (1, 0)), ("back", (0, 1))])
def test_a_corpus_folder_is_padded_on_the_side_that_it_declares(model, arrays, tmp_path, padding, sides):
    splits = {split: f"{split}.npz" for split in ("train", "valid", "test")}
    (tmp_path / "corpus.yaml").write_text(yaml.safe_dump(yaml_of(padding=padding, splits=splits)))
    np.savez(tmp_path / "test.npz", ids=np.array(["a", "b", "c"]), **arrays)
    found = model.predict(tmp_path, split="test")
    whole = {m: np.pad(x, ((0, 0), sides, (0, 0))) for m, x in arrays.items()}
    pd.testing.assert_frame_equal(found, model.predict(Utterances(("a", "b", "c"), whole, None, "whole")))
    with pytest.raises(InputError, match="missing"):
        model.predict(tmp_path, split="train")


def misfit(arrays, modality: str, change) -> Utterances:
    changed = {m: change(x) if m == modality else x for m, x in arrays.items()}
    return Utterances(("a", "b", "c"), {m: x for m, x in changed.items() if x is not None}, "front", "mine")


def nan_in(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x[1, 0, 0] = np.nan
    return x


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: None, "mine: no audio, which the model reads; there are: text"),
        (lambda x: x[:, :, 1:], r"mine: audio has \d+ features, the model reads \d+"),
        (
            lambda x: np.concatenate([x, x, x], axis=1),
            r"mine: audio has \d+ steps, the model was trained on \d; cut or",
        ),
        (nan_in, "audio of utterance b holds NaN"),
    ],
)
def test_what_does_not_fit_is_one_line(model, arrays, change, said):
    with pytest.raises(InputError, match=said) as refusal:
        model.predict(misfit(arrays, "audio", change))
    assert "\n" not in str(refusal.value)


def test_shorter_sequences_of_an_unknown_side_are_refused(model, arrays):
    with pytest.raises(InputError, match="steps, the model was trained on"):
        model.predict(Utterances(("a", "b", "c"), arrays, None, "mine"))


def test_dialogues_are_not_utterances_one_by_one(model, arrays):
    split = Split(arrays, np.array([1, 2, 1]), np.zeros((3, 2)), ("x", "y", "z"), speakers=np.zeros((3, 2), np.int64))
    dialogues = Utterances.of(split, "talk")
    assert dialogues.ids == ("x:1", "y:1", "y:2", "z:1")
    with pytest.raises(InputError, match="talk: the model reads utterances one by one, these are whole dialogues"):
        model.predict(dialogues)


def test_modalities_that_the_model_does_not_read_are_not_looked_at(model, arrays):
    alone = model.predict(Utterances(("a", "b", "c"), arrays, "front", "mine"))
    more = {**arrays, "video": np.full((3, 9, 2), np.nan)}
    pd.testing.assert_frame_equal(model.predict(Utterances(("a", "b", "c"), more, "front", "mine")), alone)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("nothing.csv", None, "neither a corpus folder nor a file"),
        ("table.csv", "id,text.0\na,1\nb,2\na,3\n", "rows of a stand apart"),
        ("table.csv", "text.0\n1\n", "no column id"),
        ("notes.txt", "hello", "a split is a .npz"),
        ("code.pkl", "hello", "a split is a .npz"),
    ],
)
def test_files_that_are_none_are_one_line(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=said):
        from_path(tmp_path / name)


def test_ids_that_stand_twice_are_refused(tmp_path):
    np.savez(tmp_path / "mine.npz", ids=np.array(["a", "a"]), text=np.ones((2, 3)))
    with pytest.raises(InputError, match="an id stands twice"):
        from_path(tmp_path / "mine.npz")


def test_features_of_another_scale_are_told(model, arrays):
    known = model.about.modalities
    like = {m: np.broadcast_to(known[m].mean, x.shape) for m, x in arrays.items()}
    assert strangers(model.about, Utterances(("a", "b", "c"), like, "front", "mine")) == []
    away = like | {"audio": like["audio"] + (FAR + 1) * np.array(known["audio"].deviation)}
    (said,) = strangers(model.about, Utterances(("a", "b", "c"), away, "front", "mine"))
    assert said.startswith("audio is on another scale")


def test_the_spread_leaves_padding_out_and_goes_by_parts():
    x = np.random.default_rng(0).normal(size=(700, 4, 3))
    x[::2, :2] = 0
    steps = x[(x != 0).any(axis=-1)]
    for found, expected in zip(spread(x), (steps.mean(axis=0), steps.std(axis=0)), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)
    assert [value.tolist() for value in spread(np.zeros((2, 3, 1)))] == [[0.0], [0.0]]
