"""Result folders as they lie on disk: what is there, whether it is whole, and what it was made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lib.files import sha256_file, write_json

if TYPE_CHECKING:
    import pandas as pd

CONTENTS = "contents.json"
KEPT = ("tables", "figures", "manifest.json")
"""What of a result folder is kept in the repository, and therefore checked."""

State = Literal["not run", "damaged", "stand-in", "real partial", "real full"]
STATES: dict[State, str] = {
    "not run": "there is no result",
    "damaged": "files are missing or are not those that the run wrote; shown as no result",
    "stand-in": "SYNTHETIC data in the real file format: shows the mechanism, never a result",
    "real partial": "real data, but not the paper's whole experiment",
    "real full": "the paper's own grid on its own corpus",
}


@dataclass(frozen=True)
class ResultFolder:
    """One run's results. `manifest` is empty, and `damage` says why, unless the state is one with results."""

    notebook: str
    name: str
    path: Path
    state: State
    manifest: dict = field(default_factory=dict)
    damage: str = ""

    @property
    def has_results(self) -> bool:
        return bool(self.manifest)

    @property
    def label(self) -> str:
        """The corpora, each saying whether it is real; empty without results."""
        return "; ".join(source["label"] for source in self.manifest.get("data", ()))

    @property
    def warnings(self) -> list[str]:
        return [warning for source in self.manifest.get("data", ()) for warning in source["warnings"]]

    @cached_property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """By file name without ending, in its order; each is read when it is asked for, and once."""
        return _Tables({path.stem: path for path in sorted((self.path / "tables").glob("*.csv"))})

    def figures(self, prefix: str) -> list[Path]:
        return sorted((self.path / "figures").glob(f"{prefix}*.png"))


class _Tables(Mapping):
    def __init__(self, paths: Mapping[str, Path]):
        self._paths = paths
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        import pandas as pd  # slow to load: not for who asks for the state alone

        if name not in self._read:
            self._read[name] = pd.read_csv(self._paths[name])
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def write_contents(folder: Path) -> None:
    """Record what the finished run has written, so that a later change is noticed."""
    write_json(folder / CONTENTS, {name: sha256_file(folder / name) for name in _kept(folder)})


def read_folder(results: Path, notebook: str, name: str) -> ResultFolder:
    """The result folder `results/notebook/name`, whatever state it is in."""
    folder = results / notebook / name
    if not (folder / CONTENTS).exists() and not _kept(folder):
        return ResultFolder(notebook, name, folder, "not run")
    try:
        manifest = _checked(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return ResultFolder(notebook, name, folder, "damaged", damage=str(error))
    if any(source["synthetic"] for source in manifest["data"]):
        return ResultFolder(notebook, name, folder, "stand-in", manifest)
    return ResultFolder(notebook, name, folder, "real full" if name == "paper" else "real partial", manifest)


def _checked(folder: Path) -> dict:
    """The manifest of an undamaged folder. Raises ValueError, or what reading raises, for any other."""
    if not (folder / CONTENTS).exists():
        raise ValueError(f"no {CONTENTS}: the run has not ended")
    recorded = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
    found = set(_kept(folder))
    _no_difference("missing", set(recorded) - found)
    _no_difference("not written by the run", found - set(recorded))
    _no_difference("changed since the run", [name for name in found if sha256_file(folder / name) != recorded[name]])
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for part in ("data", "run", "code", "volatile"):
        manifest[part]
    return manifest


def _no_difference(what: str, names: Iterable[str]) -> None:
    if names := sorted(names):
        raise ValueError(f"{what}: {', '.join(names[:3])}{' and more' if len(names) > 3 else ''}")


def _kept(folder: Path) -> list[str]:
    paths = [path for name in KEPT for path in [folder / name, *(folder / name).rglob("*")]]
    return sorted(path.relative_to(folder).as_posix() for path in paths if path.is_file())
