"""Splits read without a look at their labels."""

import numpy as np
import pandas as pd
import pytest

from lib.data.own import split_files
from lib.data.own.declaration import declaration
from lib.errors import InputError
from tests.data.own.brought import write_folder, write_tables


@pytest.mark.parametrize("write", [write_folder, write_tables])
def test_features_ids_and_padding_are_those_of_the_labelled_split(tmp_path, write):
    folder = write(tmp_path / "mine")
    about = declaration(folder)
    for name in about.splits.values():
        whole, part = split_files.read(folder / name, about), split_files.unlabelled(folder / name, about.padding)
        assert part.ids == whole.ids and list(part.features) == list(whole.features)
        for m, x in whole.features.items():
            np.testing.assert_array_equal(part.features[m], x)
        assert np.isnan(part.labels).all() and len(part.labels) == len(whole.labels)


@pytest.mark.parametrize("label", [None, "label", "label.anger"])
def test_labels_need_not_be_there_nor_be_any(tmp_path, label):
    table = pd.DataFrame({"id": ["a", "a", "b"], "audio.0": [1.0, 2.0, 3.0]})
    if label:
        table[label] = ["x", "y", ""]
    table.to_csv(tmp_path / "mine.csv", index=False)
    found = split_files.unlabelled(tmp_path / "mine.csv", "front")
    assert found.ids == ("a", "b") and found.features["audio"].tolist() == [[[1.0], [2.0]], [[0.0], [3.0]]]


def test_other_columns_still_mean_nothing(tmp_path):
    pd.DataFrame({"id": ["a"], "audio.0": [1.0], "labels": [0]}).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(InputError, match="column 'labels' means nothing"):
        split_files.unlabelled(tmp_path / "mine.csv", "front")
