"""Early-fusion LSTMs: biEFLSTM of the co-learning paper and EF-LSTM of the MFN repository.

Early fusion: the modalities are concatenated per time step. Padded steps are ordinary zero vectors; there is no mask
and no length (spec colearning, section 2 and quirk 7). `features` gives the width of each modality in the order of
concatenation; `forward` takes one tensor `(batch, time, width)` per modality, by name.
"""

from collections.abc import Mapping
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lib.absence import is_absent
from lib.models.dropout import Dropout
from lib.models.recurrent import LSTM, input_columns, recurrent_layer


def early_fusion(
    features: Mapping[str, int], inputs: Mapping[str, Float[Tensor, "batch time _"]]
) -> tuple[Float[Tensor, "time batch features"], list[slice] | None]:
    """Concatenate the modalities per time step in the order of `features`, time first.

    Absent modalities (`lib.absence`) are left out if any other is there; then the second value says which
    columns of the whole the others are. A product with the zeros of the rest would add nothing.
    """
    fed = [m for m in features if not is_absent(inputs[m])] or list(features)
    x = torch.cat([inputs[m] for m in fed], dim=-1).transpose(0, 1)
    if len(fed) == len(features):
        return x, None
    ends = dict(zip(features, accumulate(features.values()), strict=True))
    return x, [slice(ends[m] - features[m], ends[m]) for m in fed]


class BiEFLSTM(nn.Module):
    """Two-layer bidirectional LSTM over early-fused features, batch norm and a two-layer head (section 2.1).

    The head reads the top layer at the last time index, where the backward direction has seen a single step
    (quirk 5). A batch of one cannot be used in training mode, because of batch norm.
    """

    def __init__(self, features: Mapping[str, int], hidden: int, classes: int, dropout: float = 0.5):
        super().__init__()
        self.features = dict(features)
        width = sum(self.features.values())
        self.rnn = LSTM(width, hidden, num_layers=2, bidirectional=True, dropout=dropout)
        self.fc1 = nn.Linear(2 * hidden, hidden)
        self.fc2 = nn.Linear(hidden, classes)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.dropout = Dropout(dropout)

    def encode(self, **inputs: Float[Tensor, "batch time _"]) -> Float[Tensor, "batch twice_hidden"]:
        """The top layer's two directions at the last time index."""
        return self.rnn.last_output(*early_fusion(self.features, inputs))

    def forward(self, **inputs: Float[Tensor, "batch time _"]) -> Float[Tensor, "batch classes"]:
        hidden = F.relu(self.bn1(self.fc1(self.encode(**inputs))))
        return self.fc2(self.dropout(hidden))


class EFLSTM(nn.Module):
    """One LSTM over early-fused features; the last hidden state feeds a two-layer head (section 2.3)."""

    def __init__(self, features: Mapping[str, int], hidden: int, outputs: int = 1, dropout: float = 0.5):
        super().__init__()
        self.features = dict(features)
        self.lstm = nn.LSTMCell(sum(self.features.values()), hidden)
        self.fc1 = nn.Linear(hidden, hidden)
        self.fc2 = nn.Linear(hidden, outputs)
        self.dropout = Dropout(dropout)

    def forward(self, **inputs: Float[Tensor, "batch time _"]) -> Float[Tensor, "batch outputs"]:
        x, columns = early_fusion(self.features, inputs)
        cell = self.lstm
        weights = [input_columns(cell.weight_ih, columns), cell.weight_hh, cell.bias_ih, cell.bias_hh]
        zeros = x.new_zeros(1, x.shape[1], cell.hidden_size)
        _, hidden, _ = recurrent_layer("LSTM", x, (zeros, zeros), weights)
        return self.fc2(self.dropout(F.relu(self.fc1(hidden[0]))))
