"""A grid cut into chunks that train beside each other, on other machines if need be.

Which chunk a member falls into never enters its results: a record is found by settings, data and code, so chunks of
any number leave what one process would have left.
"""

from collections.abc import Sequence

from lib.data.batches import Batched
from lib.training.engine import can_be_stacked
from lib.training.fleet import stack_key
from lib.training.recipe import Member

Grid = tuple[Batched, Sequence[Member]]
"""Members that need no other member's result, and what they are trained on."""


def chunk(grids: Sequence[Grid], index: int, count: int) -> list[tuple[Batched, list[Member]]]:
    """The share of chunk `index` (1 to `count`) of all members; the shares are disjoint and complete.

    A chain is never cut. Members that stack into one fleet stand together before the cuts are made, so a chunk is one
    fleet or a part of one where the number of chunks allows it. More chunks than members leave some empty.
    """
    units = [(number, unit) for number, (_, members) in enumerate(grids) for unit in _units(members)]
    total = sum(len(unit) for _, unit in units)
    shares: list[list[Member]] = [[] for _ in grids]
    before = 0
    for number, unit in units:
        if before * count // total == index - 1:
            shares[number] += unit
        before += len(unit)
    return [(corpus, share) for (corpus, _), share in zip(grids, shares, strict=True) if share]


def _units(members: Sequence[Member]) -> list[list[Member]]:
    """What cannot be cut, in an order in which members of one fleet follow each other."""
    groups: dict[tuple[str, str], list[list[Member]]] = {}
    chains: dict[str, list[Member]] = {}
    for member in members:
        if member.chain is None:
            kind = ("stack", stack_key(member)) if can_be_stacked(member) else ("alone", "")
            groups.setdefault(kind, []).append([member])
        elif member.chain in chains:
            chains[member.chain].append(member)
        else:
            chains[member.chain] = [member]
            groups.setdefault(("chain", ""), []).append(chains[member.chain])
    return [unit for group in groups.values() for unit in group]
