"""The YAML of a run, checked and typed before any kernel starts; whatever is wrong with it becomes one line.

`params/<notebook>/<run>.yaml` names the notebook and the result folder by its own path. Each notebook has one frozen
pydantic model, in the folder of its paper; a notebook's parameters cell has exactly the model's fields.
"""

from collections.abc import Callable, Collection
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, WrapValidator, field_serializer, model_validator

from lib.data import corpora
from lib.data.io.features import Nonfinite
from lib.data.io.yaml_files import check
from lib.errors import InputError

Modality = Literal["text", "audio", "video"]
Positive = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
AUTO = "auto"
PILOT = 5
"""Seeds that `seeds: auto` starts with, or as many more as make whole turns of the folds."""
MOST_SEEDS = 200
"""Beyond these nobody plans."""
NONFINITE: Nonfinite = Field("error", description="NaN and infinities in features: refused, or zero")
"""Of every run that reads a corpus, as `nonfinite: Nonfinite = NONFINITE`."""
CorpusOptions = dict[str, bool | int | float | str]
CORPUS_OPTIONS: CorpusOptions = Field(
    {}, description="options of the corpus' reader, as fold and audio of ravdess; fold by_seed: each seed its own fold"
)
"""Of every run that reads one corpus, as `corpus_options: CorpusOptions = CORPUS_OPTIONS`; see `lib.study.in_turns`."""


def _or_auto(value: object, of_list: Callable[[object], tuple[int, ...]]) -> tuple[int, ...]:
    if isinstance(value, str):
        if value != AUTO:
            raise ValueError(f"expected a list of whole numbers, or {AUTO}")
        return ()  # `Repeated` puts the pilot's here: it knows the folds.
    return of_list(value)


Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), WrapValidator(_or_auto)]


class Part(BaseModel):
    """Settings of a part of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Parameters(Part):
    """Fields every run has. `data_root` empty means: the `REPRISE_DATA` variable, else `data/` in the workspace."""

    reads_results: ClassVar[bool] = False
    """Whether the run reads the result folders of all other notebooks, and so comes after them."""
    grid: ClassVar[bool] = True
    """Whether it trains a grid that can be cut into chunks; else it runs whole."""

    data_root: str = ""
    results: str = Field(description="folder that receives this run's tables, figures and records")
    cores: int = Field(1, ge=1, le=1024, description="worker processes")

    def corpora(self) -> tuple[str, ...]:
        """Those that the run reads; some notebooks have none of their own."""
        one = getattr(self, "dataset", None)
        return (one,) if one else getattr(self, "datasets", ())

    def differences(self, other: "Parameters", free: Collection[str]) -> list[str]:
        """How these settings differ from others, in words; the fields in `free` do not count."""
        ours, theirs = self.model_dump(mode="json"), other.model_dump(mode="json")
        changed = [key for key in ours if key not in free and ours[key] != theirs[key]]
        return [f"{key} {_words(ours[key])} instead of {_words(theirs[key])}" for key in changed]

    def refuse_twice(self, *fields: str) -> None:
        """For validators. Raises ValueError for a field that holds a value twice."""
        for name in fields:
            if len(set(getattr(self, name))) != len(getattr(self, name)):
                raise ValueError(f"{name} holds a value twice")

    def refuse_samples(self) -> None:
        """For validators. Raises ValueError unless `samples` is given for a stand-in `dataset`, and only for one."""
        if self.dataset.endswith("_like") != (self.samples > 0):
            raise ValueError("samples must be positive for a stand-in corpus (..._like) and 0 for real data")

    def further_files(self) -> tuple[str, ...]:
        """What it reads beside the files of its corpora, relative to the data folder."""
        return ()

    @classmethod
    def from_notebook(cls, namespace: dict[str, object]) -> "Parameters":
        """The parameters cell of a running notebook, checked. `namespace` is the notebook's `globals()`."""
        missing = [name for name in cls.model_fields if name not in namespace]
        if missing:
            raise InputError(f"the parameters cell does not set {', '.join(missing)}", where=cls.__name__)
        return check(cls, {name: namespace[name] for name in cls.model_fields}, where="parameters cell")


class Repeated(Parameters):
    """Runs whose seeds are listed or, with `seeds: auto`, as many as their results need (`lib.reporting.seed_plan`).

    Then `seeds` holds those that are run so far, at first the pilot's; what is written of it is the word of the YAML.
    Such runs have a `dataset`, or several `datasets`, and `corpus_options` for one.
    """

    seeds: Seeds
    most_seeds: int = Field(0, ge=0, le=MOST_SEEDS, description="the most that seeds: auto may run; 0 with a list")

    @model_validator(mode="after")
    def _pilot(self) -> "Repeated":
        if (not self.seeds) != (self.most_seeds > 0):
            raise ValueError("most_seeds must be positive with seeds: auto, of which it is the cap, and 0 with a list")
        if not self.seeds:
            if self.most_seeds < self.pilot:
                turns = f", whole turns of {self.turn} folds" if self.turn > 1 else ""
                raise ValueError(f"most_seeds {self.most_seeds} is less than the pilot's {self.pilot} seeds{turns}")
            object.__setattr__(self, "seeds", tuple(range(self.pilot)))  # still being made, and frozen
        return self

    @field_serializer("seeds")
    def _as_asked(self, seeds: tuple[int, ...]) -> tuple[int, ...] | str:
        return AUTO if self.most_seeds else seeds

    @property
    def turn(self) -> int:
        """Seeds that together test every sample of the corpus once: its folds with `fold: by_seed`, else one."""
        in_turns = self.corpus_options.get("fold") == "by_seed"
        return max(corpora.get(name).folds or 1 for name in self.corpora()) if in_turns else 1

    @property
    def pilot(self) -> int:
        """How many seeds `seeds: auto` starts with."""
        return -(-PILOT // self.turn) * self.turn

    @property
    def possible_seeds(self) -> tuple[int, ...]:
        """All that may be run: those listed, or with `seeds: auto` whole turns up to the cap."""
        return tuple(range(self.most_seeds // self.turn * self.turn)) if self.most_seeds else self.seeds

    @property
    def seeds_in_words(self) -> str:
        """How many there will be, before anything is trained."""
        return f"{self.pilot} to {len(self.possible_seeds)} seeds" if self.most_seeds else f"{len(self.seeds)} seeds"


def _words(value: object) -> str:
    values = value if isinstance(value, list) else [value]
    return " ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
