"""RAVDESS as conversations: each clip by itself, or the clips of an actor as one dialogue of one speaker."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from lib.data.corpus import Corpus, Split
from lib.data.dialogues.conversation_batches import Dialogue, conversation_split
from lib.data.io.features import Nonfinite
from lib.data.ravdess import ravdess
from lib.data.ravdess.clips import Clip
from lib.errors import InputError

Joined = Literal["single", "actor"]
Audio = Literal["functionals", "egemaps"]
"""One vector per clip."""
SPEAKERS = 1
_SAID = {
    "single": ("each clip a dialogue", "a dialogue is one clip, so no model of conversations has a context to use"),
    "actor": (
        "joined by actor",
        "a dialogue is an actor's clips in the order of the SHA-256 of their names, which follows no emotion; every "
        "actor says each emotion equally often, so the clips of a dialogue tell a little of each other",
    ),
}


def files(root: Path) -> list[Path]:
    """Those of `ravdess`."""
    return ravdess.files(root)


def read(
    root: Path,
    *,
    fold: int = 0,
    dialogues: Joined = "single",
    audio: Audio = "functionals",
    nonfinite: Nonfinite = "error",
) -> Corpus:
    """The clips of `ravdess` in its folds, with its scaling and warnings; features float32 `(dialogues, T, d)`.

    `single`: `T` is 1. `actor`: the clips of an actor, 60 if none is missing, are one dialogue. The release lists them
    by emotion, and a model that knows the place of a clip could read the emotion from it; so they stand `in_order`.
    Raises InputError as that reader does, and for an unknown way to join clips or kind of audio.
    """
    for name, given, known in (("audio", audio, get_args(Audio)), ("dialogues", dialogues, get_args(Joined))):
        if given not in known:
            raise InputError(f"unknown {name} {given!r}", where="RAVDESS", todo=f"known: {', '.join(known)}")
    clips = ravdess.read(root, fold=fold, audio=audio, nonfinite=nonfinite)
    splits = {name: _joined(split, dialogues) for name, split in clips.splits.items()}
    name, note = _SAID[dialogues]
    source = clips.source
    told = replace(source, name=f"{source.name}, {name}", warnings=(*source.warnings, note))
    return replace(clips, splits=splits, source=told)


def in_order(ids: Sequence[str]) -> list[str]:
    """The names of an actor's clips by the SHA-256 of each: fixed, the same whichever clips are missing, another order
    of emotions for every actor."""
    return sorted(ids, key=lambda name: sha256(name.encode()).digest())


def _joined(split: Split, dialogues: Joined) -> Split:
    """The rows, which are ordered by actor, as dialogues."""
    rows = {name: row for row, name in enumerate(split.ids)}
    if dialogues == "single":
        groups = {name: [name] for name in split.ids}
    else:
        by_actor = groupby(split.ids, key=lambda name: Clip.named(name, "RAVDESS").actor)
        groups = {f"actor {actor:02}": in_order([*names]) for actor, names in by_actor}
    found = []
    for name, clips in groups.items():
        chosen = np.array([rows[clip] for clip in clips])
        features = {m: x[chosen, 0] for m, x in split.features.items()}
        found.append(Dialogue(name, np.zeros(len(chosen), np.int64), split.labels[chosen], features))
    return conversation_split(found)
