"""What the end-to-end paper's baselines read of the clips of `ravdess_frames_raw`: features that were made by hand."""

import hashlib
from pathlib import Path

import numpy as np

from lib.data.io.features import Nonfinite
from lib.data.ravdess import ravdess_frames
from lib.data.ravdess.clips import EMOTIONS, SENTENCES
from lib.data.recordings.handcrafted_batches import HandcraftedBatches
from lib.data.recordings.streamed_corpus import StreamedCorpus
from lib.files import sha256_json

files = ravdess_frames.files
WORDS = tuple(dict.fromkeys(word for sentence in SENTENCES for word in sentence.lower().split()))
"""Of both sentences, each once."""


def read(root: Path, *, fold: int = 0, step_ms: float = 125.0, nonfinite: Nonfinite = "error") -> StreamedCorpus:
    """Sequences of each clip, and a row of zeros with a 1 at its place in `EMOTIONS`.

    Text `(words, 8)` tells by a 1 which of `WORDS` is said; audio `(steps, 128)` and video `(steps, 35)` are those of
    `ravdess_frames.read`, all steps of a clip. Raises InputError as that does.
    """
    found = ravdess_frames.sequences("ravdess_frames_handcrafted", Path(root), fold, step_ms, nonfinite)
    labels, said = np.eye(len(EMOTIONS), dtype=np.float32), np.eye(len(WORDS), dtype=np.float32)
    splits, digest = {}, hashlib.sha256()
    for split, rows in found.rows.items():
        clips = [found.clips[row] for row in rows]
        sequences = []
        for row, clip in zip(rows, clips, strict=True):
            words = [WORDS.index(word) for word in clip.sentence.lower().split()]
            sequences.append({"text": said[words], **{m: of[row] for m, of in found.features.items()}})
            for values in sequences[-1].values():
                digest.update(np.ascontiguousarray(values))
        ids = tuple(clip.id for clip in clips)
        splits[split] = HandcraftedBatches(ids, tuple(sequences), labels[[clip.emotion for clip in clips]])
    contents = sha256_json([digest.hexdigest(), [batches.ids for batches in splits.values()]])
    return StreamedCorpus(EMOTIONS, splits, found.source, (), contents, {"step_ms": step_ms})
