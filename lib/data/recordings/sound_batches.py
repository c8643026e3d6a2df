"""Recordings of sound and what was said as batches of the training loop; there are no images."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lib.data.recordings.raw_batches import HashTokenizer, Tokenizer
from lib.data.recordings.utterance_batches import UtteranceBatches

MODALITIES = ("text", "audio")


@dataclass(frozen=True)
class SoundBatches(UtteranceBatches):
    """Utterances of a split. `pieces` are those of the whole corpus, one utterance's after another's, and may be mapped
    from a file; `starts` and `counts` say which are whose.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    labels: Float[np.ndarray, "utterances emotions"]
    pieces: Float[np.ndarray, "pieces 1 bands 32"]
    starts: Int[np.ndarray, " utterances"]
    counts: Int[np.ndarray, " utterances"]
    tokenizer: Tokenizer = field(default_factory=HashTokenizer)
    kept: frozenset[str] = frozenset(MODALITIES)
    device: torch.device | str = "cpu"

    @property
    def inputs(self) -> Mapping[str, Tensor]:
        """The arguments of `lib.models.mme2e.MME2E` but for the faces."""
        ids, mask = self.tokenizer([text if "text" in self.kept else "" for text in self.texts])
        ranges = [slice(start, start + count) for start, count in zip(self.starts, self.counts, strict=True)]
        pieces = np.concatenate([self.pieces[rows] for rows in ranges])
        pieces = pieces if "audio" in self.kept else np.zeros_like(pieces)
        arrays = {"text": ids, "text_mask": mask, "audio": pieces, "audio_lengths": self.counts}
        return {name: torch.from_numpy(np.array(array)).to(self.device) for name, array in arrays.items()}

    def take(self, index: np.ndarray | slice) -> "SoundBatches":
        rows = np.arange(len(self))[index]
        return replace(
            self,
            ids=tuple(self.ids[i] for i in rows),
            texts=tuple(self.texts[i] for i in rows),
            labels=self.labels[rows],
            starts=self.starts[rows],
            counts=self.counts[rows],
        )
