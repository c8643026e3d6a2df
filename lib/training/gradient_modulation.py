"""On-the-fly gradient modulation with generalisation enhancement (OGM-GE; Peng, Wei, Deng, Wang, Hu, CVPR 2022,
arXiv 2203.15332): the encoder of the modality that is ahead learns more slowly.

Two modalities in the paper, any number here. Each is compared with the mean of the others: for two that is the paper's
ratio, and 1 means "balanced" for every number, where the sum of the others would call a modality balanced that is twice
as good as each of two others.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lib.training.self_paced import true_class_probability

if TYPE_CHECKING:
    from lib.models.by_modality import OwnEncoders


def discrepancy_ratios(scores: Float[Tensor, "modality"]) -> Float[Tensor, "modality"]:
    """Each modality's summed probability of the true class over the mean of the others'."""
    others = (1 - torch.eye(len(scores)).to(scores)) @ scores
    return scores * (len(scores) - 1) / others


def coefficients(ratios: Float[Tensor, "modality"], alpha: float) -> Float[Tensor, "modality"]:
    """Equation 10 of the paper: 1 - tanh(alpha * ratio) for a ratio above 1, else 1.

    The published code slows one of two equal modalities (its test for the second is "else"); here neither is.
    """
    return torch.where(ratios > 1, 1 - torch.tanh(alpha * ratios), 1.0)


class GradientModulation:
    """Scale the gradients of the encoders, minibatch by minibatch; of the model's modalities, those that are fed.

    With `noise`, the generalisation enhancement, every encoder parameter's gradient gets Gaussian noise too, whose
    standard deviation (divisor n - 1) is that of the values of this gradient before it is scaled, as in the published
    code. A parameter of a single value has no such deviation, and gets none. The code treats the weights of
    convolutions alone, and adds 1e-8 to the deviation; here, as in the paper's equations, it is the whole encoder, and
    a gradient of zeros stays zeros.

    The method is made for plain gradient descent. Adam divides by the size of past gradients, so there a factor that
    lasts has no effect, only its changes and the noise have. Clipping comes afterwards.
    """

    def __init__(self, alpha: float, fed: Iterable[str], *, noise: bool = True):
        self.alpha, self.fed, self.noise = alpha, tuple(fed), noise
        self._scores: dict[str, Tensor] = {}
        self._start_epoch()

    def _start_epoch(self) -> None:
        self._sums, self._steps = dict.fromkeys(self.fed, 0.0), 0

    @torch.no_grad()
    def observe(self, logits: Mapping[str, Float[Tensor, "n classes"]], labels: Int[Tensor, "n"]) -> None:
        """Count a minibatch, or a part of one, from each modality's own logits."""
        own = {m: logits[m].detach() for m in self.fed}
        for m, score in zip(own, true_class_probability(own, labels).sum(1), strict=True):
            self._scores[m] = self._scores.get(m, 0.0) + score

    @torch.no_grad()
    def modulate(self, model: "OwnEncoders", generator: torch.Generator | None) -> None:
        """Change the gradients in the model by what was observed since the last call; noise is from `generator`."""
        factors = coefficients(discrepancy_ratios(torch.stack([self._scores[m] for m in self.fed])), self.alpha)
        encoders = model.encoder_parameters()
        for m, factor in zip(self.fed, factors, strict=True):
            for parameter in encoders[m]:
                if parameter.grad is not None:
                    parameter.grad = self._modulated(parameter.grad, factor, generator)
            self._sums[m] = self._sums[m] + factor
        self._scores, self._steps = {}, self._steps + 1

    def _modulated(self, gradient: Tensor, factor: Tensor, generator: torch.Generator | None) -> Tensor:
        scaled = gradient * factor
        if not self.noise or gradient.numel() == 1:
            return scaled
        normal = torch.randn(gradient.shape, generator=generator, device=gradient.device, dtype=gradient.dtype)
        return scaled + gradient.std() * normal

    def end_epoch(self) -> dict[str, float]:
        """The mean coefficient of each modality over the epoch's minibatches, by `coefficient_<modality>`."""
        record = {f"coefficient_{m}": float(total) / max(self._steps, 1) for m, total in self._sums.items()}
        self._start_epoch()
        return record
