"""`torch.compile` for conversation backbones and the dense end-to-end model: both passes of a minibatch."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import nn

from benchmarks.gpu.cells import Cell, Row, Setting
from benchmarks.gpu.families import Family, arithmetic, backbones_and_end_to_end
from benchmarks.timing import alternate, duration

WORTH = 1.2
"""Times faster from which on compiling would be kept."""


def cells(setting: Setting) -> list[Cell]:
    """One per family."""
    families = backbones_and_end_to_end(setting.quick)
    return [Cell({"model": f.name}, partial(compared, f, setting)) for f in families]


def compared(family: Family, setting: Setting) -> Row:
    """Alternating, float32. The first compiled call, which compiles, is told by itself; shapes stay the same."""
    with arithmetic("float32"):
        model, inputs = family.minibatch(setting.device, torch.float32)
        compiled = torch.compile(model)
        first = duration(lambda: both_passes(compiled, inputs))
        found = alternate(
            {"eager": lambda: both_passes(model, inputs), "compiled": lambda: both_passes(compiled, inputs)},
            rounds=1 if setting.quick else 5,
        )
    ratio = found["eager"].median / found["compiled"].median
    times = {f"{name}_s": timing.median for name, timing in found.items()}
    return times | {"compiling_s": first, "times faster": ratio, f"at least {WORTH}": "yes" if ratio >= WORTH else "no"}


def both_passes(model: nn.Module, inputs: Mapping[str, object]) -> None:
    found = model(**inputs)
    answers = found[0] if isinstance(found, tuple) else found
    answers.square().mean().backward()
