"""An LSTM layer step by step, for one model or for many stacked ones.

`torch.lstm` returns no cell states between the steps and cannot be batched by `torch.func.vmap`. This one can: the
input projection of all steps is one product, a step is one batched product, and the backward pass is written out, so
a step costs a handful of calls, nothing of it is kept twice, and the gradient of a weight is one product over all
steps.
"""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from lib.models import kernels

_sigmoid_backward = torch.ops.aten.sigmoid_backward
_tanh_backward = torch.ops.aten.tanh_backward


def lstm_steps(
    x: Float[Tensor, "time batch features"],
    weight_ih: Float[Tensor, "four_hidden features"],
    weight_hh: Float[Tensor, "four_hidden hidden"],
    bias: Float[Tensor, "four_hidden"],
    state: tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch hidden"]] | None = None,
) -> tuple[Float[Tensor, "time_plus_one batch hidden"], Float[Tensor, "time_plus_one batch hidden"]]:
    """All hidden and all cell states, the initial ones (zeros by default) first; gate order i, f, g, o."""
    if state is None:
        zeros = x.new_zeros(x.shape[1], weight_hh.shape[1])
        state = (zeros, zeros)
    one = (tensor.unsqueeze(0) for tensor in (x.contiguous(), weight_ih, weight_hh, bias, *state))
    hidden, cells, *_ = _LSTMSteps.apply(*one)
    return hidden.squeeze(0), cells.squeeze(0)


class _LSTMSteps(torch.autograd.Function):
    """Every tensor has a leading axis of members, which `vmap` makes longer."""

    @staticmethod
    def forward(x, weight_ih, weight_hh, bias, hidden_0, cell_0):
        """Hidden and cell states `(member, time + 1, batch, hidden)`, the gates' values and tanh of the cells."""
        gates = torch.bmm(x.flatten(1, 2), weight_ih.transpose(1, 2)) + bias.unsqueeze(1)
        gates = gates.unflatten(1, x.shape[1:3])
        hidden = gates.new_empty(len(x), x.shape[1] + 1, *hidden_0.shape[1:])
        cells, squashed = torch.empty_like(hidden), torch.empty_like(hidden[:, 1:])
        hidden[:, 0], cells[:, 0] = hidden_0, cell_0
        if loops := kernels.for_tensors(gates, weight_hh, hidden):
            loops.lstm_forward(gates, weight_hh, hidden, cells, squashed)
            return hidden, cells, gates, squashed
        recurrent, (h, *hs), (c, *cs) = weight_hh.transpose(1, 2), hidden.unbind(1), cells.unbind(1)
        for whole, (i, f, g, o), tanh_c, next_c, next_h in zip(
            gates.unbind(1), _each_step(gates), squashed.unbind(1), cs, hs, strict=True
        ):
            whole += torch.bmm(h, recurrent)
            i.sigmoid_(), f.sigmoid_(), g.tanh_(), o.sigmoid_()
            c = torch.add(f * c, i * g, out=next_c)
            h = torch.mul(o, torch.tanh(c, out=tanh_c), out=next_h)
        return hidden, cells, gates, squashed

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, weight_ih, weight_hh, _, _, _ = inputs
        ctx.save_for_backward(x, weight_ih, weight_hh, *output)
        ctx.mark_non_differentiable(*output[2:])
        ctx.set_materialize_grads(False)

    @staticmethod
    @once_differentiable
    def backward(ctx, d_hidden, d_cells, *_):
        x, weight_ih, weight_hh, hidden, cells, gates, squashed = ctx.saved_tensors
        d_gates, to_initial = torch.empty_like(gates), any(ctx.needs_input_grad[4:])
        given = gates, weight_hh, cells, squashed, d_hidden, d_cells, d_gates
        if loops := kernels.for_tensors(*given):
            dh, dc = loops.lstm_backward(*given, to_initial)
        else:
            steps = zip(
                _each_step(gates),
                squashed.unbind(1),
                cells.unbind(1)[:-1],
                _each_step(d_gates),
                d_gates.unbind(1),
                strict=True,
            )
            time = gates.shape[1]
            dh = torch.zeros_like(hidden[:, 0]) if d_hidden is None else d_hidden[:, time]
            dc = torch.zeros_like(cells[:, 0]) if d_cells is None else d_cells[:, time]
            for t, ((i, f, g, o), tanh_c, c, (d_i, d_f, d_g, d_o), d_whole) in reversed(list(enumerate(steps))):
                dc = dc + _tanh_backward(dh * o, tanh_c)
                _sigmoid_backward.grad_input(dc * g, i, grad_input=d_i)
                _sigmoid_backward.grad_input(dc * c, f, grad_input=d_f)
                _tanh_backward.grad_input(dc * i, g, grad_input=d_g)
                _sigmoid_backward.grad_input(dh * tanh_c, o, grad_input=d_o)
                if t == 0 and not to_initial:
                    break
                dh, dc = torch.bmm(d_whole, weight_hh), dc * f
                dh = dh if d_hidden is None else d_hidden[:, t] + dh
                dc = dc if d_cells is None else d_cells[:, t] + dc
        flat = d_gates.flatten(1, 2)
        d_x = torch.bmm(flat, weight_ih).view_as(x) if ctx.needs_input_grad[0] else None
        d_weight_ih = torch.bmm(flat.transpose(1, 2), x.flatten(1, 2))
        d_weight_hh = torch.bmm(flat.transpose(1, 2), hidden[:, :-1].flatten(1, 2))
        return d_x, d_weight_ih, d_weight_hh, flat.sum(1), dh, dc

    @staticmethod
    def vmap(info, in_dims, *tensors):
        x, *rest = lanes_of_members(info.batch_size, in_dims, tensors)
        found = _LSTMSteps.apply(x.contiguous(), *rest)
        return tuple(tensor.unflatten(0, (info.batch_size, -1)) for tensor in found), (0,) * len(found)


def _each_step(gates: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Views of i, f, g and o, step by step."""
    return zip(*(part.unbind(1) for part in gates.chunk(4, dim=-1)), strict=True)


def lanes_of_members(
    members: int, in_dims: Sequence[int | None], tensors: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """For the `vmap` of a function whose tensors have a leading axis: the members of a fleet make that axis longer."""
    return [
        t if t is None else (t.expand(members, *t.shape) if dim is None else t.movedim(dim, 0)).flatten(0, 1)
        for t, dim in zip(tensors, in_dims, strict=True)
    ]
