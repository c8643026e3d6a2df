"""The committed results of the notebook `emotion_embeddings`: what its tables must show, and what they must say."""

import json
from pathlib import Path

import pandas as pd
import pytest

from lib import params

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results" / "emotion_embeddings"
RUNS = ["quick", "meld_text"]


def table(run: str, name: str) -> pd.DataFrame:
    return pd.read_csv(RESULTS / run / "tables" / f"{name}.csv")


def manifest(run: str) -> dict:
    return json.loads((RESULTS / run / "manifest.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("run", RUNS)
def test_the_manifest_is_that_of_the_yaml_and_of_a_clean_commit(run):
    stored, p = manifest(run), params.load(ROOT / "params" / "emotion_embeddings" / f"{run}.yaml", results="-")
    assert stored["run"]["params"] == p.model_dump(mode="json", exclude={"results", "data_root", "cores"})
    assert stored["run"]["seeds"] == list(p.seeds)
    assert stored["code"]["dirty"] is False
    assert "validation" in next(iter(stored["run"]["selected_on"].values()))


@pytest.mark.parametrize(("run", "words"), [("quick", "SYNTHETIC stand-in"), ("meld_text", "MELD (text), real data")])
def test_every_table_and_figure_says_whether_it_is_real(run, words):
    files = [*(RESULTS / run / "tables").iterdir(), *(RESULTS / run / "figures").glob("*.svg")]
    assert len(files) > 20
    for path in files:
        assert words in path.read_text(encoding="utf-8"), path.name


@pytest.mark.parametrize("end", ["mosei", "iemocap"])
def test_on_the_stand_in_text_tells_most_and_all_modalities_more_than_each(end):
    found = table("quick", f"ablation_{end}").set_index("modalities")
    never = table("quick", f"floor_{end}").set_index("prediction").loc["no emotion, ever"]
    assert found.loc["text+audio+video", "t_interval_low"] > never[found["metric"].iloc[0]]
    assert found.loc["text", "score"] > found.loc["audio", "score"] > found.loc["video", "score"]
    assert (found.loc[["text", "audio", "video"], "gain_low"] > 0).all()


def test_no_model_beats_the_ceiling_of_its_stand_in_by_more_than_the_test_set_may():
    """The ceiling is an expectation; on 100 test samples an accuracy near 0.9 has a standard error of about 0.02."""
    for end, metric in (("mosei", "weighted_acc"), ("iemocap", "acc")):
        best = table("quick", f"ceilings_{end}").set_index("from").loc["text+audio+video", metric]
        assert table("quick", f"scores_{metric}_{end}")["score"].max() < best + 0.04


def test_nothing_published_is_compared():
    for name in ("published_mosei", "published_iemocap", "published_emotions_mosei", "published_emotions_iemocap"):
        found = table("quick", name)
        assert found["verdict"].str.startswith("not comparable: stand-in data, different corpus").all()
        assert found["difference"].isna().all()


def test_on_real_text_the_models_read_something():
    """Weighted accuracy of EEA and of the recurrent baseline on MELD lies above chance with its interval."""
    found = table("meld_text", "scores_weighted_acc").set_index("variant")
    assert list(found.index) == ["EEA", "EF-RNN", "EF transformer"]
    assert set(found["n"]) == {5}
    assert (found.loc[["EEA", "EF-RNN"], "t_interval_low"] > 0.5).all()
    shown = table("meld_text", "overview").set_index("variant")
    never = table("meld_text", "floor").set_index("prediction").loc["no emotion, ever"]
    assert never["acc"] == pytest.approx(1 - 1 / 7)
    assert (shown["acc"] < never["acc"]).all()  # weighted training finds emotions, which plain accuracy punishes
