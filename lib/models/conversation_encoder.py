"""The transformer block that four backbones of the SPCL paper share (spec self_paced_balance, 2.1)."""

import copy
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lib.errors import InputError
from lib.models.dialogues import Dialogues
from lib.models.dropout import Dropout


def attention_heads(width: int) -> int:
    """The smallest number from 5 to 14 that divides the width, else 1."""
    return next((heads for heads in range(5, 15) if width % heads == 0), 1)


class SelfAttention(nn.Module):
    """Multi-head self-attention with the parameters of `torch.nn.MultiheadAttention`."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        self.dropout = Dropout(dropout)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor, dialogues: Dialogues, *, padding_mask: bool, keep_padding: bool) -> Tensor:
        """`x` and the result are as in `EncoderLayer.forward`."""
        q, k, v = (self._split(part) for part in self._project(x, dialogues, keep_padding))
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5  # batch, heads, time of query, time of key
        if padding_mask:
            scores = scores.masked_fill(~dialogues.mask[:, None, None], -torch.inf)
        mixed = (self.dropout(scores.softmax(-1)) @ v).transpose(1, 2).flatten(2)
        return self.out_proj(mixed if keep_padding else dialogues.flat(mixed))

    def _project(self, x: Tensor, dialogues: Dialogues, keep_padding: bool) -> tuple[Tensor, ...]:
        """Queries, keys and values `(batch, time, width)`; rows that are known or unused are not multiplied."""
        weight, bias = self.in_proj_weight, self.in_proj_bias
        if x.ndim == 2:  # padding holds zeros, and zeros project to the bias
            return dialogues.pad(F.linear(x, weight, bias), fill=bias).chunk(3, -1)
        if keep_padding:
            return F.linear(x, weight, bias).chunk(3, -1)
        width = x.shape[-1]  # the queries of padding are not needed, its keys and values are
        queries = dialogues.pad(F.linear(dialogues.flat(x), weight[:width], bias[:width]))
        return queries, *F.linear(x, weight[width:], bias[width:]).chunk(2, -1)

    def _split(self, x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch heads time part"]:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class EncoderLayer(nn.Module):
    """Post-norm transformer layer; parameter names as in `torch.nn.TransformerEncoderLayer`."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float):
        super().__init__()
        self.self_attn = SelfAttention(width, heads, dropout)
        self.linear1 = nn.Linear(width, feedforward)
        self.linear2 = nn.Linear(feedforward, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "n width"] | Float[Tensor, "batch time width"],
        dialogues: Dialogues,
        *,
        padding_mask: bool,
        keep_padding: bool,
    ) -> Float[Tensor, "n width"] | Float[Tensor, "batch time width"]:
        """`x` holds flat rows alone when its padding is zero or masked; so does the result, unless `keep_padding`."""
        attended = self.self_attn(x, dialogues, padding_mask=padding_mask, keep_padding=keep_padding)
        if x.ndim < attended.ndim:
            x = dialogues.pad(x)
        elif x.ndim > attended.ndim:
            x = dialogues.flat(x)
        x = self.norm1(x + self.dropout(attended))
        return self.norm2(x + self.dropout(self.linear2(self.dropout(self.linear1(x).relu()))))


class ConversationEncoder(nn.Module):
    """Transformer layers at the raw feature width over a dialogue, then a linear map to `hidden`.

    There is no positional encoding. As in the reference the padding (zero vectors) is attended to, so a
    dialogue's result depends on the length of the longest one in its batch (quirk 3); `padding_mask=True` mends
    that. All layers start as copies of one (quirk 19). `heads=None` takes `attention_heads(width)`.

    The first layer's padding is known and the last one's unused, so those products run over real utterances alone:
    about 0.7 of a plain stack's arithmetic at IEMOCAP's lengths, with the same result.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        layers: int = 2,
        heads: int | None = None,
        feedforward: int = 2048,
        dropout: float = 0.5,
        padding_mask: bool = False,
    ):
        super().__init__()
        heads = attention_heads(width) if heads is None else heads
        if width % heads:
            raise InputError(f"{heads} attention heads do not divide a width of {width}")
        self.padding_mask = padding_mask
        layer = EncoderLayer(width, heads, feedforward, dropout)
        self.layers = nn.ModuleList([copy.deepcopy(layer) for _ in range(layers)])
        self.lin_out = nn.Linear(width, hidden)

    def forward(self, x: Float[Tensor, "batch time width"], dialogues: Dialogues) -> Float[Tensor, "n hidden"]:
        """Encoded utterances in flat order. The padding of `x` must be zero."""
        x = dialogues.flat(x)
        for number, layer in enumerate(self.layers, 1):
            unused = self.padding_mask or number == len(self.layers)
            x = layer(x, dialogues, padding_mask=self.padding_mask, keep_padding=not unused)
        return self.lin_out(x)


def modality_encoders(input_sizes: Mapping[str, int], hidden: int, **options) -> nn.ModuleDict:
    """One `ConversationEncoder` per modality, from its feature width to `hidden`."""
    encoders = {name: ConversationEncoder(width, hidden, **options) for name, width in input_sizes.items()}
    return nn.ModuleDict(encoders)
