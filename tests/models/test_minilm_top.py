"""MiniLM's last layers as a model: the whole network cut in two, what is trained, and the released names."""

import pytest
import torch
from safetensors.torch import save_file

from lib.minilm import MiniLM
from lib.models.minilm_top import MiniLMTop
from lib.training.parameter_groups import text_groups
from lib.training.recipe import load_stored

SIZES = {"size": 12, "heads": 3, "feedforward": 16}


@pytest.fixture
def whole():
    torch.manual_seed(0)
    return MiniLM(vocab_size=20, positions=9, **SIZES).eval()


@pytest.fixture
def texts():
    torch.manual_seed(1)
    mask = torch.arange(9) < torch.tensor([[9], [4], [1]])
    return torch.randint(1, 20, (3, 9)) * mask, mask


def top(whole, tmp_path, layers: int, **options) -> MiniLMTop:
    path = tmp_path / "model.safetensors"
    save_file({f"bert.{name}": w.clone() for name, w in whole.state_dict().items()}, path)
    model = MiniLMTop(layers=layers, **SIZES, **options).eval()
    load_stored(model.encoder, path)
    return model


@pytest.mark.parametrize("layers", [1, 3])
def test_lower_states_and_the_last_layers_are_the_whole_network(whole, texts, tmp_path, layers):
    model = top(whole, tmp_path, layers)
    tokens, mask = texts
    with torch.no_grad():
        states = whole(tokens, mask, 6 - layers)
        expected = model.t_out(whole(tokens, mask)[:, 0])
        found = model(states * mask[..., None], mask.sum(dim=1))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        shorter = model((states * mask[..., None])[1:2, :4], torch.tensor([4]))
        torch.testing.assert_close(shorter, expected[1:2], atol=1e-5, rtol=1e-5)  # whatever it is padded to


def test_without_layers_the_first_step_is_classified():
    model = MiniLMTop(layers=0, **SIZES).eval()
    vectors = torch.randn(4, 1, 12)
    torch.testing.assert_close(model(vectors, torch.ones(4, dtype=torch.int64)), model.t_out(vectors[:, 0]))
    assert [name for name, _ in model.named_parameters()] == ["t_out.weight", "t_out.bias"]


def test_frozen_layers_get_no_gradient_and_tuned_ones_learn_more_slowly(whole, tmp_path):
    for tuned in (True, False):
        model = top(whole, tmp_path, 1, tuned=tuned)
        model.train()(torch.randn(3, 5, 12), torch.tensor([5, 2, 1])).sum().backward()
        assert all((w.grad is not None) == tuned for w in model.encoder.parameters())
        assert model.t_out.weight.grad.abs().sum() > 0
    groups = text_groups(top(whole, tmp_path, 1), 0.1, 10)
    assert [(len(group["params"]), group["lr"]) for group in groups] == [(16, pytest.approx(0.01)), (2, 0.1)]


def test_what_cannot_be_is_named():
    with pytest.raises(ValueError, match="MiniLM reads text alone"):
        MiniLMTop(modalities=("text", "audio"))
    with pytest.raises(ValueError, match="7 layers; MiniLM has 6"):
        MiniLMTop(layers=7)
