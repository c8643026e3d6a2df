"""Comparing results: what counts as changed, and what as more than noise."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lib.reporting.comparison import (
    BEYOND,
    EQUAL,
    UNKNOWN,
    WITHIN,
    compare_runs,
    compare_tables,
    only_in,
    welch,
)
from lib.reporting.comparison_origin import origins
from lib.reporting.result_folders import ResultFolder
from lib.reporting.statistics import t_interval
from tests.reporting.tables_of_runs import runs_of


def only(table: pd.DataFrame) -> pd.Series:
    assert len(table) == 1
    return table.iloc[0]


def test_equal_runs_are_equal_and_rounding_does_not_count():
    scores = {"text only": [0.5, 0.6, 0.7], "rate 0.8": [0.6, 0.7, 0.8]}
    assert set(compare_runs(runs_of(scores), runs_of(scores))["verdict"]) == {EQUAL}
    rounded = {name: [value * (1 + 1e-12) for value in values] for name, values in scores.items()}
    assert set(compare_runs(runs_of(scores), runs_of(rounded))["verdict"]) == {EQUAL}


def test_the_same_shift_in_every_seed_is_beyond_noise_however_far_the_seeds_lie_apart():
    a = [0.2, 0.5, 0.8, 0.4, 0.6]
    b = [value + 0.01 + 0.001 * i for i, value in enumerate(a)]
    row = only(compare_runs(runs_of({"m": a}), runs_of({"m": b})))
    differences = np.array(b) - np.array(a)
    assert (row["low"], row["high"]) == t_interval(differences)
    assert (row["verdict"], row["seeds"], row["number"]) == (BEYOND, 5, "test acc")
    assert row["difference"] == pytest.approx(0.012)


def test_a_change_that_differs_between_seeds_is_within_noise():
    row = only(compare_runs(runs_of({"m": [0.5, 0.5, 0.5]}), runs_of({"m": [0.6, 0.4, 0.52]})))
    assert row["verdict"] == WITHIN
    assert row["low"] < 0 < row["high"]


def test_pairs_are_the_shared_seeds_and_a_lost_seed_is_a_change():
    a, b = runs_of({"m": [0.1, 0.2, 0.3, 0.4]}), runs_of({"m": [0.1, 0.2, 0.3, None]})
    row = only(compare_runs(a, b))
    assert (row["verdict"], row["seeds"], row["difference"]) == (WITHIN, 3, 0.0)


def test_without_shared_seeds_the_comparison_is_unpaired():
    a, b = runs_of({"m": [0.50, 0.51, 0.52]}), runs_of({"m": [0.70, 0.71, 0.73]})
    b["seed"] += 10
    row = only(compare_runs(a, b))
    assert (row["verdict"], row["seeds"]) == (BEYOND, 3)
    # scipy's Welch test gives the same interval
    interval = stats.ttest_ind([0.70, 0.71, 0.73], [0.50, 0.51, 0.52], equal_var=False).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))


def test_one_seed_says_nothing_about_noise():
    row = only(compare_runs(runs_of({"m": [0.5]}), runs_of({"m": [0.9]})))
    assert (row["verdict"], row["difference"]) == (UNKNOWN, pytest.approx(0.4))
    assert np.isnan(row["low"])
    assert only(compare_runs(runs_of({"m": [0.5]}), runs_of({"m": [0.5]})))["verdict"] == EQUAL
    assert welch(0.5, 0.0, 1, 0.6, 0.1, 5) == pytest.approx((np.nan, np.nan), nan_ok=True)
    assert welch(0.5, 0.0, 5, 0.6, 0.0, 5) == pytest.approx((0.1, 0.1))


def test_runs_that_failed_on_both_sides_are_equal_and_on_one_are_not():
    a, b = runs_of({"m": [None, None], "x": [0.1, 0.2]}), runs_of({"m": [0.3, 0.4], "x": [0.1, 0.2]})
    assert list(compare_runs(a, a)["where"]) == ["x"]
    assert list(compare_runs(a, b)["where"]) == ["x"]
    assert only_in(a, runs_of({"x": [0.1]})) == ["m"]
    assert only_in(runs_of({"x": [0.1]}), a) == []


def folder(path, name="quick", manifest=None, **tables) -> ResultFolder:
    (path / "tables").mkdir(parents=True)
    for stem, table in tables.items():
        table.to_csv(path / "tables" / f"{stem}.csv", index=False)
    return ResultFolder("nb", name, path, "stand-in", manifest or {"data": []})


def summary(scores, n=5, spread=0.01, **more) -> pd.DataFrame:
    half = stats.t.ppf(0.975, n - 1) * spread / np.sqrt(n)
    rows = [
        {"variant": v, "metric": "acc", "n": n, "score": s, "score_std": spread}
        | {"t_interval_low": s - half, "t_interval_high": s + half, "iqm": s, "corpus": "x, real data"}
        for v, s in scores.items()
    ]
    return pd.DataFrame(rows).assign(**more)


def test_tables_are_compared_by_the_intervals_that_they_hold(tmp_path):
    a = folder(tmp_path / "a", scores_acc=summary({"same": 0.5, "near": 0.5, "far": 0.5}), gone=summary({"m": 0.5}))
    b = folder(tmp_path / "b", scores_acc=summary({"far": 0.6, "same": 0.5, "near": 0.505, "new": 0.1}))
    changed, about = compare_tables(a, b)
    verdicts = changed.set_index("number")["verdict"].to_dict()
    assert verdicts == {"near, acc: score": WITHIN, "far, acc: score": BEYOND}
    row = changed.set_index("number").loc["far, acc: score"]
    error = 0.01 / np.sqrt(5)
    assert (row["low"], row["high"]) == pytest.approx(welch(0.5, error, 5, 0.6, error, 5))
    states = about.set_index("table")["state"].to_dict()
    assert states == {"gone": "only in A", "scores_acc": "2 of 6 numbers changed, 1 rows in one alone"}


def test_numbers_without_an_interval_are_changed_with_unknown_noise_and_times_do_not_count(tmp_path):
    table = pd.DataFrame(
        {"rank": [1, 4], "weights": [10, 20], "train_samples_per_s": [1.0, 2.0], "seconds": [3.0, 4.0]}
    )
    other = table.assign(weights=[10, 21], train_samples_per_s=[5.0, 6.0], seconds=[7.0, 8.0])
    changed, about = compare_tables(folder(tmp_path / "a", size=table), folder(tmp_path / "b", size=other))
    row = only(changed)
    assert (row["where"], row["number"], row["a"], row["b"], row["verdict"]) == ("size", "4: weights", 20, 21, UNKNOWN)
    assert only(about)["state"] == "1 of 2 numbers changed"


def test_rows_with_one_name_are_matched_in_their_order(tmp_path):
    table = pd.DataFrame({"variant": ["m", "m"], "value": [0.1, 0.2]})
    changed, _ = compare_tables(
        folder(tmp_path / "a", t=table), folder(tmp_path / "b", t=table.assign(value=[0.1, 0.3]))
    )
    assert only(changed)["number"] == "m, row 2: value"


def about_run(**changes) -> dict:
    source = {"label": "MOSI, real data", "split_rule": "standard", "files": {"x.h5": "a" * 64}}
    plain = {
        "code": {"commit": "1" * 40, "dirty": False},
        "run": {"params": {"epochs": 6, "hidden": [32, 8]}, "engine": "loop on cpu"},
        "environment": {"device": "cpu", "packages": {"torch": "2.13.0"}},
        "data": [source],
        "volatile": {"written": "now"},
    }
    return plain | changes


def test_everything_of_the_origin_that_differs_is_named(tmp_path):
    a = folder(tmp_path / "a", manifest=about_run())
    changed = about_run(
        code={"commit": "2" * 40, "dirty": False},
        run={"params": {"epochs": 7, "hidden": [32, 8]}, "engine": "loop on cpu"},
        environment={"device": "NVIDIA H200", "packages": {"torch": "2.11.0", "numpy": "2.4"}},
        data=[{"label": "MOSI, real data", "split_rule": "standard", "files": {"x.h5": "b" * 64, "y.h5": "c" * 64}}],
        volatile={"written": "later"},
    )
    b = folder(tmp_path / "b", manifest=changed)
    inputs = ({"lib/x.py": "d" * 64, "lib/y.py": "e" * 64}, {"lib/x.py": "f" * 64, "lib/y.py": "e" * 64})
    found = {what: (ours, theirs) for what, ours, theirs in origins(a, b, inputs)}
    assert found == {
        "code.commit": ("1" * 40, "2" * 40),
        "run.params.epochs": ("6", "7"),
        "environment.device": ("cpu", "NVIDIA H200"),
        "environment.packages.torch": ("2.13.0", "2.11.0"),
        "environment.packages.numpy": ("–", "2.4"),
        "data 1, file x.h5": ("a" * 12, "b" * 12),
        "data 1, file y.h5": ("–", "c" * 12),
        "file lib/x.py": ("d" * 12, "f" * 12),
    }
    assert origins(a, a, inputs[:1] * 2) == []
    assert "file lib/x.py" not in {what for what, *_ in origins(a, b, ({}, inputs[1]))}
