"""Dialogues in memory: the development split, the order of an epoch, padded batches (spec spcl, 1.2 and 1.3)."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


def shuffled(order: Sequence[int], stream: random.Random) -> list[int]:
    """The order of the next training epoch; each epoch shuffles the one before it."""
    order = list(order)
    stream.shuffle(order)
    return order


def batch_rows(order: Sequence[int], batch_size: int) -> list[list[int]]:
    """Consecutive slices; the last may be short and is kept."""
    return [list(order[start : start + batch_size]) for start in range(0, len(order), batch_size)]


@dataclass(frozen=True)
class ConversationBatch:
    """B dialogues padded to the longest of them: the time axis, and with it a model's result, depends on the batch.

    `features[modality]` is float32 `(B, T, d)` with zeros in the padding, `speakers` int64 `(B, T)` with 0 there,
    `labels` int64 `(N,)` the real utterances one dialogue after another. `lengths`, int64 `(B,)`, stays on the CPU,
    so that nothing has to wait for the device to know the shapes.
    """

    features: dict[str, Tensor]
    lengths: Tensor
    speakers: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.lengths)


class Conversations:
    """A conversation split with its features on the training device."""

    def __init__(self, split: Split, device: torch.device | str = "cpu"):
        if split.speakers is None:
            raise InputError("the split has no speakers", todo="use a corpus of conversations")
        self.features = {m: torch.from_numpy(np.array(x)).to(device) for m, x in split.features.items()}
        self.lengths = torch.from_numpy(np.array(split.lengths))
        self._speakers = torch.from_numpy(np.maximum(split.speakers, 0))
        self._labels = torch.from_numpy(np.array(split.labels))
        self.device = device

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: Sequence[int]) -> ConversationBatch:
        """The dialogues in `rows`, in that order."""
        rows = torch.as_tensor(rows)
        lengths = self.lengths[rows]
        time = int(lengths.max())
        real = torch.arange(time) < lengths[:, None]
        on_device = rows.to(self.device)
        return ConversationBatch(
            {m: x[on_device, :time] for m, x in self.features.items()},
            lengths,
            self._speakers[rows, :time].to(self.device),
            self._labels[rows, :time][real].to(self.device),
        )
