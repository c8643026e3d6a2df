"""The explorer: the same bits in the panel's thread, in a cell and in a batch run of the saved setting."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import ipywidgets
import matplotlib as mpl
import numpy as np
import pytest

from lib import papers, params
from lib import run_table as runs
from lib.errors import InputError
from lib.papers.explore import CONVERSATION, SINGLE, Explore, opening, panel, views
from lib.papers.explore import study as explore
from lib.run_table import by_seed

ROOT = Path(__file__).resolve().parents[3]
TALK = {
    "samples": 25,
    "dataset": "iemocap_conversations_like",
    "model": "late_fusion",
    "modalities": ["text", "audio", "video"],
    "hidden": 4,
    "epochs": 3,
    "batch_size": 8,
    "learning_rate": 0.01,
    "seeds": [0, 1],
}
CLASSES = TALK | {"samples": 120, "dataset": "iemocap_like", "model": "ef_lstm", "batch_size": 16, "dropout_rate": 0.5}
SCORE = CLASSES | {"dataset": "mosi_like", "samples": 120, "model": "mfn"}
EMOTIONS = CLASSES | {"dataset": "iemocap_emotions_like", "samples": 200, "model": "lmf"}
SPCL = TALK | {"curriculum": {"threshold": 0.4, "growth": 1.25}}
KINDS = {"classes": CLASSES, "regression": SCORE, "multilabel": EMOTIONS, "conversation": SPCL}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    with mpl.rc_context({"backend": "agg"}):
        yield


def given(folder: Path, values=TALK, **changes) -> Explore:
    return params.check(Explore, {**values, **changes, "results": str(folder)}, where="test")


def trained(p: Explore, **options):
    return explore.train(explore.study(p), **options)


def same(ours, theirs) -> None:
    """Bit for bit."""
    assert [r.seed for r in ours] == [r.seed for r in theirs]
    for a, b in zip(ours, theirs, strict=True):
        assert a.outputs.keys() == b.outputs.keys()
        assert all(np.array_equal(a.outputs[name], b.outputs[name]) for name in a.outputs)
        assert all(np.array_equal(a.history[name], b.history[name]) for name in a.history)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_task_goes_through_every_view(tmp_path, kind):
    p = given(tmp_path, KINDS[kind])
    assert p.kind == kind
    done = trained(p)
    (task,), table, found = done.study.tasks, done.table, done.records
    scores = by_seed(table, explore.METRICS[kind])
    asked = explore.asked(done)
    for run, record in zip(asked, found, strict=True):
        assert np.array_equal(run.outputs(), record.outputs["test"])
        assert run.plain() == scores.loc[run.seed].item()
    said = views.answers(task, found[0].outputs["test"])
    true = views.truths(task)
    names = views.utterance_ids(task.corpus)
    assert len(said) == len(true) == len(names) == len(set(names))
    if kind in ("classes", "conversation"):
        assert np.mean(said == true) == by_seed(table, "acc").loc[0].item()
    ((_, counts),), classes = done.confusion(task, [found[0].variant]), task.classes.names
    assert counts.shape == (len(classes), len(classes))
    assert counts.sum() == 2 * len(true) * (len(task.corpus.label_names) if kind == "multilabel" else 1)
    changes = views.change_table(task, asked).set_index("without")
    without = [views.answers(task, run.outputs({"text": True})) for run in asked]
    plain = [views.answers(task, run.outputs()) for run in asked]
    moved = [int((a != b).sum()) for a, b in zip(plain, without, strict=True)]
    assert changes.loc["text", "changed"] == np.mean(moved)
    listed = views.changed_table(task, asked[0], rows=10_000)
    differs = np.zeros(len(true), bool)
    for modality in p.modalities:
        differs |= views.answers(task, asked[0].outputs({modality: True})) != plain[0]
    assert list(listed["utterance"]) == [name for name, yes in zip(names, differs, strict=True) if yes]
    assert len(views.prediction_table(task, asked[0])) == min(12, len(true))
    assert len(views.sentences(changes.reset_index())) == 3


@pytest.mark.parametrize("model", [*SINGLE, *CONVERSATION])
def test_every_model_can_be_built_on_what_it_fits(tmp_path, model):
    p = given(tmp_path, CLASSES if model in SINGLE else TALK, model=model, epochs=1, seeds=[0])
    done = trained(p)
    (record,), task = done.records, done.study.tasks[0]
    assert record.status == "finished"
    assert record.outputs["test"].shape == (len(views.truths(task)), len(task.corpus.label_names))


def test_a_thread_beside_a_history_that_is_watched_gives_the_same_bits(tmp_path):
    plain = trained(given(tmp_path / "a")).records
    seen, beside = [], []

    def watch(seed, history):
        seen.append((seed, len(history["valid_loss"])))

    thread = threading.Thread(target=lambda: beside.extend(trained(given(tmp_path / "b"), watch=watch).records))
    thread.start()
    thread.join(120)
    same(plain, beside)
    assert seen == [(seed, epoch) for seed in (0, 1) for epoch in (1, 2, 3)]


def test_what_is_finished_is_kept_and_a_cancelled_seed_starts_over_with_the_same_bits(tmp_path):
    plain = trained(given(tmp_path / "a")).records
    stop = threading.Event()

    def watch(seed, history):
        if seed == 1:
            stop.set()

    p = given(tmp_path / "b")
    with pytest.raises(explore.Cancelled):
        trained(p, watch=watch, cancelled=stop)
    assert [path.name[:17] for path in sorted((tmp_path / "b" / "members").glob("*[0-9a-f].safetensors"))] == [
        "LateFusion-seed0-"
    ]
    again = []
    found = trained(p, watch=lambda seed, history: again.append(seed)).records
    assert set(again) == {1}
    same(plain, found)


def test_less_than_one_minibatch_and_a_modality_that_is_not_there_are_refused(tmp_path):
    with pytest.raises(InputError, match="do not fill one batch of 4000"):
        trained(given(tmp_path, batch_size=4000))
    with pytest.raises(InputError, match=r"no modality video.*there are: text"):
        corpus = explore.load_corpus(given(tmp_path))
        names = {m: x for m, x in corpus.modalities.items() if m != "video"}
        splits = {
            name: type(s)({m: s.features[m] for m in names}, s.lengths, s.labels, s.ids, s.speakers)
            for name, s in corpus.splits.items()
        }
        fewer = type(corpus)(corpus.task, corpus.label_names, names, splits, corpus.source)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lib.data.load", lambda *_, **options: fewer)
            explore.load_corpus(given(tmp_path))


def batch_run(target: Path, values: dict) -> None:
    """The notebook through papermill as `run_all.sh` runs it, in a process of its own."""
    code = (
        "import json, sys; from pathlib import Path; from lib.workflow.kernel import execute; "
        "execute(Path('notebooks/explore.ipynb'), Path(sys.argv[1]), json.loads(sys.argv[2]), 300)"
    )
    command = [sys.executable, "-P", "-c", code, str(target), json.dumps(values)]
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr


def test_a_long_epoch_is_stopped_between_two_minibatches(tmp_path, monkeypatch):
    stop, steps = threading.Event(), []

    def due(self):
        steps.append(None)
        if len(steps) == 2:
            stop.set()
        return asked(self)

    asked = explore._Between.due.fget
    monkeypatch.setattr(explore._Between, "due", property(due))
    with pytest.raises(explore.Cancelled):
        trained(given(tmp_path, CLASSES), cancelled=stop)
    assert len(steps) == 2  # of at least five minibatches of the first epoch


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classes", "conversation"])
def test_the_saved_setting_repeats_the_explorers_numbers_bit_for_bit_through_papermill(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(panel, "FOLDER", tmp_path / "explore")
    p = given(tmp_path / "by hand", KINDS[kind])
    done = trained(p)
    table, found = done.table, done.records
    command = panel.save(p, "mine")
    assert command == "./run_all.sh --only explore/mine"
    repeated = papers.load(tmp_path / "explore" / "mine.yaml", results=str(tmp_path / "batch"), data_root="", cores=1)
    (tmp_path / "batch").mkdir()
    values = repeated.model_dump(mode="json")
    batch_run(tmp_path / "executed.ipynb", values)
    theirs = runs.load(tmp_path / "batch")
    measured = [c for c in table.columns if c != "seconds"]
    assert table[measured].equals(theirs[measured])
    again = explore.train(explore.study(repeated)).records  # reads the records that the batch run left
    same(found, again)
    assert [r.key for r in found] == [r.key for r in again]
    assert str(tmp_path) not in (tmp_path / "explore" / "mine.yaml").read_text()
    assert "application/vnd.jupyter.widget" not in (tmp_path / "executed.ipynb").read_text()


def test_names_that_would_be_lost_or_overwritten_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(panel, "FOLDER", tmp_path / "explore")
    p = given("results/x")
    panel.save(p, "mine")
    panel.save(p, "mine")  # the same setting again
    with pytest.raises(InputError, match="explore/mine is another setting; choose another name"):
        panel.save(p.model_copy(update={"epochs": 9}), "mine")
    for name in ("", "quick", "explore", "../x", "a/b", "a b", ".hidden", "x.yaml", "ä"):
        with pytest.raises(InputError, match="cannot be the name"):
            panel.save(p, name)
    with pytest.raises(InputError, match="name it in REPRISE_DATA instead"):
        panel.save(p.model_copy(update={"data_root": "elsewhere"}), "other")
    assert [path.name for path in (tmp_path / "explore").iterdir()] == ["mine.yaml"]


def test_a_saved_setting_is_a_run_of_the_workspace():
    assert panel.FOLDER == ROOT / "params" / "explore"


def test_without_a_server_there_is_no_widget(tmp_path, monkeypatch, capsys):
    made = []
    monkeypatch.setattr(ipywidgets.Widget, "open", made.append)
    assert opening.show(given(tmp_path)) is None
    assert "No widgets in a batch run" in capsys.readouterr().out
    assert not made


def test_without_the_package_the_notebook_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("JPY_SESSION_NAME", "explore.ipynb")
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.delitem(sys.modules, "lib.papers.explore.panel", raising=False)
    assert opening.show(given(tmp_path)) is None
    assert "No widgets without the package ipywidgets" in capsys.readouterr().out
