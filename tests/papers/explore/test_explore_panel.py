"""The explorer's panel, driven as a user would: choose, train, stop, disturb, save."""

import re
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from lib import papers
from lib.papers.explore import CONVERSATION, CORPORA, SINGLE, Explore, opening
from lib.papers.explore import study as explore
from lib.papers.explore.panel import Panel
from lib.reporting.disturbed import missing_score, noisy_score
from tests.papers.explore.test_explore import CLASSES, SPCL, TALK, given, same, trained


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    with mpl.rc_context({"backend": "agg"}):
        yield


def panel(folder: Path, values=TALK, **changes) -> Panel:
    return Panel(given(folder, values, **changes))


def train(one: Panel) -> None:
    one.train.click()
    one.join(120)
    assert (one.train.disabled, one.cancel.disabled) == (False, True)


@pytest.mark.parametrize("values", [TALK, SPCL, CLASSES])
def test_the_widgets_show_the_setting_that_they_were_given(tmp_path, values):
    p = given(tmp_path, values)
    assert Panel(p).chosen() == p


def test_training_shows_the_numbers_of_the_notebook(tmp_path):
    one = panel(tmp_path / "a")
    train(one)
    same(one.found.records, trained(given(tmp_path / "b")).records)
    assert one.said.value == "Done: 2 of 2 seeds finished."
    assert one.tabs.titles == ("scores", "predictions", "confusion", "without a modality", "shares")
    assert bytes(one.live.value).startswith(b"\x89PNG")
    mean = np.mean([run.plain() for run in one.runs])
    assert f"{mean:.3f}" in one.tabs.children[0].value
    assert "SYNTHETIC stand-in" in one.tabs.children[0].value
    assert "SYNTHETIC stand-in" in one.effect.value


def test_the_sliders_disturb_the_trained_models(tmp_path):
    one = panel(tmp_path)
    train(one)
    one.disturbed.value, one.noise.value, one.missing.value = "audio", 1.5, 0.5
    noisy = np.mean([noisy_score(run, "audio", 1.5) for run in one.runs])
    fewer = np.mean([missing_score(run, "audio", 0.5) for run in one.runs])
    assert re.search(rf"{noisy:.3f} \(.*\) with noise of 1\.5 deviations on audio", one.effect.value)
    assert re.search(rf"{fewer:.3f} \(.*\) with audio missing from 50%", one.effect.value)


def test_cancel_is_heard_between_two_epochs_and_training_goes_on_later(tmp_path):
    one = panel(tmp_path, epochs=1000, seeds=[0])
    one.train.click()
    started = time.monotonic()
    while not one.live.value and time.monotonic() - started < 60:
        time.sleep(0.01)
    assert one.live.value, "no curve while it trains"
    assert one.train.disabled
    one.cancel.click()
    one.join(60)
    assert one.said.value.startswith("Cancelled.")
    assert (one.train.disabled, one.found) == (False, None)
    one.epochs.value = 2
    train(one)
    assert one.said.value == "Done: 1 of 1 seeds finished."


def test_another_corpus_offers_the_models_that_fit_it(tmp_path):
    one = panel(tmp_path, SPCL)
    assert one.dropout_rate.disabled
    one.dataset.value = "mosi_like"
    assert [name for _, name in one.model.options] == list(SINGLE)
    assert not one.dropout_rate.disabled
    assert one.curriculum.disabled
    p = one.chosen()
    assert (p.dataset, p.model, p.curriculum, p.samples > 0) == ("mosi_like", SINGLE[0], None, True)
    one.dataset.value = "meld_conversations_like"
    assert [name for _, name in one.model.options] == list(CONVERSATION)
    assert one.chosen().curriculum is not None


def test_before_the_first_training_there_is_no_picture_to_be_broken(tmp_path):
    one = panel(tmp_path, seeds=[0], epochs=1)
    assert (one.live.value, one.live.layout.display) == (b"", "none")
    train(one)
    assert bytes(one.live.value).startswith(b"\x89PNG")
    assert one.live.layout.display is None


def test_a_corpus_offers_the_modalities_that_its_description_says_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr(explore, "present_corpora", lambda: list(CORPORA))
    one = panel(tmp_path, CLASSES)
    one.modalities.value = one.dropped.value = ("text", "video")
    one.dataset.value = "ravdess"
    assert one.modalities.options == one.dropped.options == ("audio", "video")
    assert one.modalities.value == one.dropped.value == ("video",)
    assert (one.chosen().modalities, one.chosen().dropped, one.chosen().samples) == (("video",), ("video",), 0)
    assert "RAVDESS speech, eight acted emotions" in one.about.value and "CC BY-NC-SA" in one.about.value
    one.dataset.value = "mosei_text"
    assert (one.modalities.options, one.modalities.value) == (("text",), ("text",))


def test_nothing_is_chosen_while_modalities_are_exchanged(tmp_path, monkeypatch):
    """A browser is told of new modalities before what is chosen of them: the third of two would be an error there."""
    monkeypatch.setattr(explore, "present_corpora", lambda: list(CORPORA))
    one, told = panel(tmp_path, CLASSES), []
    for choice in (one.modalities, one.dropped):
        choice.value = ("text", "video")
        monkeypatch.setattr(choice, "send_state", lambda key=None, choice=choice: told.append((key, choice.index)))
    one.dataset.value = "ravdess"
    exchanged = [chosen for keys, chosen in told if "_options_labels" in keys]
    assert exchanged == [(), ()]


def test_only_corpora_that_are_here_are_offered(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRISE_DATA", str(tmp_path))
    assert all(name.endswith("_like") for name in panel(tmp_path).dataset.options)
    assert explore.present_corpora() == list(panel(tmp_path).dataset.options)


def test_saving_names_the_command_and_keeps_the_setting(tmp_path, monkeypatch):
    monkeypatch.setattr("lib.papers.explore.panel.FOLDER", tmp_path / "explore")
    one = panel(tmp_path / "x", SPCL)
    train(one)
    one.name.value = "mine"
    one.save.click()
    assert one.said.value == "Saved. The same numbers, bit for bit: ./run_all.sh --only explore/mine"
    assert papers.load(tmp_path / "explore" / "mine.yaml", results=str(tmp_path / "x")) == one.setting
    one.epochs.value = 2
    one.save.click()
    assert one.said.value.startswith("the setting was changed since it was trained")


def test_what_goes_wrong_is_told_without_a_path_of_this_machine(tmp_path, monkeypatch):
    one = panel(tmp_path)
    one.seeds.value = "one two"
    train(one)
    assert one.said.value.startswith("seeds &#x27;one two&#x27; are no numbers")
    one.seeds.value = "0"

    for fault in (OSError, ValueError, KeyError):

        def lost(p: Explore, fault=fault):
            raise fault(f"cannot read {tmp_path}/secret/file.h5")

        monkeypatch.setattr(explore, "load_corpus", lost)
        train(one)
        assert one.said.value.startswith(f"{fault.__name__}: ")
        assert "cannot read file.h5" in one.said.value
    shown = " ".join(str(w.value) for w in vars(one).values() if hasattr(w, "value"))
    assert str(tmp_path) not in shown


def test_a_second_click_does_not_start_a_second_training(tmp_path):
    one = panel(tmp_path, epochs=1000, seeds=[0])
    one.train.click()
    first = one._thread
    one.start()
    assert one._thread is first
    one.cancel.click()
    one.join(60)


def test_a_server_gets_the_panel(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("JPY_SESSION_NAME", "explore.ipynb")
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    opened = opening.show(given(tmp_path))
    assert isinstance(opened, Panel)
    assert shown == [opened.box]
