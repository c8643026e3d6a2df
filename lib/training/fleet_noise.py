"""Element dropout of many models at once, each with the numbers that it would draw alone."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lib.data.batches import Examples
from lib.models.dropout import Dropout, dropout_noise


class DropoutSites:
    """The calls of element dropout in one training pass, in order, and the numbers for the next pass.

    A member draws for a call only if its probability there is not 0, as it would alone; elsewhere its numbers are 1,
    which keeps everything. `probabilities` and `noise` have the members as their first axis, one entry per module
    with dropout and one per call.
    """

    def __init__(self, models: Sequence[nn.Module], batch: Examples):
        modules = [dict(model.named_modules()) for model in models]
        table = {
            name: [float(mine[name].p) for mine in modules]
            for name, module in modules[0].items()
            if isinstance(module, Dropout)
        }
        self.rates = {name: rates for name, rates in table.items() if any(rates)}
        device = batch.targets.device
        self.probabilities = {name: torch.tensor(r, dtype=torch.float64).to(device) for name, r in self.rates.items()}
        self.calls = [(name, shape) for name, shape in _traced(models[0], batch) if name in self.rates]
        self.noise = [torch.ones(len(models), *shape, dtype=torch.float32, device=device) for _, shape in self.calls]

    def draw(self, generators: Mapping[int, torch.Generator]) -> None:
        """Fill in the numbers of the next pass, by position in the stack."""
        for member, generator in generators.items():
            for (name, _), numbers in zip(self.calls, self.noise, strict=True):
                if self.rates[name][member] > 0:
                    numbers[member].uniform_(generator=generator)


@contextmanager
def given_noise(model: nn.Module, probabilities: dict[str, Tensor], noise: list[Tensor]) -> Iterator[None]:
    """Within the block, `model` drops with these probabilities and takes these numbers, call by call."""
    numbers = iter(noise)
    for name, probability in probabilities.items():
        model.get_submodule(name).p = probability
    with dropout_noise(lambda x: next(numbers)):
        yield


def _traced(model: nn.Module, batch: Examples) -> list[tuple[str, torch.Size]]:
    """Name and shape of every call of a dropout module while a copy of `model` trains on `batch`."""
    calls = []
    model = copy.deepcopy(model).train()
    for name, module in model.named_modules():
        if isinstance(module, Dropout):
            module.register_forward_pre_hook(lambda _, inputs, name=name: calls.append((name, inputs[0].shape)))
    with torch.no_grad(), dropout_noise(torch.ones_like):
        model(**batch.inputs)
    return calls
