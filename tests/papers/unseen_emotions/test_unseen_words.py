"""What is said and drawn of unseen emotions, from tables made by hand."""

import numpy as np
import pandas as pd
import pytest

from lib.papers.unseen_emotions import conclusions, figures, tables
from lib.papers.unseen_emotions.answers import TOGETHER
from lib.papers.unseen_emotions.study import CLEAN
from lib.run_table import run_table

LABEL = "small, SYNTHETIC stand-in"
ZERO_SHOT = pd.DataFrame(
    {
        "emotion": ["happy", "sad", "fear"],
        "auc": [0.8, 0.55, 0.4],
        "seeds_low": [0.75, 0.52, 0.3],
        "seeds_high": [0.85, 0.58, 0.45],
        "samples_low": [0.7, 0.45, 0.35],
        "samples_high": [0.9, 0.65, 0.48],
        "verdict": ["above chance", "not distinguishable from chance", "below chance"],
        "random_auc": [0.5, 0.6, 0.4],
        "random_seeds_low": [0.4, 0.4, 0.2],
        "random_seeds_high": [0.6, 0.8, 0.6],
        "random_verdict": ["not distinguishable from chance"] * 3,
        "auc_in_training": [0.9, 0.75, 0.85],
    }
)
CURVE = pd.DataFrame(
    {
        "setting": ["zero-shot", "1 shots", "5 shots", "in training"],
        "shots": [0, 1, 5, 80],
        "auc": [0.6, 0.61, 0.75, 0.9],
        "auc_seeds_low": [0.55, 0.56, 0.7, 0.88],
        "auc_seeds_high": [0.65, 0.66, 0.8, 0.92],
    }
)


def random_runs(offset: float) -> pd.DataFrame:
    """Two emotions, three seeds; the word's AUC is 0.8 and 0.6, the random vector's 0.5 plus `offset` by seed."""
    rows = []
    for emotion, own in (("happy", 0.8), ("sad", 0.6)):
        for seed in range(3):
            for setting, value in (("zero-shot", own + seed / 100), ("random vector", 0.5 + offset * (seed - 1))):
                about = {"selected_on": "valid", "status": "finished", "metrics": {"test": {"auc": value}}}
                rows.append({"variant": f"{emotion}: {setting}", "seed": seed, **about})
    return run_table(rows)


def test_the_pooled_table_averages_over_the_emotions_within_a_seed():
    found = tables.pooled_table(("happy", "sad"), random_runs(0.1)).set_index("vectors")
    assert found.loc["of the words", "auc"] == pytest.approx(0.71)
    assert found.loc["of the words", "auc_std"] == pytest.approx(0.01)
    assert found.loc["of the words", "verdict"] == "above chance"
    assert found.loc["random", "auc"] == pytest.approx(0.5)
    assert found.loc["random", "verdict"] == "not distinguishable from chance"
    assert list(found["n"]) == [3, 3, 3]
    difference = found.loc["of the words minus random"]
    assert difference["auc"] == pytest.approx(0.21)
    assert difference["auc_std"] == pytest.approx(0.09)  # 0.30, 0.21, 0.12 by seed
    assert difference["verdict"] == "not told apart"
    clear = (
        tables.pooled_table(("happy", "sad"), random_runs(0.02)).set_index("vectors").loc["of the words minus random"]
    )
    assert clear["verdict"] == "words better"


def test_all_emotions_in_one_sentence_and_each_kind_of_vector_in_another():
    pooled = tables.pooled_table(["happy"], random_runs(0.1))
    first, words, random, difference = conclusions.all_together(ZERO_SHOT, pooled)
    assert first.startswith("Of 3 emotions: 1 above chance (happy); 1 below chance (fear); 1 not distinguishable")
    assert "25% of the distance from chance" in first  # (0.5833 - 0.5) / (0.8333 - 0.5)
    assert words.startswith("Vectors of the words")
    assert "**above chance**" in words
    assert "**not distinguishable from chance**" in random
    # differences of 0.40, 0.31, 0.22 by seed: a deviation of 0.09, and t = 4.303 with two degrees of freedom
    assert f"a difference of {4.3027 * 0.09 / 3**0.5:.3f} is the smallest that would have been told apart" in difference


def test_the_dots_stand_at_the_scores():
    axes = figures.zero_shot_dots(ZERO_SHOT, label=LABEL, title="t").axes[0]
    drawn = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(sorted(drawn), sorted([*ZERO_SHOT["auc"], *ZERO_SHOT["random_auc"]]))
    assert [text.get_text() for text in axes.get_yticklabels()] == list(ZERO_SHOT["emotion"])


def test_the_curve_has_a_point_per_number_of_samples_all_inside_the_axes():
    axes = figures.few_shot_curves({"happy": CURVE}, label=LABEL, title="t").axes[0]
    line = next(line for line in axes.lines if line.get_label() == "happy")
    np.testing.assert_array_equal(line.get_xdata(), CURVE["shots"])
    np.testing.assert_array_equal(line.get_ydata(), CURVE["auc"])
    left, right = axes.get_xlim()
    assert left < 0 < 80 < right


@pytest.mark.parametrize(
    ("lows", "said"),
    [
        ([0.5, 0.5, 0.5, 0.5], "Even then the interval of the AUC does not lie above zero-shot's."),
        ([0.5, 0.5, 0.5, 0.9], "Up to 10 samples the interval of the AUC does not lie above zero-shot's for good."),
        ([0.5, 0.9, 0.5, 0.9], "Up to 10 samples the interval of the AUC does not lie above zero-shot's for good."),
        ([0.5, 0.9, 0.9, 0.9], "From 1 sample on (0.800) its interval lies above zero-shot's."),
        ([0.5, 0.5, 0.9, 0.9], "From 10 samples on (0.800) its interval lies above zero-shot's."),
    ],
)
def test_the_sentence_of_a_curve_holds_for_every_later_point(lows, said):
    curve = pd.DataFrame({"shots": [0, 1, 10, 99], "auc": [0.6, 0.8, 0.8, 0.95]})
    curve = curve.assign(setting="s", auc_seeds_low=lows, auc_seeds_high=[0.7, 1.0, 1.0, 1.0])
    sentence = conclusions.few_shot("joy", curve)
    assert sentence == f"joy, never seen: AUC 0.600; with all 99 samples: 0.950. {said}"


def test_a_gain_is_told_apart_only_if_its_interval_excludes_zero():
    ends = {"fine-tuned, naive": (0.01, 0.03), "fine-tuned, gem": (-0.01, 0.03), "fine-tuned, joint": (np.nan, np.nan)}
    rows = [{"setting": CLEAN}]
    for setting, (low, high) in ends.items():
        others = {"auc_others_gain": -0.02, "auc_others_gain_low": -0.03, "auc_others_gain_high": -0.01}
        rows.append({"setting": setting, "auc_gain": 0.02, "auc_gain_low": low, "auc_gain_high": high, **others})
    naive, gem, joint = conclusions.fine_tuning("joy", pd.DataFrame(rows))
    assert naive == (
        "joy, fine-tuned, naive: AUC +0.020 (95 % +0.010 to +0.030), better; "
        "of the other emotions -0.020 (95 % -0.030 to -0.010), worse."
    )
    assert "AUC +0.020 (95 % -0.010 to +0.030), not told apart" in gem
    assert "AUC +0.020 (one seed)" in joint


def test_all_words_together_have_a_sentence_of_their_own():
    row = {"auc": 0.6, "random_mean": 0.5, "middle_of_random_low": 0.4, "middle_of_random_high": 0.55}
    row |= {"random_vectors": 200, "at_least_as_high": 1, "random_p": 2 / 201}
    one, all_of_them = conclusions.among_random(pd.DataFrame([{"emotion": "joy"} | row, {"emotion": TOGETHER} | row]))
    assert one.startswith("joy: 1 of 200 random vectors")
    assert all_of_them.startswith("All emotions together, AUC 0.600: of 200 draws")
    assert "(p 0.010; the middle 95 % of them 0.400 to 0.550): the words matter." in all_of_them


def test_a_word_matters_only_where_few_random_vectors_stand_as_high():
    row = {"emotion": "joy", "auc": 0.7, "random_mean": 0.5, "middle_of_random_low": 0.3, "middle_of_random_high": 0.7}
    rows = [{**row, "random_vectors": 200, "at_least_as_high": k, "random_p": (k + 1) / 201} for k in (0, 9, 10)]
    best, last, too_many = conclusions.among_random(pd.DataFrame(rows))
    assert best.endswith("the word matters.")
    assert last.endswith("the word matters.")
    assert too_many.endswith("the word is not told apart from any other vector.")
