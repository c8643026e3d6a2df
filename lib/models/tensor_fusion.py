"""Tensor fusion network (Zadeh et al., EMNLP 2017) as the authors of LMF rewrote it (spec low_rank_fusion, 2.1)."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lib.models.dropout import Dropout
from lib.models.fusion_encoders import BatchNormInit, FusionEncoders, with_one
from lib.models.wide_linear import WideLinear


class TFN(FusionEncoders):
    """Outer product of the three vectors (each with a 1 in front), dropout, two ReLU layers, one linear layer.

    `head="bounded"` is the published regression head, 6 * sigmoid - 3: one output, open interval (-3, 3).
    `head="linear"` drops the sigmoid and gives `output_size` unbounded outputs, for traits on other scales
    and for class logits. `dropouts` needs `audio`, `video`, `text` and `fusion`; the last one acts on the
    outer product. A modality may be missing from the model or from a call: see `FusionEncoders`.
    """

    def __init__(
        self,
        input_sizes: Mapping[str, int],
        hidden_sizes: Mapping[str, int],
        dropouts: Mapping[str, float],
        fusion_size: int,
        text_out: int | None = None,
        head: Literal["bounded", "linear"] = "bounded",
        output_size: int = 1,
        batch_norm_init: BatchNormInit = "ones",
    ):
        if head == "bounded" and output_size != 1:
            raise ValueError(f"the bounded head has one output, not {output_size}; use head='linear'")
        text_out = hidden_sizes.get("text", 0) // 2 if text_out is None else text_out
        super().__init__(input_sizes, hidden_sizes, text_out, dropouts, batch_norm_init)
        self.bounded = head == "bounded"
        if self.bounded:  # constants that the reference keeps in its state dict
            self.register_buffer("output_range", torch.tensor([6.0]))
            self.register_buffer("output_shift", torch.tensor([-3.0]))
        self.drop = Dropout(dropouts["fusion"])
        self.post_fusion_layer_1 = WideLinear(self.fused_size, fusion_size)
        self.post_fusion_layer_2 = nn.Linear(fusion_size, fusion_size)
        self.post_fusion_layer_3 = nn.Linear(fusion_size, output_size)

    @property
    def fused_size(self) -> int:
        """The number of values that the first layer reads."""
        audio, video, text = (size + 1 for size in self.encoded_sizes.values())
        return audio * video * text

    def fused(self, encoded: Mapping[str, Tensor]) -> Float[Tensor, "batch values"]:
        """What the first layer reads."""
        return self.outer_product(encoded)

    def outer_product(self, encoded: Mapping[str, Tensor]) -> Float[Tensor, "batch products"]:
        """All products of one element per modality, flattened: audio slowest, text fastest."""
        audio, video, text = (with_one(encoded[modality]) for modality in ("audio", "video", "text"))
        # matrix products: the backward pass of a broadcast `*` would hold two more tensors of the full size
        pairs = torch.bmm(audio[:, :, None], video[:, None, :]).flatten(1)
        return torch.bmm(pairs[:, :, None], text[:, None, :]).flatten(1)

    def forward(
        self,
        *,
        audio: Float[Tensor, "batch *one audio"] | None = None,
        video: Float[Tensor, "batch *one video"] | None = None,
        text: Float[Tensor, "batch time text"] | None = None,
    ) -> Float[Tensor, "batch output"]:
        x = self.drop(self.fused(self.encode(audio, video, text)))
        x = torch.relu(self.post_fusion_layer_1(x))
        x = torch.relu(self.post_fusion_layer_2(x))
        x = self.post_fusion_layer_3(x)
        return torch.sigmoid(x) * self.output_range + self.output_shift if self.bounded else x
