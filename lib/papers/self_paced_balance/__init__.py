"""Self-paced curriculum learning (SPCL) for modality balance in conversations: parameters (spec self_paced_balance,
sections 1 to 4).

A conversation backbone on three modalities often scores no better than on two. SPCL lets easy and balanced utterances
in first; with and without it, three modalities are compared with two, or two with one where a corpus has no third.
"""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from lib.data import corpora
from lib.params import (
    CORPUS_OPTIONS,
    NONFINITE,
    CorpusOptions,
    Nonfinite,
    Part,
    Positive,
    Repeated,
)

Family = Literal["iemocap", "meld", "mosi", "ravdess"]
Subset = Literal["atv", "at", "tv", "av", "a", "t", "v"]
Mend = Literal["axis", "masks", "selected"]

FAMILIES: dict[str, Family] = {name: corpora.get(name).family for name in corpora.names(form="dialogues")}
"""Whose speakers and split rule a corpus has."""


class Pace(Part):
    """One threshold and growth for every backbone and subset."""

    threshold: float
    growth: float = Field(ge=1.0)

    @field_validator("threshold")
    @classmethod
    def _grows(cls, value: float) -> float:
        if value <= 0.0:
            raise ValueError("a threshold of 0 or less selects nothing and never grows; give a positive one")
        return value


class Backbone(Part):
    """What every backbone has. `hidden` is the width of the encoder's result, for BiDDIN of the classifier."""

    hidden: Positive
    learning_rate: float = Field(gt=0.0)
    dropout: float = Field(ge=0.0, lt=1.0)
    epochs: Positive


class DialogueGcn(Backbone):
    """Windows count utterances; the reference's -1 does not work (quirk 8)."""

    graph_hidden: Positive
    past: int = Field(5, ge=0)
    future: int = Field(5, ge=0)
    heads: Positive = 1


class Biddin(Backbone):
    """Even sizes: the positions pair columns."""

    global_size: int = Field(ge=2, multiple_of=2)
    party_size: Positive
    emotion_size: int = Field(ge=2, multiple_of=2)


class Backbones(Part):
    """The backbones to train; null leaves one out."""

    biddin: Biddin | None = None
    dialogue_gcn: DialogueGcn | None = None
    mm_dfn: Backbone | None = None
    mmgcn: Backbone | None = None
    late_fusion: Backbone | None = None

    def chosen(self) -> dict[str, Backbone]:
        """Those that are trained, by name."""
        return {name: setting for name in type(self).model_fields if (setting := getattr(self, name)) is not None}


class SelfPacedBalance(Repeated):
    """Backbones x modality subsets x with and without SPCL x seeds, and the same under each mend.

    `pace` names the README table whose thresholds and growths are used (LateFusion, which has no row, takes the
    script's defaults), or gives one pair. `widths` are what the feature widths must be; null takes those of the data.
    One of the `subsets` holds all modalities of the run, the others all but one of them; one modality alone is trained
    without SPCL, which compares modalities (quirk 9).
    """

    samples: int = Field(0, ge=0, description="dialogues of a stand-in corpus, all splits; 0 for real data")
    dataset: Literal[tuple(FAMILIES)]
    split: Literal["paper", "official"] = Field("paper", description="development set of MELD (quirk 13)")
    widths: dict[Literal["audio", "text", "video"], Positive] | None = None
    subsets: tuple[Subset, ...] = Field(min_length=2)
    backbones: Backbones
    layers: Positive = Field(2, description="transformer layers, and graph convolutions where there are (quirk 6)")
    feedforward: Positive = Field(2048, description="width inside the transformer layers")
    pace: Annotated[
        Annotated[Literal["iemocap", "meld"], Tag("table")] | Annotated[Pace, Tag("pair")],
        Discriminator(lambda value: "table" if isinstance(value, str) else "pair"),
    ]
    mends: tuple[Mend, ...] = ()
    mend_subsets: tuple[Subset, ...] = Field((), description="subsets that are trained again under each mend")
    batch_size: Positive = Field(16, description="dialogues, in training and in evaluation (quirk 3)")
    weight_decay: float = Field(1e-8, ge=0.0)
    clip_norm: float = Field(2.0, gt=0.0, description="always on (quirk 11)")
    early_stopping: Positive | None = Field(None, description="epochs in a row without a better development score")
    corpus_options: CorpusOptions = CORPUS_OPTIONS
    nonfinite: Nonfinite = NONFINITE

    @property
    def family(self) -> Family:
        return FAMILIES[self.dataset]

    @property
    def whole(self) -> Subset:
        """The subset of all modalities."""
        return max(self.subsets, key=len)

    @model_validator(mode="after")
    def _consistent(self) -> "SelfPacedBalance":
        self.refuse_twice("subsets", "mends", "mend_subsets", "seeds")
        for subset in (self.whole, *self.mend_subsets):
            if len(subset) < 2:
                raise ValueError(f"{subset!r} is one modality: self-paced selection compares two or three (quirk 9)")
        for subset in self.subsets:
            if subset != self.whole and not (set(subset) < set(self.whole) and len(subset) == len(self.whole) - 1):
                why = "every gain is that of all modalities over all but one"
                raise ValueError(f"subsets holds {subset!r} beside {self.whole!r}: {why}")
        if strange := [subset for subset in self.mend_subsets if subset not in self.subsets]:
            raise ValueError(f"mend_subsets holds {strange[0]!r}, which is not among the subsets")
        if bool(self.mends) != bool(self.mend_subsets):
            raise ValueError("mends and mend_subsets are given together, or neither")
        if not self.backbones.chosen():
            raise ValueError("no backbone is given")
        if self.split == "official" and self.family != "meld":
            raise ValueError("only MELD has an official development set")
        if set_here := sorted({"samples", "seed", "split", "split_seed"} & set(self.corpus_options)):
            raise ValueError(f"corpus_options holds {set_here[0]!r}, which the run sets by itself")
        self.refuse_samples()
        return self


NOTEBOOKS = {"self_paced_balance": SelfPacedBalance}
PAPER_DATA = dict.fromkeys(("iemocap", "meld"), ("text", "audio", "video"))
