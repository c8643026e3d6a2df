"""Every loss by name: outputs and targets of a minibatch in, one number out."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

Loss = Literal["l1", "mse", "cross_entropy", "soft_cross_entropy", "bce", "l1_sum", "cross_entropy_sum"]


def l1(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute error; a single output column is compared with a vector of targets."""
    return F.l1_loss(outputs.reshape(targets.shape), targets)


def mse(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error, shapes as in `l1`."""
    return F.mse_loss(outputs.reshape(targets.shape), targets)


def l1_sum(outputs: Tensor, targets: Tensor) -> Tensor:
    """Absolute errors summed over samples and outputs (spec low_rank_fusion, section 6)."""
    return F.l1_loss(outputs.reshape(targets.shape), targets, reduction="sum")


def cross_entropy_sum(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy summed over samples (spec low_rank_fusion, section 6)."""
    return F.cross_entropy(outputs, targets, reduction="sum")


def bce(outputs: Tensor, targets: Tensor, positive_weights: Tensor) -> Tensor:
    """Binary cross-entropy of logits, mean over samples and emotions (spec emotion_embeddings, section 6)."""
    return F.binary_cross_entropy_with_logits(outputs, targets, pos_weight=positive_weights)


LOSSES: dict[Loss, Callable[..., Tensor]] = {
    "l1": l1,
    "mse": mse,
    "cross_entropy": F.cross_entropy,
    "soft_cross_entropy": F.cross_entropy,  # targets are rows of zeros and ones: the historical `ce` of the same spec
    "bce": bce,
    "l1_sum": l1_sum,
    "cross_entropy_sum": cross_entropy_sum,
}
