"""Whether members round in a stack as each does alone, on the machine at hand.

A batched matrix product may add its terms in another order than a single one. Where it does depends on the shapes, on
the instructions of the processor and on the libraries, so it cannot be known beforehand: it is tried.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lib.data.batches import Examples
from lib.training.fleet import train_fleet
from lib.training.loop import train
from lib.training.recipe import Member
from lib.training.run import Outcome
from lib.training.streams import SeededStreams

STEPS = 3
"""Adam's first step hardly depends on the size of a gradient, the following ones on its last bit."""


def rounds_alike(members: Sequence[Member], splits: Mapping[str, Examples]) -> bool:
    """Whether their first steps, on all modalities, leave the same bits stacked and in the plain loop."""
    size = STEPS * members[0].recipe.batch_size
    few = {name: split.take(slice(0, size if name == "train" else 1)) for name, split in splits.items()}
    tried = [
        replace(
            member,
            train_on=tuple(few["train"].inputs),
            modality_dropout=None,
            recipe=replace(member.recipe, epochs=1, tested_epoch="last"),
        )
        for member in members
    ]
    stacked = train_fleet(tried, few, [SeededStreams(member.seed) for member in tried])
    return all(
        _same_bits(outcome, train(member, few, SeededStreams(member.seed)))
        for member, outcome in zip(tried, stacked, strict=True)
    )


def _same_bits(a: Outcome, b: Outcome) -> bool:
    same = np.array_equal(a.history["train_loss"], b.history["train_loss"], equal_nan=True)
    return same and all(np.array_equal(a.best_state[key], b.best_state[key], equal_nan=True) for key in b.best_state)
