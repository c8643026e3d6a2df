"""The memory of the Memory Fusion Network step by step, for one model or for many stacked ones.

Only the memory is a true recurrence: what its gates take from the attended states is known for all steps beforehand.
The backward pass is written out, so that a step costs three products, and the gradient of a weight is one product
over all steps instead of a sum of small ones. Parts of a tensor are copied before a product, because batched products
of torn rows are many times slower.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from lib.models import kernels
from lib.models.lstm_steps import lanes_of_members

_sigmoid_backward = torch.ops.aten.sigmoid_backward


def gated_memory(
    candidates: Float[Tensor, "time batch memory"],
    entering: Float[Tensor, "time batch widths"],
    kept: Float[Tensor, "time batch widths"] | None,
    from_memory: Float[Tensor, "widths memory"],
    keep: tuple[Float[Tensor, "memory keep_width"], Float[Tensor, "memory"]],
    update: tuple[Float[Tensor, "memory update_width"], Float[Tensor, "memory"]],
) -> Float[Tensor, "batch memory"]:
    """The last memory; it starts at zero, and then m <- sigmoid(keep(z)) m + sigmoid(update(z)) candidate.

    z = relu(entering + m from_memory^T) * kept is the hidden layer of both gates, that of `keep` (weight and bias of
    its second layer) first. `kept` are the factors of element dropout, which have no gradient; None for none.
    """
    tensors = (candidates, entering, kept, from_memory, *keep, *update)
    dtype = from_memory.dtype  # within autocast only the products are rounded
    last, *_ = _GatedMemory.apply(*(t if t is None else t.to(dtype).unsqueeze(0) for t in tensors))
    return last.squeeze(0)


class _GatedMemory(torch.autograd.Function):
    """Every tensor has a leading axis of members, which `vmap` makes longer."""

    @staticmethod
    def forward(candidates, entering, kept, from_memory, keep_w, keep_b, update_w, update_b):
        """The last memory, then what the backward pass reads: all memories, hidden layers and gates."""
        members, time, batch, size = candidates.shape
        memories = candidates.new_zeros(members, time + 1, batch, size)
        hidden, gates = entering.new_empty(entering.shape), candidates.new_empty(2, *candidates.shape)
        given = candidates, entering, kept, from_memory, keep_w, keep_b, update_w, update_b
        if loops := kernels.for_tensors(*given):
            loops.memory_forward(*given, memories, hidden, gates)
            return memories[:, time], memories, hidden, gates
        into, widths = from_memory.transpose(1, 2), (keep_w.shape[2], update_w.shape[2])
        second = [(keep_w.transpose(1, 2), keep_b.unsqueeze(1)), (update_w.transpose(1, 2), update_b.unsqueeze(1))]
        memory, *following = memories.unbind(1)
        scales = [None] * time if kept is None else kept.unbind(1)
        steps = zip(
            candidates.unbind(1), entering.unbind(1), hidden.unbind(1), gates.unbind(2), scales, following, strict=True
        )
        for candidate, known, z, both, scale, after in steps:
            torch.add(known, torch.bmm(memory, into), out=z).relu_()
            if scale is not None:
                z *= scale
            for gate, part, (weight, bias) in zip(both.unbind(), z.split(widths, -1), second, strict=True):
                torch.add(bias, torch.bmm(part.contiguous(), weight), out=gate).sigmoid_()
            memory = torch.addcmul(both[0] * memory, both[1], candidate, out=after)
        return memories[:, time], memories, hidden, gates

    @staticmethod
    def setup_context(ctx, inputs, output):
        candidates, _, kept, from_memory, keep_w, _, update_w, _ = inputs
        ctx.save_for_backward(candidates, kept, from_memory, keep_w, update_w, *output[1:])
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)

    @staticmethod
    @once_differentiable
    def backward(ctx, d_memory, *_):
        candidates, kept, from_memory, keep_w, update_w, memories, hidden, gates = ctx.saved_tensors
        if d_memory is None:
            return (None,) * 8
        d_candidates, d_entering, d_gates = (t.new_empty(t.shape) for t in (candidates, hidden, gates))
        widths = keep_w.shape[2], update_w.shape[2]
        given = d_memory, candidates, kept, from_memory, keep_w, update_w, memories, hidden, gates
        if loops := kernels.for_tensors(*given):
            loops.memory_backward(*given, d_candidates, d_entering, d_gates)
        else:
            scales = [None] * hidden.shape[1] if kept is None else kept.unbind(1)
            seconds = keep_w, update_w
            steps = zip(
                candidates.unbind(1), memories.unbind(1)[:-1], hidden.unbind(1), gates.unbind(2), scales,
                d_candidates.unbind(1), d_entering.unbind(1), d_gates.unbind(2), strict=True,
            )  # fmt: skip
            backwards = reversed(list(steps))
            for candidate, memory, z, (keep, update), scale, d_candidate, d_z, (d_keep, d_update) in backwards:
                torch.mul(d_memory, update, out=d_candidate)
                _sigmoid_backward.grad_input(d_memory * memory, keep, grad_input=d_keep)
                _sigmoid_backward.grad_input(d_memory * candidate, update, grad_input=d_update)
                for d_part, d_gate, weight in zip(d_z.split(widths, -1), (d_keep, d_update), seconds, strict=True):
                    d_part.copy_(torch.bmm(d_gate, weight))
                d_z *= z > 0
                if scale is not None:
                    d_z *= scale
                d_memory = torch.baddbmm(d_memory * keep, d_z, from_memory)
        flat = d_entering.flatten(1, 2)
        d_from_memory = torch.bmm(flat.transpose(1, 2), memories[:, :-1].flatten(1, 2))
        d_second = []
        for d_gate, part in zip(d_gates.flatten(2, 3), hidden.flatten(1, 2).split(widths, -1), strict=True):
            d_second += [torch.bmm(d_gate.transpose(1, 2), part.contiguous()), d_gate.sum(1)]
        return d_candidates, d_entering, None, d_from_memory, *d_second

    @staticmethod
    def vmap(info, in_dims, *tensors):
        last, memories, hidden, gates = _GatedMemory.apply(*lanes_of_members(info.batch_size, in_dims, tensors))
        found = (last, memories, hidden, gates.movedim(0, 1))
        return tuple(t.unflatten(0, (info.batch_size, -1)) for t in found), (0,) * len(found)
