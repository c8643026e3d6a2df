"""Dialogues in memory: the development split, the order of an epoch, padded batches (spec spcl, 1.2 and 1.3)."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from lib.data.corpus import Split
from lib.errors import InputError

Id = TypeVar("Id")

DEV_SHARE = 0.1  # literal in the reference, whatever its flag says (quirk 12)


@dataclass(frozen=True)
class Dialogue:
    """One dialogue of L utterances: `speakers` and `labels` int64 `(L,)`, `features[modality]` float32 `(L, d)`."""

    id: str
    speakers: np.ndarray
    labels: np.ndarray
    features: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.labels)


def iemocap_speakers(letters: Sequence[str]) -> np.ndarray:
    """Ids of the two speakers, written "M" and "F" in the published files."""
    unknown = set(letters) - {"M", "F"}
    if unknown:
        raise InputError(f"unknown speaker {sorted(unknown)[0]!r}, expected 'M' or 'F'")
    return np.array([letter == "F" for letter in letters], np.int64)


def meld_speakers(parties: Sequence[int]) -> np.ndarray:
    """Party ids as the reference uses them: 8, which occurs once in MELD, joins 7."""
    ids = np.array(parties, np.int64)
    ids[ids == 8] = 7
    return ids


def dev_split(train_ids: Sequence[Id], stream: random.Random | None) -> tuple[list[Id], list[Id]]:
    """Train and development ids: the first tenth of the stored list goes to development.

    IEMOCAP's list is shuffled before with the run's Python stream, so its development set depends on the seed and on
    the stored order (quirk 14); MELD's is not (`stream=None`, quirk 13).
    """
    ids = list(train_ids)
    if stream is not None:
        stream.shuffle(ids)
    first = int(DEV_SHARE * len(ids))
    return ids[first:], ids[:first]


def conversation_split(dialogues: Sequence[Dialogue]) -> Split:
    """A conversation `Split`, dialogues padded behind to the longest. Raises InputError for one that is unusable."""
    if not dialogues:
        raise InputError("no dialogues")
    widths = {m: np.shape(x)[-1] for m, x in dialogues[0].features.items()}
    for dialogue in dialogues:
        _check(dialogue, widths)
    time = max(map(len, dialogues))
    features = {m: np.zeros((len(dialogues), time, width), np.float32) for m, width in widths.items()}
    labels = np.full((len(dialogues), time), -1, np.int64)
    speakers = np.full((len(dialogues), time), -1, np.int64)
    for row, dialogue in enumerate(dialogues):
        labels[row, : len(dialogue)] = dialogue.labels
        speakers[row, : len(dialogue)] = dialogue.speakers
        for m, x in dialogue.features.items():
            features[m][row, : len(dialogue)] = x
    lengths = np.array([len(dialogue) for dialogue in dialogues], np.int64)
    return Split(features, lengths, labels, tuple(dialogue.id for dialogue in dialogues), speakers)


def _check(dialogue: Dialogue, widths: Mapping[str, int]) -> None:
    where = f"dialogue {dialogue.id}"
    if len(dialogue) == 0:
        raise InputError("no utterances", where=where, todo="leave the dialogue out")
    if len(dialogue.speakers) != len(dialogue):
        raise InputError(f"{len(dialogue)} labels but {len(dialogue.speakers)} speakers", where=where)
    if list(dialogue.features) != list(widths):
        raise InputError(f"modalities {list(dialogue.features)}, expected {list(widths)}", where=where)
    for m, x in dialogue.features.items():
        if np.shape(x) != (len(dialogue), widths[m]):
            expected = f"({len(dialogue)}, {widths[m]})"
            raise InputError(f"{m} features have shape {np.shape(x)}, expected {expected}", where=where)


@dataclass(frozen=True)
class Conversations:
    """Dialogues on the training device, padded behind: a split, or a minibatch of it.

    `features[modality]` is `(B, T, d)` with zeros in the padding, `speakers` int64 `(B, T)` with 0 there, `labels`
    int64 `(B, T)`. `lengths`, int64 `(B,)`, stays on the CPU, so that nothing waits for the device to know the shapes.
    """

    features: Mapping[str, Tensor]
    lengths: Tensor
    speakers: Tensor
    labels: Tensor

    @classmethod
    def of(
        cls, split: Split, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> "Conversations":
        """Copy a split. Raises InputError if it does not hold conversations."""
        if split.speakers is None:
            raise InputError("the split has no speakers", todo="use a corpus of conversations")
        return cls(
            {m: torch.from_numpy(np.array(x)).to(device, dtype) for m, x in split.features.items()},
            torch.from_numpy(np.array(split.lengths)),
            torch.from_numpy(np.maximum(split.speakers, 0)).to(device),
            torch.from_numpy(np.array(split.labels)).to(device),
        )

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def inputs(self) -> dict[str, Mapping[str, Tensor] | Tensor]:
        """What a conversation model takes."""
        return {"features": self.features, "lengths": self.lengths, "speakers": self.speakers}

    @cached_property
    def targets(self) -> Tensor:
        """Int64 `(N,)`: the labels of the real utterances, one dialogue after another."""
        real = torch.arange(self.labels.shape[1]) < self.lengths[:, None]
        return self.labels[real.to(self.labels.device)]

    def take(self, index: np.ndarray | slice) -> "Conversations":
        """The dialogues at `index`, padded to the longest of them: the time axis depends on the batch."""
        if isinstance(index, np.ndarray):
            index = torch.from_numpy(index)
        lengths = self.lengths[index]
        rows = index if isinstance(index, slice) else index.to(self.labels.device)
        time = int(lengths.max())
        features = {m: x[rows, :time] for m, x in self.features.items()}
        return Conversations(features, lengths, self.speakers[rows, :time], self.labels[rows, :time])

    def only(self, modalities: Iterable[str]) -> "Conversations":
        """The same dialogues with the features of these modalities alone."""
        kept = set(modalities)
        features = {m: x for m, x in self.features.items() if m in kept}
        return Conversations(features, self.lengths, self.speakers, self.labels)
