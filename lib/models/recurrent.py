"""LSTM and GRU that are torch's own, except that the dropout between layers is `lib.models.dropout.Dropout`.

Parameter names, shapes, initialisation order and arithmetic are those of `torch.nn.LSTM` and `torch.nn.GRU`, so
reference weights load strictly.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lib.models.dropout import Dropout


class _Layered:
    """Shared by both kinds: one fused call per layer, our dropout between the layers."""

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _run(self, x: Tensor, state: tuple[Tensor, ...], layers: range) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
        """Layers `layers` from their part of `state`; the last layer's output and each layer's final states."""
        finals = []
        for layer in layers:
            if layer > 0:
                x = self.between(x)
            rows = slice(layer * self.directions, (layer + 1) * self.directions)
            x, *final = self._kernel(x, tuple(s[rows] for s in state), self._weights(layer), self.bidirectional)
            finals.append(tuple(final))
        return x, finals

    def _weights(self, layer: int, direction: int | None = None) -> list[Tensor]:
        """The weights of one layer, of both directions or of one (0 forward, 1 reverse)."""
        size = len(self._all_weights[0])
        first = layer * self.directions * size
        if direction is None:
            return self._flat_weights[first : first + self.directions * size]
        return self._flat_weights[first + direction * size : first + (direction + 1) * size]

    def _kernel(self, x: Tensor, state: tuple[Tensor, ...], weights: list[Tensor], bidirectional: bool):
        kernel, hidden = (torch.lstm, state) if self.mode == "LSTM" else (torch.gru, state[0])
        return kernel(x, hidden, weights, self.bias, 1, 0.0, False, bidirectional, self.batch_first)

    def _zeros(self, x: Tensor) -> tuple[Tensor, ...]:
        batch = x.shape[0] if self.batch_first else x.shape[1]
        zeros = x.new_zeros(self.num_layers * self.directions, batch, self.hidden_size)
        return (zeros, zeros) if self.mode == "LSTM" else (zeros,)

    def last_output(self, x: Float[Tensor, "a b features"]) -> Float[Tensor, "batch output"]:
        """The top layer's output at the last time index, from zero states.

        Equal to `self(x)[0]` at that index. The top layer's reverse direction has read one element there, so only
        that one step of it is computed.
        """
        time = 1 if self.batch_first else 0
        state, top = self._zeros(x), self.num_layers - 1
        x, _ = self._run(x, state, range(top))
        if top > 0:
            x = self.between(x)
        one = tuple(s[:1] for s in state)
        halves = [self._kernel(x, one, self._weights(top, 0), False)[0].select(time, -1)]
        if self.bidirectional:
            last = x.narrow(time, x.shape[time] - 1, 1)
            halves.append(self._kernel(last, one, self._weights(top, 1), False)[0].select(time, -1))
        return torch.cat(halves, dim=-1)


class LSTM(_Layered, nn.LSTM):
    """`torch.nn.LSTM` for unpacked 3-d input; returns `(output, (h_n, c_n))` with torch's shapes."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, *, dropout: float = 0.0, **options):
        super().__init__(input_size, hidden_size, num_layers, **options)
        self.between = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "a b features"], state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Float[Tensor, "a b output"], tuple[Tensor, Tensor]]:
        output, finals = self._run(x, self._zeros(x) if state is None else state, range(self.num_layers))
        return output, (torch.cat([h for h, _ in finals]), torch.cat([c for _, c in finals]))


class GRU(_Layered, nn.GRU):
    """`torch.nn.GRU` for unpacked 3-d input; returns `(output, h_n)` with torch's shapes."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, *, dropout: float = 0.0, **options):
        super().__init__(input_size, hidden_size, num_layers, **options)
        self.between = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "a b features"], state: Tensor | None = None
    ) -> tuple[Float[Tensor, "a b output"], Tensor]:
        output, finals = self._run(x, self._zeros(x) if state is None else (state,), range(self.num_layers))
        return output, torch.cat([h for (h,) in finals])
