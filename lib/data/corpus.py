"""The one in-memory form of every corpus."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from lib.errors import InputError

if TYPE_CHECKING:
    from lib.data.batches import Batches

Task = Literal["regression", "classes", "multilabel"]
Unit = Literal["video", "speaker", "dialogue", "utterance"]
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Scale:
    """What the numbers of a score mean: a property of the corpus, whatever reads it or trains on it.

    `limits` are the ends of the scale, `neutral` the value between its two polarities, None where it has no such value
    and so no two classes. `stored` is what labels may be in the files, where that is more than `limits`.
    """

    limits: tuple[float, float]
    neutral: float | None
    stored: tuple[float, float] | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest that a label may be."""
        return self.stored or self.limits


SENTIMENT = Scale((-3.0, 3.0), neutral=0.0)
"""CMU-MOSI and CMU-MOSEI: from highly negative to highly positive (spec colearning, 7)."""


@dataclass(frozen=True)
class Source:
    """Where a corpus comes from, in enough detail to repeat or to distrust it.

    `synthetic` decides how every table, figure and manifest labels the numbers. `files` maps each file that was read
    (relative to the data folder) to its SHA-256. `warnings` are sentences that must stand beside any result, such as
    label leakage. `ceilings` holds, for stand-in corpora, the best reachable test scores by modality subset, for
    example `{"text": {"acc": 0.61}}`. `cluster` is the unit within which test samples are alike, so that intervals must
    draw whole ones; `utterance` where each stands for itself.
    """

    name: str
    synthetic: bool
    files: Mapping[str, str]
    licence: str
    split_rule: str
    warnings: tuple[str, ...] = ()
    ceilings: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    cluster: Unit = "utterance"

    @property
    def label(self) -> str:
        """The words that go into captions and titles."""
        return f"{self.name}, SYNTHETIC stand-in" if self.synthetic else f"{self.name}, real data"


@dataclass(frozen=True)
class Split:
    """One part of a corpus.

    `features[modality]` is float32 `(N, T, d)`; `T` is 1 for utterance vectors. `lengths` is int64 `(N,)`, the number
    of real time steps (padding may stand in front or behind, see the reader). `labels` is float64 `(N,)` or `(N, K)`
    for regression, int64 `(N,)` for classes, float32 `(N, K)` of zeros and ones for multilabel; a conversation
    split has `N` dialogues of `T` utterances, labels `(N, T)` and `speakers` int64 `(N, T)`, with -1 where there is
    no utterance. `ids` names the N samples and has no duplicates; `groups` the unit of each (`Source.cluster`), where
    the files say it and ids do not (`lib.data.clusters`).
    """

    features: Mapping[str, np.ndarray]
    lengths: np.ndarray
    labels: np.ndarray
    ids: tuple[str, ...]
    speakers: np.ndarray | None = None
    groups: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Corpus:
    """A task, its label names, the width of each modality in a fixed order, three splits and their source.

    `scale` is that of a regression's labels, which all lie within its bounds. Raises InputError for splits that are
    not what they should be.
    """

    task: Task
    label_names: tuple[str, ...]
    modalities: Mapping[str, int]
    splits: Mapping[str, Split]
    source: Source
    scale: Scale | None = None

    def __post_init__(self):
        for name in SPLITS:
            if name not in self.splits:
                raise InputError(f"the corpus has no {name} split", where=self.source.name)
            _check_split(self, name, self.splits[name])

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all that training reads: names, widths, features, labels; of conversations also who speaks."""
        digest = hashlib.sha256(repr((self.task, self.label_names, dict(self.modalities))).encode())
        for name, split in self.splits.items():
            conversations = [] if split.speakers is None else [("lengths", split.lengths), ("speakers", split.speakers)]
            for label, array in [(name, split.labels), *split.features.items(), *conversations]:
                digest.update(f"{label} {array.dtype} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()

    def batches(self, split: str, *, dtype: object = None, device: object = "cpu") -> "Batches":
        """A split copied to tensors of torch's `dtype` (default float32) on a `device`; class targets are int64."""
        import torch  # reading a corpus does without

        from lib.data.batches import Conversations, Examples

        part, dtype = self.splits[split], dtype or torch.float32
        if part.speakers is not None:
            return Conversations.of(part, dtype=dtype, device=device)
        target_dtype = torch.int64 if self.task == "classes" else dtype
        return Examples.of(part, target_dtype=target_dtype, dtype=dtype, device=device)


def _check_split(corpus: Corpus, name: str, split: Split) -> None:
    where = f"{corpus.source.name}, {name} split"
    n = len(split)
    if n == 0:
        stand_in = "raise `samples`: the stand-in is too small for three splits"
        todo = stand_in if corpus.source.synthetic else "check that the data files are complete"
        raise InputError("no samples", where=where, todo=todo)
    if len(set(split.ids)) != n:
        twice = next(key for key, times in Counter(split.ids).items() if times > 1)
        raise InputError(f"sample {twice} stands twice", where=where)
    if list(split.features) != list(corpus.modalities):
        raise InputError(f"modalities {list(split.features)}, expected {list(corpus.modalities)}", where=where)
    for modality, array in split.features.items():
        if array.ndim != 3 or array.shape[0] != n or array.shape[2] != corpus.modalities[modality]:
            expected = f"({n}, T, {corpus.modalities[modality]})"
            raise InputError(f"{modality} features have shape {array.shape}, expected {expected}", where=where)
        if array.dtype != np.float32:
            raise InputError(f"{modality} features are {array.dtype}, expected float32", where=where)
        if not np.isfinite(array).all():
            row = int(np.argwhere(~np.isfinite(array).all(axis=(1, 2)))[0, 0])
            raise InputError(f"{modality} features of sample {split.ids[row]} hold NaN or infinity", where=where)
    if len(split.labels) != n or len(split.lengths) != n:
        raise InputError(f"{n} samples but {len(split.labels)} labels and {len(split.lengths)} lengths", where=where)
    if not np.isfinite(split.labels.astype(np.float64)).all():
        row = int(np.argwhere(~np.isfinite(split.labels.reshape(n, -1)).all(axis=1))[0, 0])
        raise InputError(f"the label of sample {split.ids[row]} is NaN or infinite", where=where)
    if corpus.task == "classes" and (split.labels.min() < -1 or split.labels.max() >= len(corpus.label_names)):
        raise InputError(f"class labels outside 0..{len(corpus.label_names) - 1}", where=where)
    if corpus.scale is not None:
        low, high = corpus.scale.bounds
        if (wrong := (split.labels < low) | (split.labels > high)).any():
            place = tuple(np.argwhere(wrong)[0].tolist())
            what = f"the label of sample {split.ids[place[0]]} is {split.labels[place]:.9g}"
            raise InputError(f"{what}, outside {low:g} to {high:g}", where=where)
