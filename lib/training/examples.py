"""A split as tensors on the training device."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from lib.data.corpus import Corpus
from lib.data.dialogues.conversation_batches import Conversations
from lib.data.recordings.streamed_corpus import Ragged, StreamedCorpus
from lib.models.absence import absent_like, is_absent


class Batches(Protocol):
    """What the loop asks of a split, and of a minibatch: `model(**inputs)` is compared with `targets`.

    `len` counts what minibatches are made of: samples, or dialogues, which hold several targets each.
    """

    @property
    def inputs(self) -> Mapping[str, object]: ...

    @property
    def targets(self) -> Tensor: ...

    def __len__(self) -> int: ...

    def take(self, index: np.ndarray | slice) -> "Batches": ...

    def only(self, modalities: Iterable[str]) -> "Batches": ...


@dataclass(frozen=True)
class Examples:
    """`inputs[modality]` is `(N, T, d)`, `targets` is `(N,)` or `(N, K)`; all on one device."""

    inputs: dict[str, Tensor]
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, index: np.ndarray | slice) -> "Examples":
        """The samples at `index`; an index array copies, so nothing can write through to the source (quirk 13)."""
        if isinstance(index, np.ndarray):
            index = torch.from_numpy(index).to(self.targets.device)
        targets = self.targets[index]
        inputs = {
            m: x[:1].expand(len(targets), *x.shape[1:]) if is_absent(x) else x[index] for m, x in self.inputs.items()
        }
        return Examples(inputs, targets)

    def only(self, modalities: Iterable[str]) -> "Examples":
        """The same samples with every other modality replaced by zeros; the widths stay."""
        kept = set(modalities)
        inputs = {m: x if m in kept else absent_like(x) for m, x in self.inputs.items()}
        return Examples(inputs, self.targets)


def examples(
    corpus: Corpus | StreamedCorpus,
    split: str,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Examples | Conversations | Ragged:
    """Copy a split of a corpus to tensors; a streamed one is copied batch by batch, as float32.

    Class targets are int64, all others `dtype`. Raises ValueError for another `dtype` of a streamed corpus.
    """
    if isinstance(corpus, StreamedCorpus):
        if dtype != torch.float32:
            raise ValueError(f"a streamed corpus is float32, not {dtype}")
        return replace(corpus.splits[split], device=device)
    part = corpus.splits[split]
    if part.speakers is not None:
        return Conversations.of(part, dtype=dtype, device=device)
    inputs = {m: torch.from_numpy(np.array(x)).to(device, dtype) for m, x in part.features.items()}
    target_dtype = torch.int64 if corpus.task == "classes" else dtype
    return Examples(inputs, torch.from_numpy(np.array(part.labels)).to(device, target_dtype))
