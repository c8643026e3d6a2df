"""Finished runs asked again: with modalities absent, noisy, or missing from some utterances; raw, without a table.

Noise is Gaussian, with a standard deviation in units of each feature's own over the training time steps; padding,
that is steps whose features are all zero, stays zero. Missing follows one uniform draw per utterance, so that what
is missing at one rate is missing at every higher one; a rate of 1 is the modality's absence. Level 0 changes nothing,
not a bit. Draws depend on the run's seed and the modality alone, so models are compared under the same disturbance.

Workers import this, so it loads nothing that makes tables.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from lib.training.streams import derived_seed
from lib.training.trained import Trained, in_memory, real_steps

Subset = frozenset[str]
NOISE, MISSING = "noise", "missing"
NOISE_LEVELS = (0.0, 0.5, 1.0, 2.0)
MISSING_RATES = (0.0, 0.25, 0.5, 0.75, 1.0)
Disturbed = tuple[str, str, float, float]
"""Modality, kind, level and the score."""


def subsets(modalities: Sequence[str]) -> list[Subset]:
    """All of them, small ones first; the empty one too."""
    return [frozenset(chosen) for size in range(len(modalities) + 1) for chosen in combinations(modalities, size)]


def subset_scores(run: Trained) -> dict[Subset, float]:
    """The score of one trained model with only the modalities of each subset present."""
    return {
        subset: run.score(run.outputs({m: True for m in run.modalities if m not in subset}))
        for subset in subsets(run.modalities)
    }


def noisy_score(run: Trained, modality: str, level: float, unit: Tensor | None = None) -> float:
    """The score under noise of `level` training standard deviations on one modality. Raises ValueError below 0.

    `unit` is the run's `unit_noise`, for who asks at several levels.
    """
    if level < 0:
        raise ValueError(f"noise of {level:g} standard deviations")
    if level == 0:
        return run.plain()
    unit = unit_noise(run, modality) if unit is None else unit
    return run.score(run.outputs(noise={modality: level * unit}))


def missing_score(run: Trained, modality: str, rate: float) -> float:
    """The score when a share `rate` of the utterances, in expectation, lacks one modality."""
    return run.score(run.outputs({modality: missing_utterances(run, modality, rate)}))


def unit_noise(run: Trained, modality: str) -> Tensor:
    """Gaussian noise of the shape of the features, one training standard deviation strong, 0 in the padding."""
    x = in_memory(run.split).features[modality]
    drawn = np.random.default_rng(derived_seed(run.seed, NOISE, modality)).standard_normal(x.shape)
    noise = torch.from_numpy(drawn).to(x) * run.spread[modality]
    return noise.masked_fill(~real_steps(x)[..., None], 0.0)


def missing_utterances(run: Trained, modality: str, rate: float) -> np.ndarray:
    """Which utterances lose the modality; nested in the rate. Raises ValueError for a rate outside 0..1."""
    if not 0 <= rate <= 1:
        raise ValueError(f"a missing rate of {rate:g}")
    shape = in_memory(run.split).utterances
    draws = np.random.default_rng(derived_seed(run.seed, MISSING, modality)).uniform(size=shape)
    return draws < rate


def disturbed_scores(
    run: Trained,
    noise: Sequence[float],
    missing: Sequence[float],
    known: Mapping[frozenset[str], float] | None = None,
) -> Iterator[Disturbed]:
    """Every score of one run that the table needs.

    `known` are scores by the modalities that are present: all of them under no disturbance, all but one where no
    utterance has that one.
    """
    everything, known = frozenset(run.modalities), known or {}
    plain = known[everything] if everything in known else run.plain()
    for modality in run.modalities:
        levels = noise if modality in run.spread else ()
        unit = unit_noise(run, modality) if any(levels) else None
        for level in levels:
            yield modality, NOISE, float(level), noisy_score(run, modality, level, unit) if level else plain
        rest = everything - {modality}
        for rate in missing:
            if rate == 1 and rest in known:
                score = known[rest]
            else:
                score = missing_score(run, modality, rate) if rate else plain
            yield modality, MISSING, float(rate), score
