"""The panel of exported models, used as a person would: open, ask, choose an utterance; and what it refuses."""

import shutil

import pytest

from lib.export import opening, panel
from lib.export.corpora import by_name
from lib.export.loading import load_trained
from lib.export.panel import Panel


@pytest.fixture
def workspace(exported, tmp_path, monkeypatch):
    """With one exported model where runs leave them."""
    folder = tmp_path / "results/iemocap_negative_colearning/quick/exported/rate-0-seed0"
    shutil.copytree(exported, folder)
    monkeypatch.setattr(panel, "WORKSPACE", tmp_path)
    return tmp_path


@pytest.fixture
def opened(workspace) -> Panel:
    one = Panel()
    one.open.click()
    return one


def test_it_offers_what_runs_have_exported_and_shows_the_scores(opened):
    about = opened.model.about
    assert list(opened.folder.options) == ["results/iemocap_negative_colearning/quick/exported/rate-0-seed0"]
    assert "SYNTHETIC stand-in" in opened.scores.value
    assert f"{about.scores['acc'].this_seed:.3f}" in opened.scores.value
    assert about.data.warnings[0] in opened.told.value
    assert (opened.given.value, opened.ask.disabled) == (about.parameters["dataset"], False)


def test_an_utterance_shows_what_predict_says_of_it(opened, workspace):
    opened.ask.click()
    utterances, _ = by_name(opened.model.about, opened.given.value, "test")
    table = load_trained(workspace / opened.folder.value).predict(utterances)
    assert list(opened.utterance.options) == list(table["id"])
    assert f"Answer for {table['id'][0]}" in opened.answer.value
    opened.utterance.value = table["id"][3]
    row = table.iloc[3]
    assert f"<td>{row['predicted']}</td>" in opened.answer.value
    for name in ("contribution_text", "contribution_audio", "without_any"):
        assert f"<td>{name.removeprefix('contribution_')}</td>" in opened.answer.value
        assert f"<td>{row[name]:.3f}</td>" in opened.answer.value
    assert opened.answer.value.count("SYNTHETIC stand-in") == 2


@pytest.mark.parametrize(
    ("folder", "said"),
    [("results/nothing", "nothing: no such folder"), ("results", "model.json")],
)
def test_what_is_no_exported_model_is_told_without_a_path_of_this_machine(opened, workspace, folder, said):
    opened.folder.value = folder
    opened.open.click()
    assert said in opened.told.value
    assert str(workspace) not in opened.told.value
    assert (opened.model, opened.ask.disabled, opened.scores.value) == (None, True, "")


def test_what_the_model_cannot_read_is_told(opened, workspace):
    (workspace / "mine.csv").write_text("id,text.0\na,1\n")
    told = {"mine.csv": "text has 1 features, the model reads", "nothing": "unknown corpus"}
    for given, said in told.items():
        opened.given.value = given
        opened.ask.click()
        assert said in opened.told.value


def test_without_an_exported_model_it_says_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.setattr(panel, "WORKSPACE", tmp_path)
    one = Panel()
    assert (one.folder.options, one.folder.value) == ((), "")
    assert one.folder.placeholder == panel.NONE


def test_a_server_gets_the_panel_and_a_batch_run_a_line(workspace, monkeypatch, capsys):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert opening.show() is None
    assert capsys.readouterr().out == f"No widgets in a batch run: {opening.OTHERWISE}\n"
    monkeypatch.setenv("JPY_SESSION_NAME", "explore.ipynb")
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    opened = opening.show()
    assert shown == [opened.box]
