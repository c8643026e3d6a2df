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


class StackedCell:
    """One GRU cell of every lane, run as one with torch's gates.

    `known` is the part of each cell's input that does not wait for the recurrence. It is multiplied here, for all
    steps at once; with `dialogues`, whose padding is zero in `known`, only the real utterances are.
    """

    def __init__(
        self,
        cells: list[nn.GRUCell],
        known: list[Float[Tensor, "batch time _"]],
        dialogues: Dialogues | None = None,
    ):
        gates, rest = [], []
        for cell, u in zip(cells, known, strict=True):
            weight = cell.weight_ih[:, : u.shape[-1]]
            if dialogues is None:
                gates.append(F.linear(u, weight, cell.bias_ih))
            else:
                real = F.linear(dialogues.flat(u), weight, cell.bias_ih)
                gates.append(dialogues.pad(real, fill=cell.bias_ih))
            rest.append(cell.weight_ih[:, u.shape[-1] :].T)
        self._gates = torch.stack(gates).unbind(2)
        self._weight_ih = torch.stack(rest)
        self._weight_hh = torch.stack([cell.weight_hh.T for cell in cells])
        self._bias_hh = torch.stack([cell.bias_hh for cell in cells])[:, None]

    def step(
        self,
        t: int,
        state: Float[Tensor, "lane rows size"],
        x: Float[Tensor, "lane batch rest"] | None = None,
    ) -> Float[Tensor, "lane rows size"]:
        """The next state, from the rest `x` of the input at step `t`; `rows` may hold several states per dialogue."""
        gates = self._gates[t] if x is None else torch.baddbmm(self._gates[t][:, : x.shape[1]], x, self._weight_ih)
        if gates.shape[1] != state.shape[1]:
            gates = gates.repeat_interleave(state.shape[1] // gates.shape[1], 1)
        recurrent = torch.baddbmm(self._bias_hh, state, self._weight_hh)
        size = 2 * state.shape[-1]
        reset, update = (gates[..., :size] + recurrent[..., :size]).sigmoid().chunk(2, -1)
        new = torch.addcmul(gates[..., size:], reset, recurrent[..., size:]).tanh()
        return torch.lerp(new, state, update)


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
        """The speaker's state after each utterance, for the first `rows[t]` dialogues at step `t`, 0 for the others."""
        global_cell = StackedCell([lane.g_cell for lane in lanes], inputs, dialogues)
        party_cell = StackedCell([lane.p_cell for lane in lanes], inputs, dialogues)
        if self.listener_state:
            listener_cell = StackedCell([lane.l_cell for lane in lanes], inputs, dialogues)
        pairs = zip(lanes, inputs, strict=True)
        queries = torch.stack([lane.attention.query(u) for lane, u in pairs]).unbind(2)
        who = talking[..., None].expand(-1, -1, -1, 1, self.party_size).unbind(2)
        count, batch, time, _ = talking.shape
        place = positions(time, self.global_size, inputs[0])
        parties = inputs[0].new_zeros(count, batch, self.speakers, self.party_size)
        overall = context = inputs[0].new_zeros(count, batch, self.global_size)
        history = inputs[0].new_zeros(count, batch, 0, self.global_size)
        spoken = []
        for t, n in enumerate(rows):
            if n < parties.shape[1]:
                parties, overall, history = parties[:, :n], overall[:, :n], history[:, :n]
            speaker = parties.gather(2, who[t][:, :n]).squeeze(2)
            if t > 0:  # the first utterance has no history, and its context is 0
                context = self._attend(lanes, history, queries[t][:, :n])
            overall = self.dropout(global_cell.step(t, overall, speaker))
            history = torch.cat([history, (overall + place[t])[:, :, None]], 2)
            speaker = self.dropout(party_cell.step(t, speaker, context))
            if self.listener_state:
                listening = self.dropout(listener_cell.step(t, parties.flatten(1, 2), speaker))
                parties = listening.unflatten(1, (n, self.speakers))
            parties = parties.scatter(2, who[t][:, :n], speaker[:, :, None])
            spoken.append(F.pad(speaker, (0, 0, 0, batch - n)))
        return torch.stack(spoken, 2)

    def _attend(
        self,
        lanes: list[Lane],
        history: Float[Tensor, "lane batch past global_size"],
        query: Float[Tensor, "lane batch query"],
    ) -> Float[Tensor, "lane batch global_size"]:
        """The attended history; its dropout is drawn anew at every step."""
        history = self.position_dropout(history)
        if lanes[0].attention.kind == "concat":
            weight = [lane.attention.transform.weight[:, : self.global_size].T for lane in lanes]
            vector = [lane.attention.vector_prod.weight for lane in lanes]
            mixed = (history @ torch.stack(weight)[:, None] + query[:, :, None]).tanh()
            scores = (mixed * torch.stack(vector)[:, None]).sum(-1)
        else:
            scores = (history * query[:, :, None]).sum(-1)  # faster than a product of matrix and vector
        return (scores.softmax(2)[:, :, None] @ history).squeeze(2)

    def _feel(
        self, lanes: list[Lane], spoken: Float[Tensor, "lane batch time party_size"]
    ) -> Float[Tensor, "lane batch time emotion_size"]:
        """The emotion states, which follow the speakers' states and do not act on them."""
        cell = StackedCell([lane.e_cell for lane in lanes], list(spoken))
        state = spoken.new_zeros(*spoken.shape[:2], self.emotion_size)
        states = []
        for t in range(spoken.shape[2]):
            state = self.dropout(cell.step(t, state))
            states.append(state)
        return torch.stack(states, 2)
