"""Negative to positive co-learning with aggressive modality dropout: parameters (spec colearning, sections 3 to 6).

A model is trained on target and supporting modalities and tested on the target alone; its gain over the same
architecture trained on the target alone says whether the supporting modalities helped (positive co-learning) or hurt
(negative). Modality dropout removes the supporting modalities from whole training minibatches.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lib.data import corpora
from lib.params import (
    CORPUS_OPTIONS,
    NONFINITE,
    CorpusOptions,
    Modality,
    Nonfinite,
    Positive,
    Repeated,
)

Rate = Annotated[float, Field(ge=0.0, le=1.0)]


class Colearning(Repeated):
    """The published protocol: one architecture, several modality-dropout rates, and the unimodal variant.

    `target` are the modalities present at validation and test; `support` are those that exist only in training and
    are dropped together with probability `rate` per minibatch (quirk 1; `dropout_draw`, and beside it `mended_draw`: by
    utterance, or each modality for itself). `seeding` is `per_run` (each run has its own seeded
    streams) or `sequential` (the paper's: seeded once per repeat, the levels follow without reseeding).
    """

    samples: int = Field(0, ge=0, description="utterances of a stand-in corpus, all splits; 0 for real data")
    dataset: str
    target: tuple[Modality, ...] = Field(min_length=1)
    support: tuple[Modality, ...] = Field(min_length=1)
    rates: tuple[Rate, ...] = Field(min_length=1)
    epochs: Positive
    batch_size: int = Field(ge=2)
    learning_rate: float = Field(gt=0.0)
    contrast: Rate = Field(0.8, description="the rate whose confusion matrix is set against that of rate 0")
    dropout_draw: Literal["minibatch", "sample", "modality"] = "minibatch"
    mended_draw: Literal["", "sample", "modality"] = Field(
        "", description="also train the contrast with modality dropout drawn so; see quirk 1"
    )
    seeding: Literal["per_run", "sequential"] = "per_run"
    corpus_options: CorpusOptions = CORPUS_OPTIONS
    nonfinite: Nonfinite = NONFINITE

    @model_validator(mode="after")
    def _roles(self) -> "Colearning":
        if shared := set(self.target) & set(self.support):
            raise ValueError(f"{', '.join(sorted(shared))} cannot be both target and support")
        self.refuse_twice("rates", "seeds")
        if 0.0 not in self.rates:
            raise ValueError("rates must hold 0: every gain is measured against training without modality dropout")
        if self.contrast not in self.rates:
            raise ValueError(f"contrast {self.contrast:g} is not among the rates")
        self.refuse_samples()
        if self.mended_draw and not self.contrast:
            raise ValueError("mended_draw needs a contrast above 0: at rate 0 nothing is drawn")
        if self.mended_draw and (self.mended_draw == self.dropout_draw or self.seeding == "sequential"):
            raise ValueError("mended_draw is set against another dropout_draw, each run with streams of its own")
        return self


class IemocapColearning(Colearning):
    """biEFLSTM on classes: the nine of IEMOCAP, or another corpus' own. `split` is that of `iemocap`."""

    dataset: Literal[corpora.names(task="classes", form="sequences")]
    split: Literal["paper", "session"] = "paper"
    hidden: Positive
    dropout: float = Field(ge=0.0, lt=1.0)


class MosiColearning(Colearning):
    """MFN: regression, or with an output per class the classes of another corpus.

    One width and one dropout per block, as in the published configuration. `hidden` is that of text, audio and video;
    of a modality that the corpus lacks it is not used.
    """

    dataset: Literal[
        (*corpora.names(task="regression", form="sequences"), *corpora.names(task="classes", form="sequences"))
    ]
    hidden: tuple[int, int, int]
    memory: Positive
    widths: tuple[int, int, int, int, int]
    dropouts: tuple[Rate, Rate, Rate, Rate, Rate]


NOTEBOOKS = {"iemocap_negative_colearning": IemocapColearning, "mosi_positive_colearning": MosiColearning}
PAPER_DATA = dict.fromkeys(("iemocap", "mosi"), ("text", "audio", "video"))
