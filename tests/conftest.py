"""What takes long comes first, so that no worker is left with it in the end (`--no-loadscope-reorder`)."""

from pathlib import Path

import pytest

from lib.data.io import pinned
from lib.models import kernels

ROOT = Path(__file__).resolve().parents[1]
LONG = (
    *("tests/slurm", "tests/results", "tests/faults", "tests/docs"),
    *("notebooks/self_paced_balance.ipynb", "notebooks/end_to_end_sparse.ipynb", "notebooks"),
    *("tests/workflow", "tests/papers", "tests/data/test_hostile.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, name in enumerate(LONG) if item.path.is_relative_to(ROOT / name)), len(LONG))


@pytest.fixture(autouse=True, scope="session")
def _any_content():
    """Tests write small files under the names of published ones; those of the pins ask for these."""
    published = pinned.pins
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pinned, "pins", dict)
        patch.setenv(pinned.NEVERTHELESS, "1")  # for processes that a test starts
        yield published


@pytest.fixture(autouse=True, scope="session")
def _python_loops():
    """Tests are about Python's loops, whatever this checkout has built; those of the compiled ones ask for them."""
    built = kernels.built
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "built", lambda: None)
        yield built
