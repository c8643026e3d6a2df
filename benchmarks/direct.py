"""The models and the training call of spec colearning, written down directly, as a yardstick.

One cell per modality and time step, every block at every step, whole tensors with columns set to zero, an optimiser
that loops over its parameters, one number fetched from the device per minibatch. Nothing of `lib.models` is used; the
state-dict keys are the reference's, so both can be given the same weights.
"""

import random

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.training.losses import LOSSES
from lib.training.recipe import Member

MODALITIES = ("text", "audio", "video")
CELLS = {"text": "lstm_l", "audio": "lstm_a", "video": "lstm_v"}


class DirectMFN(nn.Module):
    """Section 2.2, step by step; input `(time, batch, features)`."""

    def __init__(self, features, hidden, memory, widths, dropouts, outputs=1):
        super().__init__()
        self.features, self.memory = features, memory
        for modality in MODALITIES:
            self.add_module(CELLS[modality], nn.LSTMCell(features[modality], hidden[modality]))
        total = sum(hidden.values())
        sizes = {
            "att1": (2 * total, 2 * total),
            "att2": (2 * total, memory),
            "gamma1": (2 * total + memory, memory),
            "gamma2": (2 * total + memory, memory),
            "out": (total + memory, outputs),
        }
        for block, (entering, leaving) in sizes.items():
            self.add_module(f"{block}_fc1", nn.Linear(entering, widths[block]))
            self.add_module(f"{block}_fc2", nn.Linear(widths[block], leaving))
            self.add_module(f"{block}_dropout", nn.Dropout(dropouts[block]))

    def block(self, name: str, x: Tensor) -> Tensor:
        hidden = F.relu(getattr(self, f"{name}_fc1")(x))
        return getattr(self, f"{name}_fc2")(getattr(self, f"{name}_dropout")(hidden))

    def forward(self, x: Tensor) -> Tensor:
        parts = dict(zip(MODALITIES, x.split([self.features[m] for m in MODALITIES], dim=-1), strict=True))
        cells = {m: getattr(self, CELLS[m]) for m in MODALITIES}
        h = {m: x.new_zeros(x.shape[1], cells[m].hidden_size) for m in MODALITIES}
        c, memory = dict(h), x.new_zeros(x.shape[1], self.memory)
        for t in range(len(x)):
            before = torch.cat([c[m] for m in MODALITIES], dim=1)
            for m in MODALITIES:
                h[m], c[m] = cells[m](parts[m][t], (h[m], c[m]))
            both = torch.cat([before, *(c[m] for m in MODALITIES)], dim=1)
            attended = self.block("att1", both).softmax(dim=1) * both
            proposed = torch.tanh(self.block("att2", attended))
            seen = torch.cat([attended, memory], dim=1)
            keep, update = torch.sigmoid(self.block("gamma1", seen)), torch.sigmoid(self.block("gamma2", seen))
            memory = keep * memory + update * proposed
        return self.block("out", torch.cat([*(h[m] for m in MODALITIES), memory], dim=1))


class DirectBiEFLSTM(nn.Module):
    """Section 2.1; torch's own two-layer bidirectional LSTM, computed whole, of which the last index is read."""

    def __init__(self, features, hidden, classes, dropout):
        super().__init__()
        self.rnn = nn.LSTM(sum(features.values()), hidden, num_layers=2, bidirectional=True, dropout=dropout)
        self.fc1, self.fc2 = nn.Linear(2 * hidden, hidden), nn.Linear(hidden, classes)
        self.bn1, self.dropout = nn.BatchNorm1d(hidden), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        last = self.rnn(x)[0][-1]
        return self.fc2(self.dropout(F.relu(self.bn1(self.fc1(last)))))


class DirectEFLSTM(nn.Module):
    """Section 2.3; one cell, step by step."""

    def __init__(self, features, hidden, outputs, dropout):
        super().__init__()
        self.lstm = nn.LSTMCell(sum(features.values()), hidden)
        self.fc1, self.fc2 = nn.Linear(hidden, hidden), nn.Linear(hidden, outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[1], self.lstm.hidden_size)
        for step in x:
            h, c = self.lstm(step, (h, c))
        return self.fc2(self.dropout(F.relu(self.fc1(h))))


MODELS = {"mfn:MFN": DirectMFN, "ef_lstm:BiEFLSTM": DirectBiEFLSTM, "ef_lstm:EFLSTM": DirectEFLSTM}


class DirectTraining:
    """Section 6 for one member: its arrays, model and optimiser; `epoch()` trains one and validates."""

    def __init__(self, member: Member, arrays: dict[str, tuple[np.ndarray, np.ndarray]], device: str):
        self.member, self.device = member, device
        self.rates = member.modality_dropout.rates
        x, y = arrays["train"]
        order = np.random.default_rng(member.seed).permutation(len(x))
        self.x, self.y = x[order].swapaxes(0, 1), y[order]
        x, y = arrays["valid"]
        self.valid_x = torch.tensor(x.swapaxes(0, 1), device=device)
        self.valid_y = torch.tensor(y, device=device)
        self.columns, start = {}, 0
        for modality, width in member.model.arguments["features"].items():
            self.columns[modality] = slice(start, start + width)
            start += width
        for modality in set(self.columns) - set(member.evaluate_on):
            self.valid_x[:, :, self.columns[modality]] = 0.0
        self.model = MODELS[member.model.name](**member.model.arguments).to(device)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=member.recipe.learning_rate)

    def epoch(self) -> tuple[float, float]:
        """The mean training loss and the validation loss."""
        criterion, size = LOSSES[self.member.recipe.loss], self.member.recipe.batch_size
        self.model.train()
        total, batches = 0.0, len(self.y) // size
        for b in range(batches):
            rows = slice(b * size, (b + 1) * size)
            x, y = (
                torch.tensor(self.x[:, rows], device=self.device),
                torch.tensor(self.y[rows], device=self.device),
            )
            draw = random.uniform(0, 1)
            for modality, columns in self.columns.items():
                if draw <= self.rates.get(modality, 0.0):
                    x[:, :, columns] = 0.0
            self.optimiser.zero_grad()
            loss = criterion(self.model(x), y)
            loss.backward()
            self.optimiser.step()
            total += loss.item()
        self.model.eval()
        with torch.no_grad():
            return total / batches, criterion(self.model(self.valid_x), self.valid_y).item()
