"""Utterances that a model is asked about, and whether they are what it reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lib.data.arrays.sequences import Side
from lib.data.batches import Conversations, Examples
from lib.data.corpus import Split
from lib.data.io.features import finite_float32
from lib.data.own import split_files
from lib.data.own.declaration import FILE, Declaration, declaration
from lib.errors import InputError
from lib.export.about import About, Features

FAR = 5.0
"""Features whose mean lies so many training deviations from that of the training are of another scale."""


@dataclass(frozen=True)
class Utterances:
    """`features[modality]` is `(N, T, d)`, any kind of number; `padding` is the side of the zeros of sequences that are
    shorter than others, None where it is not known; `where` is what messages name. Of utterances in `conversations`,
    which is their split, `N` counts dialogues and `T` the utterances of one; `ids` name the utterances, one dialogue
    after another."""

    ids: tuple[str, ...]
    features: Mapping[str, np.ndarray]
    padding: Side | None
    where: str
    conversations: Split | None = None

    @classmethod
    def of(cls, split: Split, where: str) -> "Utterances":
        """All of a split; the utterances of a dialogue are called by its name and their number in it, from 1 on."""
        if split.speakers is None:
            return cls(split.ids, split.features, None, where)
        each = zip(split.ids, split.lengths.tolist(), strict=True)
        ids = tuple(f"{dialogue}:{number}" for dialogue, length in each for number in range(1, length + 1))
        return cls(ids, split.features, None, where, split)


def from_path(path: Path, split: str = "test") -> Utterances:
    """A split of a corpus folder, or all of one table (csv, Parquet) or array file (npz); labels are not looked at.

    Raises InputError for what cannot be read.
    """
    if path.is_dir() and (path / FILE).exists():
        about = declaration(path)
        if split not in about.splits:
            raise InputError(f"no split {split!r}", where=path, todo=f"there are: {', '.join(about.splits)}")
        padding, place = about.padding, path / about.splits[split]
    else:
        padding, place = Declaration.model_fields["padding"].default, path
        if not path.is_file():
            raise InputError(
                "neither a corpus folder nor a file of utterances", where=path, todo="see docs/own_corpus.md"
            )
    part = split_files.unlabelled(place, padding)
    if len(set(part.ids)) != len(part.ids):
        raise InputError("an id stands twice", where=place)
    return Utterances(part.ids, part.features, padding, str(place))


def fitted(
    about: About, utterances: Utterances, *, dtype: torch.dtype, device: torch.device
) -> Examples | Conversations:
    """What the model reads of these utterances; what it does not read is zeros.

    Sequences shorter than those of the training are filled with zeros to their length, where the side is known. Raises
    InputError for a modality that is missing, has another width, or more steps, and for dialogues where the model reads
    utterances one by one, or the reverse.
    """
    if not len(utterances.ids):
        raise InputError("no utterances", where=utterances.where)
    for modality in about.reads:
        _refuse_width(modality, about.modalities[modality], utterances)
    if (utterances.conversations is not None) != about.dialogues:
        kinds = ("whole dialogues", "utterances one by one")
        reads, given = kinds if about.dialogues else kinds[::-1]
        raise InputError(f"the model reads {reads}, these are {given}", where=utterances.where)
    if about.dialogues:
        return Conversations.of(utterances.conversations, dtype=dtype, device=device)
    inputs = {
        m: _read(m, known, utterances, dtype, device)
        if m in about.reads
        else _absent(len(utterances.ids), known, dtype)
        for m, known in about.modalities.items()
    }
    inputs = {m: x.to(device) for m, x in inputs.items()}
    return Examples(inputs, torch.zeros(len(utterances.ids), device=device))


def _absent(n: int, known: Features, dtype: torch.dtype) -> Tensor:
    return torch.zeros((), dtype=dtype).expand(n, known.steps, known.width)


def _refuse_width(modality: str, known: Features, utterances: Utterances) -> None:
    if modality not in utterances.features:
        there = ", ".join(utterances.features)
        raise InputError(f"no {modality}, which the model reads", where=utterances.where, todo=f"there are: {there}")
    width = utterances.features[modality].shape[2]
    if width != known.width:
        raise InputError(f"{modality} has {width} features, the model reads {known.width}", where=utterances.where)


def _read(modality: str, known: Features, utterances: Utterances, dtype: torch.dtype, device: torch.device) -> Tensor:
    where, x = utterances.where, utterances.features[modality]
    missing = known.steps - x.shape[1]
    if missing < 0 or (missing and utterances.padding is None):
        what = f"{modality} has {x.shape[1]} steps, the model was trained on {known.steps}"
        raise InputError(what, where=where, todo="cut or average them" if missing < 0 else None)
    found, _ = finite_float32(x, modality, where, row=lambda row: f"utterance {utterances.ids[row]}")
    if missing:
        sides = (missing, 0) if utterances.padding == "front" else (0, missing)
        found = np.pad(found, ((0, 0), sides, (0, 0)))
    return torch.from_numpy(found).to(device, dtype)


def strangers(about: About, utterances: Utterances) -> list[str]:
    """A sentence for each modality whose features lie far from those of the training, as those of another extractor or
    without its standardisation do."""
    found = []
    for modality in about.reads:
        known = about.modalities[modality]
        mean, _ = spread(utterances.features[modality])
        varies = np.array(known.deviation) > 0
        away = np.abs(mean - known.mean)[varies] / np.array(known.deviation)[varies]
        if len(away) and (far := float(np.median(away))) > FAR:
            said = f"half of its features lie {far:.0f} or more training deviations from their training mean"
            found.append(f"{modality} is on another scale than in training: {said}")
    return found


def spread(
    x: Float[np.ndarray, "utterances steps width"], rows: int = 256
) -> tuple[Float[np.ndarray, "width"], Float[np.ndarray, "width"]]:
    """Mean and standard deviation of each feature over the steps that are not all zero, as padding is; 0 without any.

    A few rows at a time: an array may be as large as memory.
    """
    count, total, squares = 0, np.zeros(x.shape[2]), np.zeros(x.shape[2])
    for start in range(0, len(x), rows):
        part = np.asarray(x[start : start + rows], dtype=np.float64)
        steps = part[(part != 0).any(axis=-1)]
        count, total, squares = count + len(steps), total + steps.sum(axis=0), squares + (steps**2).sum(axis=0)
    mean = total / max(count, 1)
    return mean, np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0.0))
