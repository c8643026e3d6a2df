"""The committed results of the notebook `unseen_emotions`: nothing leaks, words tell, random vectors do not."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib import data, params

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results" / "unseen_emotions"
RUNS = sorted(path.parent.name for path in RESULTS.glob("*/manifest.json"))


def table(run: str, name: str) -> pd.DataFrame:
    return pd.read_csv(RESULTS / run / "tables" / f"{name}.csv")


def given(run: str):
    return params.load(ROOT / "params" / "unseen_emotions" / f"{run}.yaml", results="-")


def test_there_is_a_quick_run():
    assert "quick" in RUNS


@pytest.mark.parametrize("run", RUNS)
def test_the_manifest_is_that_of_the_yaml_and_of_a_clean_commit(run):
    stored, p = json.loads((RESULTS / run / "manifest.json").read_text(encoding="utf-8")), given(run)
    assert stored["run"]["params"] == p.model_dump(mode="json", exclude={"results", "data_root", "cores"})
    assert stored["run"]["seeds"] == list(p.seeds)
    assert stored["code"]["dirty"] is False


@pytest.mark.parametrize("run", RUNS)
def test_the_clean_protocol_has_no_sample_of_the_emotion(run):
    counted = table(run, "protocols")
    assert set(counted["emotion"]) == set(given(run).held_out)
    clean = counted["protocol"] == "clean"
    assert (counted.loc[clean, ["train_with_it", "valid_with_it"]] == 0).all(axis=None)
    assert (counted.loc[~clean, "train_with_it"] > 0).all()


@pytest.mark.parametrize("run", RUNS)
def test_a_verdict_is_what_its_intervals_say(run):
    found = table(run, "zero_shot")
    for prefix in ("", "random_"):
        ends = [f"{prefix}{kind}_{end}" for kind in ("seeds", "samples") for end in ("low", "high")]
        above = (found[ends] > 0.5).all(axis=1)
        below = (found[ends] < 0.5).all(axis=1)
        said = np.select([above, below], ["above chance", "below chance"], "not distinguishable from chance")
        assert list(found[f"{prefix}verdict"]) == list(said)


def test_on_the_stand_in_words_tell_and_random_vectors_do_not():
    found, pooled = table("quick", "zero_shot"), table("quick", "zero_shot_pooled").set_index("vectors")
    assert (found["n"] == 5).all()
    assert (found["verdict"] == "above chance").all()
    assert (found["auc"] < found["auc_ceiling"]).all()
    assert pooled.loc["of the words", "verdict"] == "above chance"
    assert pooled.loc["random", "verdict"] == "not distinguishable from chance"


def test_the_curve_starts_at_zero_shot_and_ends_with_all_samples():
    p = given("quick")
    corpus = data.load(p.dataset, samples=p.samples)
    for emotion in p.few_shot:
        curve, zero_shot = table("quick", f"few_shot_{emotion}"), table("quick", "zero_shot").set_index("emotion")
        assert curve["shots"].is_monotonic_increasing
        assert (curve["shots"].iloc[0], curve["setting"].iloc[-1]) == (0, "in training")
        column = corpus.label_names.index(emotion)
        assert curve["shots"].iloc[-1] == corpus.splits["train"].labels[:, column].sum()
        assert curve["auc"].iloc[0] == pytest.approx(zero_shot.loc[emotion, "auc"])
        assert curve["auc"].iloc[-1] == pytest.approx(zero_shot.loc[emotion, "auc_in_training"])


@pytest.mark.parametrize("run", RUNS)
def test_the_place_among_random_vectors_is_that_of_the_zero_shot_score(run):
    found, zero_shot = table(run, "zero_shot_places"), table(run, "zero_shot")
    assert list(found["emotion"]) == list(zero_shot["emotion"])
    # Scored among 200 other vectors, logits round differently: a few of some 100,000 pairs of samples change places.
    np.testing.assert_allclose(found["auc"], zero_shot["auc"], atol=1e-4)
    np.testing.assert_allclose(found["random_p"], (found["at_least_as_high"] + 1) / (found["random_vectors"] + 1))


def test_on_the_stand_in_hardly_any_random_vector_stands_as_high_as_the_word():
    assert (table("quick", "zero_shot_places")["random_p"] < 0.05).all()
