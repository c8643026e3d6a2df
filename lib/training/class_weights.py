"""Weights that balance rare and frequent emotions."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def positive_weights(labels: Float[np.ndarray, "samples emotions"]) -> Float[Tensor, "emotions"]:
    """Absent / present samples of each emotion, float32: the positive weight of a binary cross-entropy.

    Counted on the training samples that are really used, after any selection. An emotion that is never
    present gets infinity (the loss is then NaN, so leave its column out), one that is always present 0.
    Section 6 of the emotion-embedding specification.
    """
    present = torch.from_numpy(np.asarray(labels) != 0).sum(dim=0).to(torch.float32)
    return (len(labels) - present) / present


def class_shares(labels: Int[np.ndarray, "samples"], classes: int) -> Float[np.ndarray, "classes"]:
    """The share of each class among exclusive labels, float64."""
    return np.bincount(labels, minlength=classes) / len(labels)
