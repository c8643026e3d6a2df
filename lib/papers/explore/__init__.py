"""Parameters of the notebook `explore`: one model on one corpus, chosen freely within what fits together."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from lib.data import corpora
from lib.papers.self_paced_balance import Pace
from lib.params import NONFINITE, Modality, Nonfinite, Parameters, Seed

Kind = Literal["classes", "regression", "multilabel", "conversation"]

CORPORA: dict[str, Kind] = {name: corpora.get(name).kind for name in corpora.names(form=("sequences", "dialogues"))}
"""What is asked of an utterance of each corpus, and whether it stands in a conversation; stand-ins first."""
SINGLE = ("ef_lstm", "mfn", "lmf", "tfn")
CONVERSATION = ("late_fusion", "mmgcn", "mm_dfn", "dialogue_gcn", "biddin")
"""Models that see an utterance alone, and models that see its dialogue."""


class Explore(Parameters):
    """`modalities` are trained and tested on; the others are withheld.

    `dropout_rate` is the probability that a training minibatch loses all modalities in `dropped` (modality dropout);
    null or 0 draws nothing. `curriculum` is the first threshold of SPCL and its growth, null for none; only models of
    conversations allow it.
    """

    grid: ClassVar[bool] = False

    samples: int = Field(0, ge=0, description="utterances or dialogues of a stand-in, all splits; 0 for real data")
    dataset: Literal[tuple(CORPORA)]
    model: Literal[(*SINGLE, *CONVERSATION)]
    modalities: tuple[Modality, ...] = Field(min_length=1)
    dropout_rate: float = Field(0.0, ge=0.0, le=1.0)
    dropped: tuple[Modality, ...] = ("audio", "video")
    curriculum: Pace | None = None
    hidden: int = Field(16, ge=2, le=512, multiple_of=2)
    epochs: int = Field(ge=1, le=1000)
    batch_size: int = Field(ge=2)
    learning_rate: float = Field(gt=0.0)
    seeds: tuple[Seed, ...] = Field(min_length=1)
    nonfinite: Nonfinite = NONFINITE
    left_out: tuple[str, ...] = Field((), description="emotions that are not scored; their samples stay")

    @property
    def kind(self) -> Kind:
        return CORPORA[self.dataset]

    @model_validator(mode="after")
    def _fits_together(self) -> "Explore":
        if self.model not in (fitting := models_of(self.dataset)):
            raise ValueError(f"{self.model} does not fit {self.dataset}; models that do: {', '.join(fitting)}")
        there = corpora.get(self.dataset).modalities
        if missing := [m for m in self.modalities if m not in there]:
            raise ValueError(f"no modality {missing[0]} in {self.dataset}; there are: {', '.join(there)}")
        self.refuse_twice("modalities", "dropped", "seeds")
        if self.dropout_rate and self.kind == "conversation":
            raise ValueError("modality dropout is not defined for conversations; set dropout_rate to 0")
        if self.dropout_rate and not set(self.dropped) & set(self.modalities):
            raise ValueError("dropout_rate is positive, but no chosen modality is in `dropped`")
        if self.curriculum is not None and self.kind != "conversation":
            raise ValueError(f"a curriculum needs a model of conversations; {self.model} is none")
        if len(self.modalities) < 2 and (self.curriculum is not None or self.model == "mm_dfn"):
            raise ValueError("a curriculum, and MM-DFN, compare modalities and need at least two")
        self.refuse_samples()
        return self


def models_of(dataset: str) -> tuple[str, ...]:
    """The models that fit a corpus."""
    return CONVERSATION if CORPORA[dataset] == "conversation" else SINGLE


NOTEBOOKS = {"explore": Explore}
