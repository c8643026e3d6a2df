"""The papers, one folder each, found by being there.

`lib/papers/<paper>/__init__.py` holds the parameters of its notebooks and says which these are,
`NOTEBOOKS: dict[str, type[Parameters]]`, and `PAPER_DATA: dict[str, tuple[str, ...]]`, which recordings the paper's own
experiment is on and which modalities of each it used; it imports nothing heavy. `study.py` beside it has
`study(p) -> Study`, the rest of the folder what only this paper has: tables, figures, conclusions, `published.csv`,
`claims.csv`, `SPEC.md`.
"""

from functools import cache
from importlib import import_module
from pathlib import Path

from lib.data.io.yaml_files import check, read
from lib.errors import InputError
from lib.params import Parameters

HERE = Path(__file__).parent


@cache
def schemas() -> dict[str, type[Parameters]]:
    """The parameter model of each notebook."""
    folders = sorted(path.parent.name for path in HERE.glob("*/__init__.py"))
    found = {}
    for folder in folders:
        found |= import_module(f"{__name__}.{folder}").NOTEBOOKS
    return dict(sorted(found.items()))


def schema_for(notebook: str) -> type[Parameters]:
    """The parameter model of a notebook. Raises InputError for an unknown notebook."""
    if notebook not in schemas():
        raise InputError(f"no notebook named {notebook!r}", where="params", todo=f"known: {', '.join(schemas())}")
    return schemas()[notebook]


def paper_data(notebook: str) -> dict[str, tuple[str, ...]]:
    """Which modalities the paper of a notebook used, by the recordings that it is about (`Description.family`).

    Empty for a notebook without a paper, or an unknown one.
    """
    if notebook not in schemas():
        return {}
    return getattr(import_module(schemas()[notebook].__module__), "PAPER_DATA", {})


def load(path: Path, **given: object) -> Parameters:
    """Read `params/<notebook>/<run>.yaml`; `given` adds what the runner decides (results, data_root, cores).

    Raises InputError with file, key, the offending value and what is allowed.
    """
    path = Path(path)
    where = "/".join(path.parts[-3:])
    values = read(path, where=where, absent="no such parameter file", todo="see `run_all.sh --help`")
    for reserved in given:
        if reserved in values:
            raise InputError(f"key {reserved!r} is set by the runner", where=where, todo="remove it")
    return check(schema_for(path.parent.name), {**values, **given}, where=where)


def study_of(p: Parameters):
    """What a run asks. Raises InputError for unusable data."""
    return import_module(f"{type(p).__module__}.study").study(p)
