"""Must a run or a chunk be repeated? Decided by contents: it is up to date if it succeeded with exactly the inputs of
now, and a run's results are still what it wrote.

An input is everything that can change what a run computes, by name and SHA-256. Contents only: an editor that saves a
notebook's outputs, a YAML comment or a `touch` change nothing here. Left out are the workflow itself and the tests,
which do not enter results. Of the library, a run takes in what its notebook imports as written, directly or not, and,
known after it ran, what its kernel had loaded by whatever name.
"""

import ast
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grimp.exceptions import GrimpException

import lib.data
import lib.papers
from lib.errors import InputError
from lib.files import sha256_file, sha256_json, write_json
from lib.model_file import named_in
from lib.params import Parameters
from lib.reporting.result_folders import CONTENTS
from lib.source_closure import imported_files
from lib.workflow.jobs import read_json
from lib.workflow.runs import ROOT, Run

SETTLED_AFTER_NS = 2 * 10**9
DECIDED_BY_THE_RUNNER = {"results", "data_root", "cores"}


class FileHashes:
    """SHA-256 of files, remembered for as long as a file's size, inode and times stay the same."""

    def __init__(self, memory: Path = ROOT / ".reprise" / "hashes.json"):
        self._memory = memory
        self._known: dict[str, list] = read_json(memory) or {}
        self._learned = False

    def sha256(self, path: Path) -> str:
        """Raises OSError if the file cannot be read."""
        path = path.absolute()
        stat = path.stat()
        # The change time cannot be set back by hand, unlike the modification time.
        identity = [stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns]
        known = self._known.get(str(path))
        if known and known[:-1] == identity:
            return known[-1]
        found = sha256_file(path)
        # A file written this instant may change again without its times changing.
        if time.time_ns() - stat.st_ctime_ns > SETTLED_AFTER_NS:
            self._known[str(path)] = [*identity, found]
            self._learned = True
        return found

    def save(self) -> None:
        """Remember across processes. Nothing but time is lost if this fails or two processes do it at once."""
        if self._learned:
            with suppress(OSError):
                write_json(self._memory, self._known)


@dataclass(frozen=True)
class Inputs:
    """What a run would read now: its checked parameters, as its notebook gets them, and SHA-256 by name of parameter
    file, notebook, library files and data files.
    """

    parameters: Parameters
    files: dict[str, str]

    @property
    def identity(self) -> str:
        """Of all of it; what a chunk was made from."""
        return sha256_json(self.files)


class Freshness:
    """Looks once at what each run reads, whoever asks how often; `cores` are those that its notebook may use."""

    def __init__(self, cores: int = 1, memory: Path = ROOT / ".reprise" / "hashes.json"):
        self._cores = cores
        self._hashes = FileHashes(memory)
        self._looked: dict[Run, Inputs] = {}

    def inputs(self, run: Run) -> Inputs:
        """Raises InputError for unusable ones."""
        if run not in self._looked:
            self._looked[run] = self._look(run)
            self._hashes.save()
        return self._looked[run]

    def why_stale(self, run: Run) -> str:
        """The reason to repeat a run, in words; empty if it is up to date."""
        recorded = run.record()
        if recorded is None:
            failure = run.failure()
            return f"last attempt: {failure.state}" if failure else "never run"
        try:
            now = self.inputs(run).files
        except InputError as error:
            return f"unusable: {error}"
        before = recorded["inputs"]
        # What it loaded by names that are written nowhere.
        now = now | self.library(name for name in before if name.startswith("lib/") and name not in now)
        for verb, names in (
            ("changed", [name for name in now if before.get(name, now[name]) != now[name]]),
            ("added", [name for name in now if name not in before]),
            ("removed", [name for name in before if name not in now]),
        ):
            if names:
                return f"{verb}: {_few(names)}"
        outputs = recorded["outputs"]
        if missing := [name for name in outputs if not (run.folder / name).is_file()]:
            return f"output missing: {_few(missing)}"
        if altered := [name for name in outputs if self._hashes.sha256(run.folder / name) != outputs[name]]:
            return f"output changed: {_few(altered)}"
        return ""

    def library(self, names: Iterable[str] | None = None) -> dict[str, str]:
        """SHA-256 of library files (default: all) and of the tables that belong to them, by path in the workspace.

        Files that are gone are left out.
        """
        paths = sorted((ROOT / "lib").rglob("*.py")) if names is None else [ROOT / name for name in names]
        return {_relative(path): self._hashes.sha256(path) for path in with_tables(paths) if path.is_file()}

    def _look(self, run: Run) -> Inputs:
        given = lib.papers.load(run.parameters, results=run.results, data_root="", cores=self._cores)
        notebook = read_notebook(run.source)
        modules = {type(given).__module__, *_imported(notebook)}
        found = {
            _relative(run.parameters): sha256_json(given.model_dump(mode="json", exclude=DECIDED_BY_THE_RUNNER)),
            _relative(run.source): sha256_json(_executed_part(notebook)),
        }
        if given.reads_results:
            claims = sorted((ROOT / "lib").glob("papers/*/claims.csv"))
            found |= {_relative(path): self._hashes.sha256(path) for path in [*claims, *_contents_of_others(run)]}
        root = lib.data.data_root(given.data_root)
        read = [
            (path, f"see ./run_all.sh data get {name}")
            for name in given.corpora()
            for path in lib.data.files(name, root)
        ]
        read += [(root / name, "put it there, or change the parameter that names it") for name in given.further_files()]
        for path, todo in read:
            if not path.is_file():
                raise InputError("missing", where=path, todo=todo)
            found[f"data/{path.relative_to(root).as_posix()}"] = self._hashes.sha256(path)
        modules |= {lib.data.reader_module(name) for name in given.corpora()}
        for model in named_in(given):
            found |= model.code()
        try:
            return Inputs(given, found | self.library(imported_files(modules)))
        except (GrimpException, KeyError) as error:
            raise InputError(f"imports cannot be followed: {error}", where="lib") from None


def _few(names: list[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(sorted(names)[:shown]) + more


def _contents_of_others(run: Run) -> list[Path]:
    """What the result folders of other notebooks say that they hold."""
    return [path for path in sorted((ROOT / "results").glob(f"*/*/{CONTENTS}")) if path.parts[-3] != run.notebook]


def comes_last(run: Run) -> bool:
    """Whether a run reads the results of others. Raises InputError for a notebook without parameters."""
    return lib.papers.schema_for(run.notebook).reads_results


def loaded_files(modules: Iterable[str]) -> list[str]:
    """Where modules of `lib` stand, and the tables that belong to them, by path in the workspace."""
    return [_relative(path) for path in with_tables(path for path in map(_path, modules) if path)]


def with_tables(modules: Iterable[Path]) -> Iterator[Path]:
    """These files and the tables that belong to them: `x.csv` to `x.py` beside it, else to the package."""
    for module in modules:
        yield module
        for path in module.parent.glob("*.*"):
            if path.suffix not in (".py", ".pyc", ".md") and path.is_file() and not path.name.startswith("."):
                owner = path.with_suffix(".py")
                if module == (owner if owner.exists() else path.with_name("__init__.py")):
                    yield path


def read_notebook(path: Path) -> dict:
    """A notebook as plain JSON. Raises InputError if it is missing or no notebook."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
    except FileNotFoundError:
        raise InputError("no such notebook", where=_relative(path)) from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"not readable as a notebook: {error}", where=_relative(path)) from None
    return notebook


def _executed_part(notebook: dict) -> dict:
    cells = [
        {"type": cell["cell_type"], "source": cell["source"], "tags": cell.get("metadata", {}).get("tags", [])}
        for cell in notebook["cells"]
    ]
    return {"cells": cells, "language": notebook.get("metadata", {}).get("kernelspec", {}).get("language", "")}


def _imported(notebook: dict) -> Iterator[str]:
    """The modules of `lib` that the code cells import, each as precisely as the files tell."""
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        lines = cell["source"].splitlines()
        code = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)
        try:
            tree = ast.parse(code)
        except SyntaxError:
            continue  # The kernel will refuse this cell, too, and say so in its place.
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            yield from (module for module in map(_module, names) if module)


def _module(name: str) -> str | None:
    """The longest part of a dotted name that is a module of this workspace's `lib`; None if none is."""
    parts = name.split(".")
    candidates = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next(filter(_path, candidates), None) if parts[0] == "lib" else None


def _path(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _relative(path: Path) -> str:
    return Path(os.path.relpath(path, ROOT)).as_posix()
