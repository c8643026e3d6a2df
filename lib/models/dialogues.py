"""Padded batches of dialogues, and what every conversation backbone shares."""

from collections.abc import Mapping
from functools import reduce

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lib.errors import InputError


class Dialogues:
    """Where the real utterances of a padded batch stand.

    "Flat order" is all utterances of the first dialogue, then of the second, and so on: N rows without padding.
    `counts` are the lengths as plain numbers. Raises InputError for a dialogue that is empty or longer than `time`.
    """

    mask: Bool[Tensor, "batch time"]
    lengths: Int[Tensor, "batch"]
    counts: list[int]

    def __init__(self, lengths: Int[Tensor, "batch"], time: int, device: torch.device | str | None = None):
        counts = lengths.tolist()  # one wait for the device when the lengths live on it, none otherwise
        for row, count in enumerate(counts):
            if not 1 <= count <= time:
                raise InputError(f"dialogue {row} of the batch has {count} utterances, expected 1 to {time}")
        steps = torch.arange(time)
        mask = steps < torch.tensor(counts)[:, None]
        self.batch, self.time, self.counts = len(counts), time, counts
        self.lengths = torch.tensor(counts, device=device)
        self.mask = mask.to(device)
        self._rows = mask.flatten().nonzero().squeeze(1).to(device)

    def flat(self, padded: Float[Tensor, "batch time *rest"]) -> Float[Tensor, "n *rest"]:
        """Only the real utterances, in flat order."""
        return padded.flatten(0, 1).index_select(0, self._rows)

    def pad(self, rows: Float[Tensor, "n *rest"], fill: float | Tensor = 0.0) -> Float[Tensor, "batch time *rest"]:
        """Flat rows back at their places; `fill` (a number or one row) stands in the padding."""
        if not isinstance(fill, Tensor):
            fill = rows.new_full((), fill)
        everywhere = fill.expand(self.batch * self.time, *rows.shape[1:])
        return everywhere.index_copy(0, self._rows, rows).unflatten(0, (self.batch, self.time))

    def reverse(self, padded: Float[Tensor, "*lead batch time width"]) -> Float[Tensor, "*lead batch time width"]:
        """The real part of each dialogue backwards; padding stays where it is."""
        steps = torch.arange(self.time, device=self.mask.device)
        source = torch.where(self.mask, self.lengths[:, None] - 1 - steps, steps)[..., None]
        return padded.take_along_dim(source.expand(*padded.shape[:-1], 1), -2)


def longest_first(dialogues: Dialogues) -> tuple[Dialogues, Int[Tensor, "batch"], Int[Tensor, "batch"]]:
    """The same dialogues by falling length, the row each came from, and the row each went to."""
    order = torch.tensor(dialogues.counts).argsort(descending=True, stable=True)
    device = dialogues.mask.device
    sorted_dialogues = Dialogues(torch.tensor(dialogues.counts)[order], dialogues.time, device)
    return sorted_dialogues, order.to(device), order.argsort().to(device)


class ConversationModel(nn.Module):
    """A backbone that classifies every utterance once per modality.

    A subclass implements `modality_logits`. `modalities` are the names of the inputs it reads, in the order in which
    their logits are added; further inputs are ignored.
    """

    modalities: tuple[str, ...]
    stackable = False  # dialogues differ in length, so minibatches differ in shape

    def forward(
        self,
        features: Mapping[str, Float[Tensor, "batch time width"]],
        lengths: Int[Tensor, "batch"],
        speakers: Int[Tensor, "batch time"],
    ) -> tuple[Float[Tensor, "n classes"], dict[str, Float[Tensor, "n classes"]]]:
        """The joint logits, an unweighted sum (spec self_paced_balance, section 2), and those of each modality, in flat
        order.

        Features of padding must be zero and its speaker 0. Raises InputError for a missing modality, an empty
        dialogue and, where the model uses speakers, an undeclared one.
        """
        missing = [name for name in self.modalities if name not in features]
        if missing:
            raise InputError(f"no features for {', '.join(missing)}")
        first = features[self.modalities[0]]
        dialogues = Dialogues(lengths, first.shape[1], first.device)
        logits = self.modality_logits(features, dialogues, speakers)
        return reduce(torch.add, logits.values()), logits

    def modality_logits(
        self, features: Mapping[str, Tensor], dialogues: Dialogues, speakers: Tensor
    ) -> dict[str, Float[Tensor, "n classes"]]:
        raise NotImplementedError


class SeparateModalities(ConversationModel):
    """A backbone in which a modality's logits read that modality's features alone."""

    def by_modality(
        self, **inputs: Mapping[str, Tensor] | Tensor
    ) -> tuple[Float[Tensor, "n classes"], dict[str, Float[Tensor, "n classes"]]]:
        """As `forward`."""
        return self(**inputs)


def check_speakers(speakers: Int[Tensor, "batch time"], declared: int) -> None:
    """InputError unless all speaker ids are in `0 .. declared - 1`."""
    low, high = (int(x) for x in speakers.aminmax())
    if low < 0 or high >= declared:
        raise InputError(f"speaker ids {low} to {high} in a batch, but the model was built for {declared} speakers")
