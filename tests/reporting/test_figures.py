"""Figures: what is drawn, with which words, and that the files are the same each time."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from lib.errors import InputError
from lib.reporting import drawing, figures
from lib.reporting.gains import gain_table
from tests.reporting.tables_of_runs import REAL, STAND_IN, runs_of

SCORES = {"rate 0": [0.2, 0.3, 0.25], "rate 0.8": [0.5, 0.6, 0.55], "text only": [0.45, 0.5, 0.55]}
COUNTS = np.array([[8, 2, 0], [0, 0, 0], [5, 5, 10]])
BETTER = np.array([[9, 1, 0], [0, 0, 0], [1, 1, 18]])
NAMES = ("neu", "dis", "sad")


def texts(figure: Figure) -> dict[str, Text]:
    figure.draw_without_rendering()
    return {text.get_text(): text for text in figure.findobj(Text) if text.get_text()}


def all_figures(label: str = REAL) -> dict[str, Figure]:
    runs = runs_of(SCORES)
    return {
        "curve": figures.rate_curve(runs, "acc", baseline="text only", label=label, published=runs),
        "matrices": figures.confusion_matrices([("a", COUNTS), ("b", BETTER)], NAMES, label=label),
        "bars": figures.gain_bars(gain_table(runs, "acc", "text only"), label=label),
    }


@pytest.mark.parametrize("name", ["curve", "matrices", "bars"])
def test_the_corpus_label_stands_out_when_synthetic(name):
    real = texts(all_figures(REAL)[name])[REAL]
    stand_in = texts(all_figures(STAND_IN)[name])[STAND_IN]
    assert to_hex(stand_in.get_color()) == "#b00020" and stand_in.get_weight() == "bold"
    assert to_hex(real.get_color()) != "#b00020" and real.get_weight() == "normal"


def test_a_label_that_says_neither_is_refused():
    with pytest.raises(ValueError, match="no corpus label"):
        all_figures("MOSI")


@pytest.mark.parametrize("name", ["curve", "matrices", "bars"])
def test_nothing_is_clipped_and_headings_do_not_overlap(name):
    figure = all_figures("a corpus with a name that is so long that it needs a second line, real data")[name]
    found = texts(figure)
    page = figure.bbox
    for words, text in found.items():
        box = text.get_window_extent()
        inside = box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0 and box.y1 <= page.y1
        # ticks beyond the axis limits exist as texts but are not drawn
        assert inside or not text.get_visible() or words in unseen_ticks(figure), words
    assert min(text.get_fontsize() for text in found.values()) >= 8.5
    headings = [text.get_window_extent() for text in figure.texts]
    axes_top = max(axes.get_tightbbox().y1 for axes in figure.axes)
    assert headings[0].y0 > headings[1].y1 > headings[1].y0 > axes_top


def unseen_ticks(figure: Figure) -> set[str]:
    unseen = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            unseen |= {t.label1.get_text() for t in axis.get_major_ticks() if not low <= t.get_loc() <= high}
    return unseen


def test_rate_curve_shows_means_bands_and_seeds():
    axes = figures.rate_curve(runs_of(SCORES), "acc", baseline="text only", label=REAL).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    mean = lines["modality dropout, mean and 95 % t-interval (n=3)"]
    np.testing.assert_allclose(mean.get_xydata(), [[0.0, 0.25], [0.8, 0.55]])
    seeds = lines["single seeds"].get_xydata()
    np.testing.assert_allclose(
        sorted(map(tuple, seeds)), [(0, 0.2), (0, 0.25), (0, 0.3), (0.8, 0.5), (0.8, 0.55), (0.8, 0.6)]
    )
    flat = lines["text only, mean and 95 % t-interval (n=3)"]
    np.testing.assert_allclose(flat.get_ydata(), 0.5)
    half = 4.302653 * 0.05 / np.sqrt(3)
    band = axes.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((0.25 - half, 0.55 + half), abs=1e-6)
    assert axes.patches[0].get_y() == pytest.approx(0.5 - half, abs=1e-6)
    assert axes.patches[0].get_height() == pytest.approx(2 * half, abs=1e-6)
    assert axes.get_ylabel() == "test accuracy (higher is better)"
    assert "published" not in " ".join(lines)


def test_rate_curve_sorts_rates_and_overlays_the_paper():
    paper = runs_of({"rate 0": [0.1, 0.3], "text only": [0.7, 0.7]}, "mae")
    ours = runs_of({"rate 0.8": [0.5], "rate 0": [0.4], "text only": [0.6]}, "mae")
    axes = figures.rate_curve(ours, "mae", baseline="text only", label=REAL, published=paper).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["modality dropout, one seed: no interval"].get_xdata().tolist() == [0.0, 0.8]
    np.testing.assert_allclose(lines["published, mean (n=2)"].get_xydata(), [[0.0, 0.2]])
    np.testing.assert_allclose(lines["published, text only"].get_ydata(), 0.7)
    assert axes.get_ylabel() == "test MAE (lower is better)"
    stand_in = figures.rate_curve(ours, "mae", baseline="text only", label=STAND_IN, published=paper)
    assert "published (paper's corpus), mean (n=2)" in texts(stand_in)


def test_rate_curve_needs_its_baseline():
    with pytest.raises(InputError, match=r"no variant 'audio only'; there are: rate 0, rate 0\.8, text only"):
        figures.rate_curve(runs_of(SCORES), "acc", baseline="audio only", label=REAL)


def test_confusion_matrices_share_order_and_scale():
    figure = figures.confusion_matrices([("rate 0", COUNTS), ("rate 0.8", BETTER)], NAMES, label=REAL)
    left, right, difference = figure.axes[:3]
    assert [axes.get_title() for axes in (left, right, difference)] == ["rate 0", "rate 0.8", "rate 0.8 minus rate 0"]
    for axes in (left, right, difference):
        assert [tick.get_text() for tick in axes.get_xticklabels()] == list(NAMES)
        assert [tick.get_text() for tick in axes.get_yticklabels()] == list(NAMES)
    assert left.collections[0].get_clim() == right.collections[0].get_clim() == (0, 1)
    np.testing.assert_allclose(left.collections[0].get_array()[0], [0.8, 0.2, 0.0])
    # counts are written, and nothing in the row of the class without samples
    assert [text.get_text() for text in left.texts] == ["8", "2", "0", "5", "5", "10"]
    assert left.collections[0].get_array().mask[1].all()


def test_difference_panel_is_last_minus_first_and_symmetric():
    figure = figures.confusion_matrices([("rate 0", COUNTS), ("rate 0.8", BETTER)], NAMES, label=REAL)
    difference = figure.axes[2]
    assert [text.get_text() for text in difference.texts] == ["+10", "-10", "0", "-20", "-20", "+40"]
    low, high = difference.collections[0].get_clim()
    assert low == -high == pytest.approx(-40.0)


def test_one_matrix_has_no_difference_and_sizes_must_fit():
    assert len(figures.confusion_matrices([("a", COUNTS)], NAMES, label=REAL).axes) == 2  # with its colour bar
    with pytest.raises(ValueError, match="3 labels"):
        figures.confusion_matrices([("a", COUNTS[:2, :2])], NAMES, label=REAL)


def test_gain_bars_show_gain_interval_and_verdict():
    gains = gain_table(runs_of(SCORES), "acc", "text only")
    axes = figures.gain_bars(gains, label=REAL).axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([-0.25, 0.05])
    intervals = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2][:2]
    np.testing.assert_allclose(intervals, gains[["t_interval_low", "t_interval_high"]])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["rate 0", "rate 0.8"]
    assert [text.get_text() for text in axes.texts] == ["negative, n=3", "neutral, n=3"]
    assert axes.yaxis_inverted()  # first variant on top
    assert (
        "reduction"
        in figures.gain_bars(gain_table(runs_of(SCORES, "mae"), "mae", "rate 0"), label=REAL).axes[0].get_xlabel()
    )


def test_gain_bars_of_one_seed_and_of_mixed_tables():
    gains = gain_table(runs_of({"rate 0": [0.2], "text only": [0.4]}), "acc", "text only")
    axes = figures.gain_bars(gains, label=REAL).axes[0]
    assert [text.get_text() for text in axes.texts] == ["no verdict, n=1"]
    with pytest.raises(InputError, match="exactly one metric"):
        figures.gain_bars(gains.iloc[[0, 0]].assign(metric=["acc", "mae"]), label=REAL)


def test_dollar_signs_are_no_mathematics():
    figure = figures.confusion_matrices([("$x^$", COUNTS)], ("$a", "b$", "c"), label="$_{, real data")
    assert {"$x^$", "$a", "$_{, real data"} <= texts(figure).keys()


def test_files_are_the_same_each_time(tmp_path):
    for attempt in ("one", "two"):
        for name, figure in all_figures(STAND_IN).items():
            drawing.save(figure, tmp_path / attempt / name)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["bars.png", "bars.svg", "curve.png", "curve.svg", "matrices.png", "matrices.svg"]
    for name in names:
        first = (tmp_path / "one" / name).read_bytes()
        assert first == (tmp_path / "two" / name).read_bytes(), name
        assert b"dc:date" not in first
