"""Wrong models, to show that the comparison sees them: a piece of our source is replaced while a check runs.

The vectors are the repository's, whatever `--golden` says: a mutant may need a case that another folder does not have.
"""

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType

import pytest

from tests.parity.reference import HERE, Vectors, kind_of, load_vectors


@dataclass(frozen=True)
class Mutant:
    """In the source of `target` (`package.module:Class.method` or `:function`), `old` becomes `new`."""

    name: str
    target: str
    old: str
    new: str


def mutants(target: str, changes: dict[str, tuple[str, str]]) -> list[Mutant]:
    """Several of one function, by name: what is there, and what it becomes."""
    return [Mutant(name, target, old, new) for name, (old, new) in changes.items()]


def listed(by_kind: dict[str, list[Mutant]]) -> list[tuple[str, Mutant]]:
    return [(kind, mutant) for kind, several in by_kind.items() for mutant in several]


def named(parameter: object) -> str:
    """As a test's id."""
    return getattr(parameter, "name", str(parameter))


@contextmanager
def mutated(mutant: Mutant) -> Iterator[None]:
    """Within the block the mutant is in place, wherever a loaded module of ours has imported the function by name."""
    module, owner, name = _place(mutant.target)
    before = vars(owner)[name]
    wrong = _rewritten(mutant, before, None if owner is module else owner, vars(module))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, wrong)
        if owner is module:
            for other in [m for n, m in sys.modules.items() if n.startswith(("lib.", "tests.parity"))]:
                for alias in [n for n, value in vars(other).items() if value is before]:
                    patch.setattr(other, alias, wrong)
        yield


def _place(target: str) -> tuple[ModuleType, ModuleType | type, str]:
    """The module, what in it holds the function (the module itself, or a class), and the function's name there."""
    module_name, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner = module = import_module(module_name)
    for part in owners:
        owner = getattr(owner, part)
    return module, owner, name


def _source(mutant: Mutant, function: object) -> str:
    """The function as it stands, in which the mutant's place must be found."""
    function = getattr(function, "fget", None) or getattr(function, "__func__", function)
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    assert mutant.old in source, f"{mutant.name}: {mutant.target} no longer has {mutant.old!r}"
    return source


def assert_current(mutant: Mutant) -> None:
    """The function still has the piece that the mutant replaces."""
    _, owner, name = _place(mutant.target)
    _source(mutant, vars(owner)[name])


def _rewritten(mutant: Mutant, before: object, owner: type | None, namespace: dict) -> object:
    """The function as its changed source defines it; `super()` without arguments needs the class around it."""
    source = _source(mutant, before)
    changed = textwrap.indent(source.replace(mutant.old, mutant.new), "    ")
    scope: dict[str, Callable] = {}
    name = mutant.target.rpartition(":")[2].rpartition(".")[2]
    exec(f"def make(__class__):\n{changed}\n    return {name}", namespace, scope)
    return scope["make"](owner)


@cache
def stored(topic: str, kinds: tuple[str, ...]) -> list[Vectors]:
    """The repository's files of these kinds, the smallest first."""
    files = sorted((HERE / "golden" / topic).glob("*.npz"), key=lambda path: path.stat().st_size)
    return [load_vectors(path) for path in files if kind_of(path) in {(topic, kind) for kind in kinds}]


def assert_killed(mutant: Mutant, check: Callable[[Vectors], None], topic: str, *kinds: str) -> None:
    """Some file of these kinds fails the check with the mutant in place."""
    with mutated(mutant):
        for vectors in stored(topic, kinds):
            try:
                check(vectors)
            except AssertionError:
                return
    pytest.fail(f"{mutant.name}: a wrong model passes every file of {kinds}")
