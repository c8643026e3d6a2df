"""The recurrent baselines of the emotion-embedding paper (section 3 of its specification).

All read the padded sequence without a mask, concatenate the two directions, and return logits `(batch,
classes)`. Where the reference always takes three modalities, these take those named in `sizes`. Its own EF+LF
and text-selective classes cannot be trained (no `num_classes`, a missing import); nothing of their arithmetic
is changed here.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lib.errors import InputError
from lib.models.by_modality import terms
from lib.models.dropout import Dropout
from lib.models.modality_rnn import Cell, Pooling, modality_rnn, ordered, pooled, present


def deep_head(width: int, hidden: int, classes: int, dropout: float = 0.1) -> nn.Sequential:
    """Linear, ReLU, dropout, linear."""
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), Dropout(dropout), nn.Linear(hidden, classes))


class _RecurrentBaseline(nn.Module):
    """What the four share: the cell's options and the choice of features.

    `layers`, `dropout` (between layers), `bidirectional` and `cell` describe every network of the model;
    `pooling` says how a sequence becomes a vector, see `lib.models.modality_rnn.pooled`.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        *,
        cell: Cell = "lstm",
        layers: int = 1,
        dropout: float = 0.1,
        bidirectional: bool = False,
        pooling: Pooling = "last_step",
    ):
        super().__init__()
        self.modalities = ordered(sizes)
        self.sizes = dict(sizes)
        self.pooling = pooling
        self.directions = 2 if bidirectional else 1
        self._options = {"layers": layers, "dropout": dropout, "bidirectional": bidirectional}
        self._cell = cell

    def _rnn(self, size: int, hidden: int) -> nn.Module:
        return modality_rnn(self._cell, size, hidden, **self._options)

    def _rnns(self, hidden: Mapping[str, int]) -> nn.ModuleDict:
        return nn.ModuleDict({m: self._rnn(self.sizes[m], hidden[m]) for m in self.modalities})

    def forward(
        self,
        text: Float[Tensor, "batch time_text text"] | None = None,
        audio: Float[Tensor, "batch time_audio audio"] | None = None,
        video: Float[Tensor, "batch time_video video"] | None = None,
    ) -> Float[Tensor, "batch classes"]:
        features = present({"text": text, "audio": audio, "video": video}, self.modalities)
        return self.out(self.fused(features))

    def fused(self, features: dict[str, Tensor]) -> Float[Tensor, "batch fused"]:
        """What the head reads."""
        raise NotImplementedError

    def _early(self, rnn: nn.Module, features: dict[str, Tensor]) -> Tensor:
        return pooled(rnn, torch.cat(list(features.values()), dim=-1), self.pooling)

    def _late(self, rnns: nn.ModuleDict, features: dict[str, Tensor]) -> list[Tensor]:
        return [pooled(rnns[m], x, self.pooling) for m, x in features.items()]


class EarlyFusionRNN(_RecurrentBaseline):
    """EF: features concatenated per step, one network, a linear head (section 3.1). Needs equal lengths."""

    def __init__(self, sizes: Mapping[str, int], hidden: int, classes: int, **options):
        super().__init__(sizes, **options)
        self.rnn = self._rnn(sum(sizes.values()), hidden)
        self.out = nn.Linear(self.directions * hidden, classes)

    def fused(self, features: dict[str, Tensor]) -> Float[Tensor, "batch fused"]:
        return self._early(self.rnn, features)


class LateFusionRNN(_RecurrentBaseline):
    """LF: one network per modality, their vectors concatenated, a linear head (section 3.2)."""

    def __init__(self, sizes: Mapping[str, int], hidden: Mapping[str, int], classes: int, **options):
        super().__init__(sizes, **options)
        self.rnns = self._rnns(hidden)
        self.out = nn.Linear(self.directions * sum(hidden[m] for m in self.modalities), classes)

    def fused(self, features: dict[str, Tensor]) -> Float[Tensor, "batch fused"]:
        return torch.cat(self._late(self.rnns, features), dim=-1)

    def by_modality(
        self, **features: Float[Tensor, "batch time width"]
    ) -> tuple[Float[Tensor, "batch classes"], dict[str, Float[Tensor, "batch classes"]]]:
        """The outputs, and what each modality's vector adds to them with an equal share of the bias."""
        vectors = self._late(self.rnns, present(dict.fromkeys(self.modalities) | features, self.modalities))
        own = terms(self.out, dict(zip(self.modalities, vectors, strict=True)))
        return self.out(torch.cat(vectors, dim=-1)), own

    def encoder_parameters(self) -> dict[str, list[nn.Parameter]]:
        return {m: list(self.rnns[m].parameters()) for m in self.modalities}


class EarlyLateFusionRNN(_RecurrentBaseline):
    """EF+LF: the late vectors, then the early one, into a two-layer head of half the width (section 3.3)."""

    def __init__(self, sizes: Mapping[str, int], hidden: Mapping[str, int], early_hidden: int, classes: int, **options):
        super().__init__(sizes, **options)
        self.early_rnn = self._rnn(sum(sizes.values()), early_hidden)
        self.rnns = self._rnns(hidden)
        width = self.directions * (early_hidden + sum(hidden[m] for m in self.modalities))
        self.out = deep_head(width, width // 2, classes)

    def fused(self, features: dict[str, Tensor]) -> Float[Tensor, "batch fused"]:
        return torch.cat([*self._late(self.rnns, features), self._early(self.early_rnn, features)], dim=-1)


class AdditiveAttention(nn.Module):
    """Weights over time from `tanh(linear([query; step]))`, and the weighted sum of the steps."""

    def __init__(self, width: int):
        super().__init__()
        self.attn = nn.Linear(2 * width, width)
        self.v = nn.Linear(width, 1, bias=False)

    def forward(
        self, query: Float[Tensor, "batch width"], steps: Float[Tensor, "batch time width"]
    ) -> Float[Tensor, "batch width"]:
        pairs = torch.cat([query.unsqueeze(1).expand_as(steps), steps], dim=-1)
        weights = self.v(torch.tanh(self.attn(pairs))).softmax(dim=1)
        return (weights * steps).sum(dim=1)


class TextSelectiveRNN(_RecurrentBaseline):
    """The text vector attends over the steps of audio and video; one attention serves both (section 3.4).

    All networks have the same hidden size, since they share the attention. Raises InputError without text or
    with text alone.
    """

    def __init__(self, sizes: Mapping[str, int], hidden: int, classes: int, **options):
        super().__init__(sizes, **options)
        if "text" not in self.modalities or len(self.modalities) == 1:
            raise InputError(f"modalities {list(self.modalities)}", todo="text selection needs text and another one")
        self.rnns = self._rnns(dict.fromkeys(self.modalities, hidden))
        width = self.directions * hidden
        # The head divides its width by three in the reference, where there are always three modalities.
        self.out = deep_head(width * len(self.modalities), width, classes)
        self.attention = AdditiveAttention(width)

    def fused(self, features: dict[str, Tensor]) -> Float[Tensor, "batch fused"]:
        query = pooled(self.rnns["text"], features["text"], self.pooling)
        steps = [self.rnns[m](x)[0] for m, x in features.items() if m != "text"]
        return torch.cat([query, *(self.attention(query, s) for s in steps)], dim=-1)
