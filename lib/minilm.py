"""MiniLM (Wang et al., NeurIPS 2020): BERT's encoder (Devlin et al. 2019), small enough to be run frozen on a CPU.

Parameter names, shapes and arithmetic are those of `BertModel`, so the released all-MiniLM-L6-v2 loads strictly once
its unused pooler and constant position numbers are left out. There is no dropout.

It stands beneath readers and models, which do not know each other: frozen, its outputs are features of a corpus; its
last layers are also trained, as `lib.models.minilm_top`.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

LAYER_NORM_EPS = 1e-12
LAYERS = 6
"""Of all-MiniLM-L6-v2."""


class _Embeddings(nn.Module):
    def __init__(self, vocab_size: int, positions: int, size: int):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, size, padding_idx=0)
        self.position_embeddings = nn.Embedding(positions, size)
        self.token_type_embeddings = nn.Embedding(2, size)
        self.LayerNorm = nn.LayerNorm(size, LAYER_NORM_EPS)

    def forward(self, tokens: Tensor) -> Tensor:
        positions = self.position_embeddings.weight[: tokens.shape[-1]]
        return self.LayerNorm(self.word_embeddings(tokens) + self.token_type_embeddings.weight[0] + positions)


class _Output(nn.Module):
    """A linear map whose result is added to what it is given besides, and normalised."""

    def __init__(self, inner: int, size: int):
        super().__init__()
        self.dense = nn.Linear(inner, size)
        self.LayerNorm = nn.LayerNorm(size, LAYER_NORM_EPS)

    def forward(self, inner: Tensor, x: Tensor) -> Tensor:
        return self.LayerNorm(x + self.dense(inner))


class Layer(nn.Module):
    """Attention and feed-forward part, each with what it is given added, and normalised."""

    def __init__(self, size: int, heads: int, feedforward: int):
        super().__init__()
        self.heads = heads
        projections = {name: nn.Linear(size, size) for name in ("query", "key", "value")}
        self.attention = nn.ModuleDict({"self": nn.ModuleDict(projections), "output": _Output(size, size)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(size, feedforward)})
        self.output = _Output(feedforward, size)

    def forward(
        self,
        x: Float[Tensor, "batch steps size"],
        padding: Bool[Tensor, "batch steps"],
        rows: slice = slice(None),
    ) -> Float[Tensor, "batch rows size"]:
        """The rows `rows` of the result; nothing attends to `padding`."""
        projections, read = self.attention["self"], x[..., rows, :]
        q, k, v = (
            projections[name](of).unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for name, of in (("query", read), ("key", x), ("value", x))
        )
        energy = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
        weights = energy.masked_fill(padding[:, None, None], torch.finfo(x.dtype).min).softmax(dim=-1)
        x = self.attention["output"]((weights @ v).transpose(-3, -2).flatten(-2), read)
        return self.output(F.gelu(self.intermediate["dense"](x)), x)


class MiniLM(nn.Module):
    """Token numbers to contextual vectors; the sizes by default are those of all-MiniLM-L6-v2."""

    def __init__(
        self,
        vocab_size: int = 30522,
        size: int = 384,
        layers: int = LAYERS,
        heads: int = 12,
        feedforward: int = 1536,
        positions: int = 512,
    ):
        super().__init__()
        if size % heads:
            raise ValueError(f"{heads} heads do not divide a hidden size of {size}")
        self.embeddings = _Embeddings(vocab_size, positions, size)
        stack = nn.ModuleList(Layer(size, heads, feedforward) for _ in range(layers))
        self.encoder = nn.ModuleDict({"layer": stack})

    def forward(
        self, tokens: Int[Tensor, "batch steps"], mask: Bool[Tensor, "batch steps"], layers: int | None = None
    ) -> Float[Tensor, "batch steps size"]:
        """Hidden states behind the first `layers` layers, by default all; those of padding, where `mask` is False, mean
        nothing."""
        x = self.embeddings(tokens)
        for layer in self.encoder["layer"][:layers]:
            x = layer(x, ~mask)
        return x


def sentence_mean(
    states: Float[Tensor, "batch steps size"], mask: Bool[Tensor, "batch steps"]
) -> Float[Tensor, "batch size"]:
    """Mean over the tokens of each text, of length one: what the sentence encoder was trained to compare."""
    weights = mask[..., None].to(states.dtype)
    return F.normalize((states * weights).sum(1) / weights.sum(1), dim=-1)
