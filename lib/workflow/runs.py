"""Which runs exist: `params/<notebook>/<run>.yaml` names the notebook and the result folder by its own path."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
PLAIN_NAME = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True, order=True)
class Run:
    """One notebook with one parameter file."""

    notebook: str
    name: str

    def __str__(self) -> str:
        return f"{self.notebook}/{self.name}"

    @property
    def parameters(self) -> Path:
        return ROOT / "params" / self.notebook / f"{self.name}.yaml"

    @property
    def source(self) -> Path:
        return ROOT / "notebooks" / f"{self.notebook}.ipynb"

    @property
    def results(self) -> str:
        """The result folder relative to the workspace, as notebooks get it: no path of this machine in any record."""
        return f"results/{self.notebook}/{self.name}"

    @property
    def folder(self) -> Path:
        return ROOT / self.results


def known_runs() -> list[Run]:
    """Every run that has a parameter file."""
    paths = sorted((ROOT / "params").glob("*/*.yaml"))
    runs = [Run(path.parent.name, path.stem) for path in paths]
    return [run for run in runs if PLAIN_NAME.fullmatch(run.notebook) and PLAIN_NAME.fullmatch(run.name)]


def select(scale: str, only: Sequence[str] = ()) -> list[Run]:
    """The runs called `scale` (`quick` or `paper`); `only` narrows them to notebooks, or names runs exactly.

    Raises InputError for a notebook or a run that does not exist.
    """
    known = known_runs()
    if not only:
        chosen = [run for run in known if run.name == scale]
        if not chosen:
            raise InputError(f"no run is called {scale!r}", where="params", todo=_known(known))
        return chosen
    chosen = []
    for wanted in only:
        notebook, _, name = wanted.strip("/").partition("/")
        run = Run(notebook, name or scale)
        if run not in known:
            raise InputError(f"no run {str(run)!r}", where="--only", todo=_known(known))
        chosen.append(run)
    return sorted(set(chosen))


def _known(runs: Sequence[Run]) -> str:
    return f"known: {', '.join(map(str, runs)) or 'none'}"
