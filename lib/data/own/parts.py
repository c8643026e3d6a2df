"""A split as it was brought: arrays that nobody has checked yet, whatever the format they came in."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lib.data.own.declaration import Declaration


@dataclass(frozen=True)
class Part:
    """`features[modality]` is `(N, T, d)` of any kind of number, `lengths` `(N,)`, `labels` `(N,)` or `(N, K)`; `units`
    the unit of each sample, None where the format names none."""

    features: Mapping[str, np.ndarray]
    lengths: np.ndarray
    labels: np.ndarray
    ids: tuple[str, ...]
    units: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Brought:
    """What a format's reader returns: what is known of the corpus, its splits, and what was decided on the way."""

    about: Declaration
    parts: Mapping[str, Part]
    notes: tuple[str, ...] = field(default=())
