"""Early-fusion transformer, a baseline of the emotion-embedding paper (section 3.5 of its specification)."""

import copy
import math
from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lib.errors import InputError
from lib.models.dropout import Dropout
from lib.models.modality_rnn import ordered, present
from lib.models.sequence_encoder import EncoderLayer

AttentionAxis = Literal["reference", "time"]


def interleaved_position_code(time: int, width: int, like: Tensor) -> Float[Tensor, "time width"]:
    """Sines in the even channels, cosines in the odd ones, of the positions 0, 1, ..."""
    rates = torch.exp(torch.arange(0, width, 2, device=like.device, dtype=like.dtype) * (-math.log(10000) / width))
    angles = torch.arange(time, device=like.device, dtype=like.dtype).unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)[:, :width]


class EarlyFusionTransformer(nn.Module):
    """Features concatenated per step, a transformer encoder, the mean over time, a two-layer head.

    `attention_axis="reference"` keeps its bug: the encoder expects time first but gets the batch first, so a
    sample attends to the other samples at the same time step, its position is its place in the batch, and a
    prediction depends on the batch it is in. `"time"` attends over time. Needs equal lengths of all
    modalities in `sizes`. The reference has one output unit and a fixed input width of 409, and its trainer
    cannot run it.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        classes: int,
        *,
        width: int = 160,
        heads: int = 8,
        layers: int = 4,
        feedforward: int = 2048,
        head_hidden: int = 80,
        dropout: float = 0.1,
        attention_axis: AttentionAxis = "reference",
    ):
        super().__init__()
        if attention_axis not in ("reference", "time"):
            raise InputError(f"attention_axis {attention_axis!r}", todo="use reference or time")
        self.modalities = ordered(sizes)
        self.attention_axis = attention_axis
        self.linear = nn.Linear(sum(sizes.values()), width)
        layer = EncoderLayer(width, heads, feedforward, dropout)
        # torch.nn.TransformerEncoder starts all its layers from the same weights.
        self.layers = nn.ModuleList(copy.deepcopy(layer) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Sequential(
            nn.Linear(width, head_hidden), nn.ReLU(), Dropout(dropout), nn.Linear(head_hidden, classes)
        )

    def forward(
        self,
        text: Float[Tensor, "batch time text"] | None = None,
        audio: Float[Tensor, "batch time audio"] | None = None,
        video: Float[Tensor, "batch time video"] | None = None,
    ) -> Float[Tensor, "batch classes"]:
        features = present({"text": text, "audio": audio, "video": video}, self.modalities)
        x = self.linear(torch.cat(list(features.values()), dim=-1))
        across_batch = self.attention_axis == "reference"
        if across_batch:
            x = x.transpose(0, 1)
        x = x + interleaved_position_code(*x.shape[-2:], like=x)
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        return self.out((x.transpose(0, 1) if across_batch else x).mean(dim=1))
