"""The plain training loop: one member, one minibatch after another. What the fleet must reproduce."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lib.training.examples import Examples
from lib.training.recipe import LOSSES, Member, Recipe
from lib.training.run import Checkpoint, Outcome, Run
from lib.training.strategies import ModalityDropout
from lib.training.streams import Streams


def minibatches(n: int, recipe: Recipe) -> list[slice]:
    """Consecutive minibatches of `n` ordered samples."""
    size = recipe.batch_size
    return [slice(start, min(start + size, n)) for start in range(0, n - n % size if recipe.drop_last else n, size)]


def train_epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    train: Examples,
    recipe: Recipe,
    strategy: ModalityDropout,
    streams: Streams,
) -> float:
    """One pass over `train` in its present order; returns `epoch_loss`."""
    model.train()
    criterion = LOSSES[recipe.loss]
    losses = []
    with streams.element_dropout(train.targets.device):
        for rows in minibatches(len(train), recipe):
            batch = train.take(rows)
            inputs = strategy.on_batch(batch.inputs, streams)
            optimiser.zero_grad(set_to_none=True)
            with autocast(recipe, train.targets.device):
                loss = criterion(model(**inputs), batch.targets)
            loss.backward()
            update(model, optimiser, recipe)
            losses.append(loss.detach())
    return epoch_loss(torch.stack(losses), train, recipe)


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


def epoch_loss(losses: Tensor, train: Examples, recipe: Recipe) -> float:
    """The mean of the minibatch losses or, for a summed loss, their sum per target value."""
    total = losses.double()
    return (total.sum() / train.targets.numel() if recipe.loss.endswith("_sum") else total.mean()).item()


@torch.no_grad()
def evaluate(model: nn.Module, split: Examples, recipe: Recipe) -> tuple[Tensor, float]:
    """Outputs and loss of a whole split in evaluation mode, in one batch."""
    model.eval()
    outputs = model(**split.inputs)
    return outputs, split_loss(outputs, split, recipe)


def split_loss(outputs: Tensor, split: Examples, recipe: Recipe) -> float:
    """The loss of a whole split; a summed loss per target value."""
    loss = LOSSES[recipe.loss](outputs, split.targets).item()
    return loss / split.targets.numel() if recipe.loss.endswith("_sum") else loss


def train(
    member: Member,
    splits: dict[str, Examples],
    streams: Streams,
    *,
    checkpoint: Checkpoint | None = None,
    after_epoch: Callable[[int], None] | None = None,
) -> Outcome:
    """Train one member; `splits` hold all modalities, the member says which are fed.

    Per minibatch there is one modality-dropout draw (spec colearning, section 6). Raises ValueError if there is less
    than one minibatch.
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
            train_loss = train_epoch(run.model, run.optimiser, ordered, recipe, strategy, streams)
            run.end_epoch(train_loss, evaluate(run.model, held_out["valid"], recipe)[1])
            if after_epoch:
                after_epoch(epoch)
    if run.end():
        run.outcome.outputs = {name: evaluate(run.model, split, recipe)[0] for name, split in held_out.items()}
    return run.outcome
