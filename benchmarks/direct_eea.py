"""EEA and its training call (spec emotion_embeddings, sections 2 and 7), written down directly, as a yardstick.

torch's own LSTM over the whole sequence in both directions, of which the last step is read; an optimiser that loops
over its parameters; one number fetched from the device per minibatch. Nothing of `lib.models` is used.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.data.batches import Examples
from lib.training.recipe import Recipe


class DirectEEA(nn.Module):
    """Section 2.2. Parameter names are those of `lib.models.eea`, so both can have the same weights."""

    def __init__(self, sizes, hidden, emotion_vectors, layers, dropout, bidirectional):
        super().__init__()
        self.register_buffer("emotion_vectors", torch.tensor(emotion_vectors))
        width = self.emotion_vectors.shape[1]
        self.maps = nn.ModuleDict({m: nn.Linear(width, hidden[m]) for m in sizes if m != "text"})
        self.rnns = nn.ModuleDict(
            {
                m: nn.LSTM(sizes[m], hidden[m], layers, batch_first=True, dropout=dropout, bidirectional=bidirectional)
                for m in sizes
            }
        )
        self.modality_weights = nn.Linear(len(sizes), 1, bias=False)
        self.modality_weights.weight = nn.Parameter(torch.full((len(sizes),), 1 / len(sizes)))

    def forward(self, **features: Tensor) -> Tensor:
        scores = []
        for modality, x in features.items():
            rnn = self.rnns[modality]
            output = rnn(x)[0]
            if rnn.bidirectional:
                output = output[..., : rnn.hidden_size] + output[..., rnn.hidden_size :]
            vectors = self.emotion_vectors
            if modality != "text":
                vectors = self.maps[modality](vectors)
            scores.append(output[:, -1] @ vectors.T)
        return torch.stack(scores, dim=-1) @ self.modality_weights.weight


class DirectEEATraining:
    """Section 7 for one run with weights that are given; `epoch()` trains one and validates."""

    def __init__(
        self, arguments: dict, recipe: Recipe, splits: Mapping[str, Examples], order: np.ndarray, weights: dict
    ):
        self.recipe, self.train, self.valid = recipe, splits["train"].take(order), splits["valid"]
        self.model = DirectEEA(**arguments).to(self.valid.targets.device)
        self.model.load_state_dict(weights)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=recipe.learning_rate)
        present = self.train.targets.sum(dim=0)
        self.positive_weights = (len(self.train) - present) / present

    def loss(self, batch: Examples) -> Tensor:
        logits = self.model(**batch.inputs)
        return F.binary_cross_entropy_with_logits(logits, batch.targets, pos_weight=self.positive_weights)

    def epoch(self) -> tuple[float, float]:
        """The mean training loss and the validation loss."""
        size, total = self.recipe.batch_size, 0.0
        self.model.train()
        for start in range(0, len(self.train), size):
            batch = self.train.take(slice(start, start + size))
            self.optimiser.zero_grad()
            loss = self.loss(batch)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
            self.optimiser.step()
            total += loss.item() * len(batch)
        self.model.eval()
        with torch.no_grad():
            return total / len(self.train), self.loss(self.valid).item()
