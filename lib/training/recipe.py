"""How one model is trained, as plain data: what the YAML says, and what identifies a finished run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from lib.errors import InputError
from lib.training.adam import Adam, AdamW
from lib.training.losses import Loss
from lib.training.parameter_groups import parameter_groups
from lib.training.selection import Selection, Ties
from lib.training.self_paced import Measure, Over
from lib.training.validation import Criterion

Precision = Literal["float32", "float64", "bfloat16"]
Algorithm = Literal["adam", "adamw", "sgd", "rmsprop"]

ALGORITHMS = {
    "adam": partial(Adam, fused=True),
    "adamw": partial(AdamW, fused=True),
    "sgd": partial(torch.optim.SGD, fused=True),
    "rmsprop": torch.optim.RMSprop,
}
"""torch's optimisers by name, Adam with kept lists; torch's defaults but for learning rate and weight decay."""


@dataclass(frozen=True)
class SelfPacedSpec:
    """Parameters of `lib.training.self_paced.SelfPaced`."""

    threshold: float
    growth: float
    enabled: bool = True
    over: Over = "all"
    measure: Measure = "harmonic"


@dataclass(frozen=True)
class ModulationSpec:
    """Parameters of `lib.training.gradient_modulation.GradientModulation`."""

    alpha: float
    noise: bool = True


@dataclass(frozen=True)
class Recipe:
    """Optimisation and selection; the defaults are those of the co-learning paper (spec colearning, section 6).

    Without `reshuffle` the samples are put in a random order once, so the minibatches are the same in all epochs
    (spec colearning, quirk 4); `drop_last` leaves out the remainder. `plateau_patience` halves the learning rate after
    that many epochs without a better validation loss. `ties`, `patience` and `abandon_on_nan` are those of `Selection`.
    `select_by` is the validation loss, or a score of which more is better (`lib.training.validation`).
    `tested_epoch` is the selected one, or the last (spec low_rank_fusion, quirk 3). `groups` are the arguments of
    `parameter_groups` that give some parameters a learning rate of their own. `precision="bfloat16"` rounds
    the factors of the products in a training step's forward pass; weights, data and evaluation stay float32.
    Held-out splits are evaluated in parts that their shapes decide (`lib.training.loop.evaluation_parts`), or in
    batches of `evaluation_batch` for models whose result depends on their batch (spec self_paced_balance, quirk 3), or
    whose batches are made one by one. `curriculum` selects the utterances that count (spec self_paced_balance,
    section 3). `modulation` slows the encoder of the modality that is ahead (`lib.training.gradient_modulation`).
    `unimodal_weights` adds, by modality, so many times the loss of that modality's own outputs: offline Gradient-Blend
    (Wang, Tran, Feiszli, "What makes training multi-modal classification networks hard?", CVPR 2020) with weights that
    are given, 1 for the joint loss, and terms of the joint outputs where the paper has a head for each modality.
    `annealed` lowers every learning rate along a cosine to zero, minibatch by minibatch (spec end_to_end, section 6).
    `microbatch` is how many samples are computed at once: gradients are summed until they are those of the whole
    minibatch, up to what batch norm sees.
    """

    loss: Loss
    epochs: int
    batch_size: int
    learning_rate: float
    algorithm: Algorithm = "adam"
    weight_decay: float = 0.0
    groups: Mapping[str, float | bool] | None = None
    plateau_patience: int | None = 100
    plateau_factor: float = 0.5
    clip_norm: float | None = None
    patience: int | None = None
    ties: Ties = "later"
    abandon_on_nan: bool = False
    select_by: Criterion = "loss"
    tested_epoch: Literal["selected", "last"] = "selected"
    reshuffle: bool = False
    drop_last: bool = True
    evaluation_batch: int | None = None
    curriculum: SelfPacedSpec | None = None
    modulation: ModulationSpec | None = None
    unimodal_weights: Mapping[str, float] | None = None
    annealed: bool = False
    microbatch: int | None = None
    precision: Precision = "float32"

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights and the data."""
        return torch.float64 if self.precision == "float64" else torch.float32

    @property
    def by_modality(self) -> bool:
        """Whether a training step asks for each modality's own outputs (`lib.models.by_modality`)."""
        return self.modulation is not None or self.unimodal_weights is not None

    def optimiser(self, model: nn.Module) -> torch.optim.Optimizer:
        trained = model.parameters()
        if self.groups is not None:
            trained = parameter_groups(model, learning_rate=self.learning_rate, **self.groups)
        return ALGORITHMS[self.algorithm](trained, lr=self.learning_rate, weight_decay=self.weight_decay)

    def schedule(self, optimiser: torch.optim.Optimizer) -> torch.optim.lr_scheduler.ReduceLROnPlateau | None:
        if self.plateau_patience is None:
            return None
        return torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, factor=self.plateau_factor, patience=self.plateau_patience
        )

    def annealing(
        self, optimiser: torch.optim.Optimizer, samples: int
    ) -> torch.optim.lr_scheduler.CosineAnnealingLR | None:
        """To be stepped after every minibatch of a run on `samples` training samples.

        The reference's length leaves out partial minibatches, so the last steps lie beyond the zero.
        """
        if not self.annealed:
            return None
        steps = max(1, self.epochs * samples // self.batch_size)
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=steps)

    def selection(self) -> Selection:
        return Selection(self.patience, ties=self.ties, abandon_on_nan=self.abandon_on_nan)


@dataclass(frozen=True)
class ModelSpec:
    """A model by the name of its class under `lib.models` and its constructor arguments.

    `stored` names, by submodule, a safetensors file that its weights come from (`file`) and the file's `sha256`.
    """

    name: str  # "mfn:MFN"
    arguments: Mapping[str, object]
    stored: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def module(self) -> str:
        return f"lib.models.{self.name.split(':')[0]}"

    @property
    def architecture(self) -> type[nn.Module]:
        return getattr(import_module(self.module), self.name.split(":")[1])

    def build(self) -> nn.Module:
        model = self.architecture(**self.arguments)
        for part, source in self.stored.items():
            load_stored(model.get_submodule(part), Path(source["file"]))
        return model


def load_stored(module: nn.Module, path: Path) -> None:
    """Put a checkpoint's weights into a module. Names before the module's own (`albert.`) are cut off.

    Raises InputError for a file that is not one, or that lacks a weight or has one of another shape.
    """
    wanted = module.state_dict()
    try:
        with safe_open(path, framework="pt") as archive:
            names = {next((w for w in wanted if n == w or n.endswith(f".{w}")), None): n for n in archive.keys()}  # noqa: SIM118
            found = {mine: archive.get_tensor(name) for mine, name in names.items() if mine}
        module.load_state_dict(found)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(
            f"not the weights of this model ({next(iter(str(error).splitlines()), '')})", where=path
        ) from error


@dataclass(frozen=True)
class ModalityDropoutSpec:
    """Parameters of `lib.training.strategies.ModalityDropout`."""

    rates: Mapping[str, float]
    draw: Literal["minibatch", "sample", "modality"] = "minibatch"


@dataclass(frozen=True)
class Member:
    """One run of a grid. `train_on` and `evaluate_on` name the modalities that are fed; the others are zeros.

    Validation sees what the test sees, so the epoch is selected on `evaluate_on` as well (spec colearning, quirk 2).
    Members with the same `chain` share one replayed random stream, in their order in the grid. Without
    `modality_dropout` nothing is drawn for it.
    """

    variant: str
    seed: int
    model: ModelSpec
    recipe: Recipe
    train_on: tuple[str, ...]
    evaluate_on: tuple[str, ...]
    modality_dropout: ModalityDropoutSpec | None = None
    chain: str | None = None
    tags: Mapping[str, float | int | str] = field(default_factory=dict)

    def as_json(self) -> dict:
        return asdict(self)
