"""The open format: what is read of a folder, and how each fault of it is refused."""

import numpy as np
import pandas as pd
import pytest
import yaml

from lib.data.own import corpus_folder
from lib.errors import InputError
from tests.data.own.brought import SPLITS, WIDTHS, features, write_folder, yaml_of


def read(tmp_path, **options):
    return corpus_folder.read(tmp_path, name="mine", **options)


def test_a_folder_of_npz_files_is_a_corpus(tmp_path):
    write_folder(tmp_path / "own" / "mine")
    corpus = read(tmp_path)
    assert (corpus.task, corpus.label_names, dict(corpus.modalities)) == ("classes", ("bad", "good"), WIDTHS)
    assert {name: len(split) for name, split in corpus.splits.items()} == SPLITS
    test = corpus.splits["test"]
    np.testing.assert_array_equal(test.features["audio"], features("test")["audio"])
    np.testing.assert_array_equal(test.lengths, [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(test.labels, [0, 1, 0, 1, 0, 1])
    assert corpus.source.label == "My reviews, real data"
    assert corpus.source.cluster == "speaker"
    assert test.groups[:4] == ("test speaker 0", "test speaker 1", "test speaker 2", "test speaker 0")
    assert set(corpus.source.files) == {f"own/mine/{name}" for name in ("corpus.yaml", *(f"{s}.npz" for s in SPLITS))}


def test_what_was_written_is_what_is_read(tmp_path):
    folder = write_folder(tmp_path / "own" / "mine")
    before = read(tmp_path)
    about, parts = corpus_folder.brought(folder)
    corpus_folder.write(tmp_path / "own" / "again", about, parts)
    after = corpus_folder.read(tmp_path, name="again")
    assert after.digest == before.digest
    assert corpus_folder.brought(tmp_path / "own" / "again")[1]["test"].units == parts["test"].units
    assert isinstance(after.splits["train"].features["text"], np.memmap)


def test_words_in_a_table_are_steps(tmp_path):
    folder = tmp_path / "own" / "mine"
    folder.mkdir(parents=True)
    rows = [{"id": "a", "label": "good", "unit": "s1", "audio.f0": 1.5, "audio.f1": 2.0, "text.0": k} for k in (1, 2)]
    rows += [{"id": "b", "label": "bad", "unit": "s2", "audio.f0": 0.5, "audio.f1": 1.0, "text.0": 3}]
    for split, ending in zip(SPLITS, ("csv", "csv", "parquet"), strict=True):
        table = pd.DataFrame(rows)
        table["id"] += split
        path = folder / f"{split}.{ending}"
        table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    splits = {split: f"{split}.{ending}" for split, ending in zip(SPLITS, ("csv", "csv", "parquet"), strict=True)}
    (folder / "corpus.yaml").write_text(yaml.safe_dump(yaml_of(splits=splits, padding="back")))
    corpus = read(tmp_path)
    for split in corpus.splits.values():
        np.testing.assert_array_equal(split.features["text"][:, :, 0], [[1, 2], [3, 0]])
        np.testing.assert_array_equal(split.features["audio"][1], [[0.5, 1], [0, 0]])
        np.testing.assert_array_equal(split.labels, [1, 0])
        np.testing.assert_array_equal(split.lengths, [2, 1])


def test_features_that_are_not_finite_are_refused_or_counted(tmp_path):
    folder = write_folder(tmp_path / "own" / "mine")
    arrays = dict(np.load(folder / "test.npz"))
    arrays["audio"][2, -1, 0] = np.nan
    np.savez(folder / "test.npz", **arrays)
    with pytest.raises(InputError, match=r"test\.npz: audio of sample test2 holds NaN"):
        read(tmp_path)
    corpus = read(tmp_path, nonfinite="zero")
    assert "1 NaN or infinities in test audio set to 0 (nonfinite: zero)" in corpus.source.warnings


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"task": "classification"}, "key 'task' = 'classification'"),
        ({"task": "regression"}, "scale"),
        ({"scale": {"limits": [3, -3]}, "task": "regression"}, "the lower comes first"),
        ({"labels": ["good", "good"]}, "labels holds a name twice"),
        ({"labels": ["good"]}, "at least two labels"),
        ({"splits": {"train": "train.npz", "test": "test.npz"}}, "splits has no valid"),
        ({"splits": {s: f"../{s}.npz" for s in SPLITS}}, "not below the folder"),
        ({"licence": None}, "key 'licence' is missing"),
        ({"lable": "x"}, "unknown key 'lable'; did you mean 'label'"),
        ({"unit": "person"}, "key 'unit' = 'person'"),
    ],
)
def test_a_faulty_declaration_is_one_line(tmp_path, changed, message):
    write_folder(tmp_path / "own" / "mine", **changed)
    with pytest.raises(InputError, match=r"corpus\.yaml: ") as caught:
        read(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def _without(name):
    return lambda arrays: arrays.pop(name)


def _set(name, value):
    return lambda arrays: arrays.update({name: value})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without("labels"), "no array 'labels'"),
        (_without("ids"), "no array 'ids'"),
        (_set("vision", np.zeros((6, 2))), "array 'vision' means nothing here"),
        (_set("labels", np.arange(6)), "class labels outside 0..1"),
        (_set("labels", np.array(["bad"] * 5 + ["worse"])), "label 'worse'"),
        (_set("labels", np.array([0, 1, 0, 1, 0, 0.5])), "whole numbers"),
        (_set("labels", np.zeros(5, int)), "numbers of samples differ"),
        (_set("audio", np.zeros((6, 6, 9), np.float32)), "modalities or widths differ between splits"),
        (_set("audio", np.array([["a"]] * 6)), "audio is <U1 (6, 1)"),
        (_set("lengths", np.array([1, 2, 3, 4, 5, 7])), "lengths are no numbers of steps from 0 to 6"),
        (_set("ids", np.array(["same"] * 6)), "sample same stands twice"),
        (_set("units", np.zeros((6, 2))), "units are float64"),
        (lambda arrays: [arrays.pop(m) for m in WIDTHS], "no features"),
    ],
)
def test_a_faulty_split_is_one_line(tmp_path, damage, message):
    folder = write_folder(tmp_path / "own" / "mine")
    arrays = dict(np.load(folder / "test.npz"))
    damage(arrays)
    np.savez(folder / "test.npz", **arrays)
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_objects_and_compressed_or_damaged_archives_are_refused(tmp_path):
    folder = write_folder(tmp_path / "own" / "mine")
    whole = (folder / "test.npz").read_bytes()
    np.savez_compressed(folder / "test.npz", **dict(np.load(folder / "test.npz")))
    with pytest.raises(InputError, match=r"is compressed; write it with `np\.savez`"):
        read(tmp_path)
    np.savez(folder / "test.npz", labels=np.array([{}], dtype=object), ids=np.array(["a"]))
    with pytest.raises(InputError, match="is not the array that its header announces"):
        read(tmp_path)
    (folder / "test.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"test\.npz"):
        read(tmp_path)
    (folder / "test.npz").unlink()
    with pytest.raises(InputError, match="missing"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("id,label,audio.0\na,good,1\nb,bad,2\na,good,3\n", "rows of a stand apart"),
        ("id,label,audio.0\na,good,1\na,bad,2\n", "two labels for a"),
        ("id,label,audio.0\na,good,loud\n", "column audio.0, row 1: 'loud' is no number"),
        ("id,label,pitch\na,good,1\n", "column 'pitch' means nothing here"),
        ("id,label\na,good\n", "no features"),
        ("id,audio.0\na,1\n", "no column label"),
        ("id,label,audio.0\na,fine,1\n", "label 'fine'"),
        ("id,label,audio.0\n", "no rows"),
    ],
)
def test_a_faulty_table_is_one_line(tmp_path, table, message):
    splits = {split: f"{split}.csv" for split in SPLITS}
    folder = write_folder(tmp_path / "own" / "mine", splits=splits)
    for split in SPLITS:
        (folder / f"{split}.csv").write_text(table)
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_score_in_a_column_is_one_score(tmp_path):
    """As a network's outputs and labels often are: (utterances, 1)."""
    scale = {"limits": [-3, 3]}
    folder = write_folder(tmp_path / "own" / "mine", task="regression", labels=["joy"], scale=scale)
    flat = [read(tmp_path).splits[split].labels for split in SPLITS]
    for split in SPLITS:
        arrays = dict(np.load(folder / f"{split}.npz"))
        np.savez(folder / f"{split}.npz", **arrays | {"labels": arrays["labels"][:, None]})
    for split, labels in zip(SPLITS, flat, strict=True):
        np.testing.assert_array_equal(read(tmp_path).splits[split].labels, labels, strict=True)
