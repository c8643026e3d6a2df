"""The YAML of a run, checked and typed before any kernel starts; whatever is wrong with it becomes one line.

`params/<notebook>/<run>.yaml` names the notebook and the result folder by its own path. Each notebook has one frozen
pydantic model, in the folder of its paper; a notebook's parameters cell has exactly the model's fields.
"""

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lib.data.io.features import Nonfinite
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
"""Of every run that reads one corpus, as `corpus_options: CorpusOptions = CORPUS_OPTIONS`; see `lib.study.by_seed`."""


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


class _UniqueKeys(yaml.SafeLoader):
    """A safe loader that refuses a key given twice (plain YAML silently keeps the last) and references.

    A few lines of references to references stand for more values than any memory holds.
    """

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "references (*name) are not used here", mark)
        return super().compose_node(parent, index)


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode, deep: bool = False) -> dict:
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read(path: Path, *, where: str) -> dict:
    """The mapping in a YAML file. Raises InputError for a file that is missing, no YAML or no mapping."""
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except FileNotFoundError:
        raise InputError("no such parameter file", where=where, todo="see `run_all.sh --help`") from None
    except RecursionError:
        raise InputError("not readable as YAML: nested too deeply", where=where) from None
    except (yaml.YAMLError, ValueError, TypeError, OSError) as error:  # also dates that no calendar has
        raise InputError(f"not readable as YAML: {error}", where=where) from None
    if not isinstance(values, dict):
        raise InputError("expected `key: value` lines", where=where)
    return values


def check(schema: type[Parameters], values: dict, *, where: str) -> Parameters:
    """Validate plain values against a schema; the first fault becomes an InputError."""
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise InputError(_first_fault(schema, error), where=where) from None


def _first_fault(schema: type[Parameters], error: ValidationError) -> str:
    faults = error.errors(include_url=False)
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    message = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return message
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, schema.model_fields, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"unknown key {key!r}; {hint}allowed: {', '.join(schema.model_fields)}"
    if fault["type"] == "missing":
        return f"key {key!r} is missing"
    return f"key {key!r} = {fault['input']!r}: {message}"


def _words(value: object) -> str:
    values = value if isinstance(value, list) else [value]
    return " ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
