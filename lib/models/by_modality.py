"""What a model can say about each modality alone, for strategies that compare modalities while they train."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


@runtime_checkable
class OwnOutputs(Protocol):
    """A model whose outputs are a sum over modalities of terms that read one modality each."""

    def by_modality(self, **inputs) -> tuple[Tensor, dict[str, Tensor]]:
        """What the model is evaluated by, and its terms by modality, of the same shape."""


@runtime_checkable
class OwnEncoders(OwnOutputs, Protocol):
    """Such a model in which an encoder per modality stands before linear layers alone."""

    def encoder_parameters(self) -> dict[str, list[nn.Parameter]]:
        """By modality those of its encoder; those of the last, linear layers are in none of the lists."""


def terms(
    head: nn.Linear, encoded: Mapping[str, Float[Tensor, "batch width"]]
) -> dict[str, Float[Tensor, "batch outputs"]]:
    """What each encoding adds to `head` of all of them beside each other, in the order given.

    Each takes an equal share of the bias, as the half of it in the published code of gradient modulation
    (`lib.training.gradient_modulation`).
    """
    weights = head.weight.split([x.shape[1] for x in encoded.values()], dim=1)
    bias = None if head.bias is None else head.bias / len(encoded)
    return {m: F.linear(x, weight, bias) for (m, x), weight in zip(encoded.items(), weights, strict=True)}
