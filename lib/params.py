"""The YAML of a run, checked and typed before any kernel starts; whatever is wrong with it becomes one line.

`params/<notebook>/<run>.yaml` names the notebook and the result folder by its own path. Each notebook has one frozen
pydantic model, in the folder of its paper; a notebook's parameters cell has exactly the model's fields.
"""

from collections.abc import Collection
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from lib.data.io.features import Nonfinite
from lib.data.io.yaml_files import check
from lib.errors import InputError

Modality = Literal["text", "audio", "video"]
Positive = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
NONFINITE: Nonfinite = Field("error", description="NaN and infinities in features: refused, or zero")
"""Of every run that reads a corpus, as `nonfinite: Nonfinite = NONFINITE`."""
CorpusOptions = dict[str, bool | int | float | str]
CORPUS_OPTIONS: CorpusOptions = Field(
    {}, description="options of the corpus' reader, as fold and audio of ravdess; fold by_seed: each seed its own fold"
)
"""Of every run that reads one corpus, as `corpus_options: CorpusOptions = CORPUS_OPTIONS`; see `lib.study.in_turns`."""


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


def _words(value: object) -> str:
    values = value if isinstance(value, list) else [value]
    return " ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
