"""The plain training loop: one member, one minibatch after another. What the fleet must reproduce."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from lib.data.batches import Batches, Examples
from lib.training.objective import joint
from lib.training.recipe import Member, Recipe
from lib.training.run import Checkpoint, Outcome, Run
from lib.training.strategies import ModalityDropout
from lib.training.streams import Streams


def minibatches(n: int, recipe: Recipe) -> list[slice]:
    """Consecutive minibatches of `n` ordered samples."""
    size = recipe.batch_size
    return [slice(start, min(start + size, n)) for start in range(0, n - n % size if recipe.drop_last else n, size)]


def train_epoch(run: Run, train: Batches, strategy: ModalityDropout) -> float:
    """One pass over `train` in its present order; returns the mean loss over its samples."""
    run.model.train()
    device = train.targets.device
    with run.streams.element_dropout(device):
        for rows in minibatches(len(train), run.recipe)[run.batches_done :]:
            run.optimiser.zero_grad(set_to_none=True)
            loss, size = gradients(run, train.take(rows), strategy, device)
            if run.modulation:
                run.modulation.modulate(run.model, run.streams.gradient_noise(run.batches_done, device))
            update(run.model, run.optimiser, run.recipe)
            run.end_batch(loss, size)
    return run.epoch_loss(train)


def gradients(run: Run, batch: Batches, strategy: ModalityDropout, device: torch.device) -> tuple[Tensor, int]:
    """Add the gradients of a minibatch, part by part if it has parts; its loss and its number of targets."""
    total, size = torch.zeros((), device=device), len(batch.targets)
    at_once = run.recipe.microbatch or len(batch)
    for start in range(0, len(batch), at_once):
        part = batch if at_once >= len(batch) else batch.take(slice(start, start + at_once))
        inputs = strategy.on_batch(part.inputs, run.streams)
        with autocast(run.recipe, device):
            outputs = run.model.by_modality(**inputs) if run.recipe.by_modality else run.model(**inputs)
            loss = run.objective.loss(outputs, part)
            if run.modulation:
                run.modulation.observe(outputs[1], part.targets)
        if part is not batch:
            loss = loss * run.objective.share(len(part.targets), size)
        loss.backward()
        total = loss.detach() if part is batch else total + loss.detach()
    return total, size


def autocast(recipe: Recipe, device: torch.device) -> torch.autocast:
    """Within the block, products are as precise as the recipe says.

    Rounded weights are not kept from one product to the next: a recorded CUDA graph would keep them for good.
    """
    return torch.autocast(device.type, torch.bfloat16, recipe.precision == "bfloat16", cache_enabled=False)


def update(model: nn.Module, optimiser: torch.optim.Optimizer, recipe: Recipe) -> None:
    """One optimisation step from the gradients in the model."""
    if recipe.clip_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
    optimiser.step()


PART_BYTES = 4 * 2**20
"""A held-out split whose features take more than this is evaluated in parts of at most so much."""
SMALLEST_PART = 16
"""Samples of a part at least, however long they are: fewer would leave the processor waiting."""


def evaluation_parts(split: Batches, recipe: Recipe) -> list[slice]:
    """What of a held-out split is evaluated at once, as consecutive slices; `evaluation_batch` of the recipe decides
    where it is given.

    Otherwise samples in memory go in equal parts of at most `PART_BYTES` of features, withheld ones counted, so that
    the parts depend on the split's shapes alone: neither on the machine nor on what is fed. All else is one part.
    """
    n = len(split)
    if recipe.evaluation_batch:
        size = recipe.evaluation_batch
    elif isinstance(split, Examples) and n:
        each = sum(x[:1].numel() * x.element_size() for x in split.inputs.values())
        at_most = max(SMALLEST_PART, PART_BYTES // max(each, 1))
        size = -(-n // -(-n // at_most))
    else:
        size = max(n, 1)
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


@torch.no_grad()
def evaluate(model: nn.Module, split: Batches, recipe: Recipe) -> Tensor:
    """Outputs of a whole split in evaluation mode, part by part (`evaluation_parts`).

    The same split gives the same bits on one machine. Another number of samples at once may change the last bits of a
    sample's outputs, since a matrix product is summed in blocks that depend on its rows. A model whose answer
    depends on the other samples by more than that needs `evaluation_batch` in its recipe.
    """
    model.eval()
    parts = evaluation_parts(split, recipe)
    return torch.cat([joint(model(**(split if len(parts) == 1 else split.take(part)).inputs)) for part in parts])


def train(
    member: Member,
    splits: Mapping[str, Batches],
    streams: Streams,
    *,
    checkpoint: Checkpoint | None = None,
    after_epoch: Callable[[int], None] | None = None,
) -> Outcome:
    """Train one member; `splits` hold all modalities, the member says which are fed.

    Per minibatch there is one modality-dropout draw (spec colearning, section 6). Raises ValueError if there is less
    than one minibatch, InputError for labels that the loss cannot take.
    """
    recipe = member.recipe
    strategy = ModalityDropout(member.modality_dropout)
    train_all = splits["train"].only(member.train_on)
    held_out = {name: splits[name].only(member.evaluate_on) for name in ("valid", "test")}
    taken = None
    with streams.session():
        run = Run(member, train_all, streams, checkpoint)
        while not run.finished:
            epoch, order = run.selection.epochs, run.start_epoch()
            if order is not taken:
                ordered = None  # the copy of the last epoch goes before the next is made
                ordered, taken = train_all.take(order), order
            train_loss = train_epoch(run, ordered, strategy)
            run.end_epoch(train_loss, evaluate(run.model, held_out["valid"], recipe), held_out["valid"].targets)
            if after_epoch:
                after_epoch(epoch)
    if run.end():
        run.outcome.outputs = {name: evaluate(run.model, split, recipe) for name, split in held_out.items()}
    return run.outcome
