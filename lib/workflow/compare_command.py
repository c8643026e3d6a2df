"""`run_all.sh compare A B`: which numbers of two result folders differ, beyond noise or not, and what else does."""

import argparse
import subprocess
import textwrap
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd

from lib.errors import InputError
from lib.files import sha256_file
from lib.reporting.comparison import (
    BEYOND,
    EQUAL,
    RULE,
    compare_runs,
    compare_tables,
    only_in,
    open_folder,
    run_table,
)
from lib.reporting.comparison_origin import origins
from lib.reporting.result_folders import ResultFolder
from lib.workflow.jobs import read_json
from lib.workflow.runs import ROOT, Run

SHOWN = 40
"""Rows printed of each list, unless all are asked for."""
CODE = ("lib", "notebooks", "params", "requirements.lock")


def compare(given: argparse.Namespace) -> int:
    """Print the comparison; 0 whatever it finds. Raises InputError for folders that cannot be compared."""
    a, b = (open_folder(_path(text)) for text in given.folders)
    recorded = [_recorded(folder) for folder in (a, b)]
    tables = [run_table(folder, record["outputs"]) for folder, record in zip((a, b), recorded, strict=True)]
    changed, about = compare_tables(a, b)
    limit = None if given.everything else SHOWN
    scores = None if any(table is None for table in tables) else compare_runs(*tables)
    if not about["compared"].sum() and (scores is None or scores.empty):
        raise InputError("no number in common: are these runs of one notebook?", where=", ".join(given.folders))
    sections = [_heads(a, b)]
    if scores is not None:
        sections.append(_scores(scores, *tables, limit))
    else:
        sections.append("SCORES BY SEED: not compared, as these are not kept in the repository; see the tables.")
        sections.append(_listed("NUMBERS IN TABLES THAT CHANGED", _by_verdict(changed), limit))
    differing = about.loc[about["state"] != EQUAL, ["table", "state"]]
    sections.append(_listed("TABLES", differing, limit, nothing="all are equal, but for times"))
    sections.append("RULE\n" + textwrap.fill(RULE, 110))
    inputs = (recorded[0]["inputs"], recorded[1]["inputs"])
    differences = origins(a, b, inputs) + ([] if all(inputs) else _commits(a, b))
    rows = pd.DataFrame(differences, columns=["what", "A", "B"])
    sections.append(_listed("ORIGIN: WHAT DIFFERS", rows, limit, nothing="nothing, but times"))
    print("\n\n".join(sections))
    return 0


def _path(text: str) -> Path:
    """A folder, or NOTEBOOK/RUN of this workspace."""
    given, run = Path(text), ROOT / "results" / text
    return run if not given.is_dir() and run.is_dir() else given.absolute()


def _recorded(folder: ResultFolder) -> Mapping[str, Mapping[str, str]]:
    """Hashes of `inputs` and `outputs` in the status file, if it is there and belongs to these very results."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = read_json(folder.path / Run(folder.notebook, folder.name).done.name)
        found = {name: dict(record[name]) for name in ("inputs", "outputs")}
        if found["outputs"]["manifest.json"] == sha256_file(folder.path / "manifest.json"):
            return found
    return {"inputs": {}, "outputs": {}}


def _heads(a: ResultFolder, b: ResultFolder) -> str:
    lines = []
    for name, folder in (("A", a), ("B", b)):
        written = folder.manifest["volatile"].get("written", "at an unknown time")
        lines.append(f"{name}  {folder.notebook}/{folder.name}: {folder.label}; {folder.state}; written {written}")
    return "\n".join(lines)


def _scores(found: pd.DataFrame, a: pd.DataFrame, b: pd.DataFrame, limit: int | None) -> str:
    found = _by_verdict(found.rename(columns={"where": "variant", "number": "score"}))
    counts = ", ".join(f"{n} {verdict}" for verdict, n in found["verdict"].value_counts().items()) or "none in common"
    text = _listed(f"SCORES BY SEED: {counts}", found[found["verdict"] != EQUAL], limit, nothing="no score differs")
    for name, alone in (("A", only_in(a, b)), ("B", only_in(b, a))):
        if alone:
            text += f"\nvariants in {name} alone: {', '.join(alone)}"
    return text


def _by_verdict(rows: pd.DataFrame) -> pd.DataFrame:
    """Beyond noise first, else in the order given."""
    return rows.sort_values("verdict", key=lambda verdict: verdict != BEYOND, kind="stable")


def _listed(title: str, rows: pd.DataFrame, limit: int | None, nothing: str = "none") -> str:
    if rows.empty:
        return f"{title}\n{nothing}"
    cells = rows.head(limit or len(rows)).map(_cell)
    lines = [list(cells.columns), *cells.itertuples(index=False, name=None)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)
    rest = len(rows) - len(cells)
    return f"{title}\n{text}" + (f"\n... and {rest} more (--all)" if rest else "")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "–" if pd.isna(value) else f"{value:.6g}"
    return " ".join(str(value).split())


def _commits(a: ResultFolder, b: ResultFolder) -> list[tuple[str, str, str]]:
    """The code files that differ between two commits, where both are known here."""
    commits = [folder.manifest["code"].get("commit") for folder in (a, b)]
    if not all(commits) or commits[0] == commits[1]:
        return []
    command = ["git", "diff", "--name-status", "--no-renames", "--end-of-options", *commits, "--", *CODE]
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            words = {"A": ("–", "new"), "D": ("there", "gone"), "M": ("", "changed")}
            pairs = [line.split("\t", 1) for line in done.stdout.splitlines()]
            return [(f"commit: {name}", *words.get(state, ("", state))) for state, name in pairs]
    return [("commit: files", "not known here", "not known here")]
