"""What all parameter models share."""

from collections.abc import Collection
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from lib.data.io.features import Nonfinite
from lib.errors import InputError

NONFINITE: Nonfinite = Field("error", description="NaN and infinities in features: refused, or zero")
"""Of every run that reads a corpus, as `nonfinite: Nonfinite = NONFINITE`."""


class Parameters(BaseModel):
    """Fields every run has. `data_root` empty means: the `REPRISE_DATA` variable, else `data/` in the workspace."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    reads_results: ClassVar[bool] = False
    """Whether the run reads the result folders of all other notebooks, and so comes after them."""

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

    def further_files(self) -> tuple[str, ...]:
        """What it reads beside the files of its corpora, relative to the data folder."""
        return ()

    @classmethod
    def from_notebook(cls, namespace: dict[str, object]) -> "Parameters":
        """The parameters cell of a running notebook, checked. `namespace` is the notebook's `globals()`."""
        from lib.params.yaml_file import check

        missing = [name for name in cls.model_fields if name not in namespace]
        if missing:
            raise InputError(f"the parameters cell does not set {', '.join(missing)}", where=cls.__name__)
        return check(cls, {name: namespace[name] for name in cls.model_fields}, where="parameters cell")


def _words(value: object) -> str:
    values = value if isinstance(value, list) else [value]
    return " ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
