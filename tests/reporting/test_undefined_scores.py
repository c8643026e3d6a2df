"""Scores that no seed has."""

from lib.reporting import undefined_scores
from lib.run_table import run_table

LABEL = "small, SYNTHETIC stand-in"


def runs(value: float):
    nan, same = float("nan"), {"selected_on": "valid", "status": "finished"}
    rows = [("a", 0, nan), ("a", 1, nan), ("b", 0, value), ("b", 1, 0.5)]
    found = [{"variant": v, "seed": s, "metrics": {"test": {"auc": x, "acc": 0.5}}, **same} for v, s, x in rows]
    return run_table([*found, {"variant": "lost", "seed": 0, "selected_on": "", "status": "diverged", "reason": "nan"}])


def test_a_score_that_a_variant_has_with_no_seed_is_listed(tmp_path):
    table = undefined_scores.undefined_table(runs(float("nan")))
    assert table.to_dict("records") == [{"split": "test", "metric": "auc", "variants": 1, "of": 2}]
    (said,) = undefined_scores.write(runs(0.5), tmp_path, label=LABEL)
    assert "`test auc`" in said
    assert (tmp_path / "tables" / "undefined_scores.csv").is_file()


def test_nothing_is_said_where_every_score_is_defined(tmp_path):
    table = runs(0.5)
    assert list(undefined_scores.write(table[table["variant"] == "b"], tmp_path, label=LABEL)) == []
    assert not list(tmp_path.iterdir())
