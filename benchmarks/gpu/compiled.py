"""`torch.compile` for conversation backbones and the dense end-to-end model: both passes of a minibatch."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.gpu.cells import Cell, Row, Setting
from benchmarks.gpu.families import Family, arithmetic, backbones_and_end_to_end
from benchmarks.timing import alternate, duration

WORTH = 1.2
"""Times faster from which on compiling would be kept."""
VERDICT = f"worth it (at least {WORTH})"
SECONDS, ROUNDS = 20.0, 5
"""For the comparison: as many rounds as fit, from one to `ROUNDS`."""


def cells(setting: Setting) -> list[Cell]:
    """One per family."""
    families = backbones_and_end_to_end(setting.quick)
    return [Cell({"model": f.name}, partial(compared, f, setting)) for f in families]


def compared(family: Family, setting: Setting) -> Row:
    """Alternating, float32. The first compiled call, which compiles, is told by itself; shapes stay the same."""
    with arithmetic("float32"):
        model, inputs = family.minibatch(setting.device, torch.float32)
        compiled = torch.compile(model)
        cases = {"eager": partial(both_passes, model, inputs), "compiled": partial(both_passes, compiled, inputs)}
        cases["eager"]()
        once = duration(cases["eager"])
        first = duration(cases["compiled"])
        rounds = 1 if setting.quick else max(1, min(ROUNDS, int(SECONDS / (2 * once))))
        found = alternate(cases, rounds)
        with torch.no_grad():
            apart = float((answers(compiled, inputs) - answers(model, inputs)).abs().max())
    ratio = found["eager"].median / found["compiled"].median
    return {
        "eager_s": found["eager"].median,
        "compiled_s": found["compiled"].median,
        "rounds": rounds,
        "times faster": ratio,
        "compiling_s": first,
        "answers apart": apart,
        VERDICT: "yes" if ratio >= WORTH else "no",
    }


def both_passes(model: nn.Module, inputs: Mapping[str, object]) -> None:
    answers(model, inputs).square().mean().backward()


def answers(model: nn.Module, inputs: Mapping[str, object]) -> Tensor:
    """What the model says, without what it says of its modalities."""
    found = model(**inputs)
    return found[0] if isinstance(found, tuple) else found
