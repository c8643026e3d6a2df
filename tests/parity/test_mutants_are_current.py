"""Every mutant still finds the piece of source that it replaces, so that the slow tests of them cannot rot unseen."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.parity.mutants import Mutant, assert_current

HERE = Path(__file__)
MODULES = sorted(path.stem for path in HERE.parent.glob("test_mutants_*.py") if path != HERE)


def mutants_in(value: object) -> Iterator[Mutant]:
    """Those in lists, tuples and dictionaries, however deep."""
    if isinstance(value, Mutant):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from mutants_in(part)


@pytest.mark.parametrize("module", MODULES)
def test_mutants_find_their_place(module):
    found = set(mutants_in(vars(import_module(f"tests.parity.{module}"))))
    assert found
    for mutant in sorted(found, key=lambda each: (each.target, each.name)):
        assert_current(mutant)
