"""Several models of one architecture as one set of stacked tensors."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Stack:
    """Parameters and buffers `(member, ...)` by name; the models' own tensors become views of them.

    So an optimiser of one model updates the stack, batch norm in the stack updates the model, and a model's
    state dict is current at all times. `skeleton` is the architecture without numbers, for
    `torch.func.functional_call`.
    """

    def __init__(self, models: Sequence[nn.Module]):
        self.parameters, self.buffers = {}, {}
        for name, _ in models[0].named_parameters():
            mine = [model.get_parameter(name) for model in models]
            stacked = torch.stack([parameter.detach() for parameter in mine])
            for parameter, view in zip(mine, stacked.unbind(), strict=True):
                parameter.data = view
            self.parameters[name] = stacked.requires_grad_()
        for name, _ in models[0].named_buffers():
            self.buffers[name] = torch.stack([model.get_buffer(name) for model in models])
            owner, _, attribute = name.rpartition(".")
            for model, view in zip(models, self.buffers[name].unbind(), strict=True):
                model.get_submodule(owner)._buffers[attribute] = view
        self.skeleton = copy.deepcopy(models[0]).to("meta")

    def gradients(self, losses: Tensor) -> dict[str, tuple[Tensor, ...] | None]:
        """By parameter name, each member's gradient of its own loss; None for a parameter that was not used.

        Copies, because autograd may give two parameters one gradient, which clipping would then scale twice, and
        contiguous ones, because a fused optimiser does not look at strides.
        """
        found = torch.autograd.grad(losses.sum(), list(self.parameters.values()), allow_unused=True)
        return {
            name: None if g is None else g.clone(memory_format=torch.contiguous_format).unbind()
            for name, g in zip(self.parameters, found, strict=True)
        }
