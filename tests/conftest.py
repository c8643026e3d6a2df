"""What takes long comes first, so that no worker is left with it in the end (`--no-loadscope-reorder`)."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
LONG = ("results/test_committed_tables.py", "slurm", "faults", "docs/test_add_a_paper.py", "workflow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, name in enumerate(LONG) if item.path.is_relative_to(TESTS / name)), len(LONG))
