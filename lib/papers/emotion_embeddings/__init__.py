"""Modality-transferable emotion embeddings: parameters (spec emotion_embeddings, sections 3, 4, 7, 10 and 11).

EEA scores an utterance against the word vector of each emotion. It is trained beside the baselines of its paper, which
have a row of weights per emotion, on every set of modalities, and with single faults of the released code mended.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lib.data import corpora, word_vectors
from lib.params import CORPUS_OPTIONS, NONFINITE, CorpusOptions, Modality, Nonfinite, Positive, Repeated

MODALITIES = ("text", "audio", "video")
Dropout = Annotated[float, Field(ge=0.0, lt=1.0)]

Model = Literal["eea", "ef_rnn", "lf_rnn", "ef_lf_rnn", "text_selective", "transformer", "mult"]
Dataset = Literal[(*corpora.names(task="multilabel", form="sequences"), "ravdess")]
Contrast = Literal["attention_over_time", "final_states", "every_step_positions", "other_loss"]

CONTRASTED: dict[Contrast, Model] = {
    "attention_over_time": "transformer",
    "final_states": "eea",
    "every_step_positions": "mult",
    "other_loss": "eea",
}
"""The model whose reference behaviour each contrast changes in one point."""
RECURRENT: tuple[Model, ...] = ("ef_rnn", "lf_rnn", "ef_lf_rnn", "text_selective")
"""The baselines that the paper's claim is about."""
FEWER: dict[str, tuple[Modality, ...]] = {
    **dict.fromkeys(word_vectors.TEXT_ALONE, ("text",)),
    "ravdess": ("audio", "video"),
}
"""The modalities of a corpus that lacks one."""
_SET_ELSEWHERE = ("samples", "nonfinite", "text", "file", "width")
"""Options of readers that follow from other parameters."""
SELECTION: dict[str, Literal["weighted_acc", "acc"]] = {"mosei": "weighted_acc", "iemocap": "acc"}
"""What the reference calls accuracy on a corpus, by the first word of its name, and selects the epoch by."""


class _Sizes(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hidden(_Sizes):
    """Hidden size of each modality's network; EEA's text size must be the width of the emotion vectors."""

    text: Positive
    audio: Positive
    video: Positive


class TransformerSizes(_Sizes):
    """The early-fusion transformer; the reference's sizes by default (section 3.5)."""

    width: Positive = 160
    heads: Positive = 8
    layers: Positive = 4
    feedforward: Positive = 2048
    head_hidden: Positive = 80


class MulTSizes(_Sizes):
    """MulT; the reference's sizes by default (section 4)."""

    width: int = Field(40, ge=4)
    heads: Positive = 10
    layers: Positive = 4


class EmotionEmbeddings(Repeated):
    """EEA and its baselines on one corpus or several, EEA's modality ablation, and named changes of the reference.

    `select_by` null takes the reference's average validation accuracy: weighted on CMU-MOSEI, plain on IEMOCAP. With
    `seeds: auto` several corpora get the same seeds, as many as the one that needs most.
    """

    samples: int = Field(0, ge=0, description="samples of each stand-in corpus, all splits; 0 for real data")
    datasets: tuple[Dataset, ...] = Field(min_length=1)
    models: tuple[Model, ...] = Field(min_length=1)
    modalities: tuple[Modality, ...] = Field(MODALITIES, min_length=1, description="those that EEA scores")
    ablation: bool = Field(False, description="whether EEA is also trained on every smaller set of its modalities")
    contrasts: tuple[Contrast, ...] = Field((), description="changes of the reference that are trained beside it")
    contrast_baselines: bool = Field(
        False,
        description="whether the recurrent baselines are trained with EEA's contrasts, too: what these do to the claim",
    )
    epochs: Positive
    patience: Positive = Field(8, description="epochs in a row without a better validation accuracy that end a run")
    batch_size: Positive = 64
    learning_rate: float = Field(0.001, gt=0.0)
    weight_decay: float = Field(0.0, ge=0.0)
    optimiser: Literal["adam", "sgd"] = "adam"
    clip_norm: float | None = Field(1.0, gt=0.0, description="largest norm of a gradient; null for no limit")
    plateau_patience: int = Field(5, ge=0, description="epochs without a better validation loss before a slower rate")
    plateau_factor: float = Field(0.1, gt=0.0, lt=1.0)
    loss: Literal["bce", "soft_cross_entropy", "l1", "mse"] = "bce"
    select_by: Literal["weighted_acc", "acc"] | None = None
    threshold: float = Field(0.5, gt=0.0, lt=1.0, description="probability above which an emotion counts as present")
    cell: Literal["lstm", "gru"] = "lstm"
    layers: Positive = 2
    bidirectional: bool = True
    dropout: Dropout = Field(0.15, description="between recurrent layers")
    hidden: Hidden
    early_hidden: int = Field(300, ge=1, description="hidden size of the network over concatenated features")
    transformer: TransformerSizes = TransformerSizes()
    mult: MulTSizes = MulTSizes()
    emotion_vectors: str = Field(
        "",
        description="word vectors in the data folder, or the part `glove` or `minilm`; empty for those of the corpus",
    )
    capitalised: bool = Field(False, description="whether emotions are looked up with a capital first letter")
    corpus_options: CorpusOptions = CORPUS_OPTIONS
    nonfinite: Nonfinite = NONFINITE
    left_out: tuple[str, ...] = Field((), description="emotions that are not scored; their samples stay")

    def further_files(self) -> tuple[str, ...]:

        return word_vectors.file_names(self.datasets, self.emotion_vectors)

    @model_validator(mode="after")
    def _consistent(self) -> "EmotionEmbeddings":
        self.refuse_twice("datasets", "models", "modalities", "contrasts", "seeds", "left_out")
        for name in ("transformer", "mult"):
            sizes = getattr(self, name)
            if name in self.models and sizes.width % sizes.heads:
                raise ValueError(f"the heads of {name} must divide its width: {sizes.heads} and {sizes.width}")
        like = {dataset.endswith("_like") for dataset in self.datasets}
        if len(like) > 1:
            raise ValueError("datasets mixes real corpora and stand-ins: every number of a run must be either")
        if like.pop() != (self.samples > 0):
            raise ValueError("samples must be positive for a stand-in corpus (..._like) and 0 for real data")
        for name in (name for name in self.datasets if name in FEWER):
            there = FEWER[name]
            if len(self.datasets) > 1:
                raise ValueError(f"{name} has {_said(there)} and its own models: give it a run of its own")
            if not set(self.modalities) <= set(there):
                raise ValueError(f"{name} has {_said(there)}: set modalities to [{', '.join(there)}]")
            if absent := {"text_selective", "mult"} & set(self.models):
                raise ValueError(f"{min(absent)} needs text, audio and video; {name} has {_said(there)}")
        for name in self.datasets:
            if self.select_by is None and _first_word(name) not in SELECTION:
                raise ValueError(f"the reference has no {_first_word(name).upper()}: set select_by")
        if self.corpus_options and len(self.datasets) > 1:
            raise ValueError("corpus_options are those of one corpus, and this run has several")
        if taken := sorted(set(self.corpus_options) & set(_SET_ELSEWHERE)):
            raise ValueError(f"corpus_options holds {taken[0]}, which another parameter sets (emotion_vectors, hidden)")
        if self.ablation and ("eea" not in self.models or len(self.modalities) == 1):
            raise ValueError("an ablation needs the model eea with at least two modalities")
        for contrast in self.contrasts:
            if CONTRASTED[contrast] not in self.models:
                raise ValueError(f"{contrast} is compared with {CONTRASTED[contrast]}: add it to models")
        if self.contrast_baselines and not (set(RECURRENT) & set(self.models) and "eea" in self.contrasted):
            raise ValueError("contrast_baselines needs a recurrent baseline in models, in contrasts one of eea")
        if self.most_seeds and not ("eea" in self.models and set(RECURRENT) & set(self.models)):
            what = "seeds: auto runs as many as tell eea from recurrent baselines"
            raise ValueError(f"{what}: add eea and one of {', '.join(RECURRENT)} to models, or list the seeds")
        if "other_loss" in self.contrasts and self.loss not in ("bce", "soft_cross_entropy"):
            raise ValueError("other_loss compares bce with soft_cross_entropy: the loss must be one of them")
        return self

    @property
    def contrasted(self) -> tuple[Model, ...]:
        """The model that each contrast changes."""
        return tuple(CONTRASTED[contrast] for contrast in self.contrasts)

    def selection(self, dataset: str) -> Literal["weighted_acc", "acc"]:
        """The validation score that selects the epoch on this corpus."""
        return self.select_by or SELECTION[_first_word(dataset)]


def _first_word(dataset: str) -> str:
    return dataset.split("_")[0]


def _said(modalities: tuple[str, ...]) -> str:
    return f"{' and '.join(modalities)} alone"


NOTEBOOKS = {"emotion_embeddings": EmotionEmbeddings}
PAPER_DATA = dict.fromkeys(("mosei", "iemocap"), ("text", "audio", "video"))
