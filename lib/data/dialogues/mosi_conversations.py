"""CMU-MOSI as conversations: a video is a dialogue of one speaker, an utterance is negative or not."""

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from lib.data.corpus import Corpus, Split
from lib.data.dialogues.conversation_batches import Dialogue, conversation_split
from lib.data.io.features import Nonfinite
from lib.data.mosi import mosi_utterances
from lib.data.mosi.mosi_tables import video_of

SPEAKERS = 1


def files(root: Path) -> list[Path]:
    """Those of `mosi_utterances`."""
    return mosi_utterances.files(root)


def read(root: Path, *, nonfinite: Nonfinite = "error") -> Corpus:
    """The utterances of `mosi_utterances`, its repository split, scaling and warnings, joined by video.

    Features are float32 `(videos, T, d)`. Raises InputError as that reader does.
    """
    spoken = mosi_utterances.read(root, context=1, task="classes", nonfinite=nonfinite)
    splits = {name: _dialogues(split) for name, split in spoken.splits.items()}
    return replace(spoken, splits=splits, source=replace(spoken.source, name=f"{spoken.source.name}, joined by video"))


def _dialogues(split: Split) -> Split:
    """The rows, which are ordered by video and segment, as one dialogue per video."""
    dialogues = []
    for video, group in groupby(range(len(split)), key=lambda row: video_of(split.ids[row])):
        rows = np.array(list(group))
        features = {m: x[rows, 0] for m, x in split.features.items()}
        dialogues.append(Dialogue(video, np.zeros(len(rows), np.int64), split.labels[rows], features))
    return conversation_split(dialogues)
