"""What one training run minimises, and what it keeps between epochs to do so."""

from collections.abc import Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from lib.data.batches import Batches
from lib.errors import InputError
from lib.training.class_weights import positive_weights
from lib.training.losses import LOSSES
from lib.training.recipe import Recipe
from lib.training.self_paced import SelfPaced

Outputs = Tensor | tuple[Tensor, Mapping[str, Tensor]]
"""What a model returns: its outputs, or the joint logits and those of each modality."""


def joint(outputs: Outputs) -> Tensor:
    """What is evaluated."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


class Objective:
    """The loss of a recipe. Positive weights are counted on the training samples of the run.

    Raises InputError for an emotion that no training sample shows: its weight would be infinite.
    """

    def __init__(self, recipe: Recipe, train: Batches):
        self._loss, self._summed = LOSSES[recipe.loss], recipe.loss.endswith("_sum")
        self._weights: dict[str, Tensor] = {}
        if recipe.loss == "bce":
            weights = positive_weights(train.targets.cpu().numpy()).to(train.targets)
            if torch.isinf(weights).any():
                raise InputError(
                    f"no training sample shows emotion {int(weights.isinf().nonzero()[0])}", todo="leave its column out"
                )
            self._weights = {"positive_weights": weights}
        self._unimodal = {m: weight for m, weight in (recipe.unimodal_weights or {}).items() if weight}
        self.curriculum = SelfPaced(**asdict(recipe.curriculum)) if recipe.curriculum else None

    def loss(self, outputs: Outputs, batch: Batches) -> Tensor:
        """Of one training minibatch."""
        if self.curriculum:
            total, by_modality = outputs
            return self.curriculum.loss(total, by_modality, batch.targets, batch.inputs["lengths"])
        total = self._loss(joint(outputs), batch.targets, **self._weights)
        for m, weight in self._unimodal.items():
            total = total + weight * self._loss(outputs[1][m], batch.targets, **self._weights)
        return total

    def share(self, part: int, whole: int) -> float:
        """What the loss of `part` targets counts in that of the minibatch of `whole` targets that they belong to."""
        return 1.0 if self._summed else part / whole

    def split_loss(self, outputs: Tensor, targets: Tensor) -> float:
        """Of a whole held-out split, nothing left out; a summed loss per target value."""
        loss = self._loss(outputs, targets, **self._weights).item()
        return loss / targets.numel() if self._summed else loss

    def epoch_loss(self, losses: Tensor, sizes: Tensor, train: Batches) -> float:
        """The mean over all samples of an epoch from its minibatches' losses `(batches,)` and sizes."""
        losses = losses.double()
        if self._summed:
            return (losses.sum() / train.targets.numel()).item()
        return ((losses * sizes).sum() / sizes.sum()).item()

    def end_epoch(self) -> dict[str, float]:
        """What the epoch's selection was, if there was one."""
        return self.curriculum.end_epoch() if self.curriculum else {}

    def state_dict(self) -> dict[str, float]:
        return self.curriculum.state_dict() if self.curriculum else {}

    def load_state_dict(self, state: dict[str, float]) -> None:
        if self.curriculum:
            self.curriculum.load_state_dict(state)
