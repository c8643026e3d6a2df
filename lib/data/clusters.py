"""Which samples of a split belong together: those of one video, dialogue or speaker, which are alike.

Where a split does not name them (`Split.groups`), they are read off the samples' ids, as the readers make them:
`<video>_<clip>`, `<dialogue>_<utterance>`, and the names of RAVDESS' clips, which end with the actor, and of
CREMA-D's, which begin with one.
"""

import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from lib.data.corpus import Source, Split

SAMPLE = "sample"
"""What a unit is called where samples are only numbered, so that nobody can tell which belong together."""
_NUMBERED = re.compile(r"[a-z]+_\d+|\d+")
_CLIP = re.compile(r"(?:\d\d-){6}(\d\d)|(\d{4})_[A-Z]{3}_[A-Z]{3}_[A-Z]{2}")


class Named(Protocol):
    """A split that is streamed, of whose samples nothing but the ids is read here."""

    @property
    def ids(self) -> tuple[str, ...]: ...


def units(source: Source, split: Split | Named) -> tuple[str, tuple[str, ...]]:
    """What a unit of the corpus is called, and for each utterance that has a label, in order, the unit it belongs to.

    A row of a conversation is a unit, whose real utterances follow one another. Ids that only number the samples name
    no unit, so each stands for itself: where the samples are parts of videos, intervals over them are too narrow.
    """
    if isinstance(split, Split) and split.groups is not None:
        return source.cluster, split.groups
    if isinstance(split, Split) and split.speakers is not None:
        real = (np.asarray(split.labels) >= 0).sum(axis=1)
        rows = names(source.cluster, split.ids) if source.cluster == "speaker" else split.ids
        return source.cluster, tuple(np.repeat(np.array(rows, dtype=object), real).tolist())
    if source.cluster != "utterance" and all(_NUMBERED.fullmatch(name) for name in split.ids):
        return SAMPLE, tuple(split.ids)
    return source.cluster, names(source.cluster, split.ids)


def names(unit: str, ids: Sequence[str]) -> tuple[str, ...]:
    """The unit of each sample."""
    if unit == "utterance":
        return tuple(ids)
    if unit == "speaker":
        return tuple(f"actor {clip[1] or clip[2]}" if (clip := _CLIP.fullmatch(name)) else name for name in ids)
    return tuple(name.rpartition("_")[0] or name for name in ids)
