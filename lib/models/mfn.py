"""Memory Fusion Network (Zadeh et al., AAAI 2018) as used by the co-learning paper (spec colearning, section 2.2)."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lib.models.dropout import Dropout
from lib.models.gated_memory import gated_memory
from lib.models.lstm_steps import lstm_steps

BLOCKS = ("att1", "att2", "gamma1", "gamma2", "out")


_CELL = {"text": "lstm_l", "audio": "lstm_a", "video": "lstm_v"}
"""The reference calls text "language"; these names are in its checkpoints."""


class MFNTrace(NamedTuple):
    """The states of one forward pass: attention `(time, batch, 2H)`, final `h` and `c` by modality, the memory."""

    attention: Float[Tensor, "time batch window"]
    hidden: dict[str, Float[Tensor, "batch _"]]
    cell: dict[str, Float[Tensor, "batch _"]]
    memory: Float[Tensor, "batch memory"]


class MFN(nn.Module):
    """One LSTM per modality, attention over the cell states of two neighbouring steps, and a gated memory.

    `features` and `hidden` give input width and LSTM size by modality (any of text, audio, video, in this order);
    `widths` and `dropouts` the hidden width and the dropout of the five blocks `att1, att2, gamma1, gamma2, out`.
    `forward` takes one tensor `(batch, time, width)` per modality, by name. With a modality at zero its LSTM still
    runs on zero input. The LSTMs never read the memory, so attention, candidates and the memory-free half of the
    gates are computed for all steps at once, and only the memory is a loop.
    """

    steps_in_python = True

    def __init__(
        self,
        features: Mapping[str, int],
        hidden: Mapping[str, int],
        memory: int,
        widths: Mapping[str, int],
        dropouts: Mapping[str, float],
        outputs: int = 1,
    ):
        super().__init__()
        self.modalities = tuple(features)
        total = sum(hidden[m] for m in self.modalities)
        window = 2 * total
        for modality in self.modalities:
            self.add_module(_CELL[modality], nn.LSTMCell(features[modality], hidden[modality]))
        sizes = {
            "att1": (window, window),
            "att2": (window, memory),
            "gamma1": (window + memory, memory),
            "gamma2": (window + memory, memory),
            "out": (total + memory, outputs),
        }
        for block in BLOCKS:
            entering, leaving = sizes[block]
            self.add_module(f"{block}_fc1", nn.Linear(entering, widths[block]))
            self.add_module(f"{block}_fc2", nn.Linear(widths[block], leaving))
            self.add_module(f"{block}_dropout", Dropout(dropouts[block]))

    def _block(self, block: str, x: Tensor) -> Tensor:
        fc1, dropout, fc2 = (getattr(self, f"{block}_{part}") for part in ("fc1", "dropout", "fc2"))
        return fc2(dropout(F.relu(fc1(x))))

    def trace(self, **inputs: Float[Tensor, "batch time _"]) -> MFNTrace:
        """Run all steps and keep the states."""
        runs = {m: self._states(_CELL[m], inputs[m].transpose(0, 1)) for m in self.modalities}
        states = torch.cat([run[1] for run in runs.values()], dim=-1)
        window = torch.cat([states[:-1], states[1:]], dim=-1)
        attention = self._block("att1", window).softmax(dim=-1)
        attended = attention * window
        candidate = torch.tanh(self._block("att2", attended))
        memory = self._memory(attended, candidate)
        hidden, cell = ({m: run[part][-1] for m, run in runs.items()} for part in (0, 1))
        return MFNTrace(attention, hidden, cell, memory)

    def _memory(
        self, attended: Float[Tensor, "time batch window"], candidate: Float[Tensor, "time batch memory"]
    ) -> Float[Tensor, "batch memory"]:
        """The last memory. Element dropout of the gates is drawn for all steps at once, as that of the attention is."""
        first, dropouts, second = (
            [getattr(self, f"{gate}_{part}") for gate in ("gamma1", "gamma2")] for part in ("fc1", "dropout", "fc2")
        )
        weight = torch.cat([layer.weight for layer in first])
        of_window, of_memory = weight.split((attended.shape[-1], candidate.shape[-1]), dim=1)
        known = F.linear(attended, of_window.contiguous(), torch.cat([layer.bias for layer in first]))
        parts = known.split([layer.out_features for layer in first], dim=-1)
        factors = [dropout.factors(part) for dropout, part in zip(dropouts, parts, strict=True)]
        kept = None
        if any(factor is not None for factor in factors):
            pairs = zip(factors, parts, strict=True)
            kept = torch.cat([torch.ones_like(part) if factor is None else factor for factor, part in pairs], dim=-1)
        return gated_memory(
            candidate, known, kept, of_memory.contiguous(), *((layer.weight, layer.bias) for layer in second)
        )

    def _states(self, name: str, x: Tensor) -> tuple[Tensor, Tensor]:
        """All hidden and cell states of one modality, the zero start included."""
        cell = getattr(self, name)
        return lstm_steps(x, cell.weight_ih, cell.weight_hh, cell.bias_ih + cell.bias_hh)

    def forward(self, **inputs: Float[Tensor, "batch time _"]) -> Float[Tensor, "batch outputs"]:
        last = self.trace(**inputs)
        return self._block("out", torch.cat([*last.hidden.values(), last.memory], dim=-1))
