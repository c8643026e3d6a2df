"""Which runs exist: `params/<notebook>/<run>.yaml` names the notebook and the result folder by its own path."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.errors import InputError
from lib.workflow.jobs import Job

ROOT = Path(__file__).resolve().parents[2]
PLAIN_NAME = re.compile(r"\w[\w.-]*")
EXPORTED = "exported"
# What a reader of results does not look at. Records of members are the notebook's business: it resumes from them.
# Exported models are the user's: no run makes, changes or removes them.
NOT_RESULTS = ("status.json", "failure.json", "progress.json", "log.txt", "members", EXPORTED)


@dataclass(frozen=True, order=True)
class Run(Job):
    """One notebook with one parameter file."""

    notebook: str
    name: str

    def __str__(self) -> str:
        return f"{self.notebook}/{self.name}"

    @property
    def title(self) -> str:
        return str(self)

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

    @property
    def done(self) -> Path:
        return self.folder / "status.json"

    @property
    def failed(self) -> Path:
        return self.folder / "failure.json"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def lock(self) -> Path:
        return ROOT / ".reprise" / "runs" / f"{self.notebook}.{self.name}.lock"

    @property
    def progress(self) -> Path:
        """Written by the notebook: {"done", "total", "eta_s"}."""
        return self.folder / "progress.json"

    def begin(self) -> None:
        self.progress.unlink(missing_ok=True)
        super().begin()

    def outputs(self) -> list[str]:
        """The result files in the run's folder, relative to it."""
        paths = (path.relative_to(self.folder) for path in sorted(self.folder.rglob("*")) if path.is_file())
        shown = (path for path in paths if not any(part.startswith(".") for part in path.parts))
        return [path.as_posix() for path in shown if path.parts[0] not in NOT_RESULTS]


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
    todo = "; ".join([f"known: {', '.join(map(str, known)) or 'none'}", *_misnamed(known)])
    if not only:
        chosen = [run for run in known if run.name == scale]
        if not chosen:
            raise InputError(f"no run is called {scale!r}", where="params", todo=todo)
        return chosen
    chosen = []
    for wanted in only:
        notebook, _, name = wanted.strip("/").partition("/")
        run = Run(notebook, name or scale)
        if run not in known:
            raise InputError(f"no run {str(run)!r}", where="--only", todo=todo)
        chosen.append(run)
    return sorted(set(chosen))


def _misnamed(known: Sequence[Run]) -> list[str]:
    """What to do about the first file that was meant for a run and is none by its name; nothing if there is none."""
    paths = {run.parameters for run in known}
    for path in sorted((ROOT / "params").glob("*/[!.]*")):
        if path.suffix.lower() in (".yaml", ".yml") and path not in paths:
            name = re.sub(r"[^\w.-]", "_", path.stem).lstrip(".-") or "run"
            return [f"rename {path.relative_to(ROOT)} to {name}.yaml: a run's name is letters, digits, and _ . -"]
    return []
