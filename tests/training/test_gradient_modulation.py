"""Gradient modulation: its coefficients by hand, what it does to gradients, and whole runs with it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lib.training.engine import can_be_stacked
from lib.training.fleet import train_fleet
from lib.training.gradient_modulation import GradientModulation, coefficients, discrepancy_ratios
from lib.training.loop import Checkpoint, train
from lib.training.recipe import Member, ModalityDropoutSpec, ModelSpec, ModulationSpec
from lib.training.records import FINISHED
from lib.training.streams import ReplayStreams, SeededStreams
from lib.training.sweep import sweep
from tests.training.small import RECIPE, WIDTHS, corpus
from tests.training.test_objectives import conversations, talker

ALL = ("text", "audio", "video")
HIDDEN = {"text": 4, "audio": 3, "video": 2}
LF_RNN = ModelSpec(
    "recurrent_baselines:LateFusionRNN",
    {"sizes": WIDTHS, "hidden": HIDDEN, "classes": 3, "layers": 2, "dropout": 0.3},
)
DIALOGUE_GCN = ModelSpec(
    "dialogue_gcn:DialogueGCN",
    {"input_sizes": WIDTHS, "classes": 3, "speakers": 2, "hidden": 4, "graph_hidden": 3, "layers": 1, "feedforward": 8},
)
OGM, OGM_GE = ModulationSpec(0.8, noise=False), ModulationSpec(0.8)
LOGITS = {"text": [[2.0, 0.0, 1.0], [0.5, 1.5, 0.0]], "audio": [[0.0, 1.0, 0.0], [1.0, 0.2, 0.3]]}
LABELS = [0, 1]


class Toy(nn.Module):
    """Parameters to be given gradients: encoders of text and audio, one with a single value, and a head."""

    def __init__(self, size: int = 3):
        super().__init__()
        self.text, self.audio = nn.Linear(size, size), nn.Linear(1, 1, bias=False)
        self.head = nn.Linear(size, size)

    def by_modality(self, **inputs):
        raise NotImplementedError

    def encoder_parameters(self):
        return {"text": list(self.text.parameters()), "audio": list(self.audio.parameters())}


def with_gradients(size: int = 3) -> tuple[Toy, dict[str, torch.Tensor]]:
    model, generator = Toy(size), torch.Generator().manual_seed(5)
    for parameter in model.parameters():
        parameter.grad = 0.3 + 0.5 * torch.randn(parameter.shape, generator=generator)
    return model, {name: p.grad.clone() for name, p in model.named_parameters()}


def observed(*, alpha: float, noise: bool) -> GradientModulation:
    found = GradientModulation(alpha, ("text", "audio"), noise=noise)
    found.observe({m: torch.tensor(x) for m, x in LOGITS.items()}, torch.tensor(LABELS))
    return found


def true_class_sum(logits: np.ndarray, labels: np.ndarray) -> float:
    exponents = np.exp(logits)
    return (exponents[np.arange(len(labels)), labels] / exponents.sum(1)).sum()


def by_hand(alpha: float) -> dict[str, float]:
    """Equation 10 for the two modalities of `LOGITS`."""
    text, audio = (true_class_sum(np.array(LOGITS[m]), np.array(LABELS)) for m in ("text", "audio"))
    assert text > audio
    return {"text": 1 - np.tanh(alpha * text / audio), "audio": 1.0}


def lf_rnn(variant: str = "lf", seed: int = 0, **recipe) -> Member:
    """With dropout of elements and of modalities, so that every stream is drawn from."""
    dropped = ModalityDropoutSpec({"audio": 0.4})
    return Member(variant, seed, LF_RNN, replace(RECIPE, **recipe), ALL, ALL, modality_dropout=dropped)


def run(one: Member, **options):
    data = conversations() if one.model.name.endswith(("Fusion", "GCN")) else corpus()
    return train(one, {name: data.batches(name) for name in data.splits}, SeededStreams(one.seed), **options)


def same_weights(a, b) -> bool:
    return all(torch.equal(a.best_state[name], b.best_state[name]) for name in a.best_state)


def test_coefficients_by_hand():
    modulation = observed(alpha=0.5, noise=False)
    model, before = with_gradients()
    modulation.modulate(model, None)
    expected = by_hand(0.5)
    record = modulation.end_epoch()
    assert record == pytest.approx({f"coefficient_{m}": k for m, k in expected.items()})
    for name, parameter in model.named_parameters():
        factor = expected.get(name.split(".")[0], 1.0)  # the head's is 1
        torch.testing.assert_close(parameter.grad, before[name] * factor)
    assert torch.equal(model.head.weight.grad, before["head.weight"])


def test_each_of_three_modalities_is_compared_with_the_mean_of_the_others():
    ratios = discrepancy_ratios(torch.tensor([6.0, 3.0, 1.0]))
    assert ratios.tolist() == pytest.approx([6 / 2, 3 / 3.5, 1 / 4.5])
    assert coefficients(ratios, 0.1).tolist() == pytest.approx([1 - np.tanh(0.3), 1, 1])
    both_ahead = coefficients(discrepancy_ratios(torch.tensor([4.0, 4.0, 1.0])), 0.1)
    assert both_ahead.tolist() == pytest.approx([1 - np.tanh(0.16), 1 - np.tanh(0.16), 1])


def test_equal_modalities_are_left_alone():
    assert coefficients(discrepancy_ratios(torch.tensor([2.0, 2.0])), 0.5).tolist() == [1, 1]
    assert coefficients(discrepancy_ratios(torch.tensor([2.0, 2.0, 2.0])), 0.5).tolist() == [1, 1, 1]


def test_parts_of_a_minibatch_count_as_the_whole_and_each_minibatch_alone():
    whole, parts = observed(alpha=0.5, noise=False), GradientModulation(0.5, ("text", "audio"), noise=False)
    for row in ([0], [1]):
        parts.observe({m: torch.tensor(x)[row] for m, x in LOGITS.items()}, torch.tensor(LABELS)[row])
    for modulation in (whole, parts):
        modulation.modulate(Toy(), None)
    first = whole.end_epoch()
    assert first == pytest.approx(parts.end_epoch())
    for _ in range(2):
        whole.observe({m: torch.tensor(x) for m, x in LOGITS.items()}, torch.tensor(LABELS))
        whole.modulate(Toy(), None)
    assert whole.end_epoch() == pytest.approx(first)


def test_noise_has_the_spread_of_the_unscaled_gradient_and_no_mean():
    model, before = with_gradients(300)
    model.text.bias.grad.zero_()
    observed(alpha=0.5, noise=True).modulate(model, torch.Generator().manual_seed(1))
    factor, gradient = by_hand(0.5)["text"], before["text.weight"]
    noise = model.text.weight.grad - factor * gradient
    assert noise.std().item() == pytest.approx(gradient.std().item(), rel=0.01)
    assert abs(noise.mean().item()) < 4 * gradient.std().item() / 300
    assert abs(np.corrcoef(noise.flatten(), gradient.flatten())[0, 1]) < 4 / 300
    kurtosis = ((noise - noise.mean()) / noise.std()).pow(4).mean().item()
    assert kurtosis == pytest.approx(3, abs=0.1)  # Gaussian; a uniform distribution has 1.8
    assert (model.text.bias.grad == 0).all()
    assert torch.equal(model.audio.weight.grad, before["audio.weight"])  # a single value has no deviation
    assert torch.equal(model.head.weight.grad, before["head.weight"])


def test_a_parameter_without_a_gradient_stays_without():
    model, _ = with_gradients()
    model.text.weight.grad = None
    observed(alpha=0.5, noise=True).modulate(model, torch.Generator().manual_seed(1))
    assert model.text.weight.grad is None


def test_one_step_of_a_run_by_hand():
    """Gradient descent moves an encoder by its coefficient times the plain step, the head by the plain step."""
    once = {"epochs": 1, "batch_size": 30, "tested_epoch": "last", "algorithm": "sgd", "plateau_patience": None}
    still = replace(LF_RNN, arguments={**LF_RNN.arguments, "dropout": 0.0})
    members = {
        "start": lf_rnn(learning_rate=0.0, **once),
        "plain": lf_rnn(learning_rate=0.5, **once),
        "modulated": lf_rnn(learning_rate=0.5, modulation=OGM, **once),
    }
    start, plain, modulated = (
        run(replace(one, model=still, modality_dropout=None)).best_state for one in members.values()
    )
    model = still.build().double()
    model.load_state_dict(start)
    split, labels = corpus().batches("train").inputs, corpus().splits["train"].labels
    scores, offset = {}, 0
    for m, width in HIDDEN.items():
        vectors = model.rnns[m].last_output(split[m].double()).detach().numpy()
        weight = start["out.weight"].double().numpy()[:, offset : offset + width]
        scores[m] = true_class_sum(vectors @ weight.T + start["out.bias"].double().numpy() / 3, labels)
        offset += width
    assert len(set(scores.values())) == 3
    for m in ALL:
        ratio = scores[m] / np.mean([s for other, s in scores.items() if other != m])
        factor = 1 - np.tanh(OGM.alpha * ratio) if ratio > 1 else 1.0
        for name in (name for name in start if name.startswith(f"rnns.{m}.")):
            expected = factor * (plain[name] - start[name])
            torch.testing.assert_close(modulated[name] - start[name], expected, rtol=1e-3, atol=1e-6)
    assert torch.equal(modulated["out.weight"], plain["out.weight"])
    assert not same_state(modulated, plain)


def same_state(a, b) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("options", [{}, {"microbatch": 3, "drop_last": False, "clip_norm": 0.1}])
def test_alpha_zero_without_noise_is_plain_training_bit_for_bit(options):
    plain, off, on = (run(lf_rnn(modulation=m, **options)) for m in (None, ModulationSpec(0.0, noise=False), OGM))
    assert same_weights(plain, off)
    assert plain.history.items() <= off.history.items()
    assert {name: off.history[name] for name in set(off.history) - set(plain.history)} == {
        f"coefficient_{m}": [1.0] * 4 for m in ALL
    }
    assert plain.history["train_loss"] != on.history["train_loss"]
    assert all(0 < k <= 1 for m in ALL for k in on.history[f"coefficient_{m}"])


@pytest.mark.parametrize("model", [talker().model, DIALOGUE_GCN], ids=lambda model: model.name)
def test_conversation_models_with_an_encoder_per_modality(model):
    plain, off, on = (
        run(replace(talker(modulation=m), model=model)) for m in (None, ModulationSpec(0.0, noise=False), OGM_GE)
    )
    assert same_weights(plain, off)
    assert plain.history["train_loss"] != on.history["train_loss"]
    assert min(on.history[f"coefficient_{m}"][0] for m in ALL) < 1


def test_same_seed_same_bits_whatever_the_global_state():
    first = run(lf_rnn(modulation=OGM_GE))
    torch.manual_seed(99)
    again, other, silent = (
        run(lf_rnn(modulation=OGM_GE)),
        run(lf_rnn(seed=1, modulation=OGM_GE)),
        run(lf_rnn(modulation=OGM)),
    )
    assert same_weights(first, again)
    assert first.history == again.history
    assert not same_weights(first, other)
    assert not same_weights(first, silent)


def test_noise_leaves_every_other_draw_alone():
    """At a learning rate of 0 nothing but the draws decides the losses."""
    plain, noisy = (run(lf_rnn(learning_rate=0.0, reshuffle=True, modulation=m)) for m in (None, OGM_GE))
    assert plain.history["train_loss"] == noisy.history["train_loss"]


def test_each_minibatch_and_epoch_has_its_own_noise():
    streams, drawn = SeededStreams(0), []
    for epoch in range(2):
        streams.start_epoch(epoch)
        drawn += [torch.randn(3, generator=streams.gradient_noise(batch, torch.device("cpu"))) for batch in range(2)]
    assert len({tuple(x.tolist()) for x in drawn}) == 4


def test_a_replayed_stream_gives_the_noise_too():
    data, outcomes = corpus(), []
    splits = {name: data.batches(name) for name in data.splits}
    for one in (lf_rnn(modulation=OGM_GE), lf_rnn(modulation=OGM_GE), lf_rnn(modulation=OGM)):
        outcomes.append(train(one, splits, ReplayStreams(0)))
    assert same_weights(*outcomes[:2])
    assert not same_weights(*outcomes[1:])


@pytest.mark.parametrize("stop_after", [0, 2])
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, stop_after):
    one = lf_rnn(modulation=OGM_GE, reshuffle=True)
    undisturbed = run(one)

    def interrupt(epoch: int) -> None:
        if epoch == stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(one, checkpoint=Checkpoint(tmp_path / "c", "k", every_s=0), after_epoch=interrupt)
    resumed = run(one, checkpoint=Checkpoint(tmp_path / "c", "k", every_s=0))
    assert resumed.history == undisturbed.history
    assert same_weights(resumed, undisturbed)


def test_a_run_killed_within_an_epoch_ends_with_the_same_bits(tmp_path, monkeypatch):
    one, calls = lf_rnn(modulation=OGM_GE), []
    undisturbed, whole = run(one), GradientModulation.modulate

    def killed(self, *arguments):
        calls.append(None)
        if len(calls) == 5:  # three minibatches an epoch
            raise KeyboardInterrupt
        whole(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(GradientModulation, "modulate", killed)
        with pytest.raises(KeyboardInterrupt):
            run(one, checkpoint=Checkpoint(tmp_path / "c", "k", every_s=0))
    resumed = run(one, checkpoint=Checkpoint(tmp_path / "c", "k", every_s=0))
    assert resumed.history == undisturbed.history
    assert same_weights(resumed, undisturbed)


def test_a_grid_of_strategies_leaves_a_record_of_each(tmp_path):
    grid = [lf_rnn("plain"), lf_rnn("ogm-ge", modulation=OGM_GE), lf_rnn("losses", unimodal_weights={"text": 1.0})]
    found = sweep(grid, corpus(), tmp_path, device="cpu")
    assert [record.status for record in found] == [FINISHED] * 3
    assert len({record.history["train_loss"][-1] for record in found}) == 3
    assert found[1].history["coefficient_text"].tolist() == run(grid[1]).history["coefficient_text"]


def test_modalities_that_are_not_fed_are_not_compared():
    found = run(replace(lf_rnn(modulation=OGM), train_on=("text", "audio")))
    assert {name for name in found.history if name.startswith("coefficient")} == {
        "coefficient_text",
        "coefficient_audio",
    }


@pytest.mark.parametrize("strategy", [{"modulation": OGM}, {"unimodal_weights": {"text": 1.0}}])
def test_such_members_are_never_stacked(strategy):
    balanced, data = lf_rnn(**strategy), corpus()
    assert can_be_stacked(lf_rnn())
    assert not can_be_stacked(balanced)
    with pytest.raises(ValueError, match="each modality's own outputs cannot be stacked"):
        train_fleet([balanced], {name: data.batches(name) for name in data.splits}, [SeededStreams(0)])
