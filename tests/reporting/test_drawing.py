"""Figures as files and in notebooks: who draws them changes no byte, and nothing is lost with who draws."""

import os
import signal
from base64 import b64decode
from functools import partial

import numpy as np
import pytest
import seaborn

from lib.reporting import drawing, figures
from lib.reporting.drawing import Meanwhile
from lib.reporting.heatmap import heatmap
from lib.training import workers
from tests.reporting.test_figures import STAND_IN, all_figures


def test_workers_draw_the_same_files_meanwhile(tmp_path):
    workers.prepare()
    meanwhile = Meanwhile(cores=2)
    for name, figure in all_figures(STAND_IN).items():
        drawing.save(figure, tmp_path / "here" / name)
    for name, figure in all_figures(STAND_IN).items():
        drawing.save(figure, tmp_path / "there" / name, meanwhile)
    meanwhile.wait()
    names = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert len(names) == 6 and names == sorted(path.name for path in (tmp_path / "there").iterdir())
    for name in names:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes(), name


def test_one_core_or_no_workers_draw_here(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "beside", None)
    Meanwhile(cores=1).draw(tmp_path / "a", (tmp_path / "a").touch)
    monkeypatch.setattr(workers, "ready", lambda: False)
    Meanwhile(cores=2).draw(tmp_path / "b", (tmp_path / "b").touch)
    assert len(list(tmp_path.iterdir())) == 2


def only_elsewhere(owner, path):
    """Ends a worker, not the process that asked."""
    if os.getpid() != owner:
        os.kill(os.getpid(), signal.SIGKILL)
    path.touch()


def test_what_a_lost_worker_was_to_draw_is_drawn_here(tmp_path):
    workers.prepare()
    meanwhile = Meanwhile(cores=2)
    meanwhile.draw(tmp_path / "a", partial(only_elsewhere, os.getpid(), tmp_path / "a"))
    assert not (tmp_path / "a").exists()
    meanwhile.wait()
    assert (tmp_path / "a").exists()


def test_what_a_drawing_raises_is_told_at_the_end_at_the_latest(tmp_path):
    workers.prepare()
    meanwhile = Meanwhile(cores=2)
    meanwhile.draw(tmp_path / "a", partial(os.mkdir, tmp_path / "none" / "a"))
    with pytest.raises(FileNotFoundError):
        meanwhile.wait()
    meanwhile.wait()


def test_a_notebook_shows_the_file_in_the_size_of_the_figure(tmp_path):
    picture = drawing.save(next(iter(all_figures(STAND_IN).values())), tmp_path / "a")
    data, about = picture._repr_mimebundle_()
    assert b64decode(data["image/png"]) == (tmp_path / "a.png").read_bytes()
    width, height = picture.figure.get_size_inches()
    assert about == {"image/png": {"width": round(100 * width), "height": round(100 * height)}}
    assert data["text/plain"].startswith("<Figure size ")


def test_a_matrix_is_drawn_as_seaborn_draws_it(tmp_path):
    values = np.array([[0.0, 0.4, np.nan], [0.6, 0.55, 1.0]])
    words = values.astype(str)
    for name in ("ours", "theirs"):
        figure, axes = figures.new_figure(4, 3, "title", STAND_IN)
        if name == "ours":
            heatmap(axes, values, words, size=9, cmap="Blues", vmin=0, vmax=1)
        else:
            options = {"annot_kws": {"size": 9}, "cmap": "Blues", "vmin": 0, "vmax": 1, "linewidths": 0.5}
            seaborn.heatmap(values, annot=words, fmt="", ax=axes, square=True, cbar=False, **options)
        axes.set_xticks(np.arange(3) + 0.5, list("abc"))
        axes.set_yticks(np.arange(2) + 0.5, list("de"), rotation=0)
        drawing.save(figure, tmp_path / name)
    for kind in ("svg", "png"):
        assert (tmp_path / f"ours.{kind}").read_bytes() == (tmp_path / f"theirs.{kind}").read_bytes()
    assert seaborn.color_palette("colorblind").as_hex() == list(drawing.COLOURS)
