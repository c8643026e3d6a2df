"""Which library files a module runs: itself and everything it imports, directly or not."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import grimp

from lib.files import sha256_file

PACKAGE = Path(__file__).resolve().parent


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(PACKAGE.name, cache_dir=None, exclude_type_checking_imports=True)


def closure(modules: Iterable[str]) -> dict[str, str]:
    """SHA-256 by path of the `imported_files` and of the C++ sources beside those that are packages."""
    files = imported_files(modules)
    for name in [name for name in files if name.endswith("/__init__.py")]:
        sources = (PACKAGE.parent / name).parent.glob("*.cpp")
        files += [source.relative_to(PACKAGE.parent).as_posix() for source in sources]
    return {name: sha256_file(PACKAGE.parent / name) for name in files}


def imported_files(modules: Iterable[str]) -> list[str]:
    """The files that importing `modules` may run, by path relative to the workspace.

    Raises KeyError for a module that does not exist under `lib`.
    """
    graph, found = _graph(), set()
    for module in modules:
        if module not in graph.modules:
            raise KeyError(module)
        found |= {module} | graph.find_upstream_modules(module)
    packages = {".".join(name.split(".")[:i]) for name in found for i in range(1, name.count(".") + 1)}
    return [_file(module).relative_to(PACKAGE.parent).as_posix() for module in found | packages]


def _file(module: str) -> Path:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
