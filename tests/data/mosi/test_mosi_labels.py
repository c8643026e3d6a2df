import csv

import h5py
import numpy as np
import pytest

from lib.data.mosi.mosi_labels import python2_dict_order, python2_hash, row_order, sentiment, write_sentiment
from lib.errors import InputError


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("", 0),
        ("a", 12416037344),
        ("10", 6272037681056609),
        ("hello", 840651671246116861),
        ("03bSnISJMiM", -908909651186486810),
    ],
)
def test_hash_is_what_python_2_prints(text, printed):
    """Printed by a 64-bit CPython 2.7.18."""
    assert python2_hash(text) == printed % 2**64


@pytest.mark.parametrize(
    ("keys", "printed"),
    [
        ([], []),
        (["jack", "sape", "guido"], ["sape", "jack", "guido"]),
        ([*"abcdef"], ["a", "c", "b", "e", "d", "f"]),
        (
            list(map(str, range(1, 24))),
            list(map(str, [20, 21, 22, 23, 1, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14, 17, 16, 19, 18])),
        ),
    ],
)
def test_order_is_what_python_2_prints(keys, printed):
    """Printed by a 64-bit CPython 2.7.18; 23 keys make the dict grow twice."""
    assert python2_dict_order(keys) == printed


def test_rows_go_through_the_videos_in_ascii_order():
    assert row_order({"b": 3, "_a": 1, "Z": 2}) == ["Z_1", "Z_2", "_a_1", "b_1", "b_3", "b_2"]


def test_what_is_written_is_read_back(tmp_path):
    segments = {f"video{number:02d}": 1 + number % 7 for number in range(20)}
    values = {key: row / 20 - 2 for row, key in enumerate(row_order(segments))}
    write_sentiment(tmp_path, segments, values)
    assert sentiment(tmp_path, segments) == values
    rows = []
    for split in ("train", "valid", "test"):
        with h5py.File(tmp_path / f"mfn/data/y_{split}.h5") as file:
            rows.append(file["data"][()])
    videos = sorted(segments)
    assert [len(part) for part in rows] == [
        sum(segments[video] for video in part) for part in (videos[:11], videos[11:13], videos[13:])
    ]


def test_another_number_of_rows(tmp_path):
    segments = {f"v{number:02d}": 2 for number in range(9)}
    write_sentiment(tmp_path, segments, dict.fromkeys(row_order(segments), 1.0))
    with pytest.raises(InputError, match=r"y_\*\.h5: 18 labels for 19 utterances"):
        sentiment(tmp_path, segments | {"v00": 3})


def test_labels_of_another_shape(tmp_path):
    segments = {f"v{number:02d}": 2 for number in range(9)}
    write_sentiment(tmp_path, segments, dict.fromkeys(row_order(segments), 1.0))
    with h5py.File(tmp_path / "mfn/data/y_test.h5", "w") as file:
        file["data"] = np.ones((6, 1))
    with pytest.raises(InputError, match=r"y_test\.h5: labels \(6, 1\), expected \(N,\)"):
        sentiment(tmp_path, segments)


def test_a_label_out_of_range(tmp_path):
    segments = {f"v{number:02d}": 2 for number in range(9)}
    write_sentiment(tmp_path, segments, dict.fromkeys(row_order(segments), 1.0) | {"v00_2": -3.5})
    with pytest.raises(InputError, match=r"y_train\.h5: label of row 1 is -3\.5, outside -3\.0 to 3\.0"):
        sentiment(tmp_path, segments)


def test_the_real_labels_agree_with_the_published_table(real_root):
    """`derived/mosi_index.csv` was checked against a public table of all 2199 labels (inventory 1.5)."""
    table = real_root.parent / "derived" / "mosi_index.csv"
    if not table.exists():
        pytest.skip(f"needs {table.name} in a folder `derived` beside the data folder")
    with table.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    segments = {row["video"]: 0 for row in rows}
    for row in rows:
        segments[row["video"]] += 1
    found = sentiment(real_root, segments)
    assert found == {row["id"]: float(row["sentiment"]) for row in rows}
    start = {"train": 0, "valid": 1284, "test": 1284 + 229}
    order = row_order(segments)
    assert [order[start[row["std_fold"]] + int(row["row_in_y_h5"])] for row in rows] == [row["id"] for row in rows]
    assert len(np.unique(order)) == 2199
