"""Runs every parity test over a folder of reference vectors.

`pytest tests/parity --golden DIR` takes any folder laid out like `tests/parity/golden`: `<topic>/<name>.npz`, each
with a string `kind`. A test says which kinds it understands with `@golden("topic", "kind", ...)` and gets one
`vectors` argument per file. Sizes, cases and options come from the file.
"""

from functools import cache
from pathlib import Path

import pytest

from tests.parity.reference import HERE, Vectors, kind_of, load_vectors


def pytest_addoption(parser):
    parser.addoption("--golden", type=Path, default=HERE / "golden", help="folder of reference vectors")


def pytest_configure(config):
    config.addinivalue_line("markers", "golden(topic, kinds): runs once per reference file of these kinds")


@cache
def golden_files(folder: Path) -> dict[Path, tuple[str, str] | None]:
    """(topic, kind) of each file under the folder; None for one that cannot be read."""
    files = sorted(folder.rglob("*.npz"))
    if not files:
        raise pytest.UsageError(f"no reference vectors (*.npz) under {folder}")
    return {path: kind_of(path) for path in files}


def pytest_generate_tests(metafunc):
    wants = set(metafunc.fixturenames) & {"vectors", "golden_path"}
    if not wants:
        return
    files = golden_files(metafunc.config.getoption("golden", HERE / "golden"))
    if "golden_path" in wants:
        metafunc.parametrize("golden_path", files, ids=[f"{p.parent.name}/{p.stem}" for p in files])
        return
    marker = metafunc.definition.get_closest_marker("golden")
    if marker is None:
        raise pytest.UsageError(f"{metafunc.function.__name__} takes `vectors` but has no @golden mark")
    topic, kinds = marker.args
    mine = [path for path, found in files.items() if found in {(topic, kind) for kind in kinds}]
    metafunc.parametrize("vectors", mine, indirect=True, ids=[p.stem for p in mine])


@pytest.fixture
def vectors(request) -> Vectors:
    return load_vectors(request.param)


def pytest_collection_modifyitems(config, items):
    """A kind without a file in this folder is no test: drop it instead of counting a skip."""
    empty = [item for item in items if "vectors" in getattr(item, "fixturenames", ()) and "NOTSET" in item.name]
    if empty:
        config.hook.pytest_deselected(items=empty)
        items[:] = [item for item in items if item not in empty]
