"""The wide linear layer against torch's own, for one model and for several stacked ones."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from lib.models.wide_linear import COLUMNS, WideLinear


@pytest.mark.parametrize("inputs", [3, COLUMNS, 2 * COLUMNS + 5])
def test_output_and_gradients_are_those_of_torchs_layer(inputs):
    torch.manual_seed(0)
    ours = WideLinear(inputs, 7).double()
    theirs = nn.Linear(inputs, 7).double()
    theirs.load_state_dict(ours.state_dict())
    values = torch.randn(4, inputs, dtype=torch.float64)
    found = []
    for layer in (ours, theirs):
        x = values.clone().requires_grad_()
        y = layer(x)
        y.square().sum().backward()
        found.append([y, x.grad, layer.weight.grad, layer.bias.grad])
    for mine, expected in zip(*found, strict=True):
        torch.testing.assert_close(mine, expected)


def test_stacked_layers_equal_torchs_for_every_model():
    torch.manual_seed(0)
    models = [WideLinear(COLUMNS + 3, 2).double() for _ in range(3)]
    x = torch.randn(4, COLUMNS + 3, dtype=torch.float64)  # the same for all models
    parameters, buffers = stack_module_state(models)
    y = vmap(lambda p, b: functional_call(models[0], (p, b), (x,)))(parameters, buffers)
    y.square().sum().backward()
    for k, model in enumerate(models):
        expected = nn.functional.linear(x, model.weight, model.bias)
        torch.testing.assert_close(y[k], expected)
        expected.square().sum().backward()
        torch.testing.assert_close(parameters["weight"].grad[k], model.weight.grad)
        torch.testing.assert_close(parameters["bias"].grad[k], model.bias.grad)


def test_within_autocast_it_is_torchs_layer():
    torch.manual_seed(0)
    layer, x = WideLinear(9, 2), torch.randn(4, 9)
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = layer(x), nn.functional.linear(x, layer.weight, layer.bias)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, expected)
