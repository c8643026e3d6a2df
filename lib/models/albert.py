"""ALBERT (Lan et al., ICLR 2020), the text encoder of the end-to-end emotion models.

Parameter names, shapes, initial distributions and arithmetic are those of `AlbertModel` in Hugging Face
transformers, so a released checkpoint loads strictly; that package is not needed to build, train or restore
the encoder.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lib.models.dropout import Dropout
from lib.models.read_rows import EVERY, through

LAYER_NORM_EPS = 1e-12

_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
ALBERT_V2 = {
    "base": dict(zip(_SIZES, (768, 12, 12, 3072), strict=True)),
    "large": dict(zip(_SIZES, (1024, 24, 16, 4096), strict=True)),
    "xlarge": dict(zip(_SIZES, (2048, 24, 16, 8192), strict=True)),
}
"""Arguments of `Albert` for the released `albert-<size>-v2` checkpoints."""


class _Embeddings(nn.Module):
    def __init__(self, vocab_size: int, positions: int, types: int, size: int, dropout: float):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, size, padding_idx=0)
        self.position_embeddings = nn.Embedding(positions, size)
        self.token_type_embeddings = nn.Embedding(types, size)
        self.LayerNorm = nn.LayerNorm(size, LAYER_NORM_EPS)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, types: Tensor) -> Tensor:
        positions = self.position_embeddings.weight[: tokens.shape[-1]]
        x = self.word_embeddings(tokens) + self.token_type_embeddings(types) + positions
        return self.dropout(self.LayerNorm(x))


class _Attention(nn.Module):
    def __init__(self, size: int, heads: int, attention_dropout: float, hidden_dropout: float):
        super().__init__()
        if size % heads:
            raise ValueError(f"{heads} heads do not divide a hidden size of {size}")
        self.heads = heads
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)
        self.dense = nn.Linear(size, size)
        self.LayerNorm = nn.LayerNorm(size, LAYER_NORM_EPS)
        self.attention_dropout = Dropout(attention_dropout)
        self.output_dropout = Dropout(hidden_dropout)

    def forward(self, x: Tensor, padding: Tensor, rows: slice) -> Tensor:
        read = x[..., rows, :]
        projected = self.query(read), self.key(x), self.value(x)
        q, k, v = (p.unflatten(-1, (self.heads, -1)).transpose(-3, -2) for p in projected)
        energy = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
        attention = energy.masked_fill(padding[..., None, None, :], torch.finfo(x.dtype).min).softmax(dim=-1)
        context = (self.attention_dropout(attention) @ v).transpose(-3, -2).flatten(-2)
        return self.LayerNorm(read + self.output_dropout(self.dense(context)))


class _Layer(nn.Module):
    def __init__(self, size: int, heads: int, feedforward: int, attention_dropout: float, hidden_dropout: float):
        super().__init__()
        self.full_layer_layer_norm = nn.LayerNorm(size, LAYER_NORM_EPS)
        self.attention = _Attention(size, heads, attention_dropout, hidden_dropout)
        self.ffn = nn.Linear(size, feedforward)
        self.ffn_output = nn.Linear(feedforward, size)
        self.dropout = Dropout(hidden_dropout)

    def forward(self, x: Tensor, padding: Tensor, rows: slice) -> Tensor:
        x = self.attention(x, padding, rows)
        inner = self.ffn_output(F.gelu(self.ffn(x), approximate="tanh"))
        return self.full_layer_layer_norm(x + self.dropout(inner))


class _LayerGroup(nn.Module):
    def __init__(self, layer: _Layer):
        super().__init__()
        self.albert_layers = nn.ModuleList([layer])


class _Encoder(nn.Module):
    """One layer applied `depth` times: its weights are shared."""

    def __init__(self, embedding_size: int, size: int, depth: int, layer: _Layer):
        super().__init__()
        self.depth = depth
        self.embedding_hidden_mapping_in = nn.Linear(embedding_size, size)
        self.albert_layer_groups = nn.ModuleList([_LayerGroup(layer)])

    def forward(self, x: Tensor, padding: Tensor, rows: slice) -> Tensor:
        layers = [self.albert_layer_groups[0].albert_layers[0]] * self.depth
        return through(layers, self.embedding_hidden_mapping_in(x), rows, padding)


class Albert(nn.Module):
    """Token ids to hidden states; argument names are those of the checkpoint's `config.json`.

    The pooler exists because checkpoints hold one; the emotion models never use it, so it gets no gradient.
    """

    def __init__(
        self,
        hidden_size: int,
        num_hidden_layers: int,
        num_attention_heads: int,
        intermediate_size: int,
        vocab_size: int = 30000,
        embedding_size: int = 128,
        max_position_embeddings: int = 512,
        type_vocab_size: int = 2,
        hidden_dropout_prob: float = 0.0,
        attention_probs_dropout_prob: float = 0.0,
        hidden_act: str = "gelu_new",
        initializer_range: float = 0.02,
    ):
        super().__init__()
        if hidden_act != "gelu_new":
            raise ValueError(f"activation {hidden_act!r}; the v2 checkpoints use gelu_new")
        self.hidden_size = hidden_size
        self.max_tokens = max_position_embeddings
        self.embeddings = _Embeddings(
            vocab_size, max_position_embeddings, type_vocab_size, embedding_size, hidden_dropout_prob
        )
        dropouts = attention_probs_dropout_prob, hidden_dropout_prob
        layer = _Layer(hidden_size, num_attention_heads, intermediate_size, *dropouts)
        self.encoder = _Encoder(embedding_size, hidden_size, num_hidden_layers, layer)
        self.pooler = nn.Linear(hidden_size, hidden_size)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=initializer_range)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            self.embeddings.word_embeddings.weight[0].zero_()

    def forward(
        self,
        tokens: Int[Tensor, "batch tokens"],
        mask: Bool[Tensor, "batch tokens"] | Int[Tensor, "batch tokens"],
        types: Int[Tensor, "batch tokens"] | None = None,
        rows: slice = EVERY,
    ) -> Float[Tensor, "batch rows hidden"]:
        """Last hidden states of the tokens `rows`. `mask` is 1 at tokens, 0 at padding; `types` defaults to zeros.

        The last layer computes and draws dropout for these rows alone (`lib/models/read_rows.py`). Raises ValueError
        for more tokens than positions.
        """
        if tokens.shape[-1] > self.max_tokens:
            raise ValueError(f"{tokens.shape[-1]} tokens, but the encoder has {self.max_tokens} positions")
        types = torch.zeros_like(tokens) if types is None else types
        return self.encoder(self.embeddings(tokens, types), mask == 0, rows)
