"""How the end-to-end emotion model's loaders choose and collate data (spec end_to_end, sections 4 and 5.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Shaped

from lib.errors import InputError

ASSUMED_FRAME_RATE = 30
CROP = 48

FrameCount = Literal["iemocap", "mosei", "images"]


def uses_left_camera(utterance_id: str) -> bool:
    """Whether an IEMOCAP utterance is spoken on the left side of the picture and the left audio channel.

    Left when the speaker has the gender that the dialogue id names: `Ses03F_impro03_F018`. Raises InputError
    for an id of another form.
    """
    parts = utterance_id.split("_")
    if len(parts) < 2 or not parts[0] or not parts[-1]:
        raise InputError(f"utterance id {utterance_id!r} is not like Ses03F_impro03_F018")
    return parts[0][-1] == parts[-1][0]


def sampled_frames(count: int, interval_ms: int | float, rule: FrameCount) -> range:
    """Indices of the images that are taken, one per interval at an assumed 30 frames per second.

    The reference derives the number of frames from the number of *files* in the utterance's folder (quirk
    Q14): `count` is that number for the rules `iemocap` (two images per frame and five other files, where the
    preprocessing writes three: the last frame is never used) and `mosei` (one other file). For `images`, the
    mended rule, it is the number of images. Raises InputError for an interval so short that the step is zero;
    the `mosei` rule tries a quarter of the step on an empty folder, which fails below 134 ms.
    """
    step = _step(interval_ms)
    if rule == "iemocap":
        return range(0, max(0, (count - 5) // 2), step)
    frames = max(0, count - 1 if rule == "mosei" else count)
    if frames == 0 and rule == "mosei":
        _step(interval_ms / 4)
    return range(0, frames, step)


def _step(interval_ms: int | float) -> int:
    step = int(interval_ms / 1000 * ASSUMED_FRAME_RATE)
    if step < 1:
        shortest = 1000 / ASSUMED_FRAME_RATE
        raise InputError(f"an image interval of {interval_ms:g} ms is shorter than a frame ({shortest:.1f} ms)")
    return step


def face_less_crop(
    image: np.ndarray, columns: Literal["reference", "centre"] = "reference"
) -> Shaped[np.ndarray, "48 48 *channels"]:
    """What stands for the face where none was found: 48 x 48 pixels of an image `(height, width, ...)`.

    The reference computes the columns from the height and takes them 24 pixels too far left (quirk Q13);
    `centre` takes the middle of the image. Raises InputError for an image that is too small (the reference
    needs a height of 96).
    """
    height, width = image.shape[:2]
    top = (height - CROP) // 2
    left = top - CROP // 2 if columns == "reference" else (width - CROP) // 2
    if min(top, left) < 0 or left + CROP > width:
        raise InputError(f"an image of {height} x {width} pixels is too small for a crop without a face")
    return image[top : top + CROP, left : left + CROP]


def positive_weights(labels: Float[np.ndarray, "utterances emotions"]) -> Float[np.ndarray, " emotions"]:
    """Negatives per positive of each emotion, float64, from the 0/1 labels of the training split (spec end_to_end,
    4.6).

    Raises InputError for an emotion without a positive.
    """
    positives = np.asarray(labels, np.float64).sum(axis=0)
    if (positives == 0).any():
        raise InputError(f"no training utterance has emotion {int(np.argmin(positives))}, so it has no weight")
    return (len(labels) - positives) / positives


def one_hot(classes: Int[np.ndarray, " utterances"], emotions: int) -> Float[np.ndarray, "utterances emotions"]:
    """One class per utterance as 0/1 labels; the width does not depend on the classes that occur (quirk Q21)."""
    return np.eye(emotions, dtype=np.float32)[np.asarray(classes)]


@dataclass(frozen=True)
class RawUtterance:
    """`faces` (frames, height, width, 3) RGB 0...255, `pieces` (pieces, 1, bands, 32), `label` (emotions,) of 0/1."""

    id: str
    faces: np.ndarray
    pieces: np.ndarray
    text: str
    label: np.ndarray


@dataclass(frozen=True)
class RawBatch:
    """Faces and pieces of all utterances one after another, with the number per utterance."""

    ids: tuple[str, ...]
    faces: np.ndarray
    face_lengths: Int[np.ndarray, " batch"]
    pieces: np.ndarray
    piece_lengths: Int[np.ndarray, " batch"]
    texts: tuple[str, ...]
    labels: Float[np.ndarray, "batch emotions"]


def collate_raw(utterances: Sequence[RawUtterance]) -> RawBatch | None:
    """A batch of the utterances that have an image; None if no one has (the reference crashes there)."""
    kept = [u for u in utterances if len(u.faces)]
    if not kept:
        return None
    return RawBatch(
        ids=tuple(u.id for u in kept),
        faces=np.concatenate([u.faces for u in kept]),
        face_lengths=np.array([len(u.faces) for u in kept]),
        pieces=np.concatenate([u.pieces for u in kept]),
        piece_lengths=np.array([len(u.pieces) for u in kept]),
        texts=tuple(u.text for u in kept),
        labels=np.stack([u.label for u in kept]).astype(np.float32),
    )


def collate_handcrafted(
    sequences: Mapping[str, Sequence[np.ndarray]],
) -> dict[str, tuple[Float[np.ndarray, "batch time features"], Int[np.ndarray, " batch"]]]:
    """Per modality the `(time, features)` arrays of a batch, zero-padded behind to the longest, and their
    lengths.

    A modality that is empty in the whole batch keeps one step of zeros: an utterance without words is all
    zeros.
    """
    return {modality: _padded(arrays) for modality, arrays in sequences.items()}


def _padded(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(array) for array in arrays])
    batch = np.zeros((len(arrays), max(1, lengths.max()), arrays[0].shape[1]), np.float32)
    for row, array in zip(batch, arrays, strict=True):
        row[: len(array)] = array
    return batch, lengths


_BARK, _CEPSTRAL, _PHONOLOGICAL = (0, 21), (22, 33), (655, 762)
_STATISTICS = 6  # per phonological descriptor


def _first_statistics(count: int) -> list[tuple[int, int]]:
    first, last = _PHONOLOGICAL
    return [(start, start + count - 1) for start in range(first, last + 1, _STATISTICS)]


_AUDIO_RUNS: dict[int, list[tuple[int, int]]] = {
    0: [_BARK, _CEPSTRAL, _PHONOLOGICAL, (100, 101)],  # two more, so that two heads divide the width
    1: [_CEPSTRAL, _PHONOLOGICAL],
    2: [_BARK, _PHONOLOGICAL],
    3: [_BARK, _CEPSTRAL],
    4: [_BARK, _CEPSTRAL, *_first_statistics(2)],
    5: [_BARK, _CEPSTRAL, *_first_statistics(4)],
    6: [
        *(_BARK, _CEPSTRAL, (58, 103), (116, 121), (180, 213), (238, 243), (360, 365), (424, 457), (482, 487)),
        *((552, 559), (562, 565), (568, 581), _PHONOLOGICAL),
    ],
}


def audio_columns(feature_type: int) -> Int[np.ndarray, " columns"]:
    """The columns of IEMOCAP's hand-crafted audio that a feature type keeps, in the order they are put (spec
    end_to_end, 4.5).

    Raises InputError for a type that is not 0...6.
    """
    if feature_type not in _AUDIO_RUNS:
        raise InputError(f"audio feature type {feature_type}", todo=f"use one of {sorted(_AUDIO_RUNS)}")
    return np.concatenate([np.arange(first, last + 1) for first, last in _AUDIO_RUNS[feature_type]])
