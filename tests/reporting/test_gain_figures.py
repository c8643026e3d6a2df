"""The forest plot and the heat map of power show what the gain tables hold."""

import numpy as np
import pandas as pd
import pytest

from lib.reporting.gain_figures import MOST_ROWS, SEEDS, forest, in_words, power, power_map, sheets
from lib.reporting.gains import by_chance, gain_table, seen, together
from lib.reporting.two_sources import Components, holm
from lib.reporting.verdicts import UNDECIDED
from tests.reporting.tables_of_runs import REAL, STAND_IN
from tests.reporting.test_gains import errors_of, kept


@pytest.fixture(scope="module")
def gains():
    table, runs = kept(errors_of("text only", "rate 0", "rate 0.8"))
    return together(gain_table(table, "mae", baseline, runs=runs) for baseline in ("text only", "rate 0"))


def test_a_pair_that_stands_in_two_tables_counts_once(gains):
    pairs = [("rate 0", "text only"), ("rate 0.8", "text only"), ("rate 0.8", "rate 0")]
    assert list(zip(gains["variant"], gains["baseline"], strict=True)) == pairs
    assert gains["holm_p"].tolist() == holm(gains["combined_p"].to_numpy()).tolist()


def test_how_many_gains_would_appear_by_chance(gains):
    said = by_chance(gains.assign(combined_p=[0.001, 0.03, 0.5], holm_p=[0.003, 0.06, 0.5]))
    assert said.startswith("Of 3 gains 2 have a combined 95 % interval that leaves out 0")
    assert "0.1 would by chance" in said and said.endswith("After Holm's adjustment 1 remain.")
    assert by_chance(gains.assign(combined_p=np.nan)).startswith("No gain has a combined interval")


def test_what_undecided_gains_would_have_shown(gains):
    given = gains.assign(answer=["undecided", "better", "undecided"], smallest_seen=[0.05, 0.01, 0.12])
    (said,) = seen(given)
    assert said.startswith("Of 2 undecided gains in MAE a true one of 0.050 to 0.120 would have been told from 0")
    assert seen(given.assign(answer="better")) == [] and seen(given.assign(smallest_seen=np.nan)) == []
    assert (gains["smallest_seen"] > 2 * gains["combined_error"]).all()


def test_the_forest_has_three_intervals_per_gain_and_the_margin(gains):
    figure = forest(gains, label=STAND_IN)
    (axes,) = figure.axes
    ends = [list(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2][1:]  # the first is 0
    expected = [
        [row[f"{stem}_low"], row[f"{stem}_high"]]
        for row in gains.to_dict("records")
        for stem in ("t_interval", "new_units", "combined")
    ]
    assert ends == expected
    assert (axes.patches[0].get_x(), axes.patches[0].get_width()) == (-0.02, 0.04)
    assert [text.get_text() for text in axes.get_yticklabels()][2] == "rate 0.8\nover rate 0"
    assert [text.get_text() for text in axes.texts] == [in_words(row) for row in gains.to_dict("records")]
    assert any("SYNTHETIC" in text.get_text() for text in figure.texts)


def test_a_panel_per_metric(gains):
    figure = forest(pd.concat([gains, gains.assign(metric="acc", better="higher")]), label=REAL)
    assert len(figure.axes) == 2
    assert "reduction of MAE" in figure.axes[0].get_xlabel() and "reduction" not in figure.axes[1].get_xlabel()


def test_the_answer_in_words():
    row = {"answer": UNDECIDED, "would_decide": "about 9 videos would decide; videos, not seeds, are the limit"}
    assert in_words(row).splitlines() == [
        "undecided",
        "about 9 videos would decide",
        "videos, not seeds, are the limit",
    ]
    assert in_words({"answer": UNDECIDED, "would_decide": float("nan")}) == "undecided"
    better = {"answer": "better", "combined_p": 0.01, "holm_p": 0.2}
    assert in_words(better) == "better\np 0.01, Holm 0.2"


def test_power_against_simulation():
    parts, effect = Components(0.02**2, 0.05**2, 0.05**2), 0.03
    rng = np.random.default_rng(0)
    for seeds in (5, 20):
        error = parts.error(seeds, 31)
        draws = effect + np.sqrt(error.variance) * rng.standard_normal(20000)
        spreads = error.variance * rng.chisquare(error.freedom, 20000) / error.freedom
        low = np.array([error.interval(0.0)[1]]) * np.sqrt(spreads / error.variance)
        assert power(parts, seeds, 31, effect) == pytest.approx(np.mean(draws > low), abs=0.015)
    assert power(Components(0.0, 0.0, 0.0), 5, 31, 0.01) == 1.0


def test_the_heat_map_grows_with_seeds_and_effect(gains):
    (axes,) = power_map(gains, label=REAL).axes
    shown = axes.collections[0].get_array().reshape(len(SEEDS), -1)
    assert (np.diff(shown, axis=0) >= 0).all() and (np.diff(shown, axis=1) >= 0).all()
    assert axes.get_title() == "MAE, 8 videos, per cent"
    in_turns = power_map(gains.assign(folds=8), label=REAL).axes[0]
    assert [text.get_text() for text in in_turns.get_yticklabels()] == ["8", "16", "24", "40", "80"]


def test_more_rows_than_can_be_read_are_several_figures(gains):
    assert list(sheets(gains)) == [""]
    many = pd.concat([gains] * 8, ignore_index=True)
    both = pd.concat([many, many.head(5).assign(metric="acc")], ignore_index=True)
    parts = sheets(both)
    assert 12 <= MOST_ROWS < 24
    assert {name: len(rows) for name, rows in parts.items()} == {"_mae_1": 12, "_mae_2": 12, "_acc": 5}
    assert pd.concat(parts.values()).equals(both)
