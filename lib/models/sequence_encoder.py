"""The Transformer that turns the frames, pieces or words of an utterance into a vector (spec end_to_end, 5.4)."""

import copy

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lib.models.crossmodal import MultiheadAttention
from lib.models.dropout import Dropout
from lib.models.read_rows import EVERY, FIRST, through


class EncoderLayer(nn.Module):
    """Post-norm layer with the parameter names and the arithmetic of `torch.nn.TransformerEncoderLayer`."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float):
        super().__init__()
        self.self_attn = MultiheadAttention(width, heads, dropout)
        self.linear1 = nn.Linear(width, feedforward)
        self.linear2 = nn.Linear(feedforward, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        padding: Bool[Tensor, "batch time"] | None = None,
        rows: slice = EVERY,
    ) -> Float[Tensor, "batch rows width"]:
        """The rows `rows` of the result. `padding` marks the steps that nothing may attend to."""
        hidden = None if padding is None else padding[..., None, None, :]
        query = x[..., rows, :]
        x = self.norm1(query + self.dropout(self.self_attn(query, x, x, hidden)))
        return self.norm2(x + self.dropout(self.linear2(self.dropout(F.relu(self.linear1(x))))))


class _Layers(nn.Module):
    """Layers that all start from the same weights, as `torch.nn.TransformerEncoder` clones one layer."""

    def __init__(self, layer: EncoderLayer, count: int):
        super().__init__()
        self.layers = nn.ModuleList(copy.deepcopy(layer) for _ in range(count))


class SequenceEncoder(nn.Module):
    """State of a learned vector put before the sequence, after a post-norm Transformer.

    There is no positional encoding, so the order of the steps does not matter (quirk Q5). The last layer computes
    that vector's row alone, and draws its dropout for it alone (`lib/models/read_rows.py`).
    """

    def __init__(self, width: int, layers: int, heads: int, feedforward: int = 2048, dropout: float = 0.1):
        super().__init__()
        self.encoder = _Layers(EncoderLayer(width, heads, feedforward, dropout), layers)
        self.cls_emb = nn.Embedding(1, width)

    def forward(
        self, x: Float[Tensor, "batch time width"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch width"]:
        """Without `lengths` the padding takes part like any other step."""
        x = torch.cat([self.cls_emb.weight.expand(x.shape[0], 1, -1), x], dim=1)
        padding = None
        if lengths is not None:
            padding = torch.arange(x.shape[1], device=x.device) > lengths[:, None]
        return through(self.encoder.layers, x, FIRST, padding)[:, 0]


def pad_ragged(x: Float[Tensor, "steps width"], lengths: Int[Tensor, " batch"]) -> Float[Tensor, "batch time width"]:
    """Sequences that stand one after another, each on its own row, zero-padded behind to the longest.

    Raises ValueError if the lengths do not add up to the number of steps.
    """
    counts = lengths.tolist()
    if sum(counts) != len(x):
        raise ValueError(f"lengths add up to {sum(counts)}, but there are {len(x)} steps")
    return nn.utils.rnn.pad_sequence(x.split(counts), batch_first=True)
