"""Fine-tuning on a few samples of a new emotion without forgetting the others (spec emotion_embeddings, 9.4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from lib.data.batches import Examples
from lib.training.class_weights import positive_weights
from lib.training.losses import bce
from lib.training.streams import SeededStreams, derived_seed
from lib.training.validation import Criterion, validation_score


@dataclass(frozen=True)
class FineTuning:
    """`naive` steps on the few samples alone; `joint` also steps on samples of the seen emotions, before each of them;
    `gem` turns a step that would raise the loss on those (gradient episodic memory).
    """

    regime: Literal["naive", "gem", "joint"]
    epochs: int
    batch_size: int
    learning_rate: float
    clip_norm: float
    memory: int
    margin: float = 0.01


def few_and_as_many_others(labels: np.ndarray, emotion: int, shots: int) -> np.ndarray:
    """Indices, ascending, of the first `shots` samples with the emotion and as many first samples without it."""
    present = labels[:, emotion] == 1
    return np.sort(np.concatenate([np.flatnonzero(present)[:shots], np.flatnonzero(~present)[:shots]]))


def finetune(
    model: nn.Module,
    few: Examples,
    seen: Examples,
    columns: Sequence[int],
    valid: Examples,
    spec: FineTuning,
    *,
    criterion: Criterion,
    seed: int,
) -> None:
    """Fine-tune `model`, which scores all emotions, in place; its weights are then those of the epoch with the best
    `criterion` on `valid`, the starting weights not being among them.

    `seen` holds the other emotions' training samples, whose targets are the `columns` of the model's outputs. Positive
    weights are counted on `few` and `seen`, each for its own loss. An emotion without a sample in `few` has the weight
    1 there; the reference's would be infinite and its loss NaN.
    """
    weights = positive_weights(few.targets.cpu().numpy()).to(few.targets)
    few_weights = torch.where(weights.isinf(), 1.0, weights)
    seen_weights = positive_weights(seen.targets.cpu().numpy()).to(seen.targets)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=spec.learning_rate)
    streams = SeededStreams(seed)
    # Two generators, so that the regimes see the few samples in the same order.
    orders, memories = (np.random.default_rng(derived_seed(seed, "fine-tuning", use)) for use in ("order", "memory"))
    best, best_state = -np.inf, None

    def few_loss(batch: Examples) -> Tensor:
        return bce(model(**batch.inputs), batch.targets, few_weights)

    def seen_loss() -> Tensor:
        batch = seen.take(np.sort(memories.permutation(len(seen))[: spec.memory]))
        return bce(model(**batch.inputs)[:, list(columns)], batch.targets, seen_weights)

    def step(gradients: Sequence[Tensor]) -> None:
        for parameter, gradient in zip(trained, gradients, strict=True):
            parameter.grad = gradient
        nn.utils.clip_grad_norm_(trained, spec.clip_norm)
        optimiser.step()

    for epoch in range(spec.epochs):
        model.train()
        streams.start_epoch(epoch)
        with streams.session(), streams.element_dropout(few.targets.device):
            order = orders.permutation(len(few))
            for start in range(0, len(few), spec.batch_size):
                batch = few.take(order[start : start + spec.batch_size])
                if spec.regime == "joint":
                    step(gradients_of(seen_loss(), trained))
                gradients = gradients_of(few_loss(batch), trained)
                if spec.regime == "gem":
                    gradients = without_conflict(gradients, gradients_of(seen_loss(), trained), spec.margin)
                step(gradients)
        model.eval()
        with torch.no_grad():
            score = validation_score(criterion, model(**valid.inputs).cpu().numpy(), valid.targets.cpu().numpy())
        if score > best:
            best, best_state = score, {name: value.clone() for name, value in model.state_dict().items()}
    if best_state is not None:
        model.load_state_dict(best_state)


def gradients_of(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Zeros for a parameter that the loss does not depend on."""
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def without_conflict(gradients: Sequence[Tensor], memory: Sequence[Tensor], margin: float) -> list[Tensor]:
    """`gradients` plus enough of the memory's that a step no longer climbs the memory's loss; unchanged if it does not.

    With g1 the gradients and g0 the memory's: if g0.g1 < 0, g1 + v g0 with v = max(margin / (1 + 1e-7),
    -g0.g1 / (g0.g0 + 1e-3)), the constants being the reference's.
    """
    product = sum((g0 * g1).sum() for g0, g1 in zip(memory, gradients, strict=True))
    if product >= 0:
        return list(gradients)
    square = sum((g0 * g0).sum() for g0 in memory)
    share = torch.clamp(-product / (square + 1e-3), min=margin / (1 + 1e-7))
    return [g1 + share * g0 for g0, g1 in zip(memory, gradients, strict=True)]
