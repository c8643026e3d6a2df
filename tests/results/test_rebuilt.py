"""Every quick run from nothing, in a repository of its own: git sees none of it, and each claim is in the tables.

Numbers are asked for within the spread over the seeds, never to the bit: another processor rounds differently.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from lib import data, papers

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3300)]  # the first test waits for every quick run
QUICK = sorted(path.parent.name for path in (ROOT / "params").glob("*/quick.yaml"))
TRAINED = [name for name in QUICK if name != "summary"]
COLEARNING = {"iemocap_negative_colearning": "acc", "mosi_positive_colearning": "acc2_nonneg"}
EMOTIONS = {"mosei": "weighted_acc", "iemocap": "acc"}
END_TO_END = ("FE2E", "MESM 0.7", "LF-LSTM", "LF-TRANS")


def git(root: Path, *arguments: str) -> str:
    """What git prints; of a new repository, whatever the user has configured."""
    who = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    new = {} if root == ROOT else {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **who}
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, env=os.environ | new, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory) -> Path:
    """What git keeps of this tree, committed anew, after `./run_all.sh` in the present environment."""
    root = tmp_path_factory.mktemp("a fresh clone")
    for name in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "this tree")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("REPRISE_", "PYTEST_"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["VIRTUAL_ENV"] = sys.prefix
    done = subprocess.run(["./run_all.sh"], cwd=root, env=environment, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.fixture
def table(rebuilt):
    """A table of a quick run by notebook and name; with `index`, by the values of that column."""

    def read(notebook: str, name: str, index: str | None = None) -> pd.DataFrame:
        found = pd.read_csv(rebuilt / "results" / notebook / "quick" / "tables" / f"{name}.csv")
        return found if index is None else found.set_index(index)

    return read


def given(notebook: str):
    return papers.load(ROOT / "params" / notebook / "quick.yaml", results="-")


def test_git_sees_nothing_of_what_the_runs_wrote(rebuilt):
    assert git(rebuilt, "status", "--porcelain") == ""
    assert (rebuilt / "results" / "index.html").is_file()


@pytest.mark.parametrize("notebook", QUICK)
def test_the_manifest_is_that_of_the_yaml_and_of_a_clean_commit(rebuilt, notebook):
    stored, p = manifest(rebuilt, notebook), given(notebook)
    assert stored["run"]["params"] == p.model_dump(mode="json", exclude={"results", "data_root", "cores"})
    assert stored["code"]["dirty"] is False
    if notebook in TRAINED:
        assert stored["run"]["seeds"][: len(p.seeds)] == list(p.seeds)  # LMF's search has one of its own
        assert len(p.seeds) >= 3
        assert re.search("validation|development", " ".join(stored["run"]["selected_on"].values()))


def manifest(root: Path, notebook: str) -> dict:
    return json.loads((root / "results" / notebook / "quick" / "manifest.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("notebook", QUICK)
def test_everything_is_labelled_synthetic(rebuilt, notebook):
    folder = rebuilt / "results" / notebook / "quick"
    files = [*(folder / "tables").iterdir(), *(folder / "figures").glob("*.svg")]
    assert len(files) > 10
    for path in files:
        assert "SYNTHETIC stand-in" in path.read_text(encoding="utf-8"), path.name
    assert '"synthetic": true' in (folder / "manifest.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("notebook", [name for name in TRAINED if name not in ("bench", "explore", "unseen_emotions")])
def test_nothing_published_is_compared(rebuilt, notebook):
    paths = [*(rebuilt / "results" / notebook / "quick" / "tables").glob("published*.csv")]
    paths = [path for path in paths if path.stem != "published_claims"]
    assert paths
    for path in paths:
        found = pd.read_csv(path)
        assert found["verdict"].str.startswith("not comparable: stand-in data").all(), path.name
        assert found["difference"].isna().all(), path.name


def test_the_summary_has_every_quick_run_and_no_damaged_folder(table):
    states = table("summary", "states", "notebook")
    assert states["damaged"].isna().all()
    assert set(TRAINED) - {"explore"} <= set(states.index[states["stand-in"] == "quick"])


@pytest.mark.parametrize(("notebook", "metric"), COLEARNING.items())
def test_the_stand_in_shows_negative_co_learning_and_its_cure(table, notebook, metric):
    """Text alone comes near its ceiling; without modality dropout the model falls below it, at rate 0.8 it does not."""
    p = given(notebook)
    best = data.load(p.dataset, samples=p.samples).source.ceilings["text"][metric]
    scores = table(notebook, f"scores_{metric}", "variant")
    gains = table(notebook, f"gain_{metric}_over_text_only", "variant")
    cured = table(notebook, f"gain_{metric}_over_rate_0", "variant")
    assert (scores["n"] == len(p.seeds)).all()
    assert scores.loc["text only", "score"] >= 0.92 * best
    assert gains.loc["rate 0", "verdict"] == "negative"
    assert gains.loc["rate 0.8", "t_interval_high"] >= 0
    assert cured.loc["rate 0.8", "t_interval_low"] > 0


def test_both_fusions_read_all_modalities_and_the_low_rank_one_is_smaller(table):
    constant = table("low_rank_fusion", "floor")["mae"].iloc[0]
    scores = table("low_rank_fusion", "scores_mae", "variant")
    assert (scores.loc[["LMF", "TFN", "LMF legacy"], "t_interval_high"] < constant).all()
    assert scores.loc["LMF", "parameters"] < scores.loc["TFN", "parameters"]
    text = table("low_rank_fusion", "ceilings", "from").loc["text", "mae"]
    assert scores.loc[["LMF", "TFN"], "score"].min() < text  # better than the best answer from text alone
    gain = table("low_rank_fusion", "gain_mae_over_TFN").iloc[0]
    assert (gain["t_interval_low"] > 0) == (gain["verdict"] == "positive")
    ranks = table("low_rank_fusion", "rank_sweep")
    assert ranks["rank"].is_monotonic_increasing
    assert ranks["parameters"].is_monotonic_increasing


@pytest.mark.parametrize(("end", "metric"), EMOTIONS.items())
def test_text_tells_most_and_all_modalities_more_than_each(table, end, metric):
    found = table("emotion_embeddings", f"ablation_{end}", "modalities")
    never = table("emotion_embeddings", f"floor_{end}", "prediction").loc["no emotion, ever", metric]
    assert found.loc["text+audio+video", "t_interval_low"] > never
    assert found.loc["text", "score"] > found.loc["audio", "score"] > found.loc["video", "score"]
    assert (found.loc[["text", "audio", "video"], "gain_low"] > 0).all()


@pytest.mark.parametrize(("end", "metric"), EMOTIONS.items())
def test_no_model_beats_the_ceiling_of_its_stand_in_by_more_than_the_test_set_may(table, end, metric):
    """The ceiling is an expectation; on 100 test samples an accuracy near 0.9 has a standard error of about 0.02."""
    best = table("emotion_embeddings", f"ceilings_{end}", "from").loc["text+audio+video", metric]
    assert table("emotion_embeddings", f"scores_{metric}_{end}")["score"].max() < best + 0.04


def test_the_cross_entropy_misses_the_threshold(table):
    """Where one emotion excludes the others, a loss that ignores a common shift leaves the threshold to accident."""
    found = table("emotion_embeddings", "contrasts_acc_iemocap", "variant")
    assert found.loc["IEMOCAP: EEA, cross-entropy", "verdict"] == "negative"


def test_words_tell_of_unseen_emotions_and_random_vectors_do_not(table):
    found, pooled = table("unseen_emotions", "zero_shot"), table("unseen_emotions", "zero_shot_pooled", "vectors")
    assert (found["n"] == len(given("unseen_emotions").seeds)).all()
    assert (found["verdict"] == "above chance").all()
    assert (found["auc"] < found["auc_ceiling"]).all()
    assert pooled.loc["of the words", "verdict"] == "above chance"
    assert pooled.loc["random", "verdict"] == "not distinguishable from chance"
    assert (table("unseen_emotions", "zero_shot_places")["random_p"] < 0.05).all()


def test_the_curve_starts_at_zero_shot_and_ends_with_all_samples(table):
    p = given("unseen_emotions")
    corpus = data.load(p.dataset, samples=p.samples)
    zero_shot = table("unseen_emotions", "zero_shot", "emotion")
    for emotion in p.few_shot:
        curve = table("unseen_emotions", "few_shot").query("emotion == @emotion")
        assert curve["shots"].is_monotonic_increasing
        assert (curve["shots"].iloc[0], curve["setting"].iloc[-1]) == (0, "in training")
        column = corpus.label_names.index(emotion)
        assert curve["shots"].iloc[-1] == corpus.splits["train"].labels[:, column].sum()
        assert curve["auc"].iloc[0] == pytest.approx(zero_shot.loc[emotion, "auc"])
        assert curve["auc"].iloc[-1] == pytest.approx(zero_shot.loc[emotion, "auc_in_training"])


def test_every_backbone_is_compared_with_and_without_spcl_and_its_pace_lets_all_in(table):
    p = given("self_paced_balance")
    effect = table("self_paced_balance", "spcl_effect_weighted_f1")
    assert len(effect) == len(p.backbones.chosen()) * len(p.subsets)
    assert (effect["n"] == len(p.seeds)).all()
    floor = table("self_paced_balance", "floor")["weighted_f1"].iloc[0]
    assert (effect[["without", "with_spcl"]] > floor).all(axis=None)
    paced = table("self_paced_balance", "curves").query("spcl == 1")
    by_epoch = paced.groupby(["backbone", "epoch"])["selected_share"].mean().groupby("backbone")
    assert (by_epoch.first() < 0.9).all()
    assert (by_epoch.last() > 0.99).all()


@pytest.mark.parametrize("backbone", ["MMGCN", "LateFusion"])
def test_text_is_worth_much_as_a_third_modality(table, backbone):
    found = table("self_paced_balance", "trimodal_weighted_f1").query("backbone == @backbone and over == 'av'")
    assert list(found["verdict"][found["spcl"] != "with - without"]) == ["positive", "positive"]


@pytest.mark.parametrize("model", END_TO_END)
def test_each_end_to_end_model_beats_the_constant_answer_with_every_seed(table, model):
    found = table("end_to_end_sparse", "floor", "variant").loc[model]
    assert found["f1_positive_seeds_better"] == found["acc_seeds_better"] == "3 of 3"
    assert table("end_to_end_sparse", "scores_f1_positive", "variant").loc[model, "t_interval_low"] > 0


def test_the_constant_answer_is_right_in_five_sixths_of_the_decisions(table):
    never = table("end_to_end_sparse", "overview", "variant").loc["no emotion, ever"]
    assert never["acc"] == pytest.approx(5 / 6)
    assert (never["f1_positive"], never["weighted_acc"]) == (0, 0.5)


def test_fewer_places_are_fewer_operations(table):
    """Nominal and counted operations of the saving form stay below the dense model's; the other form saves none."""
    costs = table("end_to_end_sparse", "costs", "form")
    for column in ("nominal_ratio", "counted_ratio"):
        assert 0 < costs.loc["gathered", column] < 1
    assert costs.loc["masked", "counted_ratio"] > 1


def test_the_sparse_model_scores_like_the_dense_one(table):
    found = table("end_to_end_sparse", "dense_and_sparse", "metric")
    assert abs(found.loc["f1_positive", "gain"]) < 0.1
    assert abs(found.loc["acc", "gain"]) < 0.05


def test_only_the_published_order_depends_on_batch_mates(table):
    """The others move by rounding alone. Where attention has become uniform on some processor, every place lies at the
    threshold, and no utterance is left to tell by; `tests/papers/end_to_end` shows the effect itself."""
    found = table("end_to_end_sparse", "batch_mates", "variant")
    assert (found["utterances"] + found["passed_over"] == 8).all()
    assert found.loc["FE2E", "passed_over"] == 0
    others = found.drop("MESM 0.7").query("utterances > 0")
    assert (others["largest_change"] < 1e-5).all()
    if found.loc["MESM 0.7", "utterances"] >= 4:
        assert found.loc["MESM 0.7", "largest_change"] > 10 * others["largest_change"].max()


def test_attention_is_measured_against_chance(table):
    """The verdict is that of the interval; published attention is a random projection, so nothing is claimed of it."""
    found = table("end_to_end_sparse", "attention")
    assert set(found["attention"]) == {"random, as published", "random, sites corrected"}
    above = found["mass_low"] > found["chance"]
    assert (found["verdict"] == "above chance").equals(above)
    assert found["mass"].between(0, 1).all()


def test_the_text_encoder_is_declared(rebuilt):
    stored = manifest(rebuilt, "end_to_end_sparse")
    assert "from random weights (not pretrained)" in stored["run"]["selected_on"]["text encoder"]


def test_the_bench_sets_every_strategy_against_plain_training_where_it_is_defined(table):
    p, found = given("bench"), table("bench", "gains")
    assert set(found["strategy"]) == {strategy.name for strategy in p.strategies}
    assert (found["n"] == len(p.seeds)).all()
    assert set(table("bench", "gains_absent")["absent"]) == {"text", "audio", "video"}
    not_run = table("bench", "not_run")
    assert not_run["why"].notna().all()
    kept = set(zip(found["dataset"], found["model"], found["strategy"], strict=True))
    assert not kept & set(zip(not_run["dataset"], not_run["model"], not_run["strategy"], strict=True))


def test_a_bench_of_three_stand_ins_learns_and_does_not_claim_ranks(table):
    scores, floor = table("bench", "scores"), table("bench", "floor", "dataset")
    for dataset, rows in scores.groupby("dataset"):
        constant, metric = floor.loc[dataset, ["score", "metric"]]
        reached = rows["score"].min() if metric == "mae" else rows["score"].max()
        assert (reached < constant) == (metric == "mae"), dataset
    ranks = table("bench", "ranks")
    assert (ranks["corpora"] == 2).all()
    assert (ranks["friedman_p"] > 0.05).all()
