"""The committed results of the notebook `end_to_end_sparse`: what its tables must show, and what they must say."""

import json
from pathlib import Path

import pandas as pd
import pytest

from lib import params

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results" / "end_to_end_sparse" / "quick"
MODELS = ("FE2E", "MESM 0.7", "LF-LSTM", "LF-TRANS")


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(RESULTS / "tables" / f"{name}.csv")


def test_the_manifest_is_that_of_the_yaml_and_of_a_clean_commit():
    stored = json.loads((RESULTS / "manifest.json").read_text(encoding="utf-8"))
    p = params.load(ROOT / "params" / "end_to_end_sparse" / "quick.yaml", results="-")
    assert stored["run"]["params"] == p.model_dump(mode="json", exclude={"results", "data_root", "cores"})
    assert stored["run"]["seeds"] == list(p.seeds)
    assert stored["code"]["dirty"] is False
    assert "from random weights (not pretrained)" in stored["run"]["selected_on"]["text encoder"]


def test_every_table_and_figure_says_that_it_is_synthetic():
    files = [*(RESULTS / "tables").iterdir(), *(RESULTS / "figures").glob("*.svg")]
    assert len(files) > 60
    for path in files:
        assert "SYNTHETIC stand-in" in path.read_text(encoding="utf-8"), path.name


@pytest.mark.parametrize("model", MODELS)
def test_each_model_beats_the_constant_answer_with_every_seed(model):
    found = table("floor").set_index("variant").loc[model]
    assert found["f1_positive_seeds_better"] == found["acc_seeds_better"] == "3 of 3"
    assert table("scores_f1_positive").set_index("variant").loc[model, "t_interval_low"] > 0


def test_the_constant_answer_is_right_in_five_sixths_of_the_decisions():
    never = table("overview").set_index("variant").loc["no emotion, ever"]
    assert never["acc"] == pytest.approx(5 / 6)
    assert (never["f1_positive"], never["weighted_acc"]) == (0, 0.5)


def test_fewer_places_are_fewer_operations():
    """Nominal and counted operations of the saving form rise with the threshold and stay below the dense model's."""
    costs = table("costs")
    gathered = costs[costs["form"] == "gathered"].sort_values("threshold")
    for column in ("nominal_ratio", "counted_ratio"):
        assert gathered[column].is_monotonic_increasing
        assert gathered[column].between(0, 1, inclusive="neither").all()
    assert (costs[costs["form"] == "masked"]["counted_ratio"] > 1).all()


def test_only_the_published_order_depends_on_batch_mates():
    """The others move by rounding, or by what one place that lies at the threshold weighs: a hundredth of it."""
    change = table("batch_mates").set_index("variant")["largest_change"]
    assert change["MESM 0.7"] > 0.1
    assert (change.drop("MESM 0.7") < change["MESM 0.7"] / 100).all()


def test_attention_is_measured_against_chance():
    """The verdict is that of the interval; published attention is a random projection, so nothing is claimed of it."""
    found = table("attention")
    assert set(found["attention"]) == {"random, as published", "random, sites corrected", "learned"}
    above = found["mass_low"] > found["chance"]
    assert (found["verdict"] == "above chance").equals(above)
    assert found["mass"].between(0, 1).all()


def test_nothing_published_is_compared():
    found = table("published")
    assert found["verdict"].str.startswith("not comparable: stand-in data").all()
    assert found["difference"].isna().all()
