"""A split as it was brought: arrays that nobody has checked yet, whatever the format they came in."""

from collections.abc import Iterator, Mapping
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


def a_few_rows(x: np.ndarray, rows: int = 512) -> Iterator[np.ndarray]:
    """The array in parts: what is computed of all at once may take as much memory as the array again, or more."""
    return (x[start : start + rows] for start in range(0, len(x), rows))
