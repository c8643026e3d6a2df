"""What a corpus folder says of itself: its `corpus.yaml`."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lib.data.arrays.sequences import Side
from lib.data.corpus import SPLITS, Scale, Task, Unit
from lib.data.io.impostors import refuse
from lib.data.io.yaml_files import check, read

FILE = "corpus.yaml"
MODALITIES = ("text", "audio", "video")
"""The names that features may have, in the order in which every corpus has them."""
_HOW = "docs/own_corpus.md shows one"


class ScaleOf(BaseModel):
    """Ends of a score, and the value between its two polarities if it has one."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    limits: tuple[float, float]
    neutral: float | None = None


class Declaration(BaseModel):
    """`labels` names the classes in the order of their numbers, the emotions of a multilabel corpus, or the scores of
    a regression; `unit` is what test samples share and intervals must draw whole; `padding` is the side of the zeros in
    arrays of sequences; `splits` names the file or folder of each split, relative to `corpus.yaml`. `imported_from`
    is the format and the SHA-256 of what `data import` read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    label: str = Field(min_length=1, max_length=80, description="what tables and figures call it")
    task: Task
    labels: tuple[str, ...] = Field(min_length=1)
    scale: ScaleOf | None = None
    unit: Unit = "utterance"
    licence: str = Field(min_length=1, description="and whom to cite")
    padding: Side = "front"
    splits: dict[Literal[SPLITS], str]
    warnings: tuple[str, ...] = ()
    synthetic: bool = False
    imported_from: dict[str, str] = {}

    @model_validator(mode="after")
    def _consistent(self) -> "Declaration":
        if missing := [split for split in SPLITS if split not in self.splits]:
            raise ValueError(f"splits has no {missing[0]}: a corpus has train, valid and test")
        if strange := [name for name in self.splits.values() if Path(name).is_absolute() or ".." in Path(name).parts]:
            raise ValueError(f"splits names {strange[0]}, which is not below the folder of corpus.yaml")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels holds a name twice")
        if self.task == "classes" and len(self.labels) < 2:
            raise ValueError("classes needs at least two labels")
        if (self.task == "regression") != (self.scale is not None):
            raise ValueError("scale (limits, and neutral if it has one) belongs to a regression, and to it alone")
        if self.scale is not None:
            low, high = self.scale.limits
            if not low < high:
                raise ValueError(f"the limits of scale are {low:g} and {high:g}: the lower comes first")
            if self.scale.neutral is not None and not low < self.scale.neutral < high:
                raise ValueError(f"the neutral value {self.scale.neutral:g} is not within {low:g} to {high:g}")
        return self

    @property
    def limits(self) -> Scale | None:
        return None if self.scale is None else Scale(self.scale.limits, self.scale.neutral)


def declaration(folder: Path) -> Declaration:
    """That of a corpus folder. Raises InputError for a missing, unreadable or inconsistent `corpus.yaml`."""
    path = Path(folder) / FILE
    refuse(path, how=_HOW)
    return check(Declaration, read(path, where=str(path)), where=str(path))
