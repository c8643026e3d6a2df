"""The plain training loop: one member, one minibatch after another. What the fleet must reproduce."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from lib.data.batches import Batches
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
            loss = run.objective.loss(run.model(**inputs), part)
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


@torch.no_grad()
def evaluate(model: nn.Module, split: Batches, recipe: Recipe) -> Tensor:
    """Outputs of a whole split in evaluation mode."""
    model.eval()
    size = recipe.evaluation_batch or len(split)
    parts = [slice(start, start + size) for start in range(0, len(split), size)]
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
                ordered, taken = train_all.take(order), order
            train_loss = train_epoch(run, ordered, strategy)
            run.end_epoch(train_loss, evaluate(run.model, held_out["valid"], recipe), held_out["valid"].targets)
            if after_epoch:
                after_epoch(epoch)
    if run.end():
        run.outcome.outputs = {name: evaluate(run.model, split, recipe) for name, split in held_out.items()}
    return run.outcome
