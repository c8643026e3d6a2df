"""The written-out recurrence of BiDDIN against the one left to autograd."""

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.plain_dialogue_rnn import PlainDialogueRNN
from lib.models.dialogue_rnn import DialogueRNN
from lib.models.dialogues import Dialogues
from lib.models.dropout import Dropout, dropout_noise, generator_noise

WIDTHS = {"text": 6, "audio": 6}
KINDS = ("simple", "dot", "general", "general2", "concat")
SMALL = {"global_size": 6, "party_size": 5, "emotion_size": 4, "attention_size": 7}


def built(kind: type[DialogueRNN] = DialogueRNN, widths=WIDTHS, **options) -> DialogueRNN:
    torch.manual_seed(0)
    options = {
        "context_attention": "simple",
        "listener_state": False,
        "through_padding": True,
        "dropout": 0.4,
    } | options
    return kind(widths, speakers=3, **SMALL | options).double()


def conversation(counts, widths=WIDTHS, beyond: int = 1):
    """Features with padding 0, the dialogues and the speakers; `beyond` steps are padding in every dialogue."""
    torch.manual_seed(1)
    lengths = torch.tensor(counts)
    time = max(counts) + beyond
    real = torch.arange(time) < lengths[:, None]
    features = {m: torch.randn(len(counts), time, w, dtype=torch.float64) * real[..., None] for m, w in widths.items()}
    return features, Dialogues(lengths, time), torch.randint(0, 3, (len(counts), time)) * real


def outcome(model: DialogueRNN, batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The states, and the gradients of all weights and features (0 where there is none)."""
    features, *rest = batch
    features = {m: x.clone().requires_grad_() for m, x in features.items()}
    with dropout_noise(generator_noise(torch.Generator().manual_seed(2))):
        states = model(features, *rest)
    leaves = dict(model.named_parameters()) | features
    gradients = torch.autograd.grad(
        states.sin().sum(), list(leaves.values()), allow_unused=True, materialize_grads=True
    )
    return states, dict(zip(leaves, gradients, strict=True))


@pytest.mark.parametrize("listener_state", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_states_and_gradients_are_those_of_autograd(kind, listener_state):
    """To 1e-12 of the largest, as sums are taken in another order; with the same draws of dropout in the same order."""
    for counts, through, training in [
        ((3, 7, 1, 5), True, True),
        ((3, 7, 1, 5), False, True),
        ((3, 7, 1, 5), True, False),
        ((4,), True, True),
        ((1,), False, True),
        ((1, 1), True, False),
    ]:
        options = {"context_attention": kind, "listener_state": listener_state, "through_padding": through}
        batch = conversation(counts)
        (states, gradients), (expected, wanted) = (
            outcome(built(c, **options).train(training), batch) for c in (DialogueRNN, PlainDialogueRNN)
        )
        assert (states - expected).abs().max() <= 1e-12 * expected.abs().max()
        largest = max(g.abs().max() for g in wanted.values())
        assert largest > 0.1
        for name, gradient in wanted.items():
            assert (gradients[name] - gradient).abs().max() <= 1e-12 * largest, name


@pytest.mark.parametrize(("kind", "listener_state"), [("general", False), ("concat", True)])
def test_the_written_backward_pass_is_the_gradient(kind, listener_state):
    widths = {"text": 2}
    sizes = dict.fromkeys(SMALL, 2)
    model = built(widths=widths, context_attention=kind, listener_state=listener_state, **sizes).eval()
    features, *rest = conversation((3, 2), widths)
    names, weights = zip(*model.named_parameters(), strict=True)

    def states(text, *weights):
        return functional_call(model, dict(zip(names, weights, strict=True)), ({"text": text}, *rest))

    assert torch.autograd.gradcheck(states, (features["text"].requires_grad_(), *weights), fast_mode=True)


@pytest.mark.parametrize("kind", ["simple", "concat"])
def test_stacked_models_have_the_states_and_gradients_of_each(kind):
    models = []
    for _ in range(3):
        models.append(built(context_attention=kind, listener_state=True).eval())
        for p in models[-1].parameters():
            torch.nn.init.normal_(p, std=0.3, generator=torch.Generator().manual_seed(len(models)))
    batch = conversation((3, 1, 2))
    weights, _ = stack_module_state(models)
    stacked = vmap(lambda w: functional_call(models[0], w, batch))(weights)
    stacked.sin().sum().backward()
    for k, model in enumerate(models):
        states, gradients = outcome(model, batch)
        torch.testing.assert_close(stacked[k], states)
        for name, weight in weights.items():
            torch.testing.assert_close(weight.grad[k] if weight.grad is not None else 0 * weight[k], gradients[name])


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_factors_are_what_dropout_makes_of_ones(p, dtype):
    dropout, ones = Dropout(p), torch.ones(7, 5, dtype=dtype)
    with dropout_noise(generator_noise(torch.Generator().manual_seed(0))):
        factors = dropout.factors(ones)
    with dropout_noise(generator_noise(torch.Generator().manual_seed(0))):
        expected = dropout(ones)
    assert torch.equal(expected, ones if factors is None else factors)
    assert p == 0 or factors.dtype == dtype
    assert dropout.eval().factors(ones) is None
