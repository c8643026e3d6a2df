"""LF-RNN reads one step of the text's reverse direction, and masked sequences in one direction at a time."""

import pytest
import torch

from lib.models.handcrafted_baselines import LFRNN
from lib.models.recurrent import GRU, LSTM

EXACT = {"rtol": 1e-12, "atol": 1e-14}  # float64: the same sums, perhaps in another order
SHAPES = [(4, 7), (1, 7), (4, 1), (1, 1)]


def gradients(output, model):
    found = torch.autograd.grad(output.square().sum(), list(model.parameters()), allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(model.parameters(), found, strict=True)]


def padded(batch, time, width):
    x, lengths = torch.randn(batch, time, width, dtype=torch.float64), torch.randint(1, time + 1, (batch,))
    return x * (torch.arange(time) < lengths[:, None])[..., None], lengths


@pytest.mark.parametrize(("batch", "time"), SHAPES)
@pytest.mark.parametrize("behind", [0, 3])
def test_the_text_vector_is_the_full_output_at_the_last_step(batch, time, behind):
    torch.manual_seed(0)
    model = LFRNN({"text": 5}).double()
    x = torch.randn(batch, time, 5, dtype=torch.float64)
    x = torch.cat([x, x.new_zeros(batch, behind, 5)], dim=1)
    full = model.affines["t"](model.rnns["t"](x)[0][:, -1])
    torch.testing.assert_close(model(text=x), full, **EXACT)
    torch.testing.assert_close(gradients(model(text=x), model), gradients(full, model), **EXACT)


@pytest.mark.parametrize(("batch", "time"), SHAPES)
@pytest.mark.parametrize("modality", ["text", "audio"])
def test_masked_states_are_those_of_each_sequence_alone(batch, time, modality):
    torch.manual_seed(0)
    model = LFRNN({modality: 5}, padding="masked").double()
    x, lengths = padded(batch, time, 5)
    rnn = model.rnns[modality[0]]
    states = [rnn(row[None, :n])[1][0].transpose(0, 1).flatten(1) for row, n in zip(x, lengths.tolist(), strict=True)]
    full = model.affines[modality[0]](torch.cat(states))
    found = model(**{modality: x, f"{modality}_lengths": lengths})
    torch.testing.assert_close(found, full, **EXACT)
    torch.testing.assert_close(gradients(found, model), gradients(full, model), **EXACT)


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_a_direction_alone_is_its_half_of_the_layer(kind):
    torch.manual_seed(0)
    rnn = kind(3, 4, bidirectional=True, batch_first=True).double()
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    halves = torch.cat([rnn.direction(0, x), rnn.direction(1, x.flip(1)).flip(1)], dim=-1)
    torch.testing.assert_close(halves, rnn(x)[0], **EXACT)
    with pytest.raises(ValueError, match="one direction of 2 layers"):
        kind(3, 4, 2, batch_first=True).direction(0, x)
