"""Self-paced curriculum learning for conversations (spec self_paced_balance, section 3).

Everything is in flat order: N utterances of B dialogues, M modalities, C classes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from lib.errors import InputError

CAP = 60.0
"""The threshold stops growing here; a difficulty stays far below, so the cap means "everything"."""

Over = Literal["all", "selected"]
Measure = Literal["harmonic", "utterance", "conversation"]


def true_class_probability(
    logits: Mapping[str, Float[Tensor, "n classes"]], labels: Int[Tensor, "n"]
) -> Float[Tensor, "modality n"]:
    """What each modality gives the true class."""
    columns = labels.expand(len(logits), -1).unsqueeze(-1)
    return torch.stack(list(logits.values())).softmax(-1).gather(-1, columns).squeeze(-1)


def dialogue_scores(
    probability: Float[Tensor, "modality n"], lengths: Int[Tensor, "batch"]
) -> Float[Tensor, "modality batch"]:
    """Each modality's sum over a dialogue: not a mean, so it grows with the dialogue (quirk 2)."""
    zeros = probability.new_zeros(len(probability), len(lengths))
    return zeros.index_add(1, dialogue_of_utterance(lengths, probability[0]), probability)


def dialogue_of_utterance(lengths: Int[Tensor, "batch"], like: Float[Tensor, "n"]) -> Int[Tensor, "n"]:
    """The batch row of each utterance, on the device of `like`; `lengths` may stay on the CPU."""
    return torch.repeat_interleave(lengths, output_size=len(like)).to(like.device)


def imbalance(scores: Float[Tensor, "modality batch"]) -> Float[Tensor, "batch"]:
    """Standard deviation over the modalities, divisor M - 1; NaN for one modality (quirk 9)."""
    if len(scores) == 1:
        return scores.new_full(scores.shape[1:], torch.nan)
    return scores.std(0)


def harmonic_mean(score: Tensor, loss: Tensor) -> Tensor:
    """Difficulty of an utterance. A score of 0 gives 0; together with a loss of -0.0 it gives NaN."""
    return 2.0 / (1.0 / score + 1.0 / loss)


def modality_ratios(
    probability: Float[Tensor, "modality n"], selected: Tensor | None = None
) -> Float[Tensor, "modality"]:
    """Each modality's summed true-class probability over the smallest one; NaN when nothing is selected."""
    total = (probability if selected is None else probability * selected).sum(1)
    return total / total.min()


def next_threshold(threshold: float, growth: float) -> float:
    """The threshold of the following epoch, in double precision."""
    return min(CAP, threshold * growth)


@dataclass(frozen=True)
class Curriculum:
    """Why each utterance of a batch is in or out; nothing in it carries a gradient."""

    probability: Float[Tensor, "modality n"]
    scores: Float[Tensor, "modality batch"]
    imbalance: Float[Tensor, "batch"]
    utterance_imbalance: Float[Tensor, "n"]
    difficulty: Float[Tensor, "n"]
    selected: Bool[Tensor, "n"]


@torch.no_grad()
def curriculum(
    losses: Float[Tensor, "n"],
    logits: Mapping[str, Float[Tensor, "n classes"]],
    labels: Int[Tensor, "n"],
    lengths: Int[Tensor, "batch"],
    threshold: float,
    measure: Measure = "harmonic",
) -> Curriculum:
    """Select the utterances whose difficulty is at most `threshold`; NaN is not selected.

    `measure="harmonic"` is the method. "utterance" (loss alone) and "conversation" (imbalance alone) are the
    ablations that the reference holds but does not use; they select strictly below the threshold.
    """
    probability = true_class_probability(logits, labels)
    scores = dialogue_scores(probability, lengths)
    spread = imbalance(scores)
    utterance_spread = spread[dialogue_of_utterance(lengths, losses)]
    if measure == "harmonic":
        difficulty = harmonic_mean(utterance_spread, losses)
        selected = difficulty <= threshold
    else:
        difficulty = losses if measure == "utterance" else utterance_spread
        selected = difficulty < threshold
    return Curriculum(probability, scores, spread, utterance_spread, difficulty, selected)


def selected_mean(losses: Float[Tensor, "n"], selected: Bool[Tensor, "n"], over: Over = "all") -> Float[Tensor, ""]:
    """Sum of the selected losses over N as in the code, or over their number as in the figure (quirk 1).

    With nothing selected both give 0 with zero gradients, so the optimiser still takes a step (quirk 18).
    """
    kept = losses * selected
    return kept.mean() if over == "all" else kept.sum() / selected.sum().clamp(min=1)


class SelfPaced:
    """Self-paced selection in a training run: a loss per batch and a threshold per epoch.

    `enabled=False` is plain training, bit for bit the mean cross-entropy of the joint logits, with the same record,
    so the two can be drawn side by side. Raises InputError for a threshold that is not positive (it could never
    grow), for a growth below 1, and at the first batch for a single modality (nothing would ever be selected,
    quirk 9).
    """

    def __init__(
        self,
        threshold: float,
        growth: float,
        *,
        enabled: bool = True,
        over: Over = "all",
        measure: Measure = "harmonic",
    ):
        if enabled and not 0.0 < threshold < math.inf:
            raise InputError(f"a self-paced threshold of {threshold}", todo="give a positive one, or it never grows")
        if enabled and not 1.0 <= growth < math.inf:
            raise InputError(
                f"a self-paced growth of {growth}", todo="give at least 1, or fewer and fewer are selected"
            )
        self.threshold, self.growth, self.enabled = threshold, growth, enabled
        self.over, self.measure = over, measure
        self.latest: Curriculum | None = None
        self._start_epoch()

    def _start_epoch(self) -> None:
        self._selected, self._utterances, self._totals = 0, 0, {}

    def loss(
        self,
        joint: Float[Tensor, "n classes"],
        logits: Mapping[str, Float[Tensor, "n classes"]],
        labels: Int[Tensor, "n"],
        lengths: Int[Tensor, "batch"],
    ) -> Float[Tensor, ""]:
        """The loss of one batch; the epoch's record grows by it. `latest` says what was selected and why."""
        if self.enabled and len(logits) < 2:
            raise InputError("self-paced selection compares modalities and needs at least two of them")
        losses = F.cross_entropy(joint, labels, reduction="none")
        threshold = self.threshold if self.enabled else torch.inf
        self.latest = curriculum(losses.detach(), logits, labels, lengths, threshold, self.measure)
        selected = self.latest.selected if self.enabled else torch.ones_like(self.latest.selected)
        self._selected = self._selected + selected.sum()
        self._utterances += len(labels)
        for m, total in zip(logits, (self.latest.probability * selected).sum(1), strict=True):
            self._totals[m] = self._totals.get(m, 0.0) + total
        return selected_mean(losses, selected, self.over) if self.enabled else F.cross_entropy(joint, labels)

    def end_epoch(self) -> dict[str, float]:
        """The record of the epoch, then the threshold of the next one.

        `threshold` is the one that was used (absent when not enabled), `selected_share` the part of all utterances
        that was selected, and `ratio_<modality>` compares the modalities over the whole epoch, NaN if nothing was
        selected. The reference logs the following epoch's threshold and the last batch's ratios (quirk 15).
        """
        record = {"threshold": self.threshold} if self.enabled else {}
        record["selected_share"] = float(self._selected) / max(self._utterances, 1)
        totals = {m: float(total) for m, total in self._totals.items()}
        smallest = min(totals.values(), default=0.0) or math.nan
        record |= {f"ratio_{m}": total / smallest for m, total in totals.items()}
        if self.enabled:
            self.threshold = next_threshold(self.threshold, self.growth)
        self._start_epoch()
        return record

    def state_dict(self) -> dict[str, float]:
        """What a run needs to go on after an epoch; the reference loses it (quirk 15)."""
        return {"threshold": self.threshold}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        self.threshold = state["threshold"]
