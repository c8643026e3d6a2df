"""Attention with packed projections, sinusoidal positions and the encoder of MulT (Tsai et al., ACL 2019)."""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from lib.errors import InputError
from lib.models.dropout import Dropout
from lib.models.read_rows import EVERY, through

Positions = Literal["reference", "every_step"]


class MultiheadAttention(nn.Module):
    """Multi-head attention; parameter names, shapes and initial values are `torch.nn.MultiheadAttention`'s.

    `in_proj_weight` holds the rows of query, key and value. Batch first; `dropout` acts on the probabilities.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0):
        super().__init__()
        if width % heads:
            raise InputError(f"{heads} heads do not divide a width of {width}")
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Float[Tensor, "batch time width"],
        key: Float[Tensor, "batch source width"],
        value: Float[Tensor, "batch source width"],
        hidden: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """`hidden` marks what may not be attended to; it is broadcast to `(batch, heads, time, source)`."""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        q, k, v = (
            F.linear(x, w, b).unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for x, w, b in zip((query, key, value), weights, biases, strict=True)
        )
        energy = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
        if hidden is not None:
            energy = energy.masked_fill(hidden, -math.inf)
        attended = self.dropout(energy.softmax(dim=-1)) @ v
        return self.out_proj(attended.transpose(-3, -2).flatten(-2))


def position_code(x: Float[Tensor, "batch time width"], positions: Positions) -> Float[Tensor, "batch time width"]:
    """Sinusoids of the positions 1, 2, ...: the sines in the first half of the channels, then the cosines.

    `reference` gives a zero vector to every step whose channel 0 is exactly zero, which it takes for padding;
    that is usually true of zero-padded steps (the convolution in front has no bias) but also hits real ones.
    `every_step` has no such rule. Section 4 of the emotion-embedding specification.
    """
    time, width = x.shape[-2:]
    half = width // 2
    rates = torch.exp(torch.arange(half, device=x.device, dtype=x.dtype) * (-math.log(10000) / (half - 1)))
    angles = torch.arange(1, time + 1, device=x.device, dtype=x.dtype).unsqueeze(1) * rates
    code = F.pad(torch.cat([angles.sin(), angles.cos()], dim=-1), (0, width % 2))
    if positions == "every_step":
        return code.expand_as(x)
    return code * (x[..., :1] != 0).to(x.dtype)


class CrossmodalLayer(nn.Module):
    """Pre-norm layer: attention to the source (or itself), then two linear layers, each with a residual."""

    def __init__(self, width: int, heads: int, attention_dropout: float, relu_dropout: float, residual_dropout: float):
        super().__init__()
        self.self_attn = MultiheadAttention(width, heads, attention_dropout)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.layer_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.relu_dropout = Dropout(relu_dropout)
        self.residual_dropout = Dropout(residual_dropout)
        for linear in (self.self_attn.out_proj, self.fc1, self.fc2):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        source: tuple[Tensor, Tensor] | None,
        hidden: Bool[Tensor, "time source"] | None,
        rows: slice = EVERY,
    ) -> Float[Tensor, "batch rows width"]:
        """The rows `rows` of the result; `source` holds key and value `(batch, source, width)`."""
        # Key and value pass through the query's own norm, not one of their own.
        if source is None:
            key = value = self.layer_norms[0](x)
            query = key[..., rows, :]
        else:
            key, value = (self.layer_norms[0](s) for s in source)
            query = self.layer_norms[0](x[..., rows, :])
        x, hidden = x[..., rows, :], None if hidden is None else hidden[rows]
        x = x + self.residual_dropout(self.self_attn(query, key, value, hidden))
        inner = self.relu_dropout(F.relu(self.fc1(self.layer_norms[1](x))))
        return x + self.residual_dropout(self.fc2(inner))


class CrossmodalEncoder(nn.Module):
    """A stack of `CrossmodalLayer`s with scaled, position-coded inputs and a final norm.

    The source is not updated between layers; its key and value copies get dropout masks of their own. The
    causal mask forbids entries with column - row > |source length - target length|.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        layers: int,
        *,
        attention_dropout: float = 0.0,
        relu_dropout: float = 0.0,
        residual_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        causal_mask: bool = False,
        positions: Positions = "reference",
    ):
        super().__init__()
        if width < 4:
            raise InputError(f"the position code needs a width of at least 4, not {width}")
        if positions not in ("reference", "every_step"):
            raise InputError(f"positions {positions!r}", todo="use reference or every_step")
        self.causal_mask = causal_mask
        self.positions = positions
        self.embedding_dropout = Dropout(embedding_dropout)
        dropouts = (attention_dropout, relu_dropout, residual_dropout)
        self.layers = nn.ModuleList(CrossmodalLayer(width, heads, *dropouts) for _ in range(layers))
        self.layer_norm = nn.LayerNorm(width)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        source: Float[Tensor, "batch source width"] | None = None,
        rows: slice = EVERY,
    ) -> Float[Tensor, "batch rows width"]:
        """Attend from `x` to `source`, or to `x` itself if there is none; `rows` are those that are returned.

        The last layer computes and draws dropout for these alone (`lib/models/read_rows.py`).
        """
        length, width = x.shape[-2:]
        entering = [x] if source is None else [x, source, source]
        x, *source = (self.embedding_dropout(math.sqrt(width) * e + position_code(e, self.positions)) for e in entering)
        source = tuple(source) or None
        hidden = None
        if self.causal_mask:
            attended = source[0].shape[-2] if source else length
            ones = torch.ones(length, attended, dtype=torch.bool, device=x.device)
            hidden = ones.triu(1 + abs(attended - length))
        return self.layer_norm(through(self.layers, x, rows, source, hidden))
