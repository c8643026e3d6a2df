"""Hand-crafted sequences of many lengths as batches of the training loop, padded when a batch is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lib.data.iemocap import iemocap_handcrafted
from lib.data.io.features import Nonfinite
from lib.data.mosei import mosei_handcrafted
from lib.data.recordings.mme2e_rules import collate_handcrafted
from lib.data.recordings.raw_layout import Kind, Problem
from lib.data.recordings.utterance_batches import UtteranceBatches
from lib.errors import InputError

MODALITIES = ("text", "audio", "video")


@dataclass(frozen=True)
class HandcraftedBatches(UtteranceBatches):
    """Utterances of a split; `sequences` hold `(time, features)` float32 per modality that there is, `labels` zeros and
    ones."""

    ids: tuple[str, ...]
    sequences: tuple[Mapping[str, np.ndarray], ...]
    labels: Float[np.ndarray, "utterances emotions"]
    kept: frozenset[str] = frozenset(MODALITIES)
    device: torch.device | str = "cpu"

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The arguments of the models in `lib.models.handcrafted_baselines`, padded to the longest of the batch."""
        inputs = {}
        columns = {m: [sequence[m] for sequence in self.sequences] for m in self.sizes}
        for modality, (values, lengths) in collate_handcrafted(columns).items():
            values = values if modality in self.kept else np.zeros_like(values)
            inputs[modality] = torch.from_numpy(values).to(self.device)
            inputs[f"{modality}_lengths"] = torch.from_numpy(lengths).to(self.device)
        return inputs

    @property
    def sizes(self) -> dict[str, int]:
        """Features per time step."""
        return {m: self.sequences[0][m].shape[1] for m in MODALITIES if m in self.sequences[0]}

    def take(self, index: np.ndarray | slice) -> "HandcraftedBatches":
        rows = np.arange(len(self))[index]
        return replace(
            self,
            ids=tuple(self.ids[i] for i in rows),
            sequences=tuple(self.sequences[i] for i in rows),
            labels=self.labels[rows],
        )


def feature_files(kind: Kind, features: Path, split: str) -> list[Path]:
    """The files of a split below `features`, whether they exist or not."""
    return (iemocap_handcrafted if kind == "iemocap" else mosei_handcrafted).files(features, split)


def open_split(
    kind: Kind,
    features: Path,
    split: str,
    labels: Sequence[tuple[str, np.ndarray]],
    audio_type: int = 0,
    nonfinite: Nonfinite = "error",
) -> tuple[HandcraftedBatches, list[Problem]]:
    """The utterances named in `labels`, in this order, that have usable features; and the problems of the split.

    `audio_type` chooses IEMOCAP's audio columns. Raises InputError for missing files and if nothing is left.
    """
    if kind == "iemocap":
        found, faults = iemocap_handcrafted.read_phase(features, split, audio_type, nonfinite)
    else:
        found, faults = mosei_handcrafted.read_phase(features, split, nonfinite)
    problems, kept = [], []
    for utterance_id, label in labels:
        if (fault := faults.get(utterance_id)) is not None:
            problems.append(Problem(utterance_id, fault, "replaced" if utterance_id in found else "skipped"))
        elif utterance_id not in found:
            problems.append(Problem(utterance_id, "no hand-crafted features", "skipped"))
        elif not found[utterance_id]["text"].any():
            problems.append(Problem(utterance_id, "empty text", "kept"))
        if utterance_id in found:
            kept.append((utterance_id, label))
    if not kept:
        raise InputError(f"no hand-crafted features for the {split} split", where=features)
    ids = tuple(utterance_id for utterance_id, _ in kept)
    rows = np.array([label for _, label in kept], np.float32)
    return HandcraftedBatches(ids, tuple(found[i] for i in ids), rows), problems
