"""BiDDIN's recurrence left to autograd: what `lib.models.dialogue_steps` writes out, before it was."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lib.models.dialogue_rnn import DialogueRNN, Lane, positions
from lib.models.dialogues import Dialogues


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


class PlainDialogueRNN(DialogueRNN):
    """The same weights, outputs and draws of dropout."""

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
