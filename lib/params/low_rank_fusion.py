"""Parameters of the notebook `low_rank_fusion` (spec lmf, sections 5, 6 and 9)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lib.data import corpora
from lib.data.arrays.lmf_pickles import IEMOCAP, POM
from lib.params.base import NONFINITE, Nonfinite, Parameters

Dropout = Annotated[float, Field(ge=0.0, lt=1.0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0)]

FAMILIES: dict[str, Literal["mosi", "pom", "iemocap"]] = {
    name: corpora.get(name).family for name in (*corpora.names(form="averaged"), "mosi_utterances", "pom")
}
"""Which of the paper's three tasks a corpus poses; it sets loss, outputs, metrics and search space."""
TARGETS = {"mosi": ("sentiment",), "pom": ("all", *POM.layouts[0]), "iemocap": IEMOCAP.emotions}


class Setting(BaseModel):
    """One row of the random search; the names are those of `lib.training.random_search`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    audio_hidden: Positive
    video_hidden: Positive
    text_hidden: int = Field(ge=2, description="the text vector has half this size")
    audio_dropout: Dropout
    video_dropout: Dropout
    text_dropout: Dropout
    factor_learning_rate: Rate
    learning_rate: Rate
    rank: Positive
    batch_size: int = Field(ge=2, description="batch norm needs two samples")
    weight_decay: float = Field(ge=0.0)


class LowRankFusion(Parameters):
    """LMF, TFN on the same sub-networks, LMF as it was before April 2020, a rank sweep and a random search.

    `targets`: `sentiment` (MOSI); `all` 16 traits by one network, or traits by name, one network each (POM); emotions
    by name (IEMOCAP). `setting` null takes each target's row of the authors' hyperparams.txt.
    """

    samples: int = Field(0, ge=0, description="samples of a stand-in corpus, all splits; 0 for real data")
    dataset: Literal[tuple(FAMILIES)]
    targets: tuple[str, ...] = Field(min_length=1)
    setting: Setting | None
    seeds: tuple[Seed, ...] = Field(min_length=1)
    epochs: Positive
    patience: Positive = Field(20, description="epochs in a row without a better validation loss that end a run")
    tfn_size: int = Field(32, ge=1, description="hidden units after the outer product")
    tfn_dropout: Dropout = Field(0.3, description="dropout on the outer product")
    ranks: tuple[Positive, ...] = Field(description="ranks of the sweep; empty for none")
    search_draws: int = Field(0, ge=0, description="settings drawn from the published search space; 0 for no search")
    search_seed: Seed = Field(1000, description="seed of the draws and of their training")
    words: int = Field(20, ge=1, description="last words kept (mosi_words)")
    padding: Literal["front", "back"] = Field("front", description="side of the zeros (mosi_words)")
    word_vectors: int = Field(300, ge=1, description="width of the learned embeddings (mosi_words)")
    glove: str = Field("", description="file of word vectors in the data folder; empty to learn them (mosi_words)")
    nonfinite: Nonfinite = NONFINITE
    batch_norm_init: Literal["ones", "uniform"] = Field("ones", description="uniform: as before torch 1.2 (quirk 17)")

    @property
    def family(self) -> Literal["mosi", "pom", "iemocap"]:
        return FAMILIES[self.dataset]

    def further_files(self) -> tuple[str, ...]:
        return (self.glove,) if self.glove else ()

    @model_validator(mode="after")
    def _consistent(self) -> "LowRankFusion":
        known = TARGETS[self.family]
        if strange := [target for target in self.targets if target not in known]:
            raise ValueError(f"no target {strange[0]!r} in {self.dataset}; there are: {', '.join(known)}")
        if "all" in self.targets and len(self.targets) > 1:
            raise ValueError("`all` is one network for every trait and cannot be combined with single traits")
        for name in ("targets", "seeds", "ranks"):
            if len(set(getattr(self, name))) != len(getattr(self, name)):
                raise ValueError(f"{name} holds a value twice")
        if self.setting is None and {"all", "sentiment"} & set(self.targets):
            raise ValueError(f"hyperparams.txt has no row for {self.targets[0]!r}: give a setting")
        if self.setting is None and self.search_draws:
            raise ValueError("the search is compared with one setting: give it, or set search_draws to 0")
        if self.search_draws and self.search_seed in self.seeds:
            raise ValueError("search_seed is among the seeds: the winner must be repeated with seeds it has not seen")
        if self.dataset.endswith("_like") != (self.samples > 0):
            raise ValueError("samples must be positive for a stand-in corpus (..._like) and 0 for real data")
        return self
