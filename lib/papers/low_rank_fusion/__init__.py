"""Low-rank multimodal fusion against tensor fusion (Liu et al. 2018): parameters, and where its settings come from.

Low-rank fusion (LMF) and a tensor fusion network (TFN) are trained with one setting of their hyper-parameters: that of
the YAML, the authors' own, or the best of a random search (SPEC.md, sections 5, 6, 9 and 10).
"""

import csv
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from lib.data import corpora, data_root, word_vectors
from lib.data.own.described import HOME
from lib.errors import InputError
from lib.params import (
    CORPUS_OPTIONS,
    NONFINITE,
    CorpusOptions,
    Nonfinite,
    Part,
    Positive,
    Repeated,
    Seed,
)

Dropout = Annotated[float, Field(ge=0.0, lt=1.0)]
Rate = Annotated[float, Field(gt=0.0)]

Family = Literal["mosi", "pom", "iemocap", "ravdess", "own classes", "own regression", "own multilabel"]
FAMILIES: dict[str, Family] = {
    name: corpora.get(name).family for name in (*corpora.names(form="averaged"), "mosi_utterances", "pom", "ravdess")
} | {name: f"{HOME} {corpora.get(name).task}" for name in corpora.names(form="sequences", family=HOME)}
"""Which of the paper's three tasks a corpus poses, or RAVDESS' one of eight emotions, or that of a corpus that somebody
has brought; it sets loss, outputs, metrics and search space."""
TRAITS = (
    *("Confident", "Passionate", "Pleasant", "Dominant", "Credible", "Vivid", "Expertise", "Entertaining", "Reserved"),
    *("Trusting", "Relaxed", "Outgoing", "Thorough", "Nervous", "Persuasive", "Humorous"),
)
TARGETS: Mapping[Family, tuple[str, ...]] = {
    "mosi": ("sentiment",),
    "pom": ("all", *TRAITS),
    "iemocap": ("happy", "sad", "angry", "neutral"),
    "ravdess": ("emotion",),
    "own classes": ("class",),
    "own regression": ("score",),
    "own multilabel": (),
}
SETTINGS = Path(__file__).with_name("settings.csv")
"""What the authors say reproduces the paper (their hyperparams.txt); row `Sentiment` is POM's 17th label."""

ANCHOR_FILES = word_vectors.file_names((), "minilm")
"""The sentence encoder that the linear anchor of `mosi_words` reads, relative to the data folder."""

Space = Mapping[str, Sequence[float]]
_DROPOUTS = (0, 0.1, 0.15, 0.2, 0.3, 0.5)
_RATES = (0.0003, 0.0005, 0.001, 0.003)
_MOSI: Space = {
    "audio_hidden": (4, 8, 16),
    "video_hidden": (4, 8, 16),
    "text_hidden": (64, 128, 256),
    "audio_dropout": _DROPOUTS,
    "video_dropout": _DROPOUTS,
    "text_dropout": _DROPOUTS,
    "factor_learning_rate": _RATES,
    "learning_rate": _RATES,
    "rank": (1, 4, 8, 16),
    "batch_size": (4, 8, 16, 32, 64, 128),
    "weight_decay": (0, 0.001, 0.002, 0.01),
}
_IEMOCAP: Space = {**_MOSI, "audio_hidden": (8, 16, 32), "batch_size": (8, 16, 32, 64, 128)}
SPACES: Mapping[Family, Space] = {
    "mosi": _MOSI,
    "pom": _MOSI,
    "iemocap": _IEMOCAP,
    "ravdess": _IEMOCAP,
    "own classes": _IEMOCAP,
    "own regression": _MOSI,
}
"""The random search of the scripts: values in the order in which they are drawn. Other corpora of classes have
IEMOCAP's, of a score CMU-MOSI's."""


class Setting(Part):
    """One draw of the random search; the names are those of `SPACES`."""

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


class LowRankFusion(Repeated):
    """LMF, TFN and concatenation on the same sub-networks, LMF as before April 2020, a rank sweep and a random search.

    `targets`: `sentiment` (MOSI); `all` 16 traits by one network, or traits by name, one network each (POM); emotions
    by name, yes or no each (IEMOCAP); `emotion`, one of eight (RAVDESS); of a corpus of your own `class`, or `score`.
    `setting` null takes each target's row of the authors' hyperparams.txt.
    """

    samples: int = Field(0, ge=0, description="samples of a stand-in corpus, all splits; 0 for real data")
    dataset: Literal[tuple(FAMILIES)]
    targets: tuple[str, ...] = Field(min_length=1)
    setting: Setting | None
    epochs: Positive
    patience: Positive = Field(20, description="epochs in a row without a better validation loss that end a run")
    tfn_size: int = Field(32, ge=1, description="hidden units after the outer product, or after the concatenation")
    tfn_dropout: Dropout = Field(0.3, description="dropout on the outer product, or on the concatenation")
    unimodal: bool = Field(False, description="whether the concatenation is also trained on each modality alone")
    ranks: tuple[Positive, ...] = Field(description="ranks of the sweep; empty for none")
    search_draws: int = Field(0, ge=0, description="settings drawn from the published search space; 0 for no search")
    search_seed: Seed = Field(1000, description="seed of the draws and of their training")
    words: int = Field(20, ge=1, description="last words kept (mosi_words)")
    padding: Literal["front", "back"] = Field("front", description="side of the zeros (mosi_words)")
    word_vectors: int = Field(300, ge=1, description="width of the learned embeddings (mosi_words)")
    glove: str = Field(
        "", description="word vectors in the data folder, or `glove` or `minilm`; empty to learn them (mosi_words)"
    )
    corpus_options: CorpusOptions = CORPUS_OPTIONS
    nonfinite: Nonfinite = NONFINITE
    batch_norm_init: Literal["ones", "uniform"] = Field("ones", description="uniform: as before torch 1.2 (quirk 17)")

    @property
    def family(self) -> Family:
        return FAMILIES[self.dataset]

    @property
    def anchored(self) -> bool:
        """Whether ridge regression on MiniLM's sentence vectors stands beside: of `mosi_words`, where the part is."""
        root = data_root(self.data_root or None)
        return self.dataset == "mosi_words" and all((root / name).is_file() for name in ANCHOR_FILES)

    def further_files(self) -> tuple[str, ...]:
        """Also those of the anchor where they are, since they then change the tables; no run needs them."""
        named = word_vectors.file_names((), self.glove)
        return tuple(dict.fromkeys((*named, *(ANCHOR_FILES if self.anchored else ()))))

    @model_validator(mode="after")
    def _consistent(self) -> "LowRankFusion":
        known = TARGETS[self.family]
        if not known:
            raise ValueError(f"labels of {self.dataset} are each present or not, these networks say one class or score")
        if strange := [target for target in self.targets if target not in known]:
            raise ValueError(f"no target {strange[0]!r} in {self.dataset}; there are: {', '.join(known)}")
        if "all" in self.targets and len(self.targets) > 1:
            raise ValueError("`all` is one network for every trait and cannot be combined with single traits")
        self.refuse_twice("targets", "seeds", "ranks")
        if self.setting is None and {"all", "sentiment", "emotion", "class", "score"} & set(self.targets):
            raise ValueError(f"hyperparams.txt has no row for {self.targets[0]!r}: give a setting")
        if self.setting is None and self.search_draws:
            raise ValueError("the search is compared with one setting: give it, or set search_draws to 0")
        if self.search_draws and self.search_seed in self.possible_seeds:
            raise ValueError("search_seed is among the seeds: the winner must be repeated with seeds it has not seen")
        if self.search_draws and self.corpus_options.get("fold") == "by_seed":
            raise ValueError("a search knows one fold, fold by_seed tests them all: set search_draws to 0")
        self.refuse_samples()
        return self


def chosen(dataset: str, target: str) -> Setting:
    """The authors' setting for a trait of `pom` or an emotion of `iemocap`.

    Raises InputError where none is published: the authors wrote that MOSI's record was lost.
    """
    with SETTINGS.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            if (row.pop("dataset"), row.pop("target")) == (dataset, target):
                return Setting.model_validate(row)
    raise InputError(f"no published setting for {dataset} {target}", where=SETTINGS.name)


def total_settings(space: Space) -> int:
    """The number of different settings; the scripts loop this often, to be stopped by hand."""
    return math.prod(len(values) for values in space.values())


def draws(space: Space, seed: int) -> Iterator[dict[str, float]]:
    """Independent uniform draws without end. The scripts do not seed; here equal seeds give equal draws (quirk 21)."""
    choose = random.Random(seed).choice
    while True:
        yield {name: choose(values) for name, values in space.items()}


def search_settings(space: Space, seed: int, iterations: int) -> list[dict[str, float]]:
    """The different settings among the first `iterations` draws, in order.

    A setting drawn before is skipped and its iteration is lost, so fewer than `iterations` may come back (quirk 21).
    """
    found = {tuple(setting.values()): setting for setting in islice(draws(space, seed), iterations)}
    return list(found.values())


NOTEBOOKS = {"low_rank_fusion": LowRankFusion}
PAPER_DATA = dict.fromkeys(("mosi", "pom", "iemocap"), ("text", "audio", "video"))
