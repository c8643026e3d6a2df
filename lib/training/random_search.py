"""The random search over hyper-parameters of the LMF scripts (spec lmf, section 5)."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

Space = Mapping[str, Sequence[float]]
Setting = dict[str, float]

_DROPOUTS = (0, 0.1, 0.15, 0.2, 0.3, 0.5)
_RATES = (0.0003, 0.0005, 0.001, 0.003)
_MOSI: Space = {
    "audio_hidden": (4, 8, 16),
    "video_hidden": (4, 8, 16),
    "text_hidden": (64, 128, 256),
    "audio_dropout": _DROPOUTS,
    "video_dropout": _DROPOUTS,
    "text_dropout": _DROPOUTS,
    "factor_learning_rate": _RATES,
    "learning_rate": _RATES,
    "rank": (1, 4, 8, 16),
    "batch_size": (4, 8, 16, 32, 64, 128),
    "weight_decay": (0, 0.001, 0.002, 0.01),
}
SPACES: Mapping[str, Space] = {
    "mosi": _MOSI,
    "pom": _MOSI,
    "iemocap": {**_MOSI, "audio_hidden": (8, 16, 32), "batch_size": (8, 16, 32, 64, 128)},
}
"""Values per data set, in the order in which they are drawn. The text vector has half the size of `text_hidden`."""


def total_settings(space: Space) -> int:
    """The number of different settings; the scripts loop this often, to be stopped by hand."""
    return math.prod(len(values) for values in space.values())


def draws(space: Space, seed: int) -> Iterator[Setting]:
    """Independent uniform draws without end. The scripts do not seed; here equal seeds give equal draws (quirk 21)."""
    choose = random.Random(seed).choice
    while True:
        yield {name: choose(values) for name, values in space.items()}


def search_settings(space: Space, seed: int, iterations: int) -> list[Setting]:
    """The different settings among the first `iterations` draws, in order.

    A setting drawn before is skipped and its iteration is lost, so fewer than `iterations` may come back.
    """
    found = {tuple(setting.values()): setting for setting in islice(draws(space, seed), iterations)}
    return list(found.values())
