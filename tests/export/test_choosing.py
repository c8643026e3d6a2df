"""Which seed is exported, what cannot be, and what the folder says of itself."""

from dataclasses import replace

import numpy as np
import pytest

from lib.errors import InputError
from lib.export import about as description
from lib.export import choosing, writing
from lib.export.about import ABOUT, CARD, WEIGHTS
from lib.export.writing import export
from lib.reporting.statistics import t_interval
from lib.study import Runs
from lib.training.recipe import ModelSpec
from tests.export.exported_runs import tiny_study

NAME = ("iemocap_negative_colearning", "quick")


def with_records(runs: Runs, change) -> Runs:
    """The same runs, each record of them changed."""
    return Runs(runs.study, [(task, member, change(record)) for task, member, record in runs.done])


@pytest.mark.parametrize("best", [0, 1])
def test_without_a_seed_it_is_the_one_with_the_best_validation_loss(colearned, tmp_path, best):
    def lowered(record):
        losses = record.history["valid_loss"] * (0.5 if record.seed == best else 1.0)
        return replace(record, history={**record.history, "valid_loss": losses})

    folder = export(with_records(colearned, lowered), *NAME, "rate 0", None, tmp_path / "model")
    about = description.read(folder)
    assert about.seed == best
    assert about.training.chosen == "the best validation loss of 2 seeds; test scores did not enter"
    assert about.training.chosen in (folder / CARD).read_text()


def test_scores_are_of_this_seed_and_over_the_seeds(colearned, tmp_path):
    about = description.read(export(colearned, *NAME, "rate 0", 1, tmp_path / "model"))
    table = colearned.table.query("variant == 'rate 0' and split == 'test' and metric == 'acc'").set_index("seed")[
        "value"
    ]
    found = about.scores["acc"]
    assert (found.this_seed, found.mean, found.seeds) == (table[1], pytest.approx(table.mean()), 2)
    assert (found.low, found.high) == pytest.approx(t_interval(table.to_numpy()))


@pytest.mark.parametrize("tested", ["selected", "last"])
def test_the_epoch_is_the_tested_one(colearned, tested):
    _, member, record = colearned.done[0]
    losses = {name: np.array([1.0, 2.0, 3.0]) for name in ("train_loss", "valid_loss")}
    record, recipe = replace(record, history=losses, best_epoch=0), replace(member.recipe, tested_epoch=tested)
    assert choosing.tested_epoch(record, recipe) == {"selected": 0, "last": 2}[tested]
    assert choosing.validation_score(record, recipe) == {"selected": -1.0, "last": -3.0}[tested]


def test_the_card_says_that_the_data_are_synthetic_and_what_may_be_done_with_them(exported):
    card, about = (exported / CARD).read_text(), description.read(exported)
    assert "SYNTHETIC stand-in" in card.split("## ")[0]
    for said in ("Magal et al., arXiv 2501.00865", about.data.licence, "95 % interval", "Intended use", "bit for bit"):
        assert said in card
    assert f"| acc | {about.scores['acc'].this_seed:.4g} |" in card
    real = about.model_copy(
        update={"data": about.data.model_copy(update={"synthetic": False, "label": "X", "warnings": ()})}
    )
    assert "SYNTHETIC" not in writing.card(real, repeats="the seeds")


def test_a_path_of_the_machine_is_in_no_file(exported, colearned):
    for name in (ABOUT, CARD):
        assert str(colearned.study.folder) not in (exported / name).read_text()


def test_what_has_not_been_trained_is_one_line(colearned, tmp_path):
    for variant, seed, said in (
        ("rate 0.5", None, "no variant 'rate 0.5'; there are: rate 0, rate 0.8, text+audio only"),
        ("rate 0", 7, "seed 7 of 'rate 0' has not been trained; there are: 0, 1"),
    ):
        with pytest.raises(InputError, match=said.replace("+", r"\+")):
            export(colearned, *NAME, variant, seed, tmp_path / "model")
    empty = tiny_study(NAME[0], tmp_path / "results").recorded()
    with pytest.raises(InputError, match=r"no finished training of 'rate 0'.*run_all.sh --only iemocap_negative"):
        export(empty, *NAME, "rate 0", None, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_run_without_outputs_cannot_be_exported(colearned, tmp_path):
    failed = with_records(colearned, lambda record: replace(record, status="diverged", outputs={}, reason="NaN"))
    with pytest.raises(InputError, match="no finished training"):
        export(failed, *NAME, "rate 0", None, tmp_path / "model")


@pytest.mark.parametrize(
    ("notebook", "why"),
    [
        ("unseen_emotions", "its answers are put together from those of several networks"),
        ("end_to_end_sparse", "it reads recordings"),
    ],
)
def test_models_that_need_more_than_features_are_refused_in_one_line(notebook, why, colearned, tmp_path):
    smaller = (
        {"samples": {"train": 24, "valid": 12, "test": 12, "frames": 2}} if notebook == "end_to_end_sparse" else {}
    )
    study = tiny_study(notebook, tmp_path, **smaller)
    task, member = study.members[0]
    done = [(task, member, replace(colearned.records[0], variant=member.variant, seed=member.seed))]
    with pytest.raises(InputError, match=f"cannot be exported: {why}.*; models of features can: ") as refusal:
        export(Runs(study, done), notebook, "quick", member.variant, None, tmp_path / "model")
    assert "\n" not in str(refusal.value)


def test_a_model_of_a_persons_own_is_refused_and_its_file_not_run(colearned, tmp_path):
    (tmp_path / "mine.py").write_text("raise SystemExit")
    own = ModelSpec("own:OwnModel", {"file": f"{tmp_path}/mine.py", "name": "Mine", "code": {}})
    done = [(task, replace(member, model=own), record) for task, member, record in colearned.done]
    with pytest.raises(InputError, match=f"cannot be exported: its network is the code of {tmp_path}/mine.py"):
        export(Runs(colearned.study, done), *NAME, "rate 0", None, tmp_path / "model")


def test_weights_that_do_not_answer_as_the_record_did_are_not_exported(colearned, tmp_path):
    def other(record):
        return replace(record, outputs={**record.outputs, "test": record.outputs["test"] + 1})

    with pytest.raises(InputError, match="do not give the recorded test outputs"):
        export(with_records(colearned, other), *NAME, "rate 0", 0, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_what_was_there(colearned, exported, tmp_path, monkeypatch):
    folder = export(colearned, *NAME, "rate 0", 0, tmp_path / "model")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == {ABOUT, CARD, WEIGHTS}

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        export(colearned, *NAME, "rate 0.8", 0, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(tmp_path.iterdir()) == [folder]
    monkeypatch.undo()
    export(colearned, *NAME, "rate 0.8", 0, folder)
    assert description.read(folder).variant == "rate 0.8"


def test_nothing_but_an_exported_model_is_replaced(colearned, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    (tmp_path / "file").write_text("x")
    for name in ("thesis", "file"):
        with pytest.raises(InputError, match="something else than an exported model"):
            export(colearned, *NAME, "rate 0", 0, tmp_path / name)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == (tmp_path / "file").read_text() == "x"
