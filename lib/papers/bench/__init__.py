"""The bench: models x training strategies x corpora, with every modality and without each; parameters.

Two of the strategies are the papers' own (modality dropout, self-paced curriculum), two are well-known rivals (gradient
modulation OGM-GE, unimodal losses). Every gain is over plain training of the same model by the same optimiser.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lib.data import corpora, word_vectors
from lib.papers.bench.catalogue import Model, find
from lib.papers.self_paced_balance import Pace
from lib.params import CORPUS_OPTIONS, NONFINITE, CorpusOptions, Modality, Nonfinite, Part, Positive, Repeated

Kind = Literal["classes", "regression", "multilabel", "conversation"]
Algorithm = Literal["sgd", "adam", "adamw", "rmsprop"]
Rate = Annotated[float, Field(gt=0.0)]
Batch = Annotated[int, Field(ge=2)]
CORPORA: dict[str, Kind] = {
    name: corpora.get(name).kind for name in corpora.names(form=("sequences", "averaged", "dialogues"))
}
"""What is asked of an utterance of each corpus, and whether it stands in a conversation; stand-ins first."""
ALGORITHMS: dict[Algorithm, str] = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop"}
_OF_WORDS = ("text", "glove", "file")
"""Options of readers of text that name word vectors."""
DROPOUT = 0.1
"""Of our models, where a YAML gives none."""
PLAIN = "plain"
"""Training without a strategy, which every gain is measured over."""


class Entry(Part):
    """A model of the bench, or one of your own by its file, `path/to/file.py:Class`.

    All layers of ours are about `hidden` wide; `options` are further arguments by their names. What your own is made
    with, widths and dropout too, stands among its `options` alone, as its constructor calls it. `learning_rates` are
    its own, by optimiser, where those of the run do not suit it. `title` names it in the tables, so that one model can
    stand there twice.
    """

    model: str
    title: str = ""
    hidden: int | None = Field(None, ge=2, le=1024, multiple_of=2, description="of ours, which need it")
    dropout: float | None = Field(None, ge=0.0, lt=1.0, description=f"of ours, {DROPOUT} unless given")
    options: CorpusOptions = Field({}, description="further arguments of its constructor")
    learning_rates: dict[Algorithm, Rate] = Field({}, description="its own, by optimiser")

    @property
    def about(self) -> Model:
        return find(self.model)

    @property
    def name(self) -> str:
        return self.title or self.about.title

    @model_validator(mode="after")
    def _known(self) -> "Entry":
        known = self.about
        if known.own:
            if given := [name for name in ("hidden", "dropout") if getattr(self, name) is not None]:
                raise ValueError(f"{self.model} is your own: give {given[0]} among its options, if it takes that")
            return self
        if strange := [name for name in self.options if name not in known.options]:
            raise ValueError(f"{self.model} has no option {strange[0]!r}; it has {', '.join(known.options) or 'none'}")
        if self.hidden is None:
            raise ValueError(f"{self.model} needs hidden, the width of its layers")
        if self.dropout is None:
            object.__setattr__(self, "dropout", DROPOUT)  # still being made, and frozen
        return self


class ModalityDropout(Part):
    """Each modality in `dropped` (empty: every one) is zeros with probability `rate`, drawn per `draw`."""

    strategy: Literal["modality_dropout"]
    rate: float = Field(gt=0.0, le=1.0)
    dropped: tuple[Modality, ...] = ()
    draw: Literal["minibatch", "sample", "modality"] = "modality"

    @property
    def name(self) -> str:
        return f"modality dropout {self.rate:g}" + (f" of {' and '.join(self.dropped)}" if self.dropped else "")


class SelfPaced(Pace):
    """SPCL: first threshold and growth per epoch."""

    strategy: Literal["self_paced"]

    @property
    def name(self) -> str:
        return f"SPCL {self.threshold:g} x {self.growth:g}"


class GradientModulation(Part):
    """OGM-GE: how strongly the modality that is ahead is slowed, and whether noise is added."""

    strategy: Literal["ogm_ge"]
    alpha: float = Field(ge=0.0)
    noise: bool = True

    @property
    def name(self) -> str:
        return f"{'OGM-GE' if self.noise else 'OGM'} {self.alpha:g}"


class UnimodalLosses(Part):
    """The loss of each modality's own outputs counts `weight` times, beside the joint one."""

    strategy: Literal["unimodal_weights"]
    weight: float = Field(gt=0.0)

    @property
    def name(self) -> str:
        return f"unimodal losses {self.weight:g}"


Strategy = Annotated[ModalityDropout | SelfPaced | GradientModulation | UnimodalLosses, Field(discriminator="strategy")]


class OfCorpus(Part):
    """What one corpus has other than the run: options of its reader, samples of a stand-in, and sizes of training.

    With the option `fold: by_seed` each seed tests another fold. `left_out` are emotions that are not scored.
    """

    options: CorpusOptions = CORPUS_OPTIONS
    samples: int = Field(0, ge=0)
    epochs: Positive | None = None
    batch_size: Batch | None = None
    left_out: tuple[str, ...] = ()


class Margins(Part):
    """The smallest differences that matter: of a score of which more is better, and of an error."""

    score: float = Field(0.01, gt=0.0)
    error: float = Field(0.02, gt=0.0)


class Bench(Repeated):
    """Every model x (plain and the strategies) x optimiser on every corpus that they fit; what does not fit is listed.

    `datasets` names published corpora, stand-ins, or those imported by `./run_all.sh data import`; `of_corpus` says by
    name what one of them has of its own. `optimisers` gives each its learning rate. OGM-GE runs under plain SGD alone:
    the others divide by the size of past gradients, which cancels a factor that lasts.
    """

    samples: int = Field(0, ge=0, description="utterances or dialogues of a stand-in, all splits; 0 for real data")
    datasets: tuple[Literal[tuple(CORPORA)], ...] = Field(min_length=1)
    of_corpus: dict[str, OfCorpus] = Field({}, description="by corpus, what it has of its own")
    models: tuple[Entry, ...] = Field(min_length=1)
    strategies: tuple[Strategy, ...] = ()
    optimisers: dict[Algorithm, Rate] = Field(min_length=1)
    epochs: Positive
    batch_size: Batch
    patience: Positive | None = Field(None, description="epochs in a row without a better validation loss")
    weight_decay: float = Field(0.0, ge=0.0)
    clip_norm: float | None = Field(2.0, gt=0.0, description="largest norm of a gradient; null for no limit")
    margins: Margins = Margins()
    nonfinite: Nonfinite = NONFINITE

    def further_files(self) -> tuple[str, ...]:
        """Word vectors: those of the words of a corpus, and those of emotions that EEA is given."""
        named = [str(self.corpus(name).options.get(key, "")) for name in self.datasets for key in _OF_WORDS]
        named += [str(e.options.get("vectors", "")) for e in self.models if "vectors" in e.about.options]
        return tuple(dict.fromkeys(path for name in named for path in word_vectors.file_names((), name)))

    @model_validator(mode="after")
    def _consistent(self) -> "Bench":
        self.refuse_twice("datasets", "seeds")
        for what, names in (
            ("models", [entry.name for entry in self.models]),
            ("strategies", [strategy.name for strategy in self.strategies]),
        ):
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"{what} holds {twice[0]!r} twice: give a title, or another setting")
        if strange := [name for name in self.of_corpus if name not in self.datasets]:
            raise ValueError(f"of_corpus names {strange[0]}, which is not among the datasets")
        like = {name.endswith("_like") for name in self.datasets}
        if len(like) > 1:
            raise ValueError("datasets mixes real corpora and stand-ins: every number of a run must be either")
        synthetic = like.pop()
        for name in self.datasets:
            if synthetic != (self.samples_of(name) > 0):
                raise ValueError("samples must be positive for stand-ins (..._like) and 0 for real data")
        if "mosi_words" in self.datasets and not {"text", "glove"} & set(self.corpus("mosi_words").options):
            raise ValueError("mosi_words has words by number: give of_corpus.mosi_words.options text, glove or minilm")
        if "sgd" not in self.optimisers and any(s.strategy == "ogm_ge" for s in self.strategies):
            raise ValueError("ogm_ge needs sgd among the optimisers: others cancel a factor that lasts")
        return self

    def corpus(self, name: str) -> OfCorpus:
        """What a corpus has of its own."""
        return self.of_corpus.get(name, OfCorpus())

    def samples_of(self, name: str) -> int:
        """Those of a stand-in; 0 for real data."""
        return self.corpus(name).samples or self.samples

    @property
    def turn(self) -> int:
        """As in `Repeated`; each corpus has options of its own."""
        in_turns = [name for name in self.datasets if self.corpus(name).options.get("fold") == "by_seed"]
        return max((corpora.get(name).folds or 1 for name in in_turns), default=1)


NOTEBOOKS = {"bench": Bench}
