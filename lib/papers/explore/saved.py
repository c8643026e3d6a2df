"""A setting found by hand, kept as a parameter file that a batch run repeats."""

import re
from pathlib import Path

import yaml

from lib import papers
from lib.errors import InputError
from lib.files import WORKSPACE, write_text
from lib.papers.explore import Explore

FOLDER = WORKSPACE / "params" / "explore"
_NAME = re.compile(r"\w[\w-]*", re.ASCII)
RESERVED = ("quick", "paper", "explore")
"""Names that mean something: the stored runs, and the folder of runs by hand."""
NOT_KEPT = {"results", "data_root", "cores"}
"""What the batch run decides itself."""


def save(p: Explore, name: str, folder: Path = FOLDER) -> str:
    """Write `params/explore/<name>.yaml`; returns the command that repeats the setting, bit for bit.

    Raises InputError for an unusable name, a name that another setting has, and a data folder of its own, which a
    batch run would not use.
    """
    if not _NAME.fullmatch(name) or name in RESERVED:
        what = f"{name!r} cannot be the name of a setting"
        raise InputError(what, todo=f"use letters, digits, - and _, and none of {', '.join(RESERVED)}")
    if p.data_root:
        raise InputError("this setting has a data folder of its own", todo="name it in REPRISE_DATA instead")
    path, run = folder / f"{name}.yaml", f"explore/{name}"
    kept = p.model_dump(mode="json", exclude=NOT_KEPT)
    if path.exists():
        if papers.load(path, results="-").model_dump(mode="json", exclude=NOT_KEPT) != kept:
            raise InputError(f"{run} is another setting", todo="choose another name")
    else:
        write_text(path, f"# Saved from the explorer.\n{yaml.safe_dump(kept, sort_keys=False)}")
    return f"./run_all.sh --only {run}"
