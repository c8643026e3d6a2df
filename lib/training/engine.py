"""How a grid is executed: alone in a worker process, in a chain, or stacked in a fleet.

The rule. On a GPU everything that can be stacked is, as many as fit the memory. On a CPU every job has one thread and
the cores run jobs side by side; there a fleet saves calls but no arithmetic, so members are stacked, `ON_CPU` at a
time, only where calls weigh: the model steps through time in Python (`steps_in_python`) and its largest weight takes
at most `SMALL` multiplications per minibatch (benchmarks, table "members"). Minibatches must be full and a multiple of
`LANES`, so that vector code treats a member alike wherever it stands in the stack. Whether its numbers are then, bit
for bit, those of the plain loop is tried before the training (`lib.training.rounding`): where they are not, each is
trained alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import torch

from lib.training.fleet import stack_key
from lib.training.recipe import Member

ON_CPU = 10
SMALL = 2**22
LANES = 32


@dataclass(frozen=True)
class Job:
    """Members for one worker: one alone, a chain in order, or a fleet."""

    members: tuple[Member, ...]
    stacked: bool = False


def jobs(members: Sequence[Member], device: str, cores: int = 1) -> list[Job]:
    """Divide a grid: members of one chain stay together in order, the others go where the rule says."""
    chains: dict[str, list[Member]] = {}
    stacks: dict[str, list[Member]] = {}
    alone = []
    for member in members:
        if member.chain is not None:
            chains.setdefault(member.chain, []).append(member)
        elif can_be_stacked(member) and (device != "cpu" or pays_on_cpu(member)):
            stacks.setdefault(stack_key(member), []).append(member)
        else:
            alone.append(Job((member,)))
    found = [Job(tuple(chain)) for chain in chains.values()] + alone
    for stack in stacks.values():
        parts = 1 if device != "cpu" else even_parts(len(stack), cores)
        shares = [tuple(stack[i::parts]) for i in range(parts)]
        found += [Job(share, stacked=device != "cpu" or len(share) > 1) for share in shares]
    return found


def even_parts(members: int, cores: int) -> int:
    """Into how many fleets of at most `ON_CPU` to divide, so that no core idles while another works."""
    rounds = ceil(members / (ON_CPU * cores))
    return min(members, rounds * cores)


def can_be_stacked(member: Member) -> bool:
    """Whether members like this have minibatches of one shape, and a plain step that can be recorded."""
    recipe = member.recipe
    plain = recipe.algorithm in ("adam", "adamw") and not recipe.annealed and recipe.microbatch is None
    return plain and not recipe.by_modality and getattr(member.model.architecture, "stackable", True)


def pays_on_cpu(member: Member) -> bool:
    """Whether stacking is faster than one after another on one thread, and may round alike."""
    recipe = member.recipe
    if recipe.batch_size % LANES or not recipe.drop_last or recipe.precision == "bfloat16":
        return False
    if not getattr(member.model.architecture, "steps_in_python", False):
        return False
    with torch.device("meta"):
        largest = max(parameter.numel() for parameter in member.model.build().parameters())
    return largest * recipe.batch_size <= SMALL
