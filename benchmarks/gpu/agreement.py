"""How far each family on the device lies from float64 on the CPU, by the type it computes in."""

from functools import cache, partial

import torch
from torch import Tensor, nn

from benchmarks.gpu.cells import Cell, Row, Setting
from benchmarks.gpu.families import EXACT, PRECISIONS, Family, all_families, arithmetic


def cells(setting: Setting) -> list[Cell]:
    """One per family and precision."""
    return [
        Cell({"model": family.name, "computed in": precision}, partial(distances, family, precision, setting.device))
        for family in all_families(setting.quick)
        for precision in (*PRECISIONS, EXACT)
    ]


def distances(family: Family, precision: str, device: str) -> Row:
    """Relative L2 distances of the answers to a minibatch and of all gradients of their mean square."""
    with arithmetic(precision):
        outputs, gradients = answered(family, precision, device)
    exact_outputs, exact_gradients = exact(family)
    return {
        "outputs, relative": relative(outputs, exact_outputs),
        "gradients, relative": relative(gradients, exact_gradients),
    }


@cache
def _kept() -> dict[str, tuple[Tensor, Tensor]]:
    return {}


def exact(family: Family) -> tuple[Tensor, Tensor]:
    """In float64 on the CPU; only the last family's is kept."""
    kept = _kept()
    if family.name not in kept:
        kept.clear()
        kept[family.name] = answered(family, "float64", "cpu")
    return kept[family.name]


def answered(family: Family, precision: str, device: str) -> tuple[Tensor, Tensor]:
    """Answers and gradients of the same weights and inputs, flat, in float64 on the CPU."""
    model, inputs = family.minibatch(device, torch.float64 if precision == "float64" else torch.float32)
    with torch.autocast(device, torch.bfloat16, precision == "bfloat16"):
        found = model(**inputs)
    answers = found[0] if isinstance(found, tuple) else found
    answers.double().square().mean().backward()
    return answers.detach().double().cpu().flatten(), _gradients(model)


def _gradients(model: nn.Module) -> Tensor:
    found = [p.grad if p.grad is not None else torch.zeros_like(p) for p in model.parameters()]
    return torch.cat([gradient.double().cpu().flatten() for gradient in found])


def relative(found: Tensor, exact: Tensor) -> float:
    """L2 distance over the L2 norm of what is exact."""
    return float((found - exact).norm() / exact.norm())
