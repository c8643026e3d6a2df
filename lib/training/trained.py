"""Finished runs asked again: with modalities missing from some or all utterances, or under noise.

Absence is declared per model. By default a missing modality is zeros at the input, as in modality dropout and in the
evaluation on fewer modalities (spec colearning, sections 3 and 4.3). `encoders` names, by modality, the sub-module
whose output becomes zeros instead: for LMF and TFN that leaves the constant 1 of the modality's slot (spec
low_rank_fusion, 1.2).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lib.absence import absent_like
from lib.data.batches import Batches, InMemory
from lib.errors import InputError
from lib.training import records
from lib.training.execution import one_thread
from lib.training.loop import evaluate, evaluation_parts
from lib.training.recipe import Member, Recipe
from lib.training.records import Record

Score = Callable[[np.ndarray], float]
"""Raw outputs of the split, as a record holds them, to one number."""
ZEROS, SLOT = "zeros at the input", "only the constant 1 of its slot"


@dataclass(frozen=True)
class Trained:
    """The tested epoch of one run, and the held-out split that it is asked about.

    `modalities` are those it was trained on. `spread[modality]` `(d,)` is what `feature_spread` says of the
    training split; a modality that it lacks, such as words by number, takes no noise.
    """

    name: str
    seed: int
    modalities: tuple[str, ...]
    model: nn.Module
    recipe: Recipe
    split: Batches
    score: Score
    spread: Mapping[str, Tensor] = field(default_factory=dict)
    encoders: Mapping[str, str] = field(default_factory=dict)

    @property
    def absence(self) -> str:
        """How a modality is made absent, in words."""
        return SLOT if self.encoders else ZEROS

    def plain(self) -> float:
        """The score with every modality present."""
        return self.score(self.outputs())

    def outputs(
        self, missing: Mapping[str, np.ndarray | bool] | None = None, noise: Mapping[str, Tensor] | None = None
    ) -> np.ndarray:
        """Raw outputs of the split, computed with one thread, as a run's own are.

        `missing[modality]` is True, or says by utterance (`utterances`) who has lost the modality; `noise[modality]`
        is added to the features. With neither, on the machine of the run's CPU record, the bits are the record's.
        """
        gone = {m: mask for m, mask in (missing or {}).items() if np.any(mask)}
        split = self.split if noise is None else _with_noise(self.split, noise)
        with one_thread(), ExitStack() as stack:
            if self.encoders:
                if any(not np.all(mask) for mask in gone.values()):
                    return self._silenced_in_parts(split, gone).detach().cpu().numpy()
                for modality, mask in gone.items():
                    stack.enter_context(self._silenced(modality, mask))
            else:
                split = without(split, gone)
            return evaluate(self.model, split, self.recipe).detach().cpu().numpy()

    def _silenced_in_parts(self, split: Batches, gone: Mapping[str, np.ndarray | bool]) -> Tensor:
        """Outputs where encoders are silent for some utterances: the parts of `evaluate`, each with its own rows of
        the masks."""
        if self.recipe.evaluation_batch:
            raise ValueError("single utterances can lose an encoder only where a split is evaluated in one batch")
        found = []
        for part in evaluation_parts(split, self.recipe):
            with ExitStack() as stack:
                for modality, mask in gone.items():
                    rows = mask if np.ndim(mask) == 0 else np.asarray(mask)[part]
                    stack.enter_context(self._silenced(modality, rows))
                found.append(evaluate(self.model, split.take(part), self.recipe))
        return torch.cat(found)

    @contextmanager
    def _silenced(self, modality: str, mask: np.ndarray | bool) -> Iterator[None]:
        """Within the block the modality's encoder gives zeros for the masked utterances."""

        def zeros(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
            return _masked(output, mask)

        handle = self.model.get_submodule(self.encoders[modality]).register_forward_hook(zeros)
        try:
            yield
        finally:
            handle.remove()


def load(
    folder: Path,
    member: Member,
    record: Record,
    split: Batches,
    score: Score,
    *,
    spread: Mapping[str, Tensor] | None = None,
    encoders: Mapping[str, str] | None = None,
) -> Trained:
    """A finished run from its record in `folder`, where the weights lie as safetensors, which hold no code.

    The model goes to the device of `split`, which holds all modalities. `spread` and `encoders` are those of
    `Trained`. Raises InputError for a run without weights.
    """
    if record.status != records.FINISHED:
        raise InputError(f"has no weights: {record.reason}", where=f"{record.variant}, seed {record.seed}")
    try:
        state = records.load_weights(folder, record)
    except OSError as error:
        raise InputError(f"the weights cannot be read ({error})", where=record.weights, todo="run again") from None
    model = member.model.build().to(split.targets.device, member.recipe.dtype)
    model.load_state_dict(state)
    return Trained(
        name=member.variant,
        seed=member.seed,
        modalities=member.train_on,
        model=model.eval(),
        recipe=member.recipe,
        split=split.only(member.train_on),
        score=score,
        spread=spread or {},
        encoders=encoders or {},
    )


def in_memory(split: Batches) -> InMemory:
    """The same split. Raises InputError for one whose features are not in memory."""
    if split.features is None:
        raise InputError("noise and single missing utterances need features in memory", where=type(split).__name__)
    return split


def without(split: Batches, missing: Mapping[str, np.ndarray | bool]) -> Batches:
    """The split with zeros where an utterance has lost a modality. Raises InputError as `in_memory` does."""
    if not missing:
        return split
    if split.features is None and all(np.all(mask) for mask in missing.values()):
        return split.only([m for m in ("text", "audio", "video") if m not in missing])
    features = in_memory(split).features
    return split.with_features({m: _masked(features[m], mask) for m, mask in missing.items()})


def feature_spread(train: Batches) -> dict[str, Tensor]:
    """Standard deviation `(d,)` of each feature over the time steps that are not all zero, as padding is."""
    found = {}
    for modality, x in in_memory(train).features.items():
        steps = x[real_steps(x)]
        found[modality] = steps.std(dim=0, correction=0) if len(steps) else x.new_zeros(x.shape[-1])
    return found


def real_steps(x: Tensor) -> Tensor:
    """Which time steps `(N, T)` hold any feature that is not zero."""
    return (x != 0).any(dim=-1)


def _masked(x: Tensor, mask: np.ndarray | bool) -> Tensor:
    if np.all(mask):
        return absent_like(x)
    rows = torch.from_numpy(np.asarray(mask)).to(x.device)
    return x.masked_fill(rows.reshape(*rows.shape, *[1] * (x.ndim - rows.ndim)), 0.0)


def _with_noise(split: Batches, noise: Mapping[str, Tensor]) -> Batches:
    features = in_memory(split).features
    return split.with_features({m: features[m] + more for m, more in noise.items()})
