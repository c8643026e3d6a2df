"""Adam and AdamW with torch's own fused kernels, but without gathering their arguments anew at every step.

torch's step looks up the state of every parameter in a dictionary, sorts all tensors by device and type, and counts
each parameter's steps in a tensor of its own. For models of many small parameters this takes longer than the
arithmetic. Here the lists are kept from step to step and the counts of a group lie in one tensor. The kernel and its
operands are torch's, so weights and moments have the same bits, and `state_dict` has the same layout.
"""

from collections.abc import Callable

import torch
from torch import Tensor


class _Lists:
    """What the kernel takes for the parameters of a group that have a gradient, from the optimiser's state.

    `present` tells which these are. The counts of steps in the state become views of one tensor, `counts`.
    """

    def __init__(self, optimiser: torch.optim.Adam, group: dict, present: list[bool]):
        self.present, self.amsgrad = present, group["amsgrad"]
        self.parameters, self.averages, self.squares, self.maxima, counts = [], [], [], [], []
        optimiser._init_group(group, self.parameters, [], self.averages, self.squares, self.maxima, counts)
        self.alike = {(p.device.type, p.dtype) for p in self.parameters} <= {("cpu", group["params"][0].dtype)}
        if not self.alike or not counts:
            return
        self.counts = torch.stack(counts)
        self.each_count = list(self.counts.unbind())
        for parameter, count in zip(self.parameters, self.each_count, strict=True):
            optimiser.state[parameter]["step"] = count

    def update(self, group: dict, gradients: list[Tensor]) -> None:
        self.counts += 1
        kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
        kernel(
            self.parameters,
            gradients,
            self.averages,
            self.squares,
            self.maxima,
            self.each_count,
            amsgrad=self.amsgrad,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
        )


class _KeepingLists:
    """Steps of groups that are fused, on the CPU and of one type; torch's own step for all others.

    The lists hold while the same parameters have gradients. A parameter without one is left alone, and has no state
    before its first, as in torch. Learning rates and other settings are read from `param_groups` at every step;
    tensors put into `state` by hand, other than through `load_state_dict`, are not seen.
    """

    _lists: dict[int, _Lists] | None = None  # by the number of the group

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)  # `load_state_dict` comes here, and copies do
        self._lists = None

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One step from the gradients of the parameters; returns what `closure` does."""
        simple = closure is None and getattr(self, "grad_scale", None) is None and all(map(_simple, self.param_groups))
        updates = self._updates() if simple else None
        if updates is None:
            return super().step(closure)
        for lists, group, gradients in updates:
            lists.update(group, gradients)
        return None

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients; with `set_to_none=False`, torch's way of setting them to zero."""
        if not set_to_none:
            return super().zero_grad(set_to_none)
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None
        return None

    def _updates(self) -> list[tuple[_Lists, dict, list[Tensor]]] | None:
        """What is to be done for each group with gradients; None if torch must do it."""
        updates = []
        if self._lists is None:
            self._lists = {}
        for number, group in enumerate(self.param_groups):
            gradients = [p.grad for p in group["params"]]
            present = [g is not None for g in gradients]
            lists = self._lists.get(number)
            if lists is None or lists.present != present or lists.amsgrad != group["amsgrad"]:
                lists = self._lists[number] = _Lists(self, group, present)
            if not lists.alike:
                return None
            if lists.parameters:
                updates.append((lists, group, [g for g in gradients if g is not None]))
        return updates


def _simple(group: dict) -> bool:
    return bool(
        group["fused"] and not group["capturable"] and not group["differentiable"] and isinstance(group["lr"], float)
    )


class Adam(_KeepingLists, torch.optim.Adam):
    """`torch.optim.Adam`, with its arguments."""


class AdamW(_KeepingLists, torch.optim.AdamW):
    """`torch.optim.AdamW`, with its arguments."""
