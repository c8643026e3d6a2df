"""A prepared raw corpus as batches of the training loop; faces and pieces are read when a batch is asked for."""

import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lib.data.io.impostors import refuse
from lib.data.io.npz_files import read_arrays
from lib.data.recordings.mme2e_rules import RawUtterance, collate_raw
from lib.data.recordings.raw_preprocessing import LIST, utterance_file
from lib.data.recordings.utterance_batches import UtteranceBatches
from lib.errors import InputError

MODALITIES = ("text", "audio", "video")
_STORED = [(np.uint8, np.float32), (np.float32, np.float32)]
"""Types of faces, which are bytes where none had to be resized, and of pieces."""
Tokenizer = Callable[[Sequence[str]], tuple[Int[np.ndarray, "batch tokens"], Int[np.ndarray, "batch tokens"]]]
"""Texts to token ids and mask, padded behind to the tokenizer's fixed length."""


@dataclass(frozen=True)
class HashTokenizer:
    """Words to ids by a hash, for text encoders that start from random weights: 0 pads, 1 stands in front."""

    vocabulary: int = 1000
    length: int = 100

    def __call__(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        ids = np.zeros((len(texts), self.length), np.int64)
        for row, text in zip(ids, texts, strict=True):
            words = re.findall(r"\w+", text.lower())[: self.length - 1]
            row[: len(words) + 1] = [1, *(2 + zlib.crc32(word.encode()) % (self.vocabulary - 2) for word in words)]
        return ids, (ids > 0).astype(np.int64)


@dataclass(frozen=True)
class RawBatches(UtteranceBatches):
    """Utterances of a split; only texts and labels are in memory, `inputs` reads the rest of exactly these."""

    folder: Path
    ids: tuple[str, ...]
    keys: tuple[str, ...]
    texts: tuple[str, ...]
    labels: Float[np.ndarray, "utterances emotions"]
    tokenizer: Tokenizer
    kept: frozenset[str] = frozenset(MODALITIES)
    device: torch.device | str = "cpu"

    @property
    def inputs(self) -> Mapping[str, Tensor]:
        """The arguments of `lib.models.mme2e.MME2E`. Raises InputError for a file that is gone or changed."""
        rows = zip(self.ids, self.keys, self.texts, self.labels, strict=True)
        batch = collate_raw([self._read(*row) for row in rows])
        ids, mask = self.tokenizer([text if "text" in self.kept else "" for text in batch.texts])
        arrays = {
            "text": ids,
            "text_mask": mask,
            "audio": batch.pieces,
            "audio_lengths": batch.piece_lengths,
            "video": batch.faces,
            "video_lengths": batch.face_lengths,
        }
        arrays |= {m: np.zeros_like(arrays[m]) for m in ("audio", "video") if m not in self.kept}
        return {name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}

    def take(self, index: np.ndarray | slice) -> "RawBatches":
        rows = np.arange(len(self))[index]
        return replace(
            self,
            ids=tuple(self.ids[i] for i in rows),
            keys=tuple(self.keys[i] for i in rows),
            texts=tuple(self.texts[i] for i in rows),
            labels=self.labels[rows],
        )

    def _read(self, utterance_id: str, key: str, text: str, label: np.ndarray) -> RawUtterance:
        path = utterance_file(self.folder, utterance_id)
        try:
            stored, faces, pieces = read_arrays(path, ("key", "faces", "pieces"))
            if faces.ndim != 4 or pieces.ndim != 4 or (faces.dtype, pieces.dtype) not in _STORED:
                raise InputError("neither faces nor pieces")
        except InputError as error:
            raise InputError(error.what, where=path, todo="run data preprocess again") from error
        if str(stored) != key:
            raise InputError("not the file that was prepared", where=path, todo="run data preprocess again")
        return RawUtterance(utterance_id, faces, pieces, text, label)


def open_batches(
    folder: Path, split: str, tokenizer: Tokenizer | None = None, *, device: torch.device | str = "cpu"
) -> RawBatches:
    """A split of what `preprocess` left in `folder`, `<out>/<kind>`. Raises InputError if it is not there."""
    path = Path(folder) / LIST
    refuse(path, how="run ./run_all.sh data preprocess")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["splits"][split]
        ids, keys, texts = (tuple(entry[name] for entry in entries) for name in ("id", "key", "text"))
        labels = np.array([entry["label"] for entry in entries], np.float32)
        if not all(isinstance(text, str) for text in (*ids, *keys, *texts)):
            raise TypeError("an id, key or text that is no string")
        if not ids or labels.ndim != 2 or not np.isin(labels, (0, 1)).all():
            raise ValueError("no utterances, or labels that are not rows of zeros and ones")
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise InputError("missing or damaged", where=path, todo="run ./run_all.sh data preprocess") from error
    return RawBatches(Path(folder), ids, keys, texts, labels, tokenizer or HashTokenizer(), device=device)
