"""How one model is trained, as plain data: what the YAML says, and what identifies a finished run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.training.parameter_groups import parameter_groups
from lib.training.selection import Selection, Ties

Precision = Literal["float32", "float64", "bfloat16"]
Loss = Literal["l1", "cross_entropy", "l1_sum", "cross_entropy_sum"]


def l1(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute error; a single output column is compared with a vector of targets."""
    return F.l1_loss(outputs.reshape(targets.shape), targets)


def l1_sum(outputs: Tensor, targets: Tensor) -> Tensor:
    """Absolute errors summed over samples and outputs (spec lmf, section 6)."""
    return F.l1_loss(outputs.reshape(targets.shape), targets, reduction="sum")


def cross_entropy_sum(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy summed over samples (spec lmf, section 6)."""
    return F.cross_entropy(outputs, targets, reduction="sum")


LOSSES = {"l1": l1, "cross_entropy": F.cross_entropy, "l1_sum": l1_sum, "cross_entropy_sum": cross_entropy_sum}


@dataclass(frozen=True)
class Recipe:
    """Optimisation and selection; the defaults are those of the co-learning paper (spec colearning, section 6).

    Without `reshuffle` the samples are put in a random order once, so the minibatches are the same in all epochs
    (quirk 4); `drop_last` leaves out the remainder. `plateau_patience` halves the learning rate after that many
    epochs without a better validation loss. `ties`, `patience` and `abandon_on_nan` are those of `Selection`.
    `tested_epoch` is the selected one, or the last (spec lmf, quirk 3). `groups` are the arguments of
    `parameter_groups` that give some parameters a learning rate of their own. `precision="bfloat16"` rounds
    the factors of the products in a training step's forward pass; weights, data and evaluation stay float32.
    """

    loss: Loss
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    groups: Mapping[str, float | bool] | None = None
    plateau_patience: int | None = 100
    plateau_factor: float = 0.5
    clip_norm: float | None = None
    patience: int | None = None
    ties: Ties = "later"
    abandon_on_nan: bool = False
    tested_epoch: Literal["selected", "last"] = "selected"
    reshuffle: bool = False
    drop_last: bool = True
    precision: Precision = "float32"

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights and the data."""
        return torch.float64 if self.precision == "float64" else torch.float32

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        trained = model.parameters()
        if self.groups is not None:
            trained = parameter_groups(model, learning_rate=self.learning_rate, **self.groups)
        return torch.optim.Adam(trained, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True)

    def schedule(self, optimiser: torch.optim.Optimizer) -> torch.optim.lr_scheduler.ReduceLROnPlateau | None:
        if self.plateau_patience is None:
            return None
        return torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, factor=self.plateau_factor, patience=self.plateau_patience
        )

    def selection(self) -> Selection:
        return Selection(self.patience, ties=self.ties, abandon_on_nan=self.abandon_on_nan)


@dataclass(frozen=True)
class ModelSpec:
    """A model by the name of its class under `lib.models` and its constructor arguments."""

    name: str  # "mfn:MFN"
    arguments: Mapping[str, object]

    @property
    def module(self) -> str:
        return f"lib.models.{self.name.split(':')[0]}"

    def build(self) -> nn.Module:
        return getattr(import_module(self.module), self.name.split(":")[1])(**self.arguments)


@dataclass(frozen=True)
class ModalityDropoutSpec:
    """Parameters of `lib.training.strategies.ModalityDropout`."""

    rates: Mapping[str, float]
    draw: Literal["minibatch", "sample", "modality"] = "minibatch"


@dataclass(frozen=True)
class Member:
    """One run of a grid. `train_on` and `evaluate_on` name the modalities that are fed; the others are zeros.

    Validation sees what the test sees, so the epoch is selected on `evaluate_on` as well (quirk 2). Members with
    the same `chain` share one replayed random stream, in their order in the grid.
    """

    variant: str
    seed: int
    model: ModelSpec
    recipe: Recipe
    train_on: tuple[str, ...]
    evaluate_on: tuple[str, ...]
    modality_dropout: ModalityDropoutSpec
    chain: str | None = None
    tags: Mapping[str, float | int | str] = field(default_factory=dict)

    def as_json(self) -> dict:
        return asdict(self)
