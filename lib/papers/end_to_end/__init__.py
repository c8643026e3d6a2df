"""The end-to-end emotion models, dense and sparse, and their baselines: parameters (spec end_to_end, sections 4 to 6,
8)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lib.data import corpora, pretrained
from lib.params import (
    CORPUS_OPTIONS,
    NONFINITE,
    CorpusOptions,
    Modality,
    Nonfinite,
    Parameters,
    Part,
    Positive,
    Seed,
)

MODALITIES = ("text", "audio", "video")
Share = Annotated[float, Field(gt=0.0, le=1.0)]
TEXT = "mosei_text"
"""The corpus of text alone, on which the text branches are trained."""
Dataset = Literal[(*corpora.names(form="recordings"), TEXT)]
PARTS = {
    "lf_rnn": "glove_6b_50d",
    "lf_transformer": "glove_6b_50d",
    "minilm": "minilm",
    "minilm_first": "minilm",
    "minilm_tuned": "minilm",
}
"""By model the pre-trained part that makes numbers of the words of `TEXT`."""
HANDCRAFTED = {"ravdess_frames_raw": "ravdess_frames_handcrafted"}
"""By corpus that is decoded when it is read, the one that holds hand-crafted features of its utterances."""
Change = Literal["corrected", "learned"]
"""Of the sparse model: features stay at their sites; attention is trained as well."""


class StandIn(Part):
    """Utterances of each split, and images of each utterance (per side for IEMOCAP), of a stand-in corpus."""

    train: Positive
    valid: Positive
    test: Positive
    frames: Positive = 6


class Training(Part):
    """One training command: what the README gives for each model (spec end_to_end, section 8)."""

    learning_rate: float = Field(gt=0.0)
    epochs: Positive
    batch_size: Positive
    early_stop: Positive
    clip_norm: float | None = Field(None, gt=0.0, description="largest norm of a gradient; null for no limit")


class Models(Part):
    """The models to train; null leaves one out."""

    mme2e: Training | None = None
    mme2e_sparse: Training | None = None
    lf_rnn: Training | None = None
    lf_transformer: Training | None = None
    minilm: Training | None = Field(None, description="on the sentence vector of the frozen network")
    minilm_first: Training | None = Field(None, description="on the first token of the frozen network")
    minilm_tuned: Training | None = Field(None, description="as minilm_first, the network's last layer trained as well")

    def chosen(self) -> dict[str, Training]:
        """Those that are trained, by name."""
        return {name: setting for name in type(self).model_fields if (setting := getattr(self, name)) is not None}


class Encoder(Part):
    """Sizes of the end-to-end models' image, sound and sequence encoders; the README's by default."""

    channels: tuple[Positive, Positive, Positive, Positive] = (64, 128, 256, 512)
    flatten_size: Positive = 1024
    width: Positive = 64
    layers: Positive = 4
    heads: Positive = 4
    dropout: float = Field(0.1, ge=0.0, lt=1.0)


class RandomAlbert(Part):
    """A text encoder from random weights; its tokenizer hashes words into `vocabulary` ids."""

    hidden_size: Positive
    layers: Positive
    heads: Positive
    intermediate_size: Positive
    embedding_size: Positive
    vocabulary: int = Field(1000, ge=3)
    initial_spread: float = Field(0.02, gt=0.0)


class StoredAlbert(Part):
    """A released checkpoint: a folder of the data folder with config.json, model.safetensors and tokenizer.json."""

    folder: str


class EndToEnd(Parameters):
    """End-to-end models and hand-crafted baselines x seeds, the sparse model at several thresholds and with changes.

    `threshold` is the probability mass that the sparse model keeps in the main comparison, `thresholds` those it is
    swept over. The main model is the reference's; `changes` are trained beside it.
    """

    dataset: Dataset
    samples: StandIn | None = None
    interval_ms: int = Field(500, ge=34, description="time between images")
    frame_count: Literal["reference", "images"] = "reference"
    crop_columns: Literal["reference", "centre"] = "reference"
    detector: str | None = Field(
        None, description="module:function that data were prepared with; null for ready crops or the crop rule"
    )
    models: Models
    modalities: tuple[Modality, ...] = Field(MODALITIES, min_length=1)
    alone: tuple[Modality, ...] = Field((), description="modalities on each of which the dense model is trained alone")
    handcrafted_alone: tuple[Modality, ...] = Field(
        (),
        description="modalities of which there are hand-crafted features alone: baselines are trained with them beside",
    )
    threshold: Share = 0.9
    thresholds: tuple[Share, ...] = ()
    changes: tuple[Change, ...] = ()
    form: Literal["gathered", "masked"] = "gathered"
    encoder: Encoder = Encoder()
    text_encoder: RandomAlbert | StoredAlbert | None = Field(None, description="of mme2e and mme2e_sparse")
    text_max_len: Positive = 300
    text_lr_factor: float = Field(10.0, gt=0.0)
    audio_type: int = Field(0, ge=0, le=6, description="column set of the hand-crafted audio")
    baseline_layers: Positive = Field(2, description="transformer layers of LF-TRANS")
    padding: Literal["reference", "masked"] = "reference"
    annealed: bool = Field(False, description="cosine schedule per minibatch, of the end-to-end models")
    weight_decay: float = Field(0.0, ge=0.0)
    precision: Literal["float32", "bfloat16"] = "float32"
    microbatch: Positive | None = Field(None, description="utterances computed at once; null for the whole minibatch")
    evaluation_batch: Positive = 32
    seeds: tuple[Seed, ...] = Field(min_length=1)
    corpus_options: CorpusOptions = CORPUS_OPTIONS
    nonfinite: Nonfinite = NONFINITE

    @property
    def kind(self) -> Literal["iemocap", "mosei", "ravdess"]:
        """The collection of recordings that the corpus was cut from."""
        return corpora.get(self.dataset).family

    @property
    def prepared(self) -> bool:
        """Whether `data preprocess` has to come first."""
        return self.kind != "ravdess" and self.dataset != TEXT

    def corpora(self) -> tuple[str, ...]:
        baselines = self.models.lf_rnn or self.models.lf_transformer
        features = HANDCRAFTED.get(self.dataset) if baselines else None
        return (self.dataset, features) if features else (self.dataset,)

    def further_files(self) -> tuple[str, ...]:
        parts = dict.fromkeys(PARTS[model] for model in self.models.chosen()) if self.dataset == TEXT else ()
        return tuple(file.path for part in parts for file in pretrained.PARTS[part].files)

    @model_validator(mode="after")
    def _consistent(self) -> "EndToEnd":
        self.refuse_twice("modalities", "alone", "handcrafted_alone", "thresholds", "changes", "seeds")
        if self.dataset.endswith("_like") != (self.samples is not None):
            raise ValueError("samples is given for a stand-in corpus (..._like), and null for real data")
        if not self.models.chosen():
            raise ValueError("no model is given")
        if self.models.mme2e_sparse is None and (self.thresholds or self.changes):
            raise ValueError("thresholds and changes are the sparse model's: add mme2e_sparse to models")
        if self.kind == "ravdess" and "video" in self.modalities:
            raise ValueError(f"{self.dataset} has no images: leave video out of modalities")
        self._refuse_other_models()
        if self.corpus_options and self.kind != "ravdess":
            raise ValueError(
                f"{self.dataset} has no corpus_options: how it is decoded stands in parameters of their own"
            )
        if self.models.mme2e_sparse and "text" not in self.modalities:
            raise ValueError("the sparse model needs text to select sites")
        if self.alone and not (self.models.mme2e and set(self.alone) < set(self.modalities)):
            raise ValueError("alone: some of several modalities, on which mme2e is trained beside")
        if self.dataset == "mosei_raw_like" and (self.models.lf_rnn or self.models.lf_transformer):
            raise ValueError("the CMU-MOSEI stand-in has no hand-crafted features: leave the baselines out")
        if isinstance(self.text_encoder, RandomAlbert) and self.text_encoder.hidden_size % self.text_encoder.heads:
            raise ValueError("the heads of text_encoder must divide its hidden_size")
        if self.encoder.width % self.encoder.heads:
            raise ValueError("the heads of encoder must divide its width")
        return self

    def _refuse_other_models(self) -> None:
        """Of the models that the corpus has nothing to read for."""
        chosen = set(self.models.chosen())
        if chosen & {"mme2e", "mme2e_sparse"} and self.text_encoder is None:
            raise ValueError("mme2e and mme2e_sparse need a text_encoder")
        baselines, features = chosen & {"lf_rnn", "lf_transformer"}, HANDCRAFTED.get(self.dataset)
        if self.kind == "ravdess" and baselines and not features:
            raise ValueError(f"{self.dataset} has no hand-crafted features: leave the baselines out")
        further = set(corpora.get(features).modalities if features and baselines else ()) - set(self.modalities)
        if not set(self.handcrafted_alone) <= further - set(corpora.get(self.dataset).modalities):
            raise ValueError(
                "handcrafted_alone: modalities of which the baselines have features, and the others nothing"
            )
        if self.dataset == TEXT and chosen - PARTS.keys():
            raise ValueError(
                f"{TEXT} has neither sound nor images: leave {', '.join(sorted(chosen - PARTS.keys()))} out"
            )
        if self.dataset == TEXT and self.modalities != ("text",):
            raise ValueError(f"{TEXT} has text alone: modalities must be [text]")
        if self.dataset != TEXT and (found := sorted(chosen & {"minilm", "minilm_first", "minilm_tuned"})):
            raise ValueError(f"{', '.join(found)}: read {TEXT} alone")


NOTEBOOKS = {"end_to_end_sparse": EndToEnd}
PAPER_DATA = dict.fromkeys(("iemocap", "mosei"), ("text", "audio", "video"))
