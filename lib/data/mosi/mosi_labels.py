"""Which CMU-MOSI utterance each row of the MFN label files belongs to (inventory 1.5).

`y_{train,valid,test}.h5` carry real-valued sentiment but no ids. The loader that wrote them, under Python
2.7, went through the videos sorted by id and, inside a video, through a dict keyed by the segment number as a
string. So the rows follow the slots of that dict, and those follow from two things that CPython 2.7 fixed for
good: the hash of a string and the way a dict places and grows.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from lib.data.arrays.mfn_h5 import MOSI
from lib.data.arrays.named_arrays import write_dataset
from lib.data.corpus import SPLITS
from lib.data.io.hdf5 import read_numbers
from lib.data.io.label_rules import scaled
from lib.errors import InputError

_MASK = 2**64 - 1
_PERTURB_SHIFT = 5


def label_files(root: Path) -> list[Path]:
    """The three label files, in the order in which their rows follow each other."""
    return [Path(root) / MOSI.folder / f"y_{split}.h5" for split in SPLITS]


def sentiment(root: Path, segments: Mapping[str, int]) -> dict[str, float]:
    """Real-valued sentiment, -3 to 3, by utterance id `<video>_<segment>`.

    `segments` maps each video to its number of segments, which are numbered from 1. The published cut into
    training, validation and test rows falls between videos, so the three files are one list over all videos.

    Raises `InputError` if the files hold another number of rows than there are segments.
    """
    files = label_files(root)
    parts = [scaled(read_numbers(path, MOSI.key), MOSI.scale.bounds, path) for path in files]
    for path, part in zip(files, parts, strict=True):
        if part.ndim != 1:
            raise InputError(f"labels {part.shape}, expected (N,)", where=path)
    rows = np.concatenate(parts)
    order = row_order(segments)
    if len(rows) != len(order):
        raise InputError(f"{len(rows)} labels for {len(order)} utterances", where=files[0].parent / "y_*.h5")
    return dict(zip(order, rows.tolist(), strict=True))


def write_sentiment(root: Path, segments: Mapping[str, int], values: Mapping[str, float]) -> None:
    """Write the label files that `sentiment` reads; the videos are cut as published, 52 : 10 : 31."""
    videos = sorted(segments)
    cuts = [0, round(len(videos) * 52 / 93), round(len(videos) * 62 / 93), len(videos)]
    for path, start, end in zip(label_files(root), cuts[:-1], cuts[1:], strict=True):
        order = row_order({video: segments[video] for video in videos[start:end]})
        write_dataset(path, MOSI.key, [np.array([values[utterance] for utterance in order], dtype=np.float64)])


def row_order(segments: Mapping[str, int]) -> list[str]:
    """Utterance ids in the order of the label rows."""
    return [
        f"{video}_{segment}"
        for video in sorted(segments)
        for segment in python2_dict_order(str(number) for number in range(1, segments[video] + 1))
    ]


def python2_dict_order(keys: Iterable[str]) -> list[str]:
    """The order in which 64-bit CPython 2.7 iterates over a dict filled with these distinct ASCII keys."""
    slots: list[str | None] = [None] * 8
    for used, key in enumerate(keys, start=1):
        _place(slots, key)
        if used * 3 >= len(slots) * 2:  # two thirds full: room for four times (large dicts: twice) the keys
            wanted = used * (2 if used > 50_000 else 4)
            slots, old = [None] * max(8, 1 << wanted.bit_length()), slots
            for other in old:
                if other is not None:
                    _place(slots, other)
    return [key for key in slots if key is not None]


def _place(slots: list[str | None], key: str) -> None:
    """Put the key into the first free slot of its probe sequence."""
    slot = perturb = python2_hash(key)
    mask = len(slots) - 1
    while slots[slot & mask] is not None:
        slot = (slot << 2) + slot + perturb + 1
        perturb >>= _PERTURB_SHIFT
    slots[slot & mask] = key


def python2_hash(text: str) -> int:
    """`hash(str)` of 64-bit CPython 2.7 without hash randomisation, as an unsigned number."""
    if not text:
        return 0
    value = ord(text[0]) << 7
    for character in text:
        value = (1_000_003 * value & _MASK) ^ ord(character)
    return value ^ len(text)
