"""One training run between its epochs: what changes, what is kept, and how it goes on after an interruption.

The plain loop and the fleet differ in how they compute an epoch; everything around the epochs is here, once.
"""

import math
import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lib.data.batches import Batches
from lib.files import atomic_path
from lib.models import kernels
from lib.training.gradient_modulation import GradientModulation
from lib.training.objective import Objective
from lib.training.recipe import Member
from lib.training.streams import Streams
from lib.training.validation import validation_score


@dataclass
class Outcome:
    """What a run leaves behind. `outputs[split]` are the tested epoch's raw outputs, logits or predictions.

    `history` holds one value per epoch and name. `best_epoch` is -1, and there are no outputs, if no epoch had a
    finite validation loss or a NaN abandoned the run. `best_state` is the state of the tested epoch. `failure` is the
    error that ended the run before its time, in words. `engine` says how the epochs were computed.
    """

    best_epoch: int = -1
    best_state: dict[str, Tensor] = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)
    outputs: dict[str, Tensor] = field(default_factory=dict)
    failure: str = ""
    engine: str = "loop"

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
    """The state of a run between two minibatches, in one file that is whole or absent.

    Written when at least `every_s` seconds of training would otherwise be lost, and so seldom that a large model spends
    at most a twentieth of the time on it. A file that cannot be read, or that belongs to another run (`key`), is
    ignored: the run starts over.
    """

    def __init__(self, path: Path, key: str, every_s: float = 5.0):
        self.path, self.key, self.every_s = path, key, every_s
        self._written, self._cost = time.monotonic(), 0.0

    @property
    def due(self) -> bool:
        """Always for an `every_s` of 0."""
        seldom = max(self.every_s, 20 * self._cost) if self.every_s else 0.0
        return time.monotonic() - self._written >= seldom

    def save(self, state: dict) -> None:
        started = time.monotonic()
        with atomic_path(self.path) as path:
            torch.save({"key": self.key, **state}, path)
        self._written = time.monotonic()
        self._cost = self._written - started

    def load(self) -> dict | None:
        try:
            state = torch.load(self.path, weights_only=True, map_location="cpu")
        except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError):
            return None
        return state if isinstance(state, dict) and state.get("key") == self.key else None

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


class Run:
    """The model, optimiser and schedule of one member, the order of its samples and what it has found so far.

    The order of the random choices is the reference's: sample order, then initial weights (spec colearning,
    section 6). Create it within `streams.session()`. Raises ValueError if `train` is less than one minibatch.
    """

    def __init__(self, member: Member, train: Batches, streams: Streams, checkpoint: Checkpoint | None = None):
        recipe = member.recipe
        if recipe.drop_last and len(train) < recipe.batch_size:
            raise ValueError(f"{len(train)} training samples do not fill one batch of {recipe.batch_size}")
        self.member, self.recipe, self.streams = member, recipe, streams
        self.order = streams.permutation(len(train))
        with streams.initial_weights():
            model = member.model.build()
        self.model = model.to(train.targets.device, recipe.dtype)
        self.optimiser = recipe.optimiser(self.model)
        self.schedule = recipe.schedule(self.optimiser)
        self.annealing = recipe.annealing(self.optimiser, len(train))
        self.objective = Objective(recipe, train)
        self.modulation = (
            GradientModulation(recipe.modulation.alpha, member.train_on, noise=recipe.modulation.noise)
            if recipe.modulation
            else None
        )
        self.selection = recipe.selection()
        self._steps = kernels.tally()
        self.outcome = Outcome(engine=f"loop on {train.targets.device.type}")
        self._losses: list[Tensor] = []
        self._sizes: list[int] = []
        self._interrupted: dict | None = None
        self.checkpoint = checkpoint if streams.resumable else None
        if self.checkpoint and (saved := self.checkpoint.load()):
            self._restore(saved)

    @property
    def finished(self) -> bool:
        return self.selection.epochs >= self.recipe.epochs or self.selection.stop

    def start_epoch(self) -> np.ndarray:
        """The order of the training samples in the coming epoch, of which `batches_done` may be done already."""
        epoch = self.selection.epochs
        self.streams.start_epoch(epoch)
        if self.recipe.reshuffle and epoch > 0:
            self.order = self.streams.permutation(len(self.order), epoch)
        if self._interrupted:
            self.streams.continue_from(self._interrupted)
            self._interrupted = None
        return self.order

    @property
    def step_words(self) -> str:
        """What the name of an engine says more if compiled loops ran all steps, those before a pause included."""
        return (kernels.tally() - self._steps).words

    @property
    def batches_done(self) -> int:
        """Minibatches of the present epoch."""
        return len(self._sizes)

    def end_batch(self, loss: Tensor, size: int) -> None:
        """Note a minibatch of `size` targets; with a checkpoint, save when it is time.

        Statistics of half an epoch are not kept, so with a curriculum or modulation only whole epochs are saved.
        """
        self._losses.append(loss)
        self._sizes.append(size)
        if self.annealing:
            self.annealing.step()
        whole = self.objective.curriculum is not None or self.modulation is not None
        if self.checkpoint and not whole and self.checkpoint.due:
            self.checkpoint.save(self._state() | {"batches": self._batches()})

    def epoch_loss(self, train: Batches) -> float:
        """Mean loss over the samples of the epoch that has just ended."""
        losses, sizes = torch.stack(self._losses).cpu(), torch.tensor(self._sizes)
        self._losses, self._sizes = [], []
        return self.objective.epoch_loss(losses, sizes, train)

    def end_epoch(self, train_loss: float, outputs: Tensor, targets: Tensor) -> None:
        """Log and select by the outputs for the validation split; with a checkpoint, save."""
        log, criterion = self.outcome.log, self.recipe.select_by
        valid_loss = self.objective.split_loss(outputs, targets)
        log(train_loss=train_loss, valid_loss=valid_loss, learning_rate=self.optimiser.param_groups[0]["lr"])
        log(**self.objective.end_epoch())
        if self.modulation:
            log(**self.modulation.end_epoch())
        value = valid_loss
        if criterion != "loss":
            score = validation_score(criterion, outputs.cpu().numpy(), targets.cpu().numpy())
            log(**{f"valid_{criterion}": score})
            value = -score
        if self.schedule:
            self.schedule.step(valid_loss)
        improved = self.selection.update(math.nan if math.isnan(train_loss) else value)
        if improved or self.recipe.tested_epoch == "last":
            self.outcome.best_state = {key: value.clone() for key, value in self.model.state_dict().items()}
        if self.checkpoint and self.checkpoint.due:
            self.checkpoint.save(self._state())

    def end(self) -> bool:
        """Put the tested epoch's weights into the model; whether there is such an epoch."""
        self.outcome.engine += self.step_words
        self.outcome.best_epoch = -1 if self.selection.abandoned else self.selection.best_epoch
        if not self.outcome.diverged:
            self.model.load_state_dict(self.outcome.best_state)
        return not self.outcome.diverged

    def _state(self) -> dict:
        """Plain values and tensors for a checkpoint."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "annealing": self.annealing.state_dict() if self.annealing else None,
            "objective": self.objective.state_dict(),
            "selection": self.selection.state(),
            "best_state": self.outcome.best_state,
            "history": self.outcome.history,
            "steps": tuple(kernels.tally() - self._steps),
        }

    def _batches(self) -> dict:
        """What the present epoch has done so far."""
        return {"losses": torch.stack(self._losses).cpu(), "sizes": list(self._sizes), **self.streams.position()}

    def _restore(self, saved: dict) -> None:
        """Go on from `_state()`, in the middle of an epoch if `_batches()` came with it."""
        self.model.load_state_dict(saved["model"])
        self.optimiser.load_state_dict(saved["optimiser"])
        if self.schedule:
            self.schedule.load_state_dict(saved["schedule"])
        if self.annealing:
            self.annealing.load_state_dict(saved["annealing"])
        self.objective.load_state_dict(saved["objective"])
        self.selection.restore(saved["selection"])
        self.outcome.best_state, self.outcome.history = saved["best_state"], saved["history"]
        self._steps -= kernels.Tally(*saved["steps"])
        if batches := saved.get("batches"):
            self._losses, self._sizes = list(batches["losses"].unbind()), list(batches["sizes"])
            self._interrupted = {name: batches[name] for name in ("modality", "noise")}
