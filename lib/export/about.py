"""What an exported model's `model.json` says: all that is needed to ask the model, and where it comes from."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lib.data.corpus import Scale, Task
from lib.data.io.impostors import refuse
from lib.data.io.yaml_files import check
from lib.errors import InputError
from lib.files import write_text
from lib.training.recipe import Recipe

ABOUT, WEIGHTS, CARD = "model.json", "weights.safetensors", "README.md"
"""The files of an exported model."""
LARGEST_FILE = 2**26
"""Bytes of a `model.json` that are read; word vectors of emotions are the longest thing in one."""
LARGEST_NUMBER = 2**24
"""A size that a constructor is given, at most."""
_LIST = re.compile(r"\[\n\s*([^\[\]{}\"]+?)\s*\]")
"""Numbers, one a line."""
_HOW = "./run_all.sh export makes such folders"

Modality = Literal["text", "audio", "video"]
Probability = Literal["softmax", "sigmoid", "none"]
Size = Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Network(_Part):
    """A class below `lib.models` and what it is made with. `encoders` names, by modality, the sub-module whose output
    becomes zeros where the modality is absent; one that is not there is zeros at the input (`lib.training.trained`).

    Networks put modalities side by side in the order of their arguments, which tools that tidy JSON change:
    `arguments_sha256` is that of the arguments as they were written, their order included.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*:[A-Za-z][A-Za-z0-9]*$")
    arguments: dict[str, object]
    arguments_sha256: str
    encoders: dict[Modality, str] = {}

    @model_validator(mode="after")
    def _as_written(self) -> "Network":
        if sha256_ordered(self.arguments) != self.arguments_sha256:
            raise ValueError("the arguments, or their order, are not those that were written")
        return self

    @model_validator(mode="after")
    def _bounded(self) -> "Network":
        left: list[object] = [self.arguments]
        while left:
            value = left.pop()
            if isinstance(value, (dict, list)):
                left += value.values() if isinstance(value, dict) else value
            elif isinstance(value, (int, float)) and not abs(value) <= LARGEST_NUMBER:
                raise ValueError(f"an argument is {value}, more than {LARGEST_NUMBER}")
        return self


class Features(_Part):
    """What a modality is made of: features per step, and steps of a sequence; the `mean` and standard `deviation` of
    each feature over the training steps that are not all zero, by which other features can be held against these."""

    width: Size
    steps: Size
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @model_validator(mode="after")
    def _complete(self) -> "Features":
        if not len(self.mean) == len(self.deviation) == self.width:
            raise ValueError(f"{len(self.mean)} means and {len(self.deviation)} deviations of {self.width} features")
        return self


class ScaleOf(_Part):
    """Ends of a score, and the value between its two polarities if it has one."""

    limits: tuple[float, float]
    neutral: float | None = None


class Data(_Part):
    """The corpus of the training; `digest` is that of all that training reads."""

    label: str
    synthetic: bool
    licence: str
    split_rule: str
    warnings: tuple[str, ...]
    digest: str


class Training(_Part):
    """The record that the weights come from; `epoch` counts from 1, `chosen` says why this seed.

    `outputs_sha256` is that of the recorded test outputs `(outputs_rows, outputs)`, and `largest_difference` what lies
    at most between them and those of the exported folder, computed on a CPU when it was written: 0 means the same bits.
    """

    key: str
    engine: str
    epoch: int
    selected_on: dict[str, str]
    chosen: str
    outputs_sha256: str
    outputs_rows: int
    largest_difference: float


class Score(_Part):
    """A test score: of this seed, and over the `seeds` of the variant with a 95 % t-interval."""

    this_seed: float | None
    mean: float | None
    low: float | None
    high: float | None
    seeds: int


class Made(_Part):
    """With what the folder was written."""

    commit: str | None
    dirty: bool | None
    python: str
    torch: str
    processor: str
    instructions: str


class About(_Part):
    """`reads` are the modalities that the model is fed at a test, `trained_on` those of its training; with `dialogues`
    it is fed whole dialogues, whose steps are utterances, and answers for each of these. `labels` names its outputs;
    `probability` is how they become probabilities, as its loss took them. Of emotions that are present or not,
    `thresholds` are the probabilities (by the sigmoid) above which each counts as present, `best_thresholds` those with
    the highest F1 on the validation split. `parameters` are those of the run.
    """

    format: Literal[1] = 1
    notebook: str
    run: str
    variant: str
    seed: int
    parameters: dict[str, object]
    paper: tuple[str, ...]
    network: Network
    task: Task
    labels: tuple[str, ...] = Field(min_length=1)
    probability: Probability
    thresholds: tuple[float, ...] = ()
    best_thresholds: tuple[float, ...] = ()
    scale: ScaleOf | None = None
    modalities: dict[Modality, Features] = Field(min_length=1)
    trained_on: tuple[Modality, ...] = Field(min_length=1)
    reads: tuple[Modality, ...] = Field(min_length=1)
    dialogues: bool = False
    recipe: Recipe
    data: Data
    training: Training
    headline: tuple[str, ...]
    scores: dict[str, Score]
    made: Made

    @model_validator(mode="after")
    def _consistent(self) -> "About":
        for name in ("trained_on", "reads"):
            if strange := [m for m in getattr(self, name) if m not in self.modalities]:
                raise ValueError(f"{name} holds {strange[0]}, which is none of {', '.join(self.modalities)}")
            if len(set(getattr(self, name))) != len(getattr(self, name)):
                raise ValueError(f"{name} holds a modality twice")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels holds a name twice")
        if self.task == "multilabel" and len(self.thresholds) != len(self.labels):
            raise ValueError(f"{len(self.thresholds)} thresholds of {len(self.labels)} labels")
        if (self.task == "regression") != (self.scale is not None):
            raise ValueError("scale belongs to a regression, and to it alone")
        if (size := self.recipe.evaluation_batch) is not None and size < 1:
            raise ValueError(f"an evaluation batch of {size}")
        return self

    @property
    def name(self) -> str:
        return f"{self.notebook}/{self.run}, {self.variant}, seed {self.seed}"

    @property
    def scored_on(self) -> Scale | None:
        return None if self.scale is None else Scale(self.scale.limits, self.scale.neutral)


def read(folder: Path) -> About:
    """That of an exported model. Raises InputError, one line, for a file that is missing, too long or not what
    `About` says."""
    path = Path(folder) / ABOUT
    if path.is_file() and path.stat().st_size > LARGEST_FILE:  # first: to look into it would take as long
        raise InputError(f"holds {path.stat().st_size} bytes, too many for a description", where=path)
    refuse(path, how=_HOW)
    try:
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:  # also text that is no UTF-8
        raise InputError(f"not readable as JSON: {error}", where=path, todo=_HOW) from None
    if not isinstance(values, dict):
        raise InputError("not the description of a model", where=path, todo=_HOW)
    recipe = values.get("recipe")
    known = {field.name for field in fields(Recipe)}
    if isinstance(recipe, dict) and (strange := sorted(recipe.keys() - known)):
        raise InputError(f"unknown key 'recipe.{strange[0]}'", where=path)
    return check(About, values, where=str(path))


def write(folder: Path, about: About) -> None:
    """Leave `model.json` there, whole, its keys in the order in which the networks need them, lists in one line."""
    text = json.dumps(about.model_dump(mode="json"), indent=2, allow_nan=False)
    write_text(Path(folder) / ABOUT, _LIST.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n")


def sha256_ordered(arguments: Mapping[str, object]) -> str:
    """Of their JSON, in their own order."""
    return hashlib.sha256(json.dumps(arguments, separators=(",", ":")).encode()).hexdigest()


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")
