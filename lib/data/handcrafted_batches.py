"""Hand-crafted sequences of many lengths as batches of the training loop, padded when a batch is asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lib.data.mme2e_rules import collate_handcrafted

MODALITIES = ("text", "audio", "video")


@dataclass(frozen=True)
class HandcraftedBatches:
    """Utterances of a split; `sequences` hold `(time, features)` float32 per modality, `labels` zeros and ones."""

    ids: tuple[str, ...]
    sequences: tuple[Mapping[str, np.ndarray], ...]
    labels: Float[np.ndarray, "utterances emotions"]
    kept: frozenset[str] = frozenset(MODALITIES)
    device: torch.device | str = "cpu"

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def targets(self) -> Float[Tensor, "utterances emotions"]:
        return torch.from_numpy(np.array(self.labels)).to(self.device)

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The arguments of the models in `lib.models.handcrafted_baselines`, padded to the longest of the batch."""
        inputs = {}
        columns = {m: [sequence[m] for sequence in self.sequences] for m in MODALITIES}
        for modality, (values, lengths) in collate_handcrafted(columns).items():
            values = values if modality in self.kept else np.zeros_like(values)
            inputs[modality] = torch.from_numpy(values).to(self.device)
            inputs[f"{modality}_lengths"] = torch.from_numpy(lengths).to(self.device)
        return inputs

    @property
    def sizes(self) -> dict[str, int]:
        """Features per time step."""
        return {m: self.sequences[0][m].shape[1] for m in MODALITIES}

    def take(self, index: np.ndarray | slice) -> "HandcraftedBatches":
        rows = np.arange(len(self))[index]
        return replace(
            self,
            ids=tuple(self.ids[i] for i in rows),
            sequences=tuple(self.sequences[i] for i in rows),
            labels=self.labels[rows],
        )

    def only(self, modalities: Iterable[str]) -> "HandcraftedBatches":
        """The same utterances with zeros of the same lengths for every other modality."""
        return replace(self, kept=self.kept & frozenset(modalities))
