"""LSTM and GRU that are torch's own, except that the dropout between layers is `lib.models.dropout.Dropout`.

Parameter names, shapes, initialisation order and arithmetic are those of `torch.nn.LSTM` and `torch.nn.GRU`, so
reference weights load strictly. Torch's fused layers cannot be batched over models; within `stackable()` the same
recurrences are computed step by step instead, equal up to rounding.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lib.models.dropout import Dropout
from lib.models.lstm_steps import lstm_steps

State = tuple[Tensor, ...]
"""Hidden and, for an LSTM, cell states, each `(layers * directions, batch, hidden)`."""

_stepwise: ContextVar[bool] = ContextVar("stepwise", default=False)


@contextmanager
def stackable() -> Iterator[None]:
    """Within the block, recurrences use operations that `torch.func.vmap` can batch."""
    token = _stepwise.set(True)
    try:
        yield
    finally:
        _stepwise.reset(token)


def recurrent_layer(mode: str, x: Float[Tensor, "time batch features"], state: State, weights: list[Tensor]):
    """One layer: its output `(time, batch, directions * hidden)`, then its final states.

    `mode` is "LSTM" or "GRU"; `weights` are torch's four per direction, two directions if there are eight.
    """
    bidirectional = len(weights) == 8
    if not _stepwise.get():
        kernel, hidden = (torch.lstm, state) if mode == "LSTM" else (torch.gru, state[0])
        return kernel(x, hidden, weights, True, 1, 0.0, False, bidirectional, False)
    steps = _lstm_direction if mode == "LSTM" else _gru_direction
    outputs, finals = [], []
    for direction in range(1 + bidirectional):
        mine = weights[4 * direction : 4 * direction + 4]
        output, final = steps(x.flip(0) if direction else x, tuple(s[direction] for s in state), *mine)
        outputs.append(output.flip(0) if direction else output)
        finals.append(final)
    return torch.cat(outputs, dim=-1), *(torch.stack(parts) for parts in zip(*finals, strict=True))


def _lstm_direction(x: Tensor, state: State, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor):
    hidden, cells = lstm_steps(x, weight_ih, weight_hh, bias_ih + bias_hh, state)
    return hidden[1:], (hidden[-1], cells[-1])


def _gru_direction(x: Tensor, state: State, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor):
    (h,), outputs = state, []
    projected = torch.addmm(bias_ih, x.flatten(0, 1), weight_ih.t()).unflatten(0, x.shape[:2])
    for step in projected.unbind():
        reset, update, new = step.chunk(3, dim=-1)
        past_reset, past_update, past_new = torch.addmm(bias_hh, h, weight_hh.t()).chunk(3, dim=-1)
        new = torch.tanh(new + torch.sigmoid(reset + past_reset) * past_new)
        h = new + torch.sigmoid(update + past_update) * (h - new)
        outputs.append(h)
    return torch.stack(outputs), (h,)


def input_columns(weight: Float[Tensor, "gates features"], columns: Sequence[slice] | None) -> Tensor:
    """The part of an input weight that acts on these columns of the input; all of it for None."""
    return weight if columns is None else torch.cat([weight[:, part] for part in columns], dim=1)


class _Layered:
    """Shared by both kinds: one call per layer, our dropout between the layers."""

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _run(
        self, x: Tensor, state: State, layers: range, columns: Sequence[slice] | None = None
    ) -> tuple[Tensor, list[State]]:
        """Layers `layers` from their part of `state`, time first; the last output and each layer's final states."""
        finals = []
        for layer in layers:
            if layer > 0:
                x = self.between(x)
            rows = slice(layer * self.directions, (layer + 1) * self.directions)
            weights = self._weights(layer, columns=None if layer > 0 else columns)
            x, *final = recurrent_layer(self.mode, x, tuple(s[rows] for s in state), weights)
            finals.append(tuple(final))
        return x, finals

    def _weights(
        self, layer: int, direction: int | None = None, columns: Sequence[slice] | None = None
    ) -> list[Tensor]:
        """The weights of one layer, of both directions or of one (0 forward, 1 reverse)."""
        chosen = range(self.directions) if direction is None else (direction,)
        weights = [getattr(self, name) for d in chosen for name in self._all_weights[layer * self.directions + d]]
        return [input_columns(w, columns) if i % 4 == 0 else w for i, w in enumerate(weights)]

    def _time_first(self, x: Tensor) -> Tensor:
        """Between the caller's layout and time first, either way."""
        return x.transpose(0, 1) if self.batch_first else x

    def _zeros(self, x: Float[Tensor, "time batch features"]) -> State:
        zeros = x.new_zeros(self.num_layers * self.directions, x.shape[1], self.hidden_size)
        return (zeros, zeros) if self.mode == "LSTM" else (zeros,)

    def _all(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        x = self._time_first(x)
        output, finals = self._run(x, self._zeros(x) if state is None else state, range(self.num_layers))
        return self._time_first(output), tuple(torch.cat(parts) for parts in zip(*finals, strict=True))

    def last_output(
        self, x: Float[Tensor, "a b features"], columns: Sequence[slice] | None = None
    ) -> Float[Tensor, "batch output"]:
        """The top layer's output at the last time index, from zero states.

        Equal to `self(x)[0]` at that index. The top layer's reverse direction has read one element there, so only
        that one step of it is computed. With `columns`, `x` holds only these columns of the input, in their order,
        and the others are zeros.
        """
        x = self._time_first(x)
        state, top = self._zeros(x), self.num_layers - 1
        if top > 0:
            below, _ = self._run(x, state, range(top), columns)
            x, columns = self.between(below), None
        halves = [self._one_way(x[-1:] if d else x, top, d, columns)[-1] for d in range(self.directions)]
        return torch.cat(halves, dim=-1)

    def direction(self, number: int, x: Float[Tensor, "a b features"]) -> Float[Tensor, "a b hidden"]:
        """Outputs of one direction of a single layer (0 forward, 1 reverse), from a zero state.

        The steps are read in the order in which they stand: the reverse direction wants them turned round. Raises
        ValueError for more than one layer, whose upper ones read both directions.
        """
        if self.num_layers > 1:
            raise ValueError(f"one direction of {self.num_layers} layers; an upper layer reads both")
        return self._time_first(self._one_way(self._time_first(x), 0, number))

    def _one_way(self, x: Tensor, layer: int, direction: int, columns: Sequence[slice] | None = None) -> Tensor:
        """Outputs of one direction of one layer, time first, in the order in which `x` stands, from a zero state."""
        one = tuple(s[:1] for s in self._zeros(x))
        return recurrent_layer(self.mode, x, one, self._weights(layer, direction, columns))[0]


class LSTM(_Layered, nn.LSTM):
    """`torch.nn.LSTM` for unpacked 3-d input; returns `(output, (h_n, c_n))` with torch's shapes."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, *, dropout: float = 0.0, **options):
        super().__init__(input_size, hidden_size, num_layers, **options)
        self.between = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "a b features"], state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Float[Tensor, "a b output"], tuple[Tensor, Tensor]]:
        return self._all(x, state)


class GRU(_Layered, nn.GRU):
    """`torch.nn.GRU` for unpacked 3-d input; returns `(output, h_n)` with torch's shapes."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, *, dropout: float = 0.0, **options):
        super().__init__(input_size, hidden_size, num_layers, **options)
        self.between = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "a b features"], state: Tensor | None = None
    ) -> tuple[Float[Tensor, "a b output"], Tensor]:
        output, (final,) = self._all(x, None if state is None else (state,))
        return output, final
