"""Emotions without training samples, or with a few: parameters (spec emotion_embeddings, section 9).

A network of emotion embeddings compares an utterance with the word vector of each emotion, so it can score an emotion
of which it has seen no sample. Each emotion is held out in turn; beside that stand training on all of its samples, on a
few of them, and fine-tuning of the network that has seen none.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lib.data.arrays.emotion_rules import IEMOCAP_EMOTIONS, IEMOCAP_UNSEEN, MOSEI_EMOTIONS
from lib.data.dialogues.meld_text import EMOTIONS as MELD_EMOTIONS
from lib.data.ravdess.clips import EMOTIONS as RAVDESS_EMOTIONS
from lib.papers.emotion_embeddings import (
    MODALITIES,
    Dataset,
    Dropout,
    EmotionEmbeddings,
    Hidden,
)
from lib.params import CORPUS_OPTIONS, NONFINITE, CorpusOptions, Modality, Nonfinite, Parameters, Positive, Seed

Regime = Literal["naive", "gem", "joint"]
_CAN_BE_HELD_OUT = {
    "mosei": MOSEI_EMOTIONS,
    "iemocap": tuple(IEMOCAP_UNSEEN),
    "iemocap_emotions_like": IEMOCAP_EMOTIONS,
    "meld": MELD_EMOTIONS,
    "ravdess": RAVDESS_EMOTIONS,
}
_SHARED = (
    "results", "data_root", "cores", "samples", "modalities", "seeds", "epochs", "patience", "batch_size",
    "learning_rate", "clip_norm", "plateau_patience", "plateau_factor", "select_by", "cell", "layers", "bidirectional",
    "dropout", "hidden", "emotion_vectors", "capitalised", "corpus_options", "nonfinite",
    "left_out",
)  # fmt: skip


class FineTuning(BaseModel):
    """Fine-tuning of a zero-shot network on a few samples, as on the released code's branch `fsl` (section 9.4)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    regimes: tuple[Regime, ...] = ("naive", "gem", "joint")
    share: float = Field(0.01, gt=0.0, lt=1.0, description="of the emotion's samples; rounded up, and one more")
    epochs: Positive = 10
    batch_size: Positive = 8
    learning_rate: float = Field(0.0001, gt=0.0)
    clip_norm: float = Field(10.0, gt=0.0)
    memory: int = Field(5120, ge=1, description="samples of the seen emotions per step, for gem and joint")
    margin: float = Field(0.01, ge=0.0, description="of gem")


class UnseenEmotions(Parameters):
    """EEA with each emotion held out, and what a few samples of it change.

    The training fields are those of the notebook `emotion_embeddings`.
    """

    samples: int = Field(0, ge=0, description="samples of the stand-in corpus, all splits; 0 for real data")
    dataset: Dataset
    held_out: Annotated[tuple[str, ...], Field(min_length=1)]
    few_shot: tuple[str, ...] = Field((), description="the held-out emotions that are also learned from few samples")
    shots: tuple[Positive, ...] = (1, 5, 10, 50)
    shares: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...] = Field(
        (0.01, 0.05, 0.1), description="shares of the emotion's samples; the reference rounds up and keeps one more"
    )
    fine_tuning: FineTuning = FineTuning()
    modalities: tuple[Modality, ...] = Field(MODALITIES, min_length=1)
    seeds: tuple[Seed, ...] = Field(min_length=1)
    epochs: Positive
    patience: Positive = 8
    batch_size: Positive = 64
    learning_rate: float = Field(0.001, gt=0.0)
    clip_norm: float | None = Field(1.0, gt=0.0)
    plateau_patience: int = Field(5, ge=0)
    plateau_factor: float = Field(0.1, gt=0.0, lt=1.0)
    select_by: Literal["weighted_acc", "acc"] | None = None
    cell: Literal["lstm", "gru"] = "lstm"
    layers: Positive = 2
    bidirectional: bool = True
    dropout: Dropout = 0.15
    hidden: Hidden
    emotion_vectors: str = ""
    capitalised: bool = False
    corpus_options: CorpusOptions = CORPUS_OPTIONS
    nonfinite: Nonfinite = NONFINITE
    left_out: tuple[str, ...] = Field((), description="emotions that are not scored; their samples stay")

    @property
    def training(self) -> EmotionEmbeddings:
        """The same settings as a run of EEA alone."""
        return EmotionEmbeddings(
            **{name: getattr(self, name) for name in _SHARED}, datasets=(self.dataset,), models=("eea",)
        )

    def corpora(self) -> tuple[str, ...]:
        """IEMOCAP's unseen emotions come from the file of nine."""
        return (self.dataset, "iemocap_nine") if self.dataset == "iemocap_emotions" else (self.dataset,)

    def further_files(self) -> tuple[str, ...]:
        return self.training.further_files()

    @model_validator(mode="after")
    def _consistent(self) -> "UnseenEmotions":
        known = _CAN_BE_HELD_OUT.get(self.dataset) or _CAN_BE_HELD_OUT[self.dataset.split("_")[0]]
        if strange := [word for word in self.held_out if word not in known]:
            raise ValueError(f"{strange[0]!r} cannot be held out of {self.dataset}; there are: {', '.join(known)}")
        if strange := [word for word in self.few_shot if word not in self.held_out]:
            raise ValueError(f"few_shot names {strange[0]!r}, which is not held out")
        if strange := [word for word in self.left_out if word in self.held_out]:
            raise ValueError(f"{strange[0]!r} is both held out and left out")
        self.refuse_twice("held_out", "few_shot", "shots", "shares", "seeds")
        _ = self.training  # its own rules
        return self


NOTEBOOKS = {"unseen_emotions": UnseenEmotions}
PAPER_DATA = dict.fromkeys(("mosei", "iemocap"), ("text", "audio", "video"))
