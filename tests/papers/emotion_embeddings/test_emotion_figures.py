"""What the figures of the emotion-embedding notebook draw."""

import numpy as np
import pandas as pd
import pytest

from lib.papers.emotion_embeddings import figures
from lib.run_table import run_table

SYNTHETIC, REAL = "a corpus, SYNTHETIC stand-in", "a corpus, real data"


def words(figure) -> str:
    texts = [t.get_text() for t in figure.texts]
    for axes in figure.axes:
        texts += [axes.get_title(), axes.get_xlabel(), *(t.get_text() for t in axes.texts)]
        texts += [t.get_text() for t in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    for legend in figure.legends:
        texts += [t.get_text() for t in legend.get_texts()]
    return " | ".join(texts)


@pytest.mark.parametrize("panels", [1, 5])
def test_similarity_maps_name_every_emotion_and_share_one_scale(panels):
    cosines = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, -0.5], [-0.5, 1.0]]])  # of two seeds
    moments = [("text", "frozen"), *((m, when) for m in ("audio", "video") for when in ("before", "after"))]
    spaces = dict.fromkeys(moments[:panels], cosines)
    named = ["text, word vectors", "audio, before training", "audio, after training", "video, before training"]
    figure = figures.similarity_maps(spaces, ("joy", "anger"), label=SYNTHETIC, title="cosines")
    shown = words(figure)
    for text in ("cosines", "SYNTHETIC", "joy", "anger", "-0.25", *named[:panels]):
        assert text in shown
    scales = {axes.collections[0].get_clim() for axes in figure.axes[:panels]}
    assert scales == {(-1.0, 1.0)}


def ablation(seeds: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    scores = {"EEA": 0.7, "EEA, text": 0.6}
    runs = run_table(
        {
            "variant": variant,
            "seed": seed,
            "metrics": {"test": {"acc": score + 0.01 * seed}},
            "selected_on": "valid",
            "status": "finished",
        }
        for variant, score in scores.items()
        for seed in range(seeds)
    )
    table = pd.DataFrame(
        {
            "variant": list(scores),
            "modalities": ["text+audio", "text"],
            "n": seeds,
            "score": list(scores.values()),
            "t_interval_low": np.nan if seeds == 1 else 0.55,
            "t_interval_high": np.nan if seeds == 1 else 0.8,
        }
    )
    return table, runs


@pytest.mark.parametrize("seeds", [1, 3])
def test_bars_start_at_the_floor_and_show_every_seed(seeds):
    table, runs = ablation(seeds)
    figure = figures.modality_bars(table, runs, "acc", label=REAL, title="sets", floor=("nothing read", 0.5))
    (axes,) = figure.axes
    bars = [(bar.get_x(), round(bar.get_x() + bar.get_width(), 6)) for bar in axes.patches]
    assert bars == [(0.5, 0.7), (0.5, 0.6)]
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in points] == [seeds, seeds]
    shown = words(figure)
    assert all(
        text in shown for text in ("sets", "real data", "text+audio", "nothing read", "single seeds", "accuracy")
    )
    assert ("95 % t-interval (n=3)" in shown) == (seeds == 3)
