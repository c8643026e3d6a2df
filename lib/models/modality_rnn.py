"""Recurrent networks over one modality or several, and how a whole sequence becomes one vector."""

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lib.errors import InputError
from lib.models.recurrent import GRU, LSTM

MODALITIES = ("text", "audio", "video")

Cell = Literal["lstm", "gru"]
Pooling = Literal["last_step", "final_states"]
CELLS = {"lstm": LSTM, "gru": GRU}


def ordered(modalities: Iterable[str]) -> tuple[str, ...]:
    """The given modalities in the fixed order text, audio, video.

    Raises InputError for an unknown name, a repeated one or an empty list.
    """
    given = list(modalities)
    if not given or len(set(given)) != len(given) or not set(given) <= set(MODALITIES):
        raise InputError(f"modalities {given}", todo=f"name each of {list(MODALITIES)} at most once, and at least one")
    return tuple(m for m in MODALITIES if m in given)


def present(features: Mapping[str, Tensor | None], modalities: Iterable[str]) -> dict[str, Tensor]:
    """The features of `modalities`; others are ignored. Raises ValueError when one of them is missing."""
    chosen = {m: features[m] for m in modalities}
    missing = [m for m, x in chosen.items() if x is None]
    if missing:
        raise ValueError(f"this model needs features of {', '.join(missing)}")
    return chosen


def modality_rnn(cell: Cell, size: int, hidden: int, *, layers: int, dropout: float, bidirectional: bool) -> LSTM | GRU:
    """A batch-first LSTM or GRU; `dropout` acts between layers, so a single layer has none."""
    if cell not in CELLS:
        raise InputError(f"recurrent cell {cell!r}", todo=f"use one of {list(CELLS)}")
    return CELLS[cell](size, hidden, layers, dropout=dropout, bidirectional=bidirectional, batch_first=True)


def pooled(
    rnn: LSTM | GRU, x: Float[Tensor, "batch time features"], pooling: Pooling
) -> Float[Tensor, "batch directions_times_hidden"]:
    """One vector per sequence; forward half first.

    Padded steps are read like any other, so it matters on which side the padding stands. `last_step` takes
    the output at the last time index, as the reference does: there the reverse direction has seen one step
    only. `final_states` takes each direction's state after all steps.
    """
    if pooling == "last_step":
        return rnn.last_output(x)
    if pooling != "final_states":
        raise InputError(f"pooling {pooling!r}", todo="use last_step or final_states")
    _, final = rnn(x)
    hidden = final[0] if isinstance(final, tuple) else final
    return torch.cat(tuple(hidden[-rnn.directions :]), dim=-1)
