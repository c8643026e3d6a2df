"""The bidirectional DialogueRNN of BiDDIN, for all modalities at once (spec self_paced_balance, 2.7).

The recurrences of all modalities and both directions have the same sizes behind their input products, so they run
as one: `lane` counts (modality, direction) pairs, forward before backward.
"""

import math
from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lib.errors import InputError
from lib.models.dialogue_steps import Cell, Drawn, Steps, feel, speak
from lib.models.dialogues import Dialogues, longest_first
from lib.models.dropout import Dropout

ContextAttention = Literal["simple", "dot", "general", "general2", "concat"]
POSITION_DROPOUT = 0.1  # fixed in the reference, whatever the model's dropout


def positions(time: int, width: int, like: Tensor) -> Float[Tensor, "time width"]:
    """Sinusoidal positions, sine in even and cosine in odd columns."""
    steps = torch.arange(time, dtype=like.dtype, device=like.device)
    columns = torch.arange(0, width, 2, dtype=like.dtype, device=like.device)
    angles = steps[:, None] * torch.exp(columns * (-math.log(10000.0) / width))
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def launch_bound(x: Tensor) -> bool:
    """Whether the steps wait for their launches (a GPU) rather than for the arithmetic."""
    return x.is_cuda


class HistoryAttention(nn.Module):
    """The weights of one lane's attention over earlier global states."""

    def __init__(self, kind: ContextAttention, input_size: int, global_size: int, attention_size: int):
        super().__init__()
        if kind == "simple":
            self.scalar = nn.Linear(global_size, 1, bias=False)
        elif kind in ("general", "general2"):
            self.transform = nn.Linear(input_size, global_size, bias=kind == "general2")
        elif kind == "concat":
            self.transform = nn.Linear(input_size + global_size, attention_size, bias=False)
            self.vector_prod = nn.Linear(attention_size, 1, bias=False)
        elif kind != "dot":
            raise InputError(f"unknown context attention {kind!r}")
        elif input_size != global_size:
            raise InputError(f"dot attention needs features as wide as the global state, {global_size}")
        self.kind, self.global_size = kind, global_size

    def query(self, u: Float[Tensor, "batch time input"]) -> Float[Tensor, "batch time query"]:
        """The part of the scores that does not depend on the history, for all steps."""
        if self.kind == "simple":
            return self.scalar.weight.expand(*u.shape[:2], self.global_size)
        if self.kind == "concat":
            return F.linear(u, self.transform.weight[:, self.global_size :])
        return u if self.kind == "dot" else self.transform(u)


class Lane(nn.Module):
    """The weights of one DialogueRNN: one modality, one direction."""

    def __init__(
        self,
        input_size: int,
        *,
        global_size: int,
        party_size: int,
        emotion_size: int,
        attention_size: int,
        context_attention: ContextAttention,
        listener_state: bool,
    ):
        super().__init__()
        self.g_cell = nn.GRUCell(input_size + party_size, global_size)
        self.p_cell = nn.GRUCell(input_size + global_size, party_size)
        self.e_cell = nn.GRUCell(party_size, emotion_size)
        if listener_state:
            self.l_cell = nn.GRUCell(input_size + party_size, party_size)
        self.attention = HistoryAttention(context_attention, input_size, global_size, attention_size)


def following(
    cells: list[nn.GRUCell],
    known: list[Float[Tensor, "real _"]],
    places: Int[Tensor, "real"],
    total: int,
) -> Cell:
    """One GRU cell of every lane, to be run as one.

    `known` is the part of each cell's input that does not wait for the recurrence, of the real utterances. It is
    multiplied here, for all steps at once; the results stand at `places` among `total` rows, whose others are padding.
    """
    real, rest = [], []
    for cell, u in zip(cells, known, strict=True):
        weight, behind = cell.weight_ih.tensor_split([u.shape[-1]], 1)
        real.append(F.linear(u, weight, cell.bias_ih))
        rest.append(behind.T)
    padding = torch.stack([cell.bias_ih for cell in cells])[:, None].expand(-1, total, -1)
    gates = padding.index_copy(1, places, torch.stack(real).to(padding.dtype))
    return Cell(gates, torch.stack(rest), *_turned(cells))


def _turned(cells: list[nn.GRUCell]) -> tuple[Tensor, Tensor]:
    """The state's weights and biases with the part of the new state in front, as `Cell` has them."""
    weight = torch.stack([cell.weight_hh.T for cell in cells])
    bias = torch.stack([cell.bias_hh for cell in cells])[:, None]
    return tuple(x.roll(cells[0].hidden_size, -1) for x in (weight, bias))


def concat_weights(attentions: list[HistoryAttention]) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """The weights of attention "concat" on the history and behind its hidden layer."""
    if attentions[0].kind != "concat":
        return None, None
    transform = [a.transform.weight[:, : a.global_size].T for a in attentions]
    return torch.stack(transform), torch.stack([a.vector_prod.weight for a in attentions])


class DialogueRNN(nn.Module):
    """The recurrence of all lanes; `lanes[modality]` holds the forward and the backward one."""

    def __init__(self, input_sizes: Mapping[str, int], *, speakers: int, dropout: float, through_padding: bool, **lane):
        super().__init__()
        self.lanes = nn.ModuleDict(
            {
                m: nn.ModuleList([Lane(width, **lane) for _ in ("forward", "backward")])
                for m, width in input_sizes.items()
            }
        )
        self.speakers, self.through_padding = speakers, through_padding
        self.party_size, self.global_size = lane["party_size"], lane["global_size"]
        self.emotion_size, self.listener_state = lane["emotion_size"], lane["listener_state"]
        self.dropout = Dropout(dropout)
        self.position_dropout = Dropout(POSITION_DROPOUT)

    def forward(
        self,
        features: Mapping[str, Float[Tensor, "batch time width"]],
        dialogues: Dialogues,
        speakers: Int[Tensor, "batch time"],
    ) -> Float[Tensor, "direction modality batch time emotion"]:
        """Emotion states of both directions and every modality.

        With `through_padding`, as in the reference, the forward direction runs on through the padding (features 0,
        speaker 0) and leaves its states there. The backward one starts at the last real utterance, and its padding
        is 0. Dialogues run in order of their length, so that those at their end can be left out.
        """
        dialogues, order, back = longest_first(dialogues)
        lanes = [pair[direction] for direction in (0, 1) for pair in self.lanes.values()]
        inputs = [features[m][order] for m in self.lanes]
        inputs += [dialogues.reverse(u) for u in inputs]
        talking = speakers[order][..., None]
        talking = torch.stack([talking, dialogues.reverse(talking)]).repeat_interleave(len(self.lanes), 0)
        parts = self._parts(dialogues, launch_bound(talking))
        spoken = [self._speak(lanes[some], inputs[some], talking[some], dialogues, rows) for some, rows in parts]
        forward, backward = self._feel(lanes, torch.cat(spoken)).unflatten(0, (2, -1))
        states = torch.stack([forward, dialogues.reverse(backward) * dialogues.mask[..., None]])
        return states.index_select(2, back)

    def _parts(self, dialogues: Dialogues, together: bool) -> list[tuple[slice, list[int]]]:
        """Lanes that run as one, and how many dialogues they still need at each step."""
        every = [dialogues.batch] * dialogues.time
        real = [sum(count > t for count in dialogues.counts) for t in range(dialogues.time)]
        if not self.through_padding:
            return [(slice(None), real)]
        if together:
            return [(slice(None), every)]
        half = len(self.lanes)
        return [(slice(half), every), (slice(half, None), real)]

    def _speak(
        self,
        lanes: list[Lane],
        inputs: list[Float[Tensor, "batch time _"]],
        talking: Int[Tensor, "lane batch time 1"],
        dialogues: Dialogues,
        rows: list[int],
    ) -> Float[Tensor, "lane batch time party_size"]:
        """The speaker's state after each utterance, for the first `rows[t]` dialogues at step `t`, 0 for the others.

        Dropout is drawn for all steps beforehand, step by step in the order in which the steps use it.
        """
        rows, time = [n for n in rows if n], dialogues.time
        by_step = torch.cat([torch.arange(n) * time + t for t, n in enumerate(rows)]).to(talking.device)
        places = torch.zeros(dialogues.batch * time, dtype=torch.long, device=talking.device)
        places[by_step] = torch.arange(len(by_step), device=talking.device)
        real = dialogues.flat(places.view(dialogues.batch, time))
        kinds = ("g_cell", "p_cell", "l_cell")[: 3 if self.listener_state else 2]
        flat = [dialogues.flat(u) for u in inputs]
        cells = [following([getattr(lane, kind) for lane in lanes], flat, real, len(by_step)) for kind in kinds]
        queries = torch.stack([lane.attention.query(u) for lane, u in zip(lanes, inputs, strict=True)])
        like = cells[0].known
        spoken = speak(
            Steps(tuple(rows), self.speakers),
            talking.flatten(1).index_select(1, by_step),
            positions(time, self.global_size, like).expand(len(lanes), -1, -1),
            queries.to(like.dtype).flatten(1, 2).index_select(1, by_step),
            concat_weights([lane.attention for lane in lanes]),
            cells,
            [self._drawn(t, n, like) for t, n in enumerate(rows)],
        )
        padded = spoken.new_zeros(len(lanes), dialogues.batch * time, self.party_size)
        return padded.index_copy(1, by_step, spoken).unflatten(1, (dialogues.batch, time))

    def _drawn(self, t: int, n: int, like: Float[Tensor, "lane *_"]) -> Drawn:
        """The factors of dropout at step `t`, for `n` dialogues."""

        def factors(dropout: Dropout, *shape: int) -> Tensor | None:
            return dropout.factors(like.new_zeros(()).expand(len(like), *shape))

        return Drawn(
            factors(self.position_dropout, n, t, self.global_size) if t > 0 else None,
            factors(self.dropout, n, self.global_size),
            factors(self.dropout, n, self.party_size),
            factors(self.dropout, n * self.speakers, self.party_size) if self.listener_state else None,
        )

    def _feel(
        self, lanes: list[Lane], spoken: Float[Tensor, "lane batch time party_size"]
    ) -> Float[Tensor, "lane batch time emotion_size"]:
        """The emotion states, which follow the speakers' states and do not act on them."""
        cells = [lane.e_cell for lane in lanes]
        known = [F.linear(x, cell.weight_ih, cell.bias_ih) for x, cell in zip(spoken, cells, strict=True)]
        known = torch.stack(known).transpose(1, 2).to(spoken.dtype)
        state = spoken.new_zeros(()).expand(*spoken.shape[:2], self.emotion_size)
        drawn = [self.dropout.factors(state) for _ in range(spoken.shape[2])]
        return feel(known, *_turned(cells), drawn).transpose(1, 2)
