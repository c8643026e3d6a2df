"""The loop: the same bits whatever happens around it."""

from dataclasses import replace

import pytest
import torch

from lib.training.loop import Checkpoint, Outcome, train
from lib.training.recipe import ModelSpec
from lib.training.streams import SeededStreams
from tests.training.small import WIDTHS, corpus, member


def splits(**options):
    return {name: corpus().batches(name, **options) for name in ("train", "valid", "test")}


def same(a: Outcome, b: Outcome) -> None:
    assert a.history == b.history
    assert a.best_epoch == b.best_epoch
    assert a.best_state.keys() == b.best_state.keys()
    assert all(torch.equal(a.best_state[key], b.best_state[key]) for key in a.best_state)
    assert all(torch.equal(a.outputs[name], b.outputs[name]) for name in ("valid", "test"))


def test_same_seed_same_bits_and_other_seed_other_bits():
    first, again, other = (train(member(), splits(), SeededStreams(seed)) for seed in (0, 0, 1))
    same(first, again)
    assert first.history["train_loss"] != other.history["train_loss"]


def test_global_random_state_neither_matters_nor_changes():
    undisturbed = train(member(), splits(), SeededStreams(0))
    torch.manual_seed(1234)
    before = torch.get_rng_state()
    same(undisturbed, train(member(), splits(), SeededStreams(0)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("options", [{}, {"reshuffle": True, "drop_last": False, "plateau_patience": 0}])
@pytest.mark.parametrize("stop_after", [0, 1, 2])
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, options, stop_after):
    run = member(**options)
    undisturbed = train(run, splits(), SeededStreams(0))

    def interrupt(epoch: int) -> None:
        if epoch == stop_after:
            raise KeyboardInterrupt

    path = tmp_path / "run.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        train(run, splits(), SeededStreams(0), checkpoint=Checkpoint(path, "k", every_s=0), after_epoch=interrupt)
    trained = []
    resumed = train(
        run, splits(), SeededStreams(0), checkpoint=Checkpoint(path, "k", every_s=0), after_epoch=trained.append
    )
    assert trained == list(range(stop_after + 1, run.recipe.epochs))
    same(undisturbed, resumed)


@pytest.mark.parametrize("damage", ["truncated", "other run", "not a checkpoint"])
def test_an_unusable_checkpoint_starts_the_run_over(tmp_path, damage):
    path = tmp_path / "run.checkpoint"

    def interrupt(epoch: int) -> None:
        raise KeyboardInterrupt

    key = "another" if damage == "other run" else "k"
    with pytest.raises(KeyboardInterrupt):
        train(member(), splits(), SeededStreams(0), checkpoint=Checkpoint(path, key, every_s=0), after_epoch=interrupt)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "not a checkpoint":
        path.write_text("hello")
    epochs = []
    train(member(), splits(), SeededStreams(0), checkpoint=Checkpoint(path, "k"), after_epoch=epochs.append)
    assert epochs == [0, 1, 2, 3]


def test_ties_go_to_the_later_epoch():
    """Without a step and without batch norm nothing changes, so all epochs tie."""
    model = ModelSpec("ef_lstm:EFLSTM", {"features": WIDTHS, "hidden": 4, "outputs": 3, "dropout": 0.3})
    outcome = train(replace(member(learning_rate=0.0), model=model), splits(), SeededStreams(0))
    assert len(set(outcome.history["valid_loss"])) == 1
    assert outcome.best_epoch == 3


def test_early_stopping_ends_after_patience_epochs_without_improvement():
    outcome = train(member(epochs=40, patience=3, learning_rate=0.2), splits(), SeededStreams(0))
    assert outcome.epochs_run < 40
    assert outcome.epochs_run == outcome.best_epoch + 1 + 3


def test_a_diverging_run_has_no_outputs():
    broken = splits()
    broken["valid"].targets.zero_()
    broken["valid"].inputs["text"].fill_(float("nan"))
    outcome = train(member(), broken, SeededStreams(0))
    assert outcome.diverged
    assert outcome.outputs == {}
    assert outcome.epochs_run == 4
    abandoned = train(member(abandon_on_nan=True), broken, SeededStreams(0))
    assert abandoned.diverged
    assert abandoned.epochs_run == 1


def test_the_last_epoch_can_be_the_tested_one():
    overfitted = member(epochs=40, learning_rate=0.2, tested_epoch="last")
    last, selected = (train(m, splits(), SeededStreams(0)) for m in (overfitted, member(epochs=40, learning_rate=0.2)))
    assert last.best_epoch == selected.best_epoch < 39
    assert not torch.equal(last.outputs["test"], selected.outputs["test"])


def test_summed_losses_are_logged_per_target_value():
    mean = train(member(epochs=1, learning_rate=0.0, drop_last=False), splits(), SeededStreams(0))
    summed = train(
        member(epochs=1, learning_rate=0.0, drop_last=False, loss="cross_entropy_sum"), splits(), SeededStreams(0)
    )
    assert summed.history["valid_loss"][0] == pytest.approx(mean.history["valid_loss"][0], rel=1e-6)


def test_fewer_samples_than_a_batch_is_an_error():
    with pytest.raises(ValueError, match="30 training samples do not fill one batch of 64"):
        train(member(batch_size=64), splits(), SeededStreams(0))
