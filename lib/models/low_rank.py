"""Low-rank multimodal fusion (Liu, Shen et al., ACL 2018; spec low_rank_fusion, section 1)."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lib.models.fusion_encoders import BatchNormInit, FusionEncoders, with_one


class LMF(FusionEncoders):
    """Fusion by rank-R factors per modality: the full outer product is never formed.

    For each rank, every modality's vector (with a 1 in front) is projected to `output_size` values, the three
    projections are multiplied, and the ranks are summed (paper eq. 8).

    `text_out` is the size of the text vector that enters fusion, by default half the text LSTM. `dropouts`
    needs `audio`, `video` and `text` only: the reference builds a dropout after fusion and never applies it
    (quirk 2). `rank_sum="plain"` is the paper's unweighted sum; the reference and the default learn one
    weight per rank, shared by all outputs, and a bias (quirk 15). `softmax` normalises over the outputs; no
    published run uses it. A modality may be missing from the model or from a call: see `FusionEncoders`.
    """

    def __init__(
        self,
        input_sizes: Mapping[str, int],
        hidden_sizes: Mapping[str, int],
        dropouts: Mapping[str, float],
        output_size: int,
        rank: int,
        text_out: int | None = None,
        softmax: bool = False,
        rank_sum: Literal["weighted", "plain"] = "weighted",
        batch_norm_init: BatchNormInit = "ones",
    ):
        text_out = hidden_sizes.get("text", 0) // 2 if text_out is None else text_out
        super().__init__(input_sizes, hidden_sizes, text_out, dropouts, batch_norm_init)
        self.softmax = softmax
        for modality, size in self.encoded_sizes.items():
            factor = nn.Parameter(torch.empty(rank, size + 1, output_size))
            # torch reads the axes like a convolution's, so the spread shrinks with rank and output size
            self.register_parameter(f"{modality}_factor", nn.init.xavier_normal_(factor))
        if rank_sum == "weighted":
            self.fusion_weights = nn.Parameter(nn.init.xavier_normal_(torch.empty(1, rank)))
            self.fusion_bias = nn.Parameter(torch.zeros(1, output_size))
        else:
            self.fusion_weights = self.fusion_bias = None

    def rank_products(self, encoded: Mapping[str, Tensor]) -> Float[Tensor, "rank batch output"]:
        """The element-wise product of the three projections, for every rank."""
        audio = with_one(encoded["audio"]) @ self.audio_factor
        video = with_one(encoded["video"]) @ self.video_factor
        text = with_one(encoded["text"]) @ self.text_factor
        return audio * video * text

    def forward(
        self,
        *,
        audio: Float[Tensor, "batch *one audio"] | None = None,
        video: Float[Tensor, "batch *one video"] | None = None,
        text: Float[Tensor, "batch time text"] | None = None,
    ) -> Float[Tensor, "batch output"]:
        products = self.rank_products(self.encode(audio, video, text))
        if self.fusion_weights is None:
            fused = products.sum(dim=0)
        else:
            weighted = self.fusion_weights @ products.flatten(1)
            fused = weighted.view_as(products[0]) + self.fusion_bias
        return torch.softmax(fused, dim=1) if self.softmax else fused
