"""Floating-point operations of a training run, counted where torch computes its matrix products."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cases import Case
from lib.data.batches import Examples
from lib.models.recurrent import stackable
from lib.training.losses import LOSSES


def _batch(case: Case, size: int) -> Examples:
    return case.corpus().batches("train").take(slice(0, size))


def step_operations(case: Case) -> int:
    """Floating-point operations of the matrix products of one training step with nothing dropped."""
    model, batch = case.model.build(), _batch(case, case.recipe.batch_size)
    with FlopCounterMode(display=False) as counter, stackable():
        LOSSES[case.recipe.loss](model(**batch.inputs), batch.targets).backward()
    return counter.get_total_flops()


def forward_operations(case: Case, samples: int) -> int:
    """The same for an evaluation of so many samples."""
    model, batch = case.model.build().eval(), _batch(case, case.recipe.batch_size)
    with FlopCounterMode(display=False) as counter, stackable(), torch.no_grad():
        model(**batch.inputs)
    return counter.get_total_flops() * samples // case.recipe.batch_size


def operations(case: Case, epochs: int) -> int:
    """Operations of a whole run: its minibatches, the validation of every epoch, and the two outputs at the end."""
    train, valid, test = case.samples
    steps = train // case.recipe.batch_size
    return epochs * (steps * step_operations(case) + forward_operations(case, valid)) + forward_operations(
        case, valid + test
    )
