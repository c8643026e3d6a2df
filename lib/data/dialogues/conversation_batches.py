"""Dialogues in memory: the development split, and dialogues padded to a split (spec self_paced_balance, 1.2 and
1.3)."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

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
