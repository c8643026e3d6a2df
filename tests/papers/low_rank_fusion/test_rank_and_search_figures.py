"""The rank sweep and the search, drawn from their tables."""

import numpy as np
import pandas as pd
import pytest

from lib.papers.low_rank_fusion import figures

LABEL = "sample-like, SYNTHETIC stand-in"
RANKS = pd.DataFrame(
    {
        "rank": [1, 4, 16],
        "parameters": [100, 130, 250],
        "n": 5,
        "score": [1.0, 0.9, 0.95],
        "score_std": 0.1,
        "t_interval_low": [0.9, 0.8, 0.7],
        "t_interval_high": [1.1, 1.0, 1.2],
        "seconds_per_epoch": [0.2, 0.21, 0.3],
        "seconds_per_epoch_std": 0.01,
    }
)
DRAWS = pd.DataFrame({"variant": ["b", "a", "c"], "validation_loss": [0.4, 0.5, np.nan], "mae": [0.9, 0.8, np.nan]})


def words(figure) -> str:
    return " ".join(text.get_text() for text in figure.texts)


def test_the_rank_sweep_shows_score_weights_and_time():
    figure = figures.rank_sweep(RANKS, "mae", label=LABEL, references={"TFN": 0.85})
    score, size, seconds = figure.axes
    assert "SYNTHETIC" in words(figure)
    np.testing.assert_array_equal(score.containers[0].lines[0].get_ydata(), RANKS["score"])
    np.testing.assert_array_equal(size.lines[0].get_ydata(), RANKS["parameters"])
    assert size.get_ylim()[1] > RANKS["parameters"].max()
    np.testing.assert_array_equal(seconds.containers[0].lines[0].get_ydata(), RANKS["seconds_per_epoch"])
    (reference,) = [line for line in score.lines if line.get_label() == "TFN"]
    assert set(reference.get_ydata()) == {0.85}
    segments = score.containers[0].lines[2][0].get_segments()
    found = [(low, high) for (_, low), (_, high) in segments]
    np.testing.assert_allclose(found, RANKS[["t_interval_low", "t_interval_high"]])


def test_one_seed_has_no_interval():
    single = RANKS.assign(n=1, t_interval_low=np.nan, t_interval_high=np.nan, seconds_per_epoch_std=np.nan)
    score, _, seconds = figures.rank_sweep(single, "mae", label=LABEL, references={}).axes
    assert score.containers[0].lines[2] == ()
    assert seconds.containers[0].lines[2] == ()
    assert "interval" not in score.figure.legends[0].get_texts()[0].get_text()


@pytest.mark.parametrize("repeats", [np.array([0.7, 1.1]), np.array([])])
def test_the_search_marks_its_winner_and_leaves_out_what_did_not_finish(repeats):
    figure = figures.search_scatter(DRAWS, "mae", label=LABEL, repeats=repeats, best="b")
    lines = {line.get_label().split(" (")[0]: line for line in figure.axes[0].lines}
    assert list(lines["draws"].get_ydata()) == [0.9, 0.8]
    assert (lines["chosen by validation"].get_xdata()[0], lines["chosen by validation"].get_ydata()[0]) == (0.4, 0.9)
    means = [line for name, line in lines.items() if name.startswith("its setting")]
    assert [line.get_ydata()[0] for line in means] == ([0.9] if len(repeats) else [])
    assert "SYNTHETIC" in words(figure)
