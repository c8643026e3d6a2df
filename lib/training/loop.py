"""One epoch, one run: train, evaluate, select, checkpoint, resume. The only training loop there is."""

import math
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from lib.files import atomic_path
from lib.training.examples import Examples
from lib.training.recipe import LOSSES, Member, Recipe
from lib.training.selection import Selection
from lib.training.strategies import ModalityDropout
from lib.training.streams import Streams


@dataclass
class Outcome:
    """What a run leaves behind. `outputs[split]` are the tested epoch's raw outputs, logits or predictions.

    `history` holds one value per epoch and name. `best_epoch` is -1, and there are no outputs, if no epoch had a
    finite validation loss or a NaN abandoned the run. `best_state` is the state of the tested epoch. `failure` is the
    error that ended the run before its time, in words.
    """

    best_epoch: int = -1
    best_state: dict[str, Tensor] = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)
    outputs: dict[str, Tensor] = field(default_factory=dict)
    failure: str = ""

    @property
    def diverged(self) -> bool:
        return self.best_epoch < 0

    @property
    def epochs_run(self) -> int:
        return len(self.history.get("train_loss", ()))

    def log(self, **values: float) -> None:
        for name, value in values.items():
            self.history.setdefault(name, []).append(float(value))


class Checkpoint:
    """The state of a run between two epochs, in one file that is whole or absent.

    Written when at least `every_s` seconds of training would otherwise be lost. A file that cannot be read, or that
    belongs to another run (`key`), is ignored: the run starts over.
    """

    def __init__(self, path: Path, key: str, every_s: float = 5.0):
        self.path, self.key, self.every_s = path, key, every_s
        self._written = time.monotonic()

    def save(self, state: dict) -> None:
        if time.monotonic() - self._written < self.every_s:
            return
        with atomic_path(self.path) as path:
            torch.save({"key": self.key, **state}, path)
        self._written = time.monotonic()

    def load(self) -> dict | None:
        try:
            state = torch.load(self.path, weights_only=True, map_location="cpu")
        except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError):
            return None
        return state if isinstance(state, dict) and state.get("key") == self.key else None

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def train_epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    train: Examples,
    recipe: Recipe,
    strategy: ModalityDropout,
    streams: Streams,
) -> float:
    """One pass over `train` in its present order.

    Returns the mean of the minibatch losses or, for a summed loss, their sum per target value.
    """
    model.train()
    criterion = LOSSES[recipe.loss]
    n, size = len(train), recipe.batch_size
    starts = range(0, n - n % size if recipe.drop_last else n, size)
    losses = []
    with streams.element_dropout(train.targets.device):
        for start in starts:
            batch = train.take(slice(start, start + size))
            inputs = strategy.on_batch(batch.inputs, streams)
            optimiser.zero_grad(set_to_none=True)
            loss = criterion(model(**inputs), batch.targets)
            loss.backward()
            if recipe.clip_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
            optimiser.step()
            losses.append(loss.detach())
    total = torch.stack(losses).double()
    return (total.sum() / train.targets.numel() if recipe.loss.endswith("_sum") else total.mean()).item()


@torch.no_grad()
def evaluate(model: nn.Module, split: Examples, recipe: Recipe) -> tuple[Tensor, float]:
    """Outputs and loss of a whole split in evaluation mode, in one batch; a summed loss per target value."""
    model.eval()
    outputs = model(**split.inputs)
    loss = LOSSES[recipe.loss](outputs, split.targets).item()
    return outputs, loss / split.targets.numel() if recipe.loss.endswith("_sum") else loss


def train(
    member: Member,
    splits: dict[str, Examples],
    streams: Streams,
    *,
    checkpoint: Checkpoint | None = None,
    after_epoch: Callable[[int], None] | None = None,
) -> Outcome:
    """Train one member; `splits` hold all modalities, the member says which are fed.

    The order of the random choices is the reference's: sample order, initial weights, then per minibatch one
    modality-dropout draw (spec colearning, section 6). Raises ValueError if there is less than one minibatch.
    """
    recipe = member.recipe
    if recipe.drop_last and len(splits["train"]) < recipe.batch_size:
        raise ValueError(f"{len(splits['train'])} training samples do not fill one batch of {recipe.batch_size}")
    strategy = ModalityDropout(member.modality_dropout)
    with streams.session():
        train_all = splits["train"].only(member.train_on)
        ordered = train_all.take(streams.permutation(len(train_all)))
        held_out = {name: splits[name].only(member.evaluate_on) for name in ("valid", "test")}
        with streams.initial_weights():
            model = member.model.build()
        model = model.to(train_all.targets.device, recipe.dtype)
        optimiser = recipe.optimiser(model)
        schedule = recipe.schedule(optimiser)
        parts = Parts(model, optimiser, schedule, recipe.selection(), Outcome())
        selection, outcome = parts.selection, parts.outcome
        saved = checkpoint.load() if checkpoint and streams.resumable else None
        if saved:
            parts.restore(saved)
        while selection.epochs < recipe.epochs and not selection.stop:
            epoch = selection.epochs
            streams.start_epoch(epoch)
            if recipe.reshuffle and epoch > 0:
                ordered = train_all.take(streams.permutation(len(train_all), epoch))
            rate = optimiser.param_groups[0]["lr"]
            train_loss = train_epoch(model, optimiser, ordered, recipe, strategy, streams)
            _, valid_loss = evaluate(model, held_out["valid"], recipe)
            if schedule:
                schedule.step(valid_loss)
            outcome.log(train_loss=train_loss, valid_loss=valid_loss, learning_rate=rate)
            improved = selection.update(math.nan if math.isnan(train_loss) else valid_loss)
            if improved or recipe.tested_epoch == "last":
                outcome.best_state = {key: value.clone() for key, value in model.state_dict().items()}
            if checkpoint and streams.resumable:
                checkpoint.save(parts.state())
            if after_epoch:
                after_epoch(epoch)
    outcome.best_epoch = -1 if selection.abandoned else selection.best_epoch
    if not outcome.diverged:
        model.load_state_dict(outcome.best_state)
        outcome.outputs = {name: evaluate(model, split, recipe)[0] for name, split in held_out.items()}
    return outcome


@dataclass
class Parts:
    """Everything of a run that changes from epoch to epoch."""

    model: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.ReduceLROnPlateau | None
    selection: Selection
    outcome: Outcome

    def state(self) -> dict:
        """Plain values and tensors for a checkpoint."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "selection": self.selection.state(),
            "best_state": self.outcome.best_state,
            "history": self.outcome.history,
        }

    def restore(self, saved: dict) -> None:
        """Go on from `state()`."""
        self.model.load_state_dict(saved["model"])
        self.optimiser.load_state_dict(saved["optimiser"])
        if self.schedule:
            self.schedule.load_state_dict(saved["schedule"])
        self.selection.restore(saved["selection"])
        self.outcome.best_state, self.outcome.history = saved["best_state"], saved["history"]
