"""The run table: built, checked, stored, read back."""

import csv

import numpy as np
import pandas as pd
import pytest

from lib.errors import InputError
from lib.run_table import COLUMNS, by_seed, load, rates, run_table, save
from tests.reporting.tables_of_runs import runs_of


def a_run(**changed):
    run = {"variant": "text only", "seed": 0, "selected_on": "valid", "status": "finished", "best_epoch": 3}
    return {**run, "metrics": {"valid": {"acc": 0.5}, "test": {"acc": 0.4, "mae": 1.0}}, **changed}


def test_one_row_per_score_and_extra_columns_last():
    table = run_table([a_run(engine="fleet"), a_run(seed=1, engine="fleet", metrics={})])
    assert list(table.columns) == [*COLUMNS, "engine"]
    assert table["value"].tolist()[:3] == [0.5, 0.4, 1.0]
    assert len(table) == 4 and np.isnan(table["value"].iloc[3]) and table["seed"].iloc[3] == 1
    assert table["best_epoch"].tolist() == [3, 3, 3, 3]


def test_by_seed_keeps_failed_runs_as_nan():
    table = runs_of({"rate 0.8": [0.1, None, 0.3], "text only": [0.4, 0.5, 0.6]})
    scores = by_seed(table, "acc")
    assert scores.columns.tolist() == ["rate 0.8", "text only"]
    assert scores.index.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(scores["rate 0.8"], [0.1, np.nan, 0.3])
    assert rates(table)["rate 0.8"] == 0.8 and np.isnan(rates(table)["text only"])


def test_a_variant_without_any_score_stays_visible():
    scores = by_seed(runs_of({"rate 0": [None, None], "text only": [0.4, None]}), "acc")
    assert scores.columns.tolist() == ["rate 0", "text only"] and scores.index.tolist() == [0, 1]
    assert scores["rate 0"].isna().all()


def test_unknown_metric_lists_what_there_is():
    with pytest.raises(InputError, match="no run has test mae; there are: test acc"):
        by_seed(runs_of({"text only": [0.1]}), "mae")


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([], "no runs"),
        ([a_run(), a_run()], "given twice: variant text only, seed 0, split valid, metric acc"),
        ([{key: value for key, value in a_run().items() if key != "status"}], "no column status"),
        ([a_run(rate=1.5)], "rate 1.5"),
        ([a_run(rate=0.1), a_run(seed=1, rate=0.2)], "'text only' has several rates"),
        ([a_run(), a_run(seed=1, rate=0.2)], "'text only' has several rates"),
    ],
)
def test_bad_tables_are_refused(runs, message):
    with pytest.raises(InputError, match=message):
        run_table(runs)


def test_saved_and_read_back(tmp_path):
    table = runs_of({"rate 0": [1 / 3, None], "text only": [0.1 + 0.2, 1e-17]})
    save(table, tmp_path / "run")
    pd.testing.assert_frame_equal(load(tmp_path / "run"), table)
    with (tmp_path / "run" / "runs.csv").open(newline="", encoding="utf-8") as handle:
        text = list(csv.DictReader(handle))
    assert [float(row["value"]) for row in text if row["value"]] == [1 / 3, 0.1 + 0.2, 1e-17]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["runs.csv", "runs.parquet"]


def test_missing_and_damaged_tables(tmp_path):
    with pytest.raises(InputError, match="no run table here"):
        load(tmp_path)
    (tmp_path / "runs.parquet").write_bytes(b"PAR1 cut short")
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)
