"""The losses of each modality's own outputs beside the joint one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lib.data.batches import Examples
from lib.training.loop import Checkpoint, train
from lib.training.objective import Objective
from lib.training.streams import SeededStreams
from tests.training.small import RECIPE, corpus
from tests.training.test_gradient_modulation import lf_rnn, run, same_weights
from tests.training.test_objectives import multilabel, talker

WEIGHTS = {"text": 0.5, "audio": 2.0}
LABELS = np.array([0, 2])
OWN = {
    "text": np.array([[1.0, 0.0, 0.5], [0.0, 0.2, 2.0]]),
    "audio": np.array([[0.0, 1.0, 0.0], [1.5, 0.3, 0.1]]),
    "video": np.array([[0.1, 0.2, 0.3], [0.0, 0.0, 1.0]]),
}


def cross_entropies(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits)
    return -np.log(exponents[np.arange(len(LABELS)), LABELS] / exponents.sum(1))


@pytest.mark.parametrize("loss", ["cross_entropy", "cross_entropy_sum"])
def test_the_loss_by_hand(loss):
    over = np.sum if loss.endswith("sum") else np.mean
    joint = sum(OWN.values())
    expected = over(cross_entropies(joint)) + sum(w * over(cross_entropies(OWN[m])) for m, w in WEIGHTS.items())
    batch = Examples({}, torch.from_numpy(LABELS))
    objective = Objective(replace(RECIPE, loss=loss, unimodal_weights=WEIGHTS), batch)
    outputs = torch.from_numpy(joint), {m: torch.from_numpy(x) for m, x in OWN.items()}
    assert objective.loss(outputs, batch).item() == pytest.approx(expected)
    assert objective.split_loss(outputs[0], batch.targets) == pytest.approx(cross_entropies(joint).mean())


@pytest.mark.parametrize("member", [lf_rnn, talker])
@pytest.mark.parametrize("weights", [{}, {"text": 0.0, "video": 0}])
def test_weights_of_zero_are_plain_training_bit_for_bit(member, weights):
    plain, zero, one = (run(member(unimodal_weights=w)) for w in (None, weights, {"text": 1.0}))
    assert same_weights(plain, zero)
    assert plain.history == zero.history
    assert not same_weights(plain, one)


def test_a_modality_learns_more_alone_the_more_its_own_loss_weighs():
    """The loss of its own outputs on the training samples, after training."""
    train_split, found = corpus().batches("train"), []
    for weight in (0.0, 5.0):
        one = lf_rnn(epochs=20, learning_rate=0.05, tested_epoch="last", unimodal_weights={"audio": weight})
        one = replace(one, modality_dropout=None)
        model = one.model.build().eval()
        model.load_state_dict(run(one).best_state)
        _, own = model.by_modality(**train_split.inputs)
        found.append(F.cross_entropy(own["audio"], train_split.targets).item())
    assert found[1] < 0.95 * found[0]


def test_same_seed_same_bits_and_an_interrupted_run_too(tmp_path):
    one = lf_rnn(unimodal_weights=WEIGHTS, reshuffle=True)
    undisturbed = run(one)
    assert same_weights(undisturbed, run(one))
    calls = []

    def interrupt(epoch: int) -> None:
        calls.append(epoch)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(one, checkpoint=Checkpoint(tmp_path / "c", "k", every_s=0), after_epoch=interrupt)
    resumed = run(one, checkpoint=Checkpoint(tmp_path / "c", "k", every_s=0))
    assert calls == [0]
    assert resumed.history == undisturbed.history
    assert same_weights(resumed, undisturbed)


def test_emotions_are_weighted_in_their_own_losses_too():
    """Positive weights change the unimodal part of the loss: the gradient of the joint part is left out by hand."""
    data = multilabel()
    batch = data.batches("train")
    objective = Objective(replace(RECIPE, loss="bce", unimodal_weights={"text": 1.0}), batch)
    zeros = torch.zeros_like(batch.targets)
    own = torch.ones_like(batch.targets)
    both = objective.loss((zeros, {"text": own}), batch) - objective.loss((zeros, {"text": zeros}), batch)
    alone = objective.split_loss(own, batch.targets) - objective.split_loss(zeros, batch.targets)
    assert both.item() == pytest.approx(alone, rel=1e-5)
    splits = {name: data.batches(name) for name in data.splits}
    assert train(lf_rnn(loss="bce", unimodal_weights=WEIGHTS), splits, SeededStreams(0)).epochs_run == 4
