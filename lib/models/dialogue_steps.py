"""The recurrences of a DialogueRNN step by step, with their backward passes written out.

Every tensor has the lanes as its first axis. Behind it, what a step takes or leaves stands in rows without padding,
step after step: `rows[t]` dialogues at step `t`, never more than before. The gradient of a weight is one product over
all these rows, the history stands once in memory, and an attention keeps its weights and its dropout alone.

The four parts of a cell's gates stand in the order (state's part of new, reset, update, new), so that the first three
are what the state's weight leads to and the last three what the input's leads to. The state's weight and bias are
turned by a part to match.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from lib.models.lstm_steps import lanes_of_members

_sigmoid_backward = torch.ops.aten.sigmoid_backward
_tanh_backward = torch.ops.aten.tanh_backward
_softmax_backward = torch.ops.aten._softmax_backward_data


class Cell(NamedTuple):
    """A GRU cell of every lane; `known` is what its gates take from inputs outside the recurrence, bias included."""

    known: Float[Tensor, "lane rows three_size"]
    weight_ih: Float[Tensor, "lane rest three_size"] | None
    weight_hh: Float[Tensor, "lane size three_size"]
    bias_hh: Float[Tensor, "lane 1 three_size"]


class Steps(NamedTuple):
    """How many dialogues each step has, and how many parties a dialogue."""

    rows: tuple[int, ...]
    parties: int = 1

    def slices(self, of_parties: bool = False) -> list[slice]:
        """Where the rows of each step stand, or those of every party of it."""
        factor = self.parties if of_parties else 1
        return [slice(factor * a, factor * b) for a, b in pairwise(accumulate(self.rows, initial=0))]


class Drawn(NamedTuple):
    """Factors of dropout at one step, each None for none."""

    history: Float[Tensor, "lane dialogues past global_size"] | None = None
    overall: Float[Tensor, "lane dialogues global_size"] | None = None
    speaker: Float[Tensor, "lane dialogues party_size"] | None = None
    parties: Float[Tensor, "lane dialogues_parties party_size"] | None = None


def speak(
    steps: Steps,
    who: Int[Tensor, "lane total"],
    place: Float[Tensor, "lane time global_size"],
    queries: Float[Tensor, "lane total query"],
    mixing: tuple[Float[Tensor, "lane global_size query"], Float[Tensor, "lane 1 query"]] | tuple[None, None],
    cells: Sequence[Cell],
    drawn: Sequence[Drawn],
) -> Float[Tensor, "lane total party_size"]:
    """The speaker's state after each utterance; `total` counts the rows of all steps.

    `who` speaks, `place` is added to a global state in the history, `mixing` the weights that an attention "concat"
    has on the history and behind its hidden layer. `cells` are those of the global state, the speaker and, with
    listener states, all parties.
    """
    absent = Cell(None, None, None, None)
    flat = [t for few in ((*cells, absent)[:3], drawn) for tensors in few for t in tensors]
    return _Speak.apply(steps, who, place, queries, *mixing, *flat)[0]


def feel(
    known: Float[Tensor, "lane time batch three_size"],
    weight_hh: Float[Tensor, "lane size three_size"],
    bias_hh: Float[Tensor, "lane 1 three_size"],
    drawn: Sequence[Float[Tensor, "lane batch size"] | None],
) -> Float[Tensor, "lane time batch size"]:
    """The states of one cell that runs on by itself; `drawn` are the factors of dropout on each."""
    return _Feel.apply(known, weight_hh, bias_hh, *drawn)[0][:, 1:]


def _cell(cell: Cell, known: Tensor, x: Tensor | None, state: Tensor, gates: Tensor) -> Tensor:
    """The next state; `gates` receives the four parts."""
    size = state.shape[-1]
    part, reset, update, new = gates.split(size, -1)
    gates[..., : 3 * size].copy_(cell.bias_hh.expand(-1, state.shape[1], -1)).baddbmm_(state, cell.weight_hh)
    entering = known if x is None else torch.baddbmm(known, x, cell.weight_ih)
    if entering.shape[1] != state.shape[1]:
        entering = entering.repeat_interleave(state.shape[1] // entering.shape[1], 1)
    both = gates[..., size : 3 * size]
    both.add_(entering[..., : 2 * size]).sigmoid_()
    torch.addcmul(entering[..., 2 * size :], reset, part, out=new).tanh_()
    return torch.lerp(new, state, update)


def _cell_back(d_next: Tensor, cell: Cell, state: Tensor, gates: Tensor, d_gates: Tensor) -> Tensor:
    """The gradient of the state; `d_gates` receives those of the four parts before their activations."""
    size = state.shape[-1]
    part, reset, update, new = gates.split(size, -1)
    d_part, d_reset, d_update, d_new = d_gates.split(size, -1)
    through = d_next * update
    _sigmoid_backward.grad_input(d_next * (state - new), update, grad_input=d_update)
    _tanh_backward.grad_input(d_next - through, new, grad_input=d_new)
    torch.mul(d_new, reset, out=d_part)
    _sigmoid_backward.grad_input(d_new * part, reset, grad_input=d_reset)
    return through.baddbmm_(d_gates[..., : 3 * size], cell.weight_hh.transpose(1, 2))


def _cell_weights(d_gates: Tensor, x: Tensor | None, states: Tensor) -> tuple[Tensor | None, ...]:
    """The gradients of a `Cell`, from all rows: what entered, `x` (None without) and `states`."""
    size = states.shape[-1]
    d_recurrent, d_known = d_gates[..., : 3 * size], d_gates[..., size:]
    if x is not None and x.shape[1] != states.shape[1]:
        d_known = d_known.unflatten(1, (x.shape[1], -1)).sum(2)
    d_weight_ih = None if x is None else torch.bmm(x.transpose(1, 2), d_known)
    return d_known, d_weight_ih, torch.bmm(states.transpose(1, 2), d_recurrent), d_recurrent.sum(1, keepdim=True)


def _scaled(x: Tensor, factors: Tensor | None) -> Tensor:
    return x if factors is None else x * factors


def _scores(past: Tensor, query: Tensor, mixing: Sequence[Tensor | None]) -> tuple[Tensor, Tensor | None]:
    """Scores of the history before the softmax; for "concat" also the hidden layer behind them."""
    transform, vector = mixing
    if transform is None:
        return (past * query[:, :, None]).sum(-1), None  # faster than a product of matrix and vector
    mixed = (past @ transform[:, None]).add_(query[:, :, None]).tanh_()
    return (mixed * vector[:, None]).sum(-1), mixed


class _Speak(torch.autograd.Function):
    """See `speak`. Its saved tensors are outputs without gradients, as `vmap` wants them."""

    @staticmethod
    def forward(steps, who, place, queries, transform, vector, *cells_and_drawn):
        cells, drawn = _unpacked(cells_and_drawn)
        overall_cell, speaker_cell, parties_cell = cells
        lanes, total, width = len(who), sum(steps.rows), overall_cell.weight_hh.shape[1]
        size, batch = speaker_cell.weight_hh.shape[1], steps.rows[0]
        like = queries.new_empty
        gates = [like(lanes, total, 4 * width), like(lanes, total, 4 * size)]
        before, contexts, overalls = like(lanes, total, size), like(lanes, total, width), like(lanes, total, width)
        spoken, history = like(lanes, total, size), like(lanes, batch, len(steps.rows), width)
        weights = queries.new_zeros(lanes, total, len(steps.rows))
        heard = like(lanes, steps.parties * total, size if parties_cell else 0)
        if parties_cell:
            gates.append(like(lanes, steps.parties * total, 4 * size))
        parties = queries.new_zeros(lanes, batch, steps.parties, size)
        overall = queries.new_zeros(lanes, batch, width)
        of_parties = steps.slices(of_parties=True)
        for t, (n, at) in enumerate(zip(steps.rows, steps.slices(), strict=True)):
            parties, overall, talking = parties[:, :n], overall[:, :n], who[:, at, None, None].expand(-1, -1, 1, size)
            speaker = before[:, at] = parties.gather(2, talking).squeeze(2)
            overalls[:, at] = overall
            context = torch.zeros_like(overall)  # the first utterance has no history
            if t > 0:
                past = _scaled(history[:, :n, :t], drawn[t].history)
                scores, _ = _scores(past, queries[:, at], (transform, vector))
                weights[:, at, :t] = share = scores.softmax(2)
                context = (share[:, :, None] @ past).squeeze(2)
            contexts[:, at] = context
            overall = _cell(overall_cell, overall_cell.known[:, at], speaker, overall, gates[0][:, at])
            overall = _scaled(overall, drawn[t].overall)
            torch.add(overall, place[:, t, None], out=history[:, :n, t])
            speaker = _cell(speaker_cell, speaker_cell.known[:, at], context, speaker, gates[1][:, at])
            speaker = spoken[:, at] = _scaled(speaker, drawn[t].speaker)
            if parties_cell:
                all_of, flat = of_parties[t], parties.flatten(1, 2)
                heard[:, all_of] = flat
                listening = _cell(parties_cell, parties_cell.known[:, at], speaker, flat, gates[2][:, all_of])
                parties = _scaled(listening, drawn[t].parties).unflatten(1, (n, -1))
            parties.scatter_(2, talking, speaker[:, :, None])
        return spoken, before, contexts, overalls, heard, history, weights, *gates

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.steps, *tensors = inputs
        ctx.given = len(tensors)
        ctx.save_for_backward(*tensors, *output)
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)

    @staticmethod
    @once_differentiable
    def backward(ctx, d_spoken, *_):
        if d_spoken is None:
            return (None,) * (1 + ctx.given)
        steps, saved = ctx.steps, ctx.saved_tensors
        (who, _, queries, *mixing), packed = saved[:5], saved[5 : ctx.given]
        spoken, before, contexts, overalls, heard, history, weights, *gates = saved[ctx.given :]
        cells, drawn = _unpacked(packed)
        overall_cell, speaker_cell, parties_cell = cells
        d_gates = [torch.empty_like(g) for g in gates]
        d_queries, d_mixing = torch.zeros_like(queries), [m if m is None else torch.zeros_like(m) for m in mixing]
        d_history, size = torch.zeros_like(history), spoken.shape[-1]
        every_party = spoken.new_zeros(len(who), steps.rows[0], steps.parties, size)
        every_overall = torch.zeros_like(history[:, :, 0])
        slices, of_parties = steps.slices(), steps.slices(of_parties=True)
        for t, n in reversed(list(enumerate(steps.rows))):
            at, d_parties, d_overall = slices[t], every_party[:, :n], every_overall[:, :n]
            talking = who[:, at, None, None].expand(-1, -1, 1, size)
            d_speaker = d_spoken[:, at] + d_parties.gather(2, talking).squeeze(2)
            d_parties.scatter_(2, talking, 0.0)
            if parties_cell:
                all_of = of_parties[t]
                d_next = _scaled(d_parties.flatten(1, 2), drawn[t].parties)
                found = d_gates[2][:, all_of]
                d_state = _cell_back(d_next, parties_cell, heard[:, all_of], gates[2][:, all_of], found)
                d_parties.copy_(d_state.unflatten(1, (n, -1)))
                entering = found[..., size:].unflatten(1, (n, -1)).sum(2)
                d_speaker = torch.baddbmm(d_speaker, entering, parties_cell.weight_ih.transpose(1, 2))
            found = d_gates[1][:, at]
            d_next = _scaled(d_speaker, drawn[t].speaker)
            d_before = _cell_back(d_next, speaker_cell, before[:, at], gates[1][:, at], found)
            if t > 0:
                d_context = torch.bmm(found[..., size:], speaker_cell.weight_ih.transpose(1, 2))
                share, query = weights[:, at, :t].contiguous(), queries[:, at]
                past = _scaled(history[:, :n, :t], drawn[t].history)
                d_past, d_queries[:, at] = _attend_back(d_context, past, share, query, mixing, d_mixing)
                _add_scaled(d_history[:, :n, :t], d_past, drawn[t].history)
            found = d_gates[0][:, at]
            d_next = _scaled(d_overall + d_history[:, :n, t], drawn[t].overall)
            d_overall.copy_(_cell_back(d_next, overall_cell, overalls[:, at], gates[0][:, at], found))
            d_before.baddbmm_(found[..., history.shape[-1] :], overall_cell.weight_ih.transpose(1, 2))
            d_parties.scatter_add_(2, talking, d_before[:, :, None])
        d_cells = [*_cell_weights(d_gates[0], before, overalls), *_cell_weights(d_gates[1], contexts, before)]
        d_cells += _cell_weights(d_gates[2], spoken, heard) if parties_cell else (None,) * len(Cell._fields)
        return None, None, None, d_queries, *d_mixing, *d_cells, *(None for _ in packed[len(d_cells) :])

    @staticmethod
    def vmap(info, in_dims, steps, *tensors):
        found = _Speak.apply(steps, *lanes_of_members(info.batch_size, in_dims[1:], tensors))
        return tuple(t.unflatten(0, (info.batch_size, -1)) for t in found), (0,) * len(found)


class _Feel(torch.autograd.Function):
    """See `feel`; the states it gives begin with the first one, which is zero."""

    @staticmethod
    def forward(known, weight_hh, bias_hh, *drawn):
        lanes, time, batch, _ = known.shape
        cell, size = Cell(known, None, weight_hh, bias_hh), weight_hh.shape[1]
        states, gates = known.new_zeros(lanes, time + 1, batch, size), known.new_empty(lanes, time, batch, 4 * size)
        for t, factors in enumerate(drawn):
            states[:, t + 1] = _scaled(_cell(cell, known[:, t], None, states[:, t], gates[:, t]), factors)
        return states, gates

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, *output)
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    @once_differentiable
    def backward(ctx, d_states, _):
        *cell, states, gates = ctx.saved_tensors
        known, weight_hh, bias_hh, *drawn = cell
        if d_states is None:
            return (None,) * len(cell)
        cell, d_gates, d_state = Cell(known, None, weight_hh, bias_hh), torch.empty_like(gates), 0.0
        for t, factors in reversed(list(enumerate(drawn))):
            d_next = _scaled(d_states[:, t + 1] + d_state, factors)
            d_state = _cell_back(d_next, cell, states[:, t], gates[:, t], d_gates[:, t])
        d_known, _, *d_weights = _cell_weights(d_gates.flatten(1, 2), None, states[:, :-1].flatten(1, 2))
        return d_known.view_as(known), *d_weights, *(None for _ in drawn)

    @staticmethod
    def vmap(info, in_dims, *tensors):
        found = _Feel.apply(*lanes_of_members(info.batch_size, in_dims, tensors))
        return tuple(t.unflatten(0, (info.batch_size, -1)) for t in found), (0,) * len(found)


def _attend_back(d_context, past, share, query, mixing, d_mixing) -> tuple[Tensor, Tensor]:
    """The gradients of the history that was attended to and of the query; those of `mixing` are added to `d_mixing`."""
    d_share = (past * d_context[:, :, None]).sum(-1)
    d_scores = _softmax_backward(d_share, share, 2, share.dtype)
    transform, vector = mixing
    if transform is None:
        d_past = torch.stack([share, d_scores], 3) @ torch.stack([d_context, query], 2)
        return d_past, (d_scores[:, :, None] @ past).squeeze(2)
    _, mixed = _scores(past, query, mixing)
    d_mixing[1] += (d_scores[..., None] * mixed).sum((1, 2))[:, None]
    d_mixed = _tanh_backward(d_scores[..., None] * vector[:, None], mixed)
    d_mixing[0] += past.flatten(1, 2).transpose(1, 2) @ d_mixed.flatten(1, 2)
    d_past = share[..., None] * d_context[:, :, None] + d_mixed @ transform.transpose(1, 2)[:, None]
    return d_past, d_mixed.sum(2)


def _add_scaled(total: Tensor, x: Tensor, factors: Tensor | None) -> None:
    total.add_(x) if factors is None else total.addcmul_(x, factors)


def _unpacked(tensors: Sequence[Tensor | None]) -> tuple[list[Cell | None], list[Drawn]]:
    """The three cells, None for a listener that is not there, and the factors by step."""
    count, width = len(Cell._fields), len(Drawn._fields)
    cells = [Cell(*tensors[i : i + count]) for i in (0, count, 2 * count)]
    drawn = [Drawn(*tensors[i : i + width]) for i in range(3 * count, len(tensors), width)]
    return [None if cell.weight_hh is None else cell for cell in cells], drawn
