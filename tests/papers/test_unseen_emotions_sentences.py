"""What the notebook `unseen_emotions` says and draws, from tables made by hand."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lib.papers import unseen_emotions_conclusions as conclusions
from lib.papers import unseen_emotions_context as context
from lib.papers import unseen_emotions_tables as results_of
from lib.papers.unseen_emotions import Case
from lib.reporting import unseen_figures
from lib.run_table import run_table
from tests.papers.emotion_tasks import small_task

MOSEI = small_task("mosei_emotions_like")
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
    cases = [Case(emotion, MOSEI) for emotion in ("happy", "sad")]
    found = results_of.pooled_table(cases, random_runs(0.1)).set_index("vectors")
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
    clear = results_of.pooled_table(cases, random_runs(0.02)).set_index("vectors").loc["of the words minus random"]
    assert clear["verdict"] == "words better"


def test_all_emotions_in_one_sentence_and_each_kind_of_vector_in_another():
    pooled = results_of.pooled_table([Case("happy", MOSEI)], random_runs(0.1))
    first, words, random, _ = conclusions.all_together(ZERO_SHOT, pooled)
    assert first.startswith("Of 3 emotions: 1 above chance (happy); 1 below chance (fear); 1 not distinguishable")
    assert "25% of the distance from chance" in first  # (0.5833 - 0.5) / (0.8333 - 0.5)
    assert words.startswith("Vectors of the words")
    assert "**above chance**" in words
    assert "**not distinguishable from chance**" in random


def test_the_label_of_several_iemocap_corpora_names_each_and_ends_as_labels_do():
    cases = [Case(word, MOSEI) for word in ("happy", "sad")]
    assert context.label(cases) == MOSEI.corpus.source.label
    real = [dataclasses.replace(MOSEI.corpus.source, name=f"IEMOCAP and {w}", synthetic=False) for w in ("x", "y")]
    tasks = [dataclasses.replace(MOSEI, corpus=dataclasses.replace(MOSEI.corpus, source=source)) for source in real]
    label = context.label([Case("happy", task) for task in tasks])
    assert label == "IEMOCAP and x / IEMOCAP and y, real data"
    assert context.provenance(label) == f"All on {label}."
    assert "stand-in data show the mechanism" in context.provenance(LABEL)


def test_the_dots_stand_at_the_scores():
    axes = unseen_figures.zero_shot_dots(ZERO_SHOT, label=LABEL, title="t").axes[0]
    drawn = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(sorted(drawn), sorted([*ZERO_SHOT["auc"], *ZERO_SHOT["random_auc"]]))
    assert [text.get_text() for text in axes.get_yticklabels()] == list(ZERO_SHOT["emotion"])


def test_the_curve_has_a_point_per_number_of_samples_all_inside_the_axes():
    axes = unseen_figures.few_shot_curves({"happy": CURVE}, label=LABEL, title="t").axes[0]
    line = next(line for line in axes.lines if line.get_label() == "happy")
    np.testing.assert_array_equal(line.get_xdata(), CURVE["shots"])
    np.testing.assert_array_equal(line.get_ydata(), CURVE["auc"])
    left, right = axes.get_xlim()
    assert left < 0 < 80 < right
