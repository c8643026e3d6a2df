"""How the emotion-embedding reference turns CMU-MOSEI and IEMOCAP arrays into samples and binary labels.

Pure functions on arrays, in the reference's sample order (sections 5, 9 of its specification). Labels are
`(N, C)` zeros and ones, one column per emotion; a row may hold several ones or none.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lib.errors import InputError

MOSEI_EMOTIONS = ("anger", "disgust", "fear", "happy", "sad", "surprise")
IEMOCAP_EMOTIONS = ("neutral", "happy", "sad", "angry")
IEMOCAP_ALL_EMOTIONS = (
    "angry", "exciting", "fear", "sad", "surprising", "frustrating", "happy", "neutral", "disgust",
)  # fmt: skip
"""The words looked up for columns 1 to 9 of the 11-column label files (0 is other, 10 unknown)."""
IEMOCAP_UNSEEN = {"exciting": 1, "surprising": 4, "frustrating": 5}
"""The emotions the reference holds out on IEMOCAP: word and index among the nine."""


def without_minus_infinity(audio: np.ndarray) -> np.ndarray:
    """Copy of the audio features with -inf (the log of silence) set to 0; nothing else is cleaned."""
    return np.where(np.isneginf(audio), np.zeros((), audio.dtype), audio)


def intensities_to_labels(intensities: np.ndarray) -> np.ndarray:
    """CMU-MOSEI: an emotion is present where its intensity is above 0. Float32, same shape."""
    return (intensities > 0).astype(np.float32)


def pairs_to_labels(pairs: np.ndarray) -> np.ndarray:
    """IEMOCAP: `(N, C, 2)` one-hot absent/present pairs to float32 `(N, C)`."""
    return pairs.argmax(axis=-1).astype(np.float32)


def without_emotion(labels: np.ndarray, emotion: int) -> tuple[np.ndarray, np.ndarray]:
    """Zero-shot: drop each sample that carries the emotion, and its column.

    Returns the kept sample indices and their labels `(kept, C - 1)`. The reference does this to all three
    splits of CMU-MOSEI (section 9.1). Raises InputError if no such column exists.
    """
    _check_column(labels, emotion)
    kept = np.flatnonzero(labels[:, emotion] == 0)
    return kept, np.delete(labels[kept], emotion, axis=1)


def few_shot(labels: np.ndarray, emotion: int, shots: int) -> np.ndarray:
    """Indices of all samples without the emotion and of the first `shots` samples with it, in file order."""
    _check_column(labels, emotion)
    positive = labels[:, emotion] == 1
    return np.flatnonzero(~positive | (np.cumsum(positive) <= shots))


def reference_shots(labels: np.ndarray, emotion: int, share: float = 0.01) -> int:
    """How many samples the reference's few-shot training keeps: one more than the rounded-up share.

    Its counter is off by one (section 9.3).
    """
    _check_column(labels, emotion)
    return math.ceil(share * int((labels[:, emotion] == 1).sum())) + 1


class EmotionSamples(NamedTuple):
    """Features by modality, `(N, T, d)`, and labels `(N, C)`."""

    features: dict[str, np.ndarray]
    labels: np.ndarray


def append_unseen(
    known: EmotionSamples, features: Mapping[str, np.ndarray], labels: np.ndarray, emotion: int
) -> EmotionSamples:
    """IEMOCAP: the known samples followed by all samples of one of the nine emotions, with a column for it.

    `features` and the 11-column `labels` are those of the `.p` files, whose sequences are one step longer:
    their last step is dropped. The appended samples have zeros in the known columns. The reference does this
    in training too, although its README says otherwise, so the unseen emotion is seen (section 9.2); for a
    zero-shot score, append to the test split only. Audio is cleaned by the caller. Raises InputError if the
    lengths do not match.
    """
    _check_column(labels[:, 1:10], emotion)
    chosen = np.flatnonzero(labels[:, 1 + emotion] == 1)
    return append_emotion(known, {modality: features[modality][chosen, :-1] for modality in known.features})


def append_emotion(known: EmotionSamples, features: Mapping[str, np.ndarray]) -> EmotionSamples:
    """The known samples followed by samples of a new emotion, which has the last column to itself.

    Raises InputError if the lengths do not match.
    """
    joined = {}
    for modality, array in known.features.items():
        extra = features[modality]
        if extra.shape[1:] != array.shape[1:]:
            raise InputError(
                f"{modality} samples of shape {extra.shape[1:]} cannot follow those of {array.shape[1:]}",
                todo="unseen emotions need the aligned data",
            )
        joined[modality] = np.concatenate([array, extra])
    n, known_count = known.labels.shape
    joint = np.zeros((len(next(iter(joined.values()))), known_count + 1), dtype=np.float32)
    joint[:n, :known_count] = known.labels
    joint[n:, known_count] = 1
    return EmotionSamples(joined, joint)


def _check_column(labels: np.ndarray, emotion: int) -> None:
    if not 0 <= emotion < labels.shape[1]:
        raise InputError(f"emotion {emotion}, but there are {labels.shape[1]}", todo="count emotions from 0")
