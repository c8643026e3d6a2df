"""What training asks of a corpus: splits as tensors on its device, and minibatches of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from lib.absence import absent_like, is_absent
from lib.errors import InputError

if TYPE_CHECKING:
    from lib.data.corpus import Source, Split


class Batches(Protocol):
    """A split, or a minibatch of it: `model(**inputs)` is compared with `targets`.

    `len` counts what minibatches are made of: samples, or dialogues, which hold several targets each. `features` are
    the `(N, T, d)` of each modality, None where they are made batch by batch.
    """

    @property
    def inputs(self) -> Mapping[str, object]: ...

    @property
    def targets(self) -> Tensor: ...

    @property
    def features(self) -> Mapping[str, Tensor] | None: ...

    def __len__(self) -> int: ...

    def take(self, index: np.ndarray | slice) -> "Batches": ...

    def only(self, modalities: Iterable[str]) -> "Batches": ...


class InMemory(Batches, Protocol):
    """Batches whose features can be changed. `utterances` is the shape of a mask: `(N,)`, or `(dialogues, T)`."""

    @property
    def utterances(self) -> tuple[int, ...]: ...

    def with_features(self, changed: Mapping[str, Tensor]) -> "InMemory": ...


class Batched(Protocol):
    """A corpus, whether its splits are in memory or made batch by batch.

    `digest` identifies everything that its batches can hold. Of `splits` the length and the `labels` are asked before
    a training.
    """

    @property
    def label_names(self) -> tuple[str, ...]: ...

    @property
    def splits(self) -> Mapping[str, "Split"]: ...

    @property
    def source(self) -> "Source": ...

    @property
    def digest(self) -> str: ...

    def batches(self, split: str, *, dtype: torch.dtype, device: torch.device | str) -> Batches: ...


@dataclass(frozen=True)
class Examples:
    """`inputs[modality]` is `(N, T, d)`, `targets` is `(N,)` or `(N, K)`; all on one device."""

    inputs: dict[str, Tensor]
    targets: Tensor

    @classmethod
    def of(cls, split: "Split", *, target_dtype: torch.dtype, dtype: torch.dtype, device: torch.device | str):
        """Copy a split."""
        inputs = {m: torch.from_numpy(np.array(x)).to(device, dtype) for m, x in split.features.items()}
        return cls(inputs, torch.from_numpy(np.array(split.labels)).to(device, target_dtype))

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def features(self) -> Mapping[str, Tensor]:
        return self.inputs

    @property
    def utterances(self) -> tuple[int, ...]:
        return (len(self),)

    def with_features(self, changed: Mapping[str, Tensor]) -> "Examples":
        """The same samples with other features for some modalities."""
        return replace(self, inputs={**self.inputs, **changed})

    def take(self, index: np.ndarray | slice) -> "Examples":
        """The samples at `index`; an index array copies, so nothing can write through to the source (spec colearning,
        quirk 13)."""
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


@dataclass(frozen=True)
class Conversations:
    """Dialogues, padded behind: a split, or a minibatch of it.

    `features[modality]` is `(B, T, d)` with zeros in the padding, `speakers` int64 `(B, T)` with 0 there, `labels`
    int64 `(B, T)`. `lengths`, int64 `(B,)`, stays on the CPU, so that nothing waits for the device to know the shapes.
    """

    features: Mapping[str, Tensor]
    lengths: Tensor
    speakers: Tensor
    labels: Tensor

    @classmethod
    def of(
        cls, split: "Split", *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> "Conversations":
        """Copy a split. Raises InputError if it does not hold conversations."""
        if split.speakers is None:
            raise InputError("the split has no speakers", todo="use a corpus of conversations")
        return cls(
            {m: torch.from_numpy(np.array(x)).to(device, dtype) for m, x in split.features.items()},
            torch.from_numpy(np.array(split.lengths)),
            torch.from_numpy(np.maximum(split.speakers, 0)).to(device),
            torch.from_numpy(np.array(split.labels)).to(device),
        )

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def inputs(self) -> dict[str, Mapping[str, Tensor] | Tensor]:
        """What a conversation model takes."""
        return {"features": self.features, "lengths": self.lengths, "speakers": self.speakers}

    @cached_property
    def targets(self) -> Tensor:
        """Int64 `(N,)`: the labels of the real utterances, one dialogue after another."""
        real = torch.arange(self.labels.shape[1]) < self.lengths[:, None]
        return self.labels[real.to(self.labels.device)]

    @property
    def utterances(self) -> tuple[int, ...]:
        return tuple(self.labels.shape)

    def with_features(self, changed: Mapping[str, Tensor]) -> "Conversations":
        """The same dialogues with other features for some modalities."""
        return replace(self, features={**self.features, **changed})

    def take(self, index: np.ndarray | slice) -> "Conversations":
        """The dialogues at `index`, padded to the longest of them: the time axis depends on the batch."""
        if isinstance(index, np.ndarray):
            index = torch.from_numpy(index)
        lengths = self.lengths[index]
        rows = index if isinstance(index, slice) else index.to(self.labels.device)
        time = int(lengths.max())
        features = {m: x[rows, :time] for m, x in self.features.items()}
        return Conversations(features, lengths, self.speakers[rows, :time], self.labels[rows, :time])

    def only(self, modalities: Iterable[str]) -> "Conversations":
        """The same dialogues with the features of these modalities alone."""
        kept = set(modalities)
        features = {m: x for m, x in self.features.items() if m in kept}
        return Conversations(features, self.lengths, self.speakers, self.labels)
