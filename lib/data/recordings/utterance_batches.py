"""What batches of utterances of recordings have in common, wherever their inputs come from."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


class UtteranceBatches:
    """Base of a frozen dataclass with `ids`, `labels` `(utterances, emotions)`, `kept` modalities, and `device`."""

    features = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def targets(self) -> Float[Tensor, "utterances emotions"]:
        return torch.from_numpy(np.array(self.labels)).to(self.device)

    def only(self, modalities: Iterable[str]) -> Self:
        """The same utterances with every other modality empty: no words, or zeros of the same lengths."""
        return replace(self, kept=self.kept & frozenset(modalities))
