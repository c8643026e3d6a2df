"""Early concatenation: what tensor fusion is without its products."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from lib.models.tensor_fusion import TFN


class Concatenation(TFN):
    """`TFN` with the vectors of the three sub-networks beside each other in place of their outer product.

    Sub-networks, dropout, layers and head are TFN's, so the two differ in the products alone: a plain baseline, which
    the reference does not have. A modality that is missing from the model has no place in the vector; one that is
    missing from a call leaves zeros in its place.
    """

    @property
    def fused_size(self) -> int:
        """The sum of the vectors' sizes."""
        return sum(self.encoded_sizes.values())

    def fused(self, encoded: Mapping[str, Tensor]) -> Float[Tensor, "batch values"]:
        """The vectors in the order audio, video, text."""
        return torch.cat([encoded[modality] for modality in ("audio", "video", "text")], dim=1)
