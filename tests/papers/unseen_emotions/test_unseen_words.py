"""What is said and drawn of unseen emotions, from tables made by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib.papers.unseen_emotions import conclusions, figures, tables
from lib.papers.unseen_emotions.answers import TOGETHER
from lib.reporting.verdicts import UNDECIDED
from lib.run_table import run_table
from lib.study import Runs

LABEL = "small, SYNTHETIC stand-in"
ZERO_SHOT = pd.DataFrame(
    {
        "emotion": ["happy", "sad", "fear"],
        "auc": [0.8, 0.55, 0.4],
        "seeds_low": [0.75, 0.52, 0.3],
        "seeds_high": [0.85, 0.58, 0.45],
        "combined_low": [0.7, 0.45, 0.35],
        "combined_high": [0.9, 0.65, 0.48],
        "n": 5,
        "unit": "video",
        "units": 31,
        "verdict": ["above chance", "not distinguishable from chance", "below chance"],
        "random_auc": [0.5, 0.6, 0.4],
        "random_combined_low": [0.4, 0.4, 0.2],
        "random_combined_high": [0.6, 0.8, 0.6],
        "random_verdict": ["not distinguishable from chance"] * 3,
        "auc_in_training": [0.9, 0.75, 0.85],
    }
)
CURVE = pd.DataFrame(
    {
        "emotion": "happy",
        "setting": ["zero-shot", "1 shots", "5 shots", "in training"],
        "shots": [0, 1, 5, 80],
        "auc": [0.6, 0.61, 0.75, 0.9],
        "auc_seeds_low": [0.55, 0.56, 0.7, 0.88],
        "auc_seeds_high": [0.65, 0.66, 0.8, 0.92],
    }
)


def random_runs(offset: float) -> Runs:
    """Two emotions, three seeds; the word's AUC is 0.8 and 0.6, the random vector's 0.5 plus `offset` by seed."""
    rows = []
    for emotion, own in (("happy", 0.8), ("sad", 0.6)):
        for seed in range(3):
            values = {"zero-shot": own + seed / 100, "random vector": 0.5 + offset * (seed - 1), "chance": 0.5}
            for setting, value in values.items():
                about = {"selected_on": "valid", "status": "finished", "metrics": {"test": {"auc": value}}}
                rows.append({"variant": f"{emotion}: {setting}", "seed": seed, **about})
    runs = Runs(SimpleNamespace(tasks=(), plan=None), ())
    runs.__dict__["table"] = run_table(rows)  # in the place of what is computed from networks
    return runs


def pooled(emotions, offset: float) -> pd.DataFrame:
    return tables.pooled_table(tables.pooled_gains(emotions, random_runs(offset)))


def test_the_pooled_table_averages_over_the_emotions_within_a_seed():
    found = pooled(("happy", "sad"), 0.1).set_index("vectors")
    assert found.loc["of the words", "auc"] == pytest.approx(0.71)
    assert found.loc["of the words", "auc_std"] == pytest.approx(0.01)
    half = 4.3027 * 0.01 / 3**0.5
    assert found.loc["of the words", ["seeds_low", "seeds_high"]].tolist() == pytest.approx(
        [0.71 - half, 0.71 + half], abs=1e-4
    )
    assert found.loc["random", "auc"] == pytest.approx(0.5)
    assert list(found["verdict"][:2]) == ["not distinguishable from chance"] * 2  # no units are known
    assert list(found["n"]) == [3, 3, 3]
    difference = found.loc["of the words minus random"]
    assert difference["auc"] == pytest.approx(0.21)
    assert difference["auc_std"] == pytest.approx(0.09)  # 0.30, 0.21, 0.12 by seed
    assert difference["verdict"] == UNDECIDED
    assert pooled(("happy", "sad"), 0.02).set_index("vectors").loc["of the words minus random", "verdict"] == "better"


def test_all_emotions_in_one_sentence_and_each_kind_of_vector_in_another():
    both = {"combined_low": 0.6, "combined_high": 0.8, "unit": "video", "units": 31}
    first, words, random, difference = conclusions.all_together(ZERO_SHOT, pooled(["happy"], 0.3).assign(**both))
    assert first.startswith("Of 3 emotions: 1 above chance (happy); 1 below chance (fear); 1 not distinguishable")
    assert "25% of the distance from chance" in first  # (0.5833 - 0.5) / (0.8333 - 0.5)
    assert words.startswith("Vectors of the words")
    assert "AUC 0.810 (95 % interval 0.600 to 0.800 over 3 seeds and 31 videos)" in words
    assert "**not distinguishable from chance**" in random
    assert difference.endswith("**undecided**; more than 200 seeds would be needed.")


def test_the_sentence_of_an_emotion_has_the_interval_that_decides():
    happy, *_ = conclusions.zero_shot(ZERO_SHOT)
    assert "AUC 0.800 (95 % interval 0.700 to 0.900 over 5 seeds and 31 videos), **above chance**" in happy
    alone, *_ = conclusions.zero_shot(ZERO_SHOT.assign(combined_low=np.nan, combined_high=np.nan))
    assert "AUC 0.800 (95 % interval 0.750 to 0.850 over 5 seeds alone)" in alone


def test_the_dots_stand_at_the_scores():
    axes = figures.zero_shot_dots(ZERO_SHOT, label=LABEL, title="t").axes[0]
    drawn = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(sorted(drawn), sorted([*ZERO_SHOT["auc"], *ZERO_SHOT["random_auc"]]))
    assert [text.get_text() for text in axes.get_yticklabels()] == list(ZERO_SHOT["emotion"])


def test_the_curve_has_a_point_per_number_of_samples_all_inside_the_axes():
    axes = figures.few_shot_curves(CURVE, label=LABEL, title="t").axes[0]
    line = next(line for line in axes.lines if line.get_label() == "mean over the seeds")
    np.testing.assert_array_equal(line.get_xdata(), CURVE["shots"])
    np.testing.assert_array_equal(line.get_ydata(), CURVE["auc"])
    left, right = axes.get_xlim()
    assert left < 0 < 80 < right


def test_each_emotion_has_a_panel_and_all_have_the_same_axes():
    """Four on two lines of three; the places that are left show nothing."""
    several = [CURVE.assign(emotion=word, auc=CURVE["auc"] - k / 20) for k, word in enumerate(("a", "b", "c", "d"))]
    panels = figures.few_shot_curves(pd.concat(several), label=LABEL, title="t").axes
    shown = [axes for axes in panels if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == ["a", "b", "c", "d"]
    assert len(panels) == 6
    assert len({(*axes.get_xlim(), *axes.get_ylim()) for axes in shown}) == 1
    low, high = shown[0].get_ylim()
    assert low < 0.6 - 3 / 20
    assert high > 0.92
    assert [bool(axes.get_xlabel()) for axes in shown] == [False, True, True, True]


GAIN = {"metric": "auc", "gain": 0.02, "gain_std": 0.01, "n": 5, "units": 31, "unit": "video", "margin": 0.01}
GAIN |= {"combined_error": 0.01, "combined_low": -0.01, "combined_high": 0.05, "would_decide": ""}
OVER = "95 % interval -0.0100 to +0.0500 over 5 seeds and 31 videos"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("uuu", f"Even that is not better than zero-shot: gain +0.0200 ({OVER}): undecided."),
        ("uub", "Up to 10 samples it is not better than zero-shot for good."),
        ("bub", "Up to 10 samples it is not better than zero-shot for good."),
        ("bbb", f"From 1 sample on it is better than zero-shot (+0.020, {OVER})."),
        ("ubb", f"From 10 samples on it is better than zero-shot (+0.020, {OVER})."),
    ],
)
def test_the_sentence_of_a_curve_holds_for_every_later_point(found, said):
    settings = ["zero-shot", "1 shot", "10 shots", "in training"]
    curve = pd.DataFrame({"setting": settings, "shots": [0, 1, 10, 99], "auc": [0.6, 0.8, 0.8, 0.95]})
    answers = {"u": UNDECIDED, "b": "better"}
    rows = [GAIN | {"variant": f"joy: {s}", "answer": answers[a]} for s, a in zip(settings[1:], found, strict=True)]
    sentence = conclusions.few_shot("joy", curve, pd.DataFrame(rows))
    assert sentence == f"joy, never seen: AUC 0.600; with all 99 samples: 0.950. {said}"
    one_seed = conclusions.few_shot("joy", curve, pd.DataFrame(rows).assign(gain_std=np.nan))
    assert one_seed.endswith("Without intervals nothing is said of the number of samples that helps.")


def test_fine_tuning_says_for_whom_it_gains_and_what_it_costs_the_others():
    own = pd.DataFrame(
        [
            GAIN | {"variant": "joy: fine-tuned, gem", "answer": "better"},
            GAIN | {"variant": "joy: fine-tuned, naive", "answer": UNDECIDED},
            GAIN | {"variant": "fear: fine-tuned, gem", "answer": "better", "gain": 0.05},
            GAIN | {"variant": "fear: fine-tuned, naive", "answer": "better"},
        ]
    )
    others = own.assign(gain=-0.02, answer=["worse", "worse", UNDECIDED, "worse"])
    gem, naive = conclusions.fine_tuning({"auc": own, "auc_others": others})
    assert gem == (
        "Fine-tuned, gem, over zero-shot: AUC of the new emotion better for 2 (joy, fear) (+0.020 to +0.050); mean AUC "
        "of the others worse for 1 (joy); undecided for 1 (fear) (-0.020 to -0.020)."
    )
    assert "undecided for 1 (joy); better for 1 (fear)" in naive
    assert naive.endswith("worse for 2 (joy, fear) (-0.020 to -0.020).")


def test_all_words_together_have_a_sentence_of_their_own():
    row = {"auc": 0.6, "random_mean": 0.5, "middle_of_random_low": 0.4, "middle_of_random_high": 0.55}
    row |= {"random_vectors": 200, "at_least_as_high": 1, "random_p": 2 / 201}
    table = pd.DataFrame([{"emotion": "joy", "holm_p": 2 / 201} | row, {"emotion": TOGETHER, "holm_p": np.nan} | row])
    one, counted, all_of_them = conclusions.among_random(table)
    assert one.startswith("joy: 1 of 200 random vectors")
    assert counted.endswith("1 (joy) of 1 emotions; after Holm's adjustment for that many words 1 (joy).")
    assert all_of_them.startswith("All held-out emotions together, AUC 0.600: of 200 draws")
    assert "(p 0.010; the middle 95 % of them 0.400 to 0.550): the words matter." in all_of_them


def test_a_word_matters_only_where_few_random_vectors_stand_as_high():
    row = {"auc": 0.7, "random_mean": 0.5, "middle_of_random_low": 0.3, "middle_of_random_high": 0.7}
    places = zip(("joy", "fear", "anger"), (0, 9, 10), strict=True)
    rows = [{**row, "emotion": e, "at_least_as_high": k, "random_p": (k + 1) / 201} for e, k in places]
    table = pd.DataFrame(rows).assign(random_vectors=200, holm_p=[3 / 201, 20 / 201, 20 / 201])
    best, last, too_many, counted = conclusions.among_random(table)
    assert best.endswith("the word matters.")
    assert last.endswith("the word matters.")
    assert too_many.endswith("the word is not told apart from any other vector.")
    assert counted == (
        "Words told from 200 random vectors (p by rank below 0.05): 2 (joy, fear) of 3 emotions; after Holm's "
        "adjustment for that many words 1 (joy)."
    )
    assert conclusions.among_random(table.assign(random_p=0.2, holm_p=0.6))[-1].endswith(
        "none of 3 emotions; after Holm's adjustment for that many words none."
    )


def test_scores_of_seen_emotions_stand_beside_the_published_ones_in_one_sentence_per_metric():
    verdict = "not comparable: other folds"
    table = pd.DataFrame(
        {"quantity": "auc_seen", "paper": [0.7, 0.71], "reproduced": [0.65, np.nan], "verdict": [verdict, "y"]}
    )
    assert conclusions.beside_published(table) == [
        "AUC of the emotions that a zero-shot network was trained on: 0.650 to 0.650, published 0.700 to 0.710: "
        f"{verdict} (1 of 2); y (1 of 2)."
    ]
    (alike,) = conclusions.beside_published(table.assign(verdict=verdict))
    assert alike.endswith(f"published 0.700 to 0.710: {verdict}.")
    assert conclusions.beside_published(pd.DataFrame()) == []
