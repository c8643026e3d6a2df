"""A model that a person brings, named `path/to/file.py:Class`: where it lies, and what its text says of it.

Nothing of the file is run here, so that settings can be checked, and hashes compared, whoever wrote them. What a model
has to be stands in `docs/own_model.md`; `lib.training.own_model` tries whether it is.
"""

import ast
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.machinery import PathFinder
from pathlib import Path

from lib.errors import InputError
from lib.files import WORKSPACE
from lib.source_closure import PACKAGE, closure

HOW = "name it as path/to/file.py:Class"
FIELDS = ("model", "models")
"""Of the parameters of a run: those that may name such a model, or have parts whose `model` does."""
INSTALLED = tuple(Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib", "purelib", "platlib"))


@dataclass(frozen=True)
class ModelFile:
    """`file` is relative to the workspace, or absolute; `name` is that of a class in it."""

    file: str
    name: str

    @classmethod
    def named(cls, given: str) -> "ModelFile":
        """Raises InputError for what is no path and class."""
        file, _, name = given.rpartition(":")
        if not file.endswith(".py") or not name.isidentifier():
            raise InputError(f"no model {given!r}", todo=HOW)
        return cls(file, name)

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"

    @property
    def path(self) -> Path:
        return WORKSPACE / self.file

    @property
    def outside(self) -> bool:
        """Whether it lies outside the workspace, links followed."""
        return not self.path.resolve().is_relative_to(WORKSPACE)

    def code(self) -> dict[str, str]:
        """SHA-256 by path of the file, first, and of the library files that it imports, directly or not: what a
        training with this model depends on.

        Raises InputError, one line, for a file that is missing or no Python, does not define the class, or defines it
        twice, and for an import from a file whose changes nobody would notice.
        """
        text = self._bytes()
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError) as error:  # the second: text with null bytes
            line = f", line {error.lineno}" if getattr(error, "lineno", None) else ""
            raise InputError(f"no Python{line}: {getattr(error, 'msg', error)}", where=self.file) from None
        classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        if (found := classes.count(self.name)) != 1:
            what = f"defines {found or 'no'} class{'es' if found > 1 else ''} {self.name}"
            there = ", ".join(dict.fromkeys(classes)) or "none at the top level"
            raise InputError(what, where=self.file, todo=f"classes there: {there}")
        library = {module for name in _imported(tree, self.file) if (module := _checked(name, self.file))}
        return {self.file: sha256(text).hexdigest()} | (closure(sorted(library)) if library else {})

    def _bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", where=self.file, todo=HOW) from None


def named_in(parameters: object) -> tuple[ModelFile, ...]:
    """The models that the parameters of a run name by file, in the fields `FIELDS`."""
    values = [getattr(parameters, name, ()) for name in FIELDS]
    several = [one for value in values for one in ([value] if isinstance(value, str) else value)]
    named = [getattr(one, "model", one) for one in several]
    return tuple(ModelFile.named(one) for one in named if isinstance(one, str) and ".py:" in one)


def _imported(tree: ast.Module, file: str) -> Iterator[str]:
    """Dotted names of what is imported anywhere in the file, as precisely as they are written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                raise InputError("imports from beside itself", where=file, todo="a model is one file: put it in")
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _checked(name: str, file: str) -> str:
    """The module of the library that is meant; empty for one of an installed package, or of none.

    Raises InputError for one of another file, whose content no record would know.
    """
    parts = name.split(".")
    if parts[0] == PACKAGE.name:
        dotted = (parts[:end] for end in range(len(parts), 0, -1))
        return next(".".join(each) for each in dotted if _is_module(PACKAGE.parent.joinpath(*each)))
    if parts[0] in sys.stdlib_module_names:
        return ""
    spec = PathFinder.find_spec(parts[0])
    places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    for place in filter(None, places):
        if not any(Path(place).resolve().is_relative_to(folder) for folder in INSTALLED):
            what = f"imports {parts[0]}, which is no installed package: nobody would notice its changes"
            raise InputError(what, where=file, todo="a model is one file: put it in")
    return ""


def _is_module(path: Path) -> bool:
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
