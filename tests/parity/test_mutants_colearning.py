"""Wrong co-learning models, training steps and scores fail the parity checks."""

import pytest

from lib.training.loop import train
from tests.parity.mutants import Mutant, assert_killed, mutants, named
from tests.parity.test_colearning_fleet import in_company
from tests.parity.test_colearning_metrics import check_metrics
from tests.parity.test_colearning_models import check_module
from tests.parity.test_colearning_training import check_modality_dropout, check_whole_run

pytestmark = pytest.mark.slow

STEPS, MEMORY = "lib.models.lstm_steps:_LSTMSteps", "lib.models.gated_memory:_GatedMemory"
LAYER, NET = "lib.models.recurrent:recurrent_layer", "lib.models.mfn:MFN"
MFN = [
    *mutants(
        f"{STEPS}.forward",
        {
            "input and forget gates swapped": ("f * c, i * g", "i * c, f * g"),
            "cell squashed by a sigmoid": ("torch.tanh(c, out=tanh_c)", "torch.sigmoid(c, out=tanh_c)"),
            "output gate squashed by tanh": ("o.sigmoid_()", "o.tanh_()"),
        },
    ),
    *mutants(
        f"{NET}._states",
        {
            "one LSTM bias dropped": ("cell.bias_ih + cell.bias_hh", "cell.bias_ih + 0 * cell.bias_hh"),
        },
    ),
    *mutants(
        f"{STEPS}.backward",
        {
            "backward: forget gate's cell": ("dc * c, f, grad_input=d_f", "dc * g, f, grad_input=d_f"),
            "backward: no memory of the cell": (
                "torch.bmm(d_whole, weight_hh), dc * f",
                "torch.bmm(d_whole, weight_hh), dc * 0",
            ),
            "backward: recurrent weight a step late": ("hidden[:, :-1]", "hidden[:, 1:]"),
        },
    ),
    *mutants(
        f"{NET}.trace",
        {
            "attention over the batch": ("softmax(dim=-1)", "softmax(dim=1)"),
            "attention over time": ("softmax(dim=-1)", "softmax(dim=0)"),
            "window the other way round": ("states[:-1], states[1:]", "states[1:], states[:-1]"),
            "candidate by a sigmoid": ("torch.tanh(", "torch.sigmoid("),
            "attention not applied": ("attention * window", "0 * attention + window"),
        },
    ),
    *mutants(
        f"{NET}._block",
        {
            "ReLU of the blocks missing": ("F.relu(fc1(x))", "fc1(x)"),
        },
    ),
    *mutants(
        f"{NET}.forward",
        {
            "memory before hidden states": ("*last.hidden.values(), last.memory", "last.memory, *last.hidden.values()"),
        },
    ),
    *mutants(
        f"{MEMORY}.forward",
        {
            "memory's gates swapped": ("both[0] * memory, both[1]", "both[1] * memory, both[0]"),
            "memory's gate bias dropped": ("torch.add(bias, ", "torch.add(0 * bias, "),
        },
    ),
    *mutants(
        f"{MEMORY}.backward",
        {
            "backward: ReLU of the gates": ("d_z *= z > 0", "pass"),
            "backward: memory not carried": ("d_memory * keep, d_z", "d_memory, d_z"),
        },
    ),
]
EARLY = [
    *mutants(
        LAYER,
        {
            "gates in another order": (
                "hidden, weights, True",
                "hidden, [w.roll(len(w) // 4, 0) for w in weights], True",
            ),
            "one bias dropped": (
                "hidden, weights, True",
                "hidden, [w * (i != 2) for i, w in enumerate(weights)], True",
            ),
        },
    ),
    *mutants(
        "lib.models.recurrent:_Layered.last_output",
        {
            "directions swapped": ("cat(halves", "cat(halves[::-1]"),
        },
    ),
    *mutants(
        "lib.models.recurrent:_Layered._time_first",
        {
            "last step of the wrong axis": ("x.transpose(0, 1) if self.batch_first else x", "x.flip(0)"),
        },
    ),
    *mutants(
        "lib.models.ef_lstm:BiEFLSTM.__init__",
        {
            "batch norm's epsilon x 10": ("BatchNorm1d(hidden)", "BatchNorm1d(hidden, eps=1e-4)"),
            "batch norm's epsilon / 10": ("BatchNorm1d(hidden)", "BatchNorm1d(hidden, eps=1e-6)"),
            "batch norm's momentum": ("BatchNorm1d(hidden)", "BatchNorm1d(hidden, momentum=0.11)"),
        },
    ),
    *mutants(
        "lib.models.ef_lstm:BiEFLSTM.forward",
        {
            "batch norm after the ReLU": (
                "F.relu(self.bn1(self.fc1(self.encode(**inputs))))",
                "self.bn1(F.relu(self.fc1(self.encode(**inputs))))",
            ),
            "head's bias dropped": ("self.fc2(self.dropout(hidden))", "self.fc2(self.dropout(hidden)) - self.fc2.bias"),
        },
    ),
]
OFFICIAL = [
    EARLY[0],
    *mutants(
        LAYER,
        {
            "one bias dropped": ("hidden, weights, True", "hidden, [*weights[:2], 0 * weights[2], weights[3]], True"),
        },
    ),
    *mutants(
        "lib.models.ef_lstm:EFLSTM.forward",
        {
            "ReLU missing": ("F.relu(self.fc1(hidden[0]))", "self.fc1(hidden[0])"),
            "first step in place of the last": ("_, hidden, _ = recurrent_layer", "hidden, _, _ = recurrent_layer"),
        },
    ),
]
RUN = [
    *mutants(
        "lib.training.recipe:Recipe.optimiser",
        {
            "Adam's epsilon x 10": ("weight_decay=self.weight_decay)", "weight_decay=self.weight_decay, eps=1e-7)"),
            "Adam's second beta": (
                "weight_decay=self.weight_decay)",
                "weight_decay=self.weight_decay, betas=(0.9, 0.9991))",
            ),
            "a little weight decay": ("weight_decay=self.weight_decay)", "weight_decay=1e-8)"),
        },
    ),
    *mutants(
        "lib.training.loop:train_epoch",
        {
            "gradients not cleared": ("run.optimiser.zero_grad(set_to_none=True)", "pass"),
        },
    ),
    *mutants(
        "lib.training.streams:ReplayStreams.permutation",
        {
            "order of the samples": (
                "return self._numpy.permutation(n)",
                "return self._numpy.permutation(n)[::-1].copy()",
            ),
        },
    ),
    *mutants(
        "lib.training.strategies:_zeroed",
        {
            "modality dropout rescales": (
                "return absent_like(x) if drop else x",
                "return absent_like(x) if drop else x * 1.00001",
            ),
        },
    ),
    *mutants(
        "lib.training.strategies:dropped",
        {
            "a tie of dropout goes the other way": ("<=", ">"),
        },
    ),
    *mutants(
        "lib.training.objective:Objective.epoch_loss",
        {
            "loss of the epoch by minibatches": ("(losses * sizes).sum() / sizes.sum()", "losses.median()"),
        },
    ),
    *mutants(
        "lib.training.loop:evaluate",
        {
            "validation in training mode": ("model.eval()", "model.train()"),
        },
    ),
    *mutants(
        "lib.training.streams:ReplayStreams.initial_weights",
        {
            "draws before the weights": ("self._python.randint(0, 100000)", "pass"),
        },
    ),
]
FLEET = [
    *mutants(
        "lib.models.recurrent:_lstm_direction",
        {
            "gates of a stacked step swapped": (
                "x, weight_ih, weight_hh",
                "x, weight_ih.roll(len(weight_ih) // 4, 0), weight_hh",
            ),
            "a bias of a stacked step dropped": ("bias_ih + bias_hh", "bias_ih"),
        },
    ),
    *mutants(
        "lib.training.fleet:Step._run",
        {
            "another member's gradients": ("gradients[name][k]", "gradients[name][0]"),
        },
    ),
    *mutants(
        "lib.training.fleet:Fleet.train_epoch",
        {
            "another member's order": (
                "orders[k] = self.runs[k].start_epoch()",
                "orders[:] = self.runs[k].start_epoch()",
            ),
        },
    ),
    *mutants(
        "lib.training.stack:Stack.gradients",
        {
            "losses summed over a minibatch": ("losses.sum()", "losses.mean()"),
        },
    ),
]
SCORES = [
    *mutants(
        "lib.metrics.scores:positive",
        {
            "positive above zero only": ("a.predictions >= a.neutral", "a.predictions > a.neutral"),
        },
    ),
    *mutants(
        "lib.metrics.scores:rounded",
        {
            "rounds half up": ("np.round(a.predictions)", "np.floor(a.predictions + 0.5)"),
            "clips before rounding": ("np.round(a.predictions)", "np.round(np.clip(a.predictions, *a.limits))"),
            "F1 the right way round": (
                "np.round(a.labels), np.round(a.predictions)",
                "np.round(a.predictions), np.round(a.labels)",
            ),
        },
    ),
    *mutants(
        "lib.metrics.scores:mae",
        {
            "squared error": ("np.mean(np.abs(predictions - labels))", "np.mean((predictions - labels) ** 2)"),
        },
    ),
    *mutants(
        "lib.metrics.scores:pearson",
        {
            "correlation off by 1e-8": ("labels)[0, 1]", "labels)[0, 1] * (1 + 1e-8)"),
        },
    ),
    *mutants(
        "lib.metrics.scores:predicted_classes",
        {
            "last of equal logits": (
                "np.argmax(logits, axis=1)",
                "logits.shape[1] - 1 - np.argmax(logits[:, ::-1], axis=1)",
            ),
        },
    ),
    *mutants(
        "lib.metrics.scores:confusion",
        {
            "confusion transposed": ("(labels, predictions))", "(predictions, labels))"),
        },
    ),
    *mutants(
        "lib.metrics.scores:f1",
        {
            "macro F1 weighted": ('of_labels if average == "weighted" else None', "of_labels"),
        },
    ),
    *mutants(
        "lib.metrics.scores:_f1_by_class",
        {
            "Jaccard index": ("2.0 * both, total", "both, total - both"),
            "weighted by predictions": ("total > 0), of_labels", "total > 0), of_predictions"),
        },
    ),
    *mutants(
        "lib.metrics.scores:cross_entropy",
        {
            "cross-entropy in bits": ("log_softmax(logits, axis=1)", "(log_softmax(logits, axis=1) / np.log(2))"),
        },
    ),
]


@pytest.mark.parametrize("mutant", MFN, ids=named)
def test_memory_fusion_network(mutant):
    assert_killed(mutant, check_module, "colearning", "mfn")


@pytest.mark.parametrize("mutant", EARLY, ids=named)
def test_bidirectional_early_fusion(mutant):
    assert_killed(mutant, check_module, "colearning", "bieflstm")


@pytest.mark.parametrize("mutant", OFFICIAL, ids=named)
def test_early_fusion(mutant):
    assert_killed(mutant, check_module, "colearning", "eflstm")


@pytest.mark.parametrize("mutant", RUN, ids=named)
def test_whole_run(mutant):
    assert_killed(mutant, lambda vectors: check_whole_run(vectors, train), "colearning", "loop_bieflstm", "loop_mfn")


@pytest.mark.parametrize("mutant", FLEET, ids=named)
def test_whole_run_in_a_fleet(mutant):
    assert_killed(mutant, lambda vectors: check_whole_run(vectors, in_company), "colearning", "loop_bieflstm")


@pytest.mark.parametrize("mutant", SCORES, ids=named)
def test_scores(mutant):
    assert_killed(mutant, check_metrics, "colearning", "metrics_regression", "metrics_classification")


def test_modality_dropout():
    mutant = Mutant("a draw equal to the rate is kept", "lib.training.strategies:dropped", "<=", "<")
    assert_killed(mutant, check_modality_dropout, "colearning", "modality_dropout")
